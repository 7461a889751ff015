// SPDX-License-Identifier: MIT
// The C half of lua/weft/internal/coroutine.lua: user coroutines inside tasks. A blocking call
// suspends the whole chain of coroutines down to the task: the innermost yields, `resume` returns
// the mark PARKED to its Lua frame, and that frame suspends the coroutine around it in turn. When
// the task is woken the frames go back in one by one.
#include <stddef.h>

#include "base/check.h"
#include "conc/scope.h"
#include "lib/arg.h"
#include "lib/lib.h"
#include "sched/runtime.h"
#include "task/preempt.h"
#include "task/task.h"
#include "task/trace.h"

// Coroutines that resume coroutines take C stack: 700 bytes a level, 8 KB through string.gsub.
enum { MAX_STACK_BYTES = 1 << 20 };

static bool too_deep(wf_vm *vm) {
  const char here = 0;
  if (vm->depth == 0) vm->stack_base = &here;
  ptrdiff_t used = vm->stack_base - &here;
  return (used < 0 ? -used : used) > MAX_STACK_BYTES;
}

static bool has_parked(const wf_vm *vm) {
  return vm->current != NULL && vm->current->state != WF_RUN;
}

// Runs `co` with nargs values on its stack. Pushes what coroutine.resume returns, or PARKED.
static int resume_into(wf_vm *vm, lua_State *L, lua_State *co, int nargs) {
  if (too_deep(vm)) {
    lua_settop(co, lua_gettop(co) - nargs);
    lua_pushboolean(L, 0);
    lua_pushliteral(L, "C stack overflow (coroutines in coroutines)");
    return 2;
  }
  vm->depth++;
  lua_State *running = vm->running;
  bool chain_ok = vm->chain_ok;
  bool ok = chain_ok && running == L && lua_isyieldable(L);
  lua_State *broken_at = vm->broken_at;
  if (!ok && chain_ok) vm->broken_at = L;
  vm->running = co;
  vm->chain_ok = ok;
  int status = lua_resume(co, nargs);
  while (status == LUA_YIELD && wf_preempt_goes_on(vm, co)) status = lua_resume(co, 0);
  vm->depth--;
  vm->running = running;
  vm->chain_ok = chain_ok;
  vm->broken_at = broken_at;
  if (status == LUA_YIELD && (has_parked(vm) || wf_preempt_caught(vm, vm->current, co))) {
    lua_pushlightuserdata(L, vm);
    return 1;
  }
  if (WF_UNLIKELY(vm->own != NULL)) wf_scope_leave_coroutine(vm, co);
  if (status != 0 && status != LUA_YIELD) {
    lua_pushboolean(L, 0);
    lua_xmove(co, L, 1);
    wf_trace_note_error(vm, L, co);
    return 2;
  }
  int n = lua_gettop(co);
  luaL_checkstack(L, n + 1, "too many results to resume");
  lua_pushboolean(L, 1);
  lua_xmove(co, L, n);
  return n + 1;
}

// Why a coroutine that has parked cannot be resumed.
static const char *cannot_wake(wf_vm *vm, lua_State *L, lua_State *co) {
  lua_Debug ar;
  // A call that waits is a C function; what a hook has interrupted is not.
  if (lua_getstack(co, 0, &ar) != 0 && lua_getinfo(co, "S", &ar) != 0 && *ar.what != 'C') {
    return "cannot resume a coroutine whose task has been interrupted";
  }
  wf_task *task = wf_task_of_coroutine(vm, co);
  const char *what = "a blocking call";
  if (task != NULL && task->state == WF_PARKED) what = wf_reason_name(task->reason);
  return lua_pushfstring(L, "cannot resume a coroutine that waits in %s", what);
}

// Why `co` cannot be resumed, or NULL.
static const char *cannot_resume(wf_vm *vm, lua_State *L, lua_State *co) {
  lua_Debug ar;
  int status = lua_status(co);
  if (co == L) return "cannot resume running coroutine";
  if (status == LUA_YIELD) return lua_gettop(co) == 0 ? NULL : cannot_wake(vm, L, co);
  if (status == 0 && lua_getstack(co, 0, &ar) != 0) return "cannot resume normal coroutine";
  if (status != 0 || lua_gettop(co) == 0) return "cannot resume dead coroutine";
  return NULL;
}

// resume(co, …): as coroutine.resume, or PARKED
static int l_resume(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_State *co = lua_tothread(L, 1);
  if (co == NULL) wf_arg_fail(L, 1, "resume", "coroutine", 1);
  const char *why = cannot_resume(vm, L, co);
  if (WF_UNLIKELY(why != NULL)) {
    lua_pushboolean(L, 0);
    lua_pushstring(L, why);
    return 2;
  }
  int nargs = lua_gettop(L) - 1;
  if (WF_UNLIKELY(!wf_task_reserve(co, nargs))) wf_raise(L, "'resume': not enough memory");
  lua_xmove(L, co, nargs);
  return resume_into(vm, L, co, nargs);
}

// continue(co): goes back into a coroutine that has parked
static int l_continue(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_State *co = lua_tothread(L, 1);
  const wf_task *task = vm->current;
  if (WF_UNLIKELY(lua_status(co) != LUA_YIELD)) {
    wf_raise(L,
             "a coroutine that waited in a blocking call was resumed by a coroutine.resume that "
             "was kept from before weft was loaded");
  }
  return resume_into(vm, L, co, task->at == co ? task->nresults : 0);
}

// suspend(): parks the coroutine around one that has parked
static int l_suspend(lua_State *L) {
  lua_pushboolean(L, 1);
  return lua_yield(L, 1);
}

// check_yield(): raises on the task's own coroutine
static int l_check_yield(lua_State *L) {
  const wf_task *task = wf_door_vm(L)->current;
  if (task != NULL && task->co == L) wf_raise(L, "attempt to yield from outside a coroutine");
  if (WF_UNLIKELY(wf_scope_is_in(wf_door_vm(L), L))) {
    wf_raise(L, "attempt to yield out of context.run, whose context would stay with the task");
  }
  return 0;
}

// running(): notes that a script has the task's coroutine now
static int l_running(lua_State *L) {
  wf_task *task = wf_door_vm(L)->current;
  bool is_main = lua_pushthread(L) != 0;
  if (is_main) {
    lua_pushnil(L);
    return 1;
  }
  if (task != NULL && task->co == L) task->flags |= WF_TASK_HANDED_OUT;
  return 1;
}

static int l_isyieldable(lua_State *L) {
  const wf_task *task = wf_door_vm(L)->current;
  lua_pushboolean(L, lua_isyieldable(L) && (task == NULL || task->co != L));
  return 1;
}

// rethrow(err): raises it as the function made by coroutine.wrap does: a string gets the position
// of the caller before its own
static int l_rethrow(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_settop(L, 1);
  if (lua_type(L, 1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, 1);
    lua_concat(L, 2);
    wf_trace_renote_error(vm, L);
  }
  return lua_error(L);
}

void wf_lib_open_coroutine(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {
      {"resume", l_resume},           {"continue", l_continue},
      {"suspend", l_suspend},         {"check_yield", l_check_yield},
      {"running", l_running},         {"rethrow", l_rethrow},
      {"isyieldable", l_isyieldable}, {NULL, NULL}};
  wf_lib_add(vm, L, functions);
  lua_pushlightuserdata(L, vm);
  lua_setfield(L, -2, "PARKED");
}
