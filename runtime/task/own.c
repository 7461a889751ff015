// SPDX-License-Identifier: MIT
#include "task/own.h"

// Compiled code looks at [1] of the table before it does by itself what need not wait
// (lua/weft/internal/scope.lua).
void wf_own_note(wf_vm *vm, const wf_task *task) {
  bool changes = (vm->own != NULL) != (task->own != NULL);
  vm->own = task->own;
  if (!changes) return;
  wf_vm_push_ref(vm, vm->L, WF_REF_SCOPED);
  lua_pushboolean(vm->L, task->own != NULL);
  lua_rawseti(vm->L, -2, 1);  // an existing slot
  lua_pop(vm->L, 1);
}

bool wf_own_push(wf_vm *vm, lua_State *L) {
  const wf_obj *own = vm->current != NULL ? vm->current->own : NULL;
  if (own != NULL) wf_vm_push_anchor(vm, L, ((const wf_own *)own)->context);
  return own != NULL;
}

void wf_own_set(wf_task *task, wf_obj *own) {
  wf_obj *before = task->own;
  task->own = own;
  if (own != NULL) wf_obj_ref(own);
  if (task->vm->current == task) wf_own_note(task->vm, task);
  if (before != NULL) wf_obj_unref(before);
}
