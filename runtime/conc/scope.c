// SPDX-License-Identifier: MIT
#include "conc/scope.h"

#include <lauxlib.h>

#include "base/check.h"
#include "sched/runtime.h"
#include "task/mark.h"
#include "task/own.h"
#include "task/site.h"

static void destroy(wf_obj *obj) {
  wf_scope *scope = (wf_scope *)obj;
  if (!obj->vm->orphaned) wf_vm_drop_anchor(obj->vm, scope->own.context);
  if (scope->node != NULL) wf_obj_unref(&scope->node->obj);
  // Outwards in a loop: runs may be nested as deep as one likes.
  wf_scope *outer = scope->outer;
  scope->outer = NULL;
  while (outer != NULL) {
    wf_scope *next = NULL;
    if (outer->own.obj.refs == 1) {
      next = outer->outer;
      outer->outer = NULL;
    }
    wf_obj_unref(&outer->own.obj);
    outer = next;
  }
}

// Whoever has it can ask for the context (weft.context's `current`), and leave it.
static void visit(wf_obj *obj, wf_mark *m) {
  for (wf_scope *scope = (wf_scope *)obj; scope != NULL; scope = scope->outer) {
    if (&scope->own.obj != obj && !wf_mark_part(m, &scope->own.obj)) return;
    wf_mark_anchor(m, scope->own.context);
    if (scope->node != NULL) wf_mark_obj(m, &scope->node->obj);  // or memory was out
  }
}

static const wf_kind kind = {
    .name = "own context", .size = sizeof(wf_scope), .destroy = destroy, .visit = visit};
static const char tag_scope;

static wf_scope *scope_of(const wf_vm *vm) {
  return vm->current != NULL ? (wf_scope *)vm->current->own : NULL;
}

_Noreturn void wf_scope_raise_top(wf_vm *vm, lua_State *L) {
  vm->current->flags |= WF_TASK_STOPPED;
  wf_site_push_where(L);
  lua_insert(L, -2);
  lua_concat(L, 2);
  lua_error(L);
  __builtin_unreachable();
}

_Noreturn void wf_scope_raise(lua_State *L, const wf_ctx *node) {
  wf_ctx_push_error(L, node);
  wf_scope_raise_top(node->obj.vm, L);
}

void wf_scope_enter(wf_vm *vm, lua_State *L, int idx) {
  wf_ctx *ctx = wf_ctx_at(L, idx);
  wf_scope *scope = (wf_scope *)wf_obj_new(vm, L, &kind, &tag_scope);
  scope->own.context = LUA_NOREF;
  scope->node = wf_ctx_new(vm, L, ctx);
  scope->node->raises = true;
  wf_obj_ref(&scope->node->obj);
  lua_pushvalue(L, idx);
  scope->own.context = wf_vm_anchor(vm, L);
  lua_pop(L, 1);  // of the node, which the scope has
  scope->co = L;
  scope->outer = scope_of(vm);
  if (scope->outer != NULL) wf_obj_ref(&scope->outer->own.obj);
  wf_own_set(vm->current, &scope->own.obj);
}

// Back to what the task had before the scope.
static void leave(wf_vm *vm, const wf_scope *scope) {
  WF_ASSUME(scope != NULL);
  wf_scope *outer = scope->outer;
  // The error on its way, if there is one, is not that of what the task has from now on.
  if (outer == NULL || outer->node->state == WF_CTX_LIVE) {
    vm->current->flags &= (uint8_t)~WF_TASK_STOPPED;
  }
  wf_own_set(vm->current, outer != NULL ? &outer->own.obj : NULL);
}

void wf_scope_leave(wf_vm *vm, lua_State *L, int idx) {
  const wf_scope *scope = (const wf_scope *)wf_obj_at(L, idx, &tag_scope);
  for (const wf_scope *at = scope_of(vm); at != NULL; at = at->outer) {
    if (at != scope) continue;
    leave(vm, scope);
    return;
  }
}

bool wf_scope_is_in(const wf_vm *vm, const lua_State *co) {
  const wf_scope *scope = scope_of(vm);
  return scope != NULL && scope->co == co && vm->current->co != co;
}

void wf_scope_leave_coroutine(wf_vm *vm, const lua_State *co) {
  while (wf_scope_is_in(vm, co)) leave(vm, scope_of(vm));
}
