// SPDX-License-Identifier: MIT
#include "conc/scope.h"

#include "lib/arg.h"
#include "lib/lib.h"
#include "task/own.h"
#include "task/panic.h"

// scope_enter(ctx) -> the scope, for scope_leave
static int l_scope_enter(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  if (vm->current == NULL) wf_raise(L, "'run' outside of any task: call it inside weft.run(fn)");
  wf_scope_enter(vm, L, 1);
  return 1;
}

static int l_scope_leave(lua_State *L) {
  wf_scope_leave(wf_door_vm(L), L, 1);
  return 0;
}

// scope_drop(): the running task has none any more
static int l_scope_drop(lua_State *L) {
  wf_own_set(wf_door_vm(L)->current, NULL);
  return 0;
}

// scope_context() -> the running task's own context, or nil
static int l_scope_context(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  if (wf_scope_node(vm) == NULL) return 0;
  (void)wf_own_push(vm, L);
  return 1;
}

// scope_raise(err): the error that a wait has ended with, at the script's line
static int l_scope_raise(lua_State *L) {
  lua_settop(L, 1);
  wf_scope_raise_top(wf_door_vm(L), L);
}

// scope_check(): raises the error of the running task's own context if it has ended
static int l_scope_check(lua_State *L) {
  (void)wf_ctx_is_over(L, wf_scope_node(wf_door_vm(L)));
  return 0;
}

// stopped(err): whether the running task ends because its own context has
static int l_stopped(lua_State *L) {
  lua_pushboolean(L, wf_panic_is_stop(wf_door_vm(L)->current, L, 1));
  return 1;
}

void wf_lib_open_scope(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {
      {"scope_enter", l_scope_enter}, {"scope_leave", l_scope_leave},
      {"scope_drop", l_scope_drop},   {"scope_context", l_scope_context},
      {"scope_raise", l_scope_raise}, {"scope_check", l_scope_check},
      {"stopped", l_stopped},         {NULL, NULL}};
  wf_lib_add(vm, L, functions);
  wf_vm_push_ref(vm, L, WF_REF_SCOPED);
  lua_setfield(L, -2, "scoped");
  lua_pushlightuserdata(L, wf_ctx_ended);
  lua_setfield(L, -2, "ENDED");
}
