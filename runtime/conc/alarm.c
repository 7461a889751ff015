// SPDX-License-Identifier: MIT
#include "conc/alarm.h"

#include <lauxlib.h>

#include "sched/runtime.h"
#include "task/mark.h"
#include "task/site.h"
#include "task/task.h"

struct wf_alarm {
  wf_obj obj;
  wf_timer timer;
  wf_held held;      // while armed
  int fn;            // wf_vm_anchor, while armed; for good in the proxy's environment
  uint64_t creator;  // the task that made it,
  uint32_t site;     // and where
  wf_obj *own;       // counted: that task's context for its calls, or NULL
};

static void let_go(wf_obj *obj) { (void)wf_alarm_stop((wf_alarm *)obj); }

static void destroy(wf_obj *obj) {
  wf_obj *own = ((wf_alarm *)obj)->own;
  if (own != NULL) wf_obj_unref(own);
}

static void visit(wf_obj *obj, wf_mark *m) {
  const wf_alarm *alarm = (const wf_alarm *)obj;
  wf_mark_anchor(m, alarm->fn);
  if (alarm->own != NULL) wf_mark_obj(m, alarm->own);
}

static const wf_kind kind = {.name = "timer",
                             .size = sizeof(wf_alarm),
                             .destroy = destroy,
                             .let_go = let_go,
                             .visit = visit};
static const char tag_alarm;

static bool disarm(wf_alarm *alarm) {
  wf_vm *vm = alarm->obj.vm;
  if (!vm->orphaned) wf_vm_drop_anchor(vm, alarm->fn);
  alarm->fn = LUA_NOREF;
  return wf_obj_release(&alarm->held);
}

static void fire(wf_timer *timer) {
  wf_alarm *alarm = wf_container_of(timer, wf_alarm, timer);
  wf_task_go_anchor(alarm->obj.vm, alarm->fn, alarm->creator, alarm->site, alarm->own);
  (void)disarm(alarm);
}

wf_alarm *wf_alarm_new(wf_vm *vm, lua_State *L) {
  wf_alarm *alarm = (wf_alarm *)wf_obj_new(vm, L, &kind, &tag_alarm);
  alarm->fn = LUA_NOREF;
  alarm->timer.fire = fire;
  alarm->timer.owner = &alarm->obj;
  alarm->creator = vm->current != NULL ? vm->current->id : 0;
  alarm->own = vm->current != NULL ? vm->current->own : NULL;
  if (alarm->own != NULL) wf_obj_ref(alarm->own);
  alarm->site = wf_site_here(vm, L);
  lua_createtable(L, 1, 0);
  lua_pushvalue(L, -3);
  lua_rawseti(L, -2, 1);
  lua_setfenv(L, -2);
  lua_replace(L, -2);
  return alarm;
}

wf_alarm *wf_alarm_at(lua_State *L, int idx) { return (wf_alarm *)wf_obj_at(L, idx, &tag_alarm); }

bool wf_alarm_stop(wf_alarm *alarm) {
  (void)wf_timer_stop(&alarm->obj.vm->timers, &alarm->timer);
  return disarm(alarm);
}

bool wf_alarm_start(lua_State *L, wf_alarm *alarm, double seconds) {
  wf_vm *vm = alarm->obj.vm;
  bool was_armed = wf_link_in_list(&alarm->held.link);
  if (!was_armed) {
    lua_getfenv(L, 1);
    lua_rawgeti(L, -1, 1);
    alarm->fn = wf_vm_anchor(vm, L);
    lua_pop(L, 1);
    wf_obj_hold(&alarm->held, &alarm->obj);
  }
  (void)wf_timer_stop(&vm->timers, &alarm->timer);
  uint64_t when = wf_clock_after(wf_clock_now(&vm->clock), seconds);
  if (when != WF_NEVER && !wf_timer_arm(&vm->timers, &alarm->timer, when)) {
    (void)disarm(alarm);
    wf_site_raise(L, "not enough memory");
  }
  return was_armed;
}
