// SPDX-License-Identifier: MIT
#include "conc/alarm.h"
#include "conc/tick.h"
#include "lib/arg.h"
#include "lib/lib.h"
#include "sched/runtime.h"
#include "task/park.h"

static int l_now(lua_State *L) {
  lua_pushnumber(L, wf_clock_wall(&wf_door_vm(L)->clock));
  return 1;
}

static int l_monotonic(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_pushnumber(L, (double)(wf_clock_now(&vm->clock) - vm->start_ns) / 1e9);
  return 1;
}

// sleep(s[, ctx]) -> true; nil, err
static int l_sleep(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  double s = wf_arg_seconds(L, 1, 1, "sleep");
  wf_ctx *ctx = wf_arg_context(L, 2, 2, "sleep");
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (s <= 0) {
    lua_pushboolean(L, 1);
    return wf_poll_missed(vm, L, 1);
  }
  wf_check_can_park(vm, L, "sleep");
  // From now, not from the last turn of the loop: a task that computes first still sleeps s.
  wf_wait_context(vm, L, ctx);
  wf_wait_until(vm, L, wf_clock_after(wf_clock_now(&vm->clock), s));
  return wf_park(vm, L, WF_WAIT_SLEEP, lua_gettop(L));
}

// tick(): a channel with a stopped timer
static int l_tick(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_chan *ch = wf_chan_new(vm, L, 0);
  wf_tick_attach(L, ch);
  return 1;
}

// tick_start(ch, s, periodic) -> whether it was running
static int l_tick_start(lua_State *L) {
  wf_chan *ch = wf_chan_at(L, 1);
  if (ch == NULL || ch->tick == NULL) wf_self_fail(L, "reset", "timer", "t");
  bool was = wf_tick_start(L, ch->tick, lua_tonumber(L, 2), lua_toboolean(L, 3) != 0);
  lua_pushboolean(L, was);
  return 1;
}

// tick_stop(ch) -> whether it was running
static int l_tick_stop(lua_State *L) {
  wf_chan *ch = wf_chan_at(L, 1);
  if (ch == NULL || ch->tick == NULL) wf_self_fail(L, "stop", "timer", "t");
  lua_pushboolean(L, wf_tick_stop(ch->tick));
  return 1;
}

// alarm(fn): a stopped timer that starts fn in a task
static int l_alarm(lua_State *L) {
  lua_settop(L, 1);
  (void)wf_alarm_new(wf_door_vm(L), L);
  return 1;
}

static int l_alarm_start(lua_State *L) {
  wf_alarm *alarm = wf_alarm_at(L, 1);
  if (alarm == NULL) wf_self_fail(L, "reset", "timer", "t");
  lua_pushboolean(L, wf_alarm_start(L, alarm, lua_tonumber(L, 2)));
  return 1;
}

static int l_alarm_stop(lua_State *L) {
  wf_alarm *alarm = wf_alarm_at(L, 1);
  if (alarm == NULL) wf_self_fail(L, "stop", "timer", "t");
  lua_pushboolean(L, wf_alarm_stop(alarm));
  return 1;
}

void wf_lib_open_time(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {
      {"now", l_now},     {"monotonic", l_monotonic},     {"sleep", l_sleep},
      {"tick", l_tick},   {"tick_start", l_tick_start},   {"tick_stop", l_tick_stop},
      {"alarm", l_alarm}, {"alarm_start", l_alarm_start}, {"alarm_stop", l_alarm_stop},
      {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
