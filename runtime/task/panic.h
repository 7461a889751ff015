// SPDX-License-Identifier: MIT
// What happens to an error that nobody caught. Its task's deferred calls run first; then it goes
// to weft.on_panic's function, or else it ends the runtime.
#ifndef WF_TASK_PANIC_H
#define WF_TASK_PANIC_H

#include <lua.h>
#include <stdbool.h>

struct wf_vm;
struct wf_task;

// The task has ended with the error on top of the stack of its coroutine.
void wf_panic_task(struct wf_vm *vm, struct wf_task *task);

// The deferred calls of a failed task are done and have left error and traceback on its stack.
void wf_panic_after_defers(struct wf_vm *vm, struct wf_task *task);

// The failed task's deferred calls will not come to their end: its failure is reported without
// them.
void wf_panic_overdue(struct wf_vm *vm, struct wf_task *task);

// The task yielded without parking, through a coroutine.yield that weft does not know.
void wf_panic_stray_yield(struct wf_vm *vm, struct wf_task *task);

// Whether the task ends by the error at idx because its own context has (conc/scope.h): it has
// been stopped, and that is no panic.
bool wf_panic_is_stop(const struct wf_task *task, lua_State *L, int idx);

// A failure outside of a task's own run (a Future that nobody awaited): error and traceback are
// the two values on top of L's stack; popped. Raises on L when memory is out.
void wf_panic_orphan(struct wf_vm *vm, lua_State *L);

#endif
