// SPDX-License-Identifier: MIT
#include "conc/queue.h"

#include "lib/arg.h"
#include "lib/lib.h"
#include "lib/waits.h"
#include "sched/runtime.h"
#include "task/site.h"

// Task numbers are below; what a script has written may be anything.
static const double MOST_TASKS = 9007199254740992.0;  // 2^53

static int l_queue(lua_State *L) {
  (void)wf_queue_new(wf_door_vm(L), L);
  return 1;
}

static wf_queue *queue_at(lua_State *L) {
  wf_queue *queue = (wf_queue *)wf_obj_at(L, 1, &wf_tag_queue);
  if (queue == NULL) wf_raise(L, "the insides of a sync object were overwritten");
  return queue;
}

// What a mutex's table knows of who has locked it: the task and the site of its first lock, at 4
// and 5; nothing where the queue knows it, because the lock was handed over. Leaves the site of
// this lock on top of the stack.
static void note_holder(wf_vm *vm, lua_State *L, wf_queue *queue) {
  if (lua_isnumber(L, 4)) {
    double task = lua_tonumber(L, 4);
    queue->holder = task >= 0 && task <= MOST_TASKS ? (uint64_t)task : 0;
    queue->site = wf_site_at(vm, L, 5);
    queue->is_first = true;
  }
  lua_pushinteger(L, (lua_Integer)wf_site_here(vm, L));
}

// queue_wait(queue, kind, ctx, units) -> true; nil, err. The units, for queue_grant, lie on top of
// the parked stack. A mutex has holder and site at 4 and 5 instead.
static int l_queue_wait(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_queue *queue = queue_at(L);
  const wf_wait_kind *kind = wf_wait_kind_at(L, 2);
  wf_ctx *ctx = kind->whatever ? NULL : wf_arg_context(L, 3, 1, kind->call);
  if (wf_ctx_is_over(L, ctx)) return 2;
  wf_check_can_park(vm, L, kind->call);
  if (kind->reason == WF_WAIT_MUTEX) note_holder(vm, L, queue);
  wf_waiter *waiter = wf_wait_on(vm, &queue->obj, WF_OP_EVENT);
  wf_wait_context(vm, L, ctx);
  wf_list_push(&queue->waiters, &waiter->link);
  if (wf_queue_is_lock(kind->reason)) vm->stats.lock_waits++;
  return wf_park(vm, L, kind->reason, lua_gettop(L));
}

// queue_wake(queue, max) -> how many were woken, how many still wait (0 or 1)
static int l_queue_wake(lua_State *L) {
  wf_queue *queue = queue_at(L);
  double max = lua_tonumber(L, 2);
  lua_pushinteger(L, (lua_Integer)wf_queue_wake(queue, max < 4e9 ? (uint32_t)max : UINT32_MAX));
  lua_pushinteger(L, wf_list_empty(&queue->waiters) ? 0 : 1);
  return 2;
}

// queue_grant(queue, free) -> what is left of the free units, whether somebody still waits
static int l_queue_grant(lua_State *L) {
  wf_queue *queue = queue_at(L);
  lua_pushnumber(L, wf_queue_grant(queue, lua_tonumber(L, 2)));
  lua_pushboolean(L, !wf_list_empty(&queue->waiters));
  return 2;
}

// ctx_over(ctx, fname, arg) -> false, or nil, err: the check at the start of a call that does not
// have to wait.
static int l_ctx_over(lua_State *L) {
  wf_ctx *ctx = wf_arg_context(L, 1, (int)lua_tointeger(L, 3), lua_tostring(L, 2));
  if (wf_ctx_is_over(L, ctx)) return 2;
  lua_pushboolean(L, 0);
  return 1;
}

// site() -> the number of the place in the script that is running
static int l_site(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)wf_site_here(wf_door_vm(L), L));
  return 1;
}

void wf_lib_open_queue(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"queue", l_queue},
                                       {"queue_wait", l_queue_wait},
                                       {"queue_wake", l_queue_wake},
                                       {"queue_grant", l_queue_grant},
                                       {"ctx_over", l_ctx_over},
                                       {"site", l_site},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
  wf_wait_kind_push_all(L);
  lua_setfield(L, -2, "waits");
  lua_pushlightuserdata(L, &vm->current_id);
  lua_setfield(L, -2, "current_id_address");
}
