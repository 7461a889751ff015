// SPDX-License-Identifier: MIT
// What every VM for isolated tasks begins with: the search paths of modules, as they are in the
// VM that spawns, and the functions of weft.on_vm. Any thread; its lock is innermost.
#ifndef WF_TASK_ISOLATED_H
#define WF_TASK_ISOLATED_H

#include <lua.h>
#include <stdbool.h>

#include "sched/runtime.h"

// Makes it ready. False: no memory. Worker 0.
bool wf_isolated_open(wf_runtime *rt);

void wf_isolated_close(wf_runtime *rt);

// Takes over package.path and package.cpath of the VM, if they have changed. Raises when memory is
// out.
void wf_isolated_note_paths(wf_vm *vm, lua_State *L);

// Every VM that is made from now on calls the function at idx first. False: it cannot cross; why
// is on top of the stack. Raises when memory is out.
bool wf_isolated_add_function(wf_vm *vm, lua_State *L, int idx);

// In a VM that is about to run isolated tasks: sets the paths, if these have changed.
void wf_isolated_follow_paths(wf_vm *vm, lua_State *L);

// In a new VM: calls the functions. Raises what they raise.
void wf_isolated_run_functions(wf_vm *vm, lua_State *L);

#endif
