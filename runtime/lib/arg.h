// SPDX-License-Identifier: MIT
// Checking arguments: errors that name the function, the argument, what was expected and what
// came, at the line of the script that made the call, through however many of weft's own frames.
// Symbols: wf_arg, wf_raise, wf_self, wf_ctx_is_over, wf_wait_context
#ifndef WF_LIB_ARG_H
#define WF_LIB_ARG_H

#include <lua.h>

#include "conc/chan.h"
#include "conc/context.h"
#include "sched/vm.h"

// The VM of a door: every one has it as its first upvalue. That costs 65 instructions to look up,
// so the VM whose task runs on this thread is asked first whether L is its own.
static inline wf_vm *wf_door_vm(lua_State *L) {
  wf_vm *vm = wf_vm_here;
  if (vm != NULL && vm->running == L) return vm;
  return lua_touserdata(L, lua_upvalueindex(1));
}

// Raises the string on top of the stack with the script's position before it.
_Noreturn void wf_raise_top(lua_State *L);

_Noreturn void wf_raise(lua_State *L, const char *fmt, ...);

// `bad argument #arg to 'fname' (expected expected, got …)`; idx is where the argument lies.
_Noreturn void wf_arg_fail(lua_State *L, int arg, const char *fname, const char *expected,
                           int idx);

// `calling 'fname' on bad self (…)`, for the value at 1.
_Noreturn void wf_self_fail(lua_State *L, const char *fname, const char *type, const char *var);

// A number that is not NaN: seconds.
double wf_arg_seconds(lua_State *L, int idx, int arg, const char *fname);

void wf_arg_function(lua_State *L, int idx, int arg, const char *fname);

// The context at idx; for nil or nothing the running task's own (conc/scope.h), or NULL.
wf_ctx *wf_arg_context(lua_State *L, int idx, int arg, const char *fname);

// Whether `ctx` (may be NULL) has ended; nil and its error are pushed then. Raises when it is the
// task's own.
bool wf_ctx_is_over(lua_State *L, wf_ctx *ctx);

// Makes the running task's wait end with the context (may be NULL, or one that never ends). When
// it is the task's own, somebody has to raise after the wait: the door belongs into the list of
// lua/weft/internal/scope.lua.
void wf_wait_context(wf_vm *vm, lua_State *L, wf_ctx *ctx);

#endif
