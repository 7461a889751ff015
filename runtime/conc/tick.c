// SPDX-License-Identifier: MIT
#include "conc/tick.h"

#include <lauxlib.h>

#include "conc/stub.h"
#include "sched/runtime.h"
#include "task/site.h"

struct wf_tick {
  wf_timer timer;
  wf_chan *ch;
  uint64_t period_ns;  // 0: fires once
  double value;
  bool pending;
  bool for_ever;  // it runs, but its time is beyond the clock
  wf_held held;   // of a shared channel, while it runs and others have the channel too
};

static wf_tick *tick_of(const wf_timer *timer) {
  return wf_container_of((wf_timer *)(uintptr_t)timer, wf_tick, timer);
}

static bool is_shared(const wf_tick *tick) { return tick->ch->obj.shared; }

// Others may wait for its values when nobody here has it any more. May free the tick.
static void hold_while_running(wf_tick *tick) {
  bool runs = wf_timer_armed(&tick->timer) && !wf_core_is_alone(tick->ch->obj.core);
  if (runs && !wf_link_in_list(&tick->held.link)) wf_obj_hold(&tick->held, &tick->ch->obj);
  if (!runs) (void)wf_obj_release(&tick->held);
}

static void fire(wf_timer *timer) {
  wf_tick *tick = tick_of(timer);
  wf_vm *vm = tick->ch->obj.vm;
  if (tick->period_ns != 0) {
    // From the deadline, not from now: no drift. Periods that have gone by unseen are left out.
    uint64_t late = vm->now_ns - timer->when;
    uint64_t next = timer->when + (late / tick->period_ns + 1) * tick->period_ns;
    // The slot that the timer has just left is free again: this cannot run out of memory.
    (void)wf_timer_arm(&vm->timers, timer, next);
  }
  double now = wf_clock_wall(&vm->clock);
  if (is_shared(tick)) {
    wf_shared_offer(wf_stub_core(tick->ch), now);
    hold_while_running(tick);
    return;
  }
  if (tick->pending) return;  // a slow receiver misses ticks
  if (!wf_chan_offer_number(tick->ch, now)) {
    tick->pending = true;
    tick->value = now;
  }
}

void wf_tick_attach(lua_State *L, wf_chan *ch) {
  wf_tick *tick = wf_mem_new(&ch->obj.vm->rt->mem, sizeof *tick);
  if (tick == NULL) wf_site_raise(L, "not enough memory");
  tick->ch = ch;
  tick->timer.fire = fire;
  tick->timer.owner = &ch->obj;
  ch->tick = tick;
  wf_chan_make_system(L, ch, -1);
}

bool wf_tick_start(lua_State *L, wf_tick *tick, double seconds, bool periodic) {
  wf_vm *vm = tick->ch->obj.vm;
  bool was_running = wf_tick_stop(tick);
  uint64_t now = wf_clock_now(&vm->clock);
  uint64_t when = wf_clock_after(now, seconds);
  tick->period_ns = periodic ? when - now : 0;
  tick->for_ever = when == WF_NEVER;
  if (when != WF_NEVER && !wf_timer_arm(&vm->timers, &tick->timer, when)) {
    wf_site_raise(L, "not enough memory");
  }
  if (is_shared(tick)) hold_while_running(tick);
  return was_running;
}

bool wf_tick_stop(wf_tick *tick) {
  bool running = tick->pending || tick->for_ever || wf_timer_armed(&tick->timer);
  tick->for_ever = false;
  (void)wf_timer_stop(&tick->ch->obj.vm->timers, &tick->timer);
  tick->pending = false;
  if (is_shared(tick)) {
    running |= wf_shared_drop(wf_stub_core(tick->ch));
    (void)wf_obj_release(&tick->held);
  }
  return running;
}

void wf_tick_free(wf_tick *tick) {
  wf_vm *vm = tick->ch->obj.vm;
  (void)wf_timer_stop(&vm->timers, &tick->timer);
  wf_mem_free(&vm->rt->mem, tick, sizeof *tick);
}

bool wf_tick_pending(const wf_tick *tick, double *value) {
  if (value != NULL) *value = tick->value;
  return tick->pending;
}

void wf_tick_share(wf_tick *tick) {
  tick->pending = false;
  hold_while_running(tick);
}

void wf_tick_let_go(wf_tick *tick) { (void)wf_obj_release(&tick->held); }

bool wf_tick_take(wf_tick *tick, double *value) {
  if (!tick->pending) return false;
  tick->pending = false;
  *value = tick->value;
  return true;
}

bool wf_tick_idle(const wf_timer *timer) {
  if (timer->fire != fire) return false;
  const wf_tick *tick = tick_of(timer);
  return wf_list_empty(&tick->ch->recvq) && !wf_link_in_list(&tick->held.link);
}
