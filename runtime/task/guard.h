// SPDX-License-Identifier: MIT
// lua_pcall of a C function, where C has something to free whatever happens. The function is
// called through one that the registry keeps, so that nothing is allocated before it runs.
#ifndef WF_TASK_GUARD_H
#define WF_TASK_GUARD_H

#include <lua.h>

#include "sched/vm.h"

// Its arguments begin at index 2. Returns the number of its results, which are on top.
typedef int (*wf_guard_fn)(lua_State *L, void *ud);

// Has to come before the first wf_guard in a VM. Raises when memory is out.
void wf_guard_open(wf_vm *vm, lua_State *L);

// Calls fn with the nargs values on top of the stack, which are popped. The status of lua_pcall;
// then the results or the error are on top. At least two slots must be free.
int wf_guard(wf_vm *vm, lua_State *L, wf_guard_fn fn, void *ud, int nargs, int nresults);

// The same with the collector at rest, so that no finaliser of a script runs in between.
int wf_guard_at_rest(wf_vm *vm, lua_State *L, wf_guard_fn fn, void *ud, int nargs, int nresults);

// A hook for calls or returns, which is Lua code, would run for C functions that C calls. These
// take it away for a while, when there is one, and put it back. No bytecode may run in between.
typedef struct wf_guard_hook {
  lua_Hook fn;
  int mask, count;
} wf_guard_hook;

wf_guard_hook wf_guard_lift_hook(lua_State *L);
void wf_guard_put_hook_back(lua_State *L, const wf_guard_hook *hook);

#endif
