// SPDX-License-Identifier: MIT
// A task's own context, as far as tasks have to know of it: an object (conc/scope.h) that they
// count, and hand on to the tasks that they start.
#ifndef WF_TASK_OWN_H
#define WF_TASK_OWN_H

#include "base/check.h"
#include "task/obj.h"
#include "task/task.h"

typedef struct wf_own {
  wf_obj obj;
  int context;  // wf_vm_anchor of the context's table
} wf_own;

// Pushes the context that the running task has; false: it has none.
bool wf_own_push(wf_vm *vm, lua_State *L);

// Gives the task another one, or none. Allocates nothing.
void wf_own_set(wf_task *task, wf_obj *own);

void wf_own_note(wf_vm *vm, const wf_task *task);

// The task is about to run: vm->own follows.
static inline void wf_own_follow(wf_vm *vm, const wf_task *task) {
  if (WF_UNLIKELY(task->own != vm->own)) wf_own_note(vm, task);
}

static inline void wf_own_drop(wf_task *task) {
  if (WF_UNLIKELY(task->own != NULL)) wf_own_set(task, NULL);
}

// A new task gets that of its creator, which may be NULL.
static inline void wf_own_inherit(wf_task *task, const wf_task *creator) {
  if (WF_UNLIKELY(creator != NULL && creator->own != NULL)) wf_own_set(task, creator->own);
}

#endif
