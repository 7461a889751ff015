// SPDX-License-Identifier: MIT
#include "task/park.h"

#include <string.h>

#include "conc/scope.h"
#include "lib/arg.h"
#include "lib/lib.h"
#include "sched/runtime.h"
#include "sched/workers.h"
#include "task/core.h"
#include "task/obj.h"
#include "task/panic.h"
#include "task/site.h"
#include "task/trace.h"

// go(fn, …)
static int l_go(lua_State *L) {
  wf_arg_function(L, 1, 1, "go");
  (void)wf_task_go(wf_door_vm(L), L, 1);
  return 0;
}

// yield() -> true
static int l_yield(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  if (WF_UNLIKELY(vm->own != NULL)) (void)wf_ctx_is_over(L, wf_scope_node(vm));
  wf_check_can_park(vm, L, "yield");
  lua_pushboolean(L, 1);
  return wf_pass(vm, L, 1);
}

// Pushes the list of the running task's deferred calls, made when there is none.
static void push_defers(lua_State *L, wf_task *task) {
  if (task->defers == LUA_NOREF) {
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, -1);
    task->defers = wf_vm_anchor(task->vm, L);
  } else {
    wf_vm_push_anchor(task->vm, L, task->defers);
  }
}

// catch(future): a failure of the running task is the Future's (lua/weft/internal/future.lua)
static int l_catch(lua_State *L) {
  push_defers(L, wf_door_vm(L)->current);
  lua_pushvalue(L, 1);
  lua_setfield(L, -2, "future");
  return 0;
}

// defer(fn, …)
static int l_defer(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_arg_function(L, 1, 1, "defer");
  wf_task *task = vm->current;
  if (task == NULL) wf_raise(L, "'defer' outside of any task: call it inside weft.run(fn)");
  int n = lua_gettop(L);
  lua_createtable(L, n, 1);
  lua_insert(L, 1);
  for (int i = n; i >= 1; i--) lua_rawseti(L, 1, i);
  lua_pushinteger(L, n);
  lua_setfield(L, 1, "n");
  push_defers(L, task);
  lua_insert(L, 1);
  lua_rawseti(L, 1, (int)lua_objlen(L, 1) + 1);
  return 0;
}

// take_defers() -> the list of the running task's deferred calls, which are its caller's to run
// from now on; nil when there are none
static int l_take_defers(lua_State *L) {
  wf_task *task = wf_door_vm(L)->current;
  if (task == NULL || task->defers == LUA_NOREF) return 0;
  wf_vm_push_anchor(task->vm, L, task->defers);
  if (task->flags & WF_TASK_FAILED) return lua_objlen(L, -1) != 0;  // its failure is in there too
  wf_vm_drop_anchor(task->vm, task->defers);
  task->defers = LUA_NOREF;
  return 1;
}

// set_run_defers(run_defers, overdue, reclaim, landings)
static int l_set_run_defers(lua_State *L) {
  lua_settop(L, 4);
  wf_vm_set_ref(wf_door_vm(L), L, WF_REF_LANDINGS);
  wf_vm_set_ref(wf_door_vm(L), L, WF_REF_RECLAIM);
  wf_vm_set_ref(wf_door_vm(L), L, WF_REF_OVERDUE);
  wf_vm_set_ref(wf_door_vm(L), L, WF_REF_RUN_DEFERS);
  return 0;
}

// on_panic(fn or nil)
static int l_on_panic(lua_State *L) {
  lua_settop(L, 1);
  if (!lua_isnil(L, 1)) wf_arg_function(L, 1, 1, "on_panic");
  wf_vm_set_ref(wf_door_vm(L), L, WF_REF_ON_PANIC);
  return 0;
}

// orphan(err, traceback): a failure that no task can be blamed for now
static int l_orphan(lua_State *L) {
  lua_settop(L, 2);
  wf_panic_orphan(wf_door_vm(L), L);
  return 0;
}

// log(text)
static int l_log(lua_State *L) {
  const wf_runtime *rt = wf_door_vm(L)->rt;
  rt->log(rt->log_ud, luaL_checkstring(L, 1));
  return 0;
}

static int l_id(lua_State *L) {
  const wf_task *task = wf_door_vm(L)->current;
  if (task == NULL) return 0;
  lua_pushnumber(L, (lua_Number)task->id);
  return 1;
}

static int l_ntasks(lua_State *L) {
  lua_pushnumber(L, (lua_Number)wf_workers_tasks(wf_door_vm(L)->rt));
  return 1;
}

// name(obj, text) -> obj
static int l_name(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_obj *obj = wf_obj_any(L, 1);
  if (obj == NULL) wf_arg_fail(L, 1, "name", "channel, context or sync object", 1);
  if (lua_type(L, 2) != LUA_TSTRING) wf_arg_fail(L, 2, "name", "string", 2);
  size_t n = strlen(lua_tostring(L, 2)) + 1;
  char *label = wf_mem_new(&vm->rt->mem, n);
  if (label == NULL) luaL_error(L, "not enough memory");
  memcpy(label, lua_tostring(L, 2), n);
  if (obj->label != NULL) wf_mem_free(&vm->rt->mem, obj->label, strlen(obj->label) + 1);
  obj->label = label;
  if (obj->core != NULL && !wf_core_set_label(obj->core, label))
    luaL_error(L, "not enough memory");
  lua_settop(L, 1);
  return 1;
}

// creator() -> "task N at file:line" of the running task, or nil
static int l_creator(lua_State *L) {
  const wf_task *task = wf_door_vm(L)->current;
  if (task == NULL || task->creator == 0) return 0;
  lua_pushfstring(L, "task %d at %s", (int)task->creator, wf_site_text(task->vm, task->site));
  return 1;
}

// check_can_park(call)
static int l_check_can_park(lua_State *L) {
  wf_check_can_park(wf_door_vm(L), L, lua_tostring(L, 1));
  return 0;
}

// poll_missed(…) -> the same, maybe after letting others run
static int l_poll_missed(lua_State *L) { return wf_poll_missed(wf_door_vm(L), L, lua_gettop(L)); }

// label(obj) -> its text or nil
static int l_label(lua_State *L) {
  const wf_obj *obj = wf_obj_any(L, 1);
  if (obj == NULL || obj->label == NULL) return 0;
  lua_pushstring(L, obj->label);
  return 1;
}

// note_stack(err) -> err: a handler for xpcall
static int l_note_stack(lua_State *L) {
  lua_settop(L, 1);
  wf_trace_note_stack(wf_door_vm(L), L);
  return 1;
}

// error_path(err) -> the stacks of the coroutines that the error came through, or ""
static int l_error_path(lua_State *L) {
  lua_settop(L, 1);
  wf_trace_push_error_path(wf_door_vm(L), L, L);
  // Nothing follows, so the last words, "rethrown, ", go.
  const char *path = lua_tostring(L, -1), *last = strrchr(path, '\n');
  if (last != NULL) lua_pushlstring(L, path, (size_t)(last - path));
  return 1;
}

static int l_error_text(lua_State *L) {
  lua_settop(L, 1);
  wf_trace_push_error_text(L, 1);
  return 1;
}

void wf_lib_open_task(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"go", l_go},
                                       {"yield", l_yield},
                                       {"defer", l_defer},
                                       {"take_defers", l_take_defers},
                                       {"set_run_defers", l_set_run_defers},
                                       {"on_panic", l_on_panic},
                                       {"orphan", l_orphan},
                                       {"log", l_log},
                                       {"id", l_id},
                                       {"ntasks", l_ntasks},
                                       {"name", l_name},
                                       {"creator", l_creator},
                                       {"check_can_park", l_check_can_park},
                                       {"poll_missed", l_poll_missed},
                                       {"label", l_label},
                                       {"note_stack", l_note_stack},
                                       {"catch", l_catch},
                                       {"error_path", l_error_path},
                                       {"error_text", l_error_text},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
