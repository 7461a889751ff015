// SPDX-License-Identifier: MIT
#include "sched/turn.h"

#include "base/check.h"
#include "base/size.h"
#include "sched/runtime.h"
#include "sched/workers.h"

enum {
  SHARE_NS = 10000000,  // isolated tasks of a busy worker wait at most that long for a turn
  SEARCH_NS = 30000,    // look for work for that long before sleeping: a wake-up costs as much
  // A thread for blocking calls that has none ends after that.
  LINGER_NS = WF_SIZE(5000000000, 1000000),
  CHECK_NS = 1000000000,  // between two looks at the quota
  OLDEST_EVERY = 61,      // a worker's own oldest portable task, so that none waits for ever
  START_EVERY = 16,       // rounds of ready tasks until another portable one is started
};

// A changed quota: surplus workers take no new work, and are not woken for any. Whoever comes by
// first looks.
static void check_quota(wf_workers *workers) {
  const wf_runtime *rt = workers->rt;
  if (rt->nworkers != 0) return;
  uint64_t now = wf_clock_coarse_ns(), last = wf_u64_load(&workers->checked_ns, WF_RELAXED);
  if (now - last < CHECK_NS) return;
  if (!wf_u64_cas(&workers->checked_ns, &last, now, WF_RELAXED)) return;
  uint32_t cores = wf_workers_wanted(rt);
  uint32_t allowed = cores < workers->count ? cores : workers->count;
  if (allowed != wf_idle_limit(&workers->idle)) wf_idle_set_limit(&workers->idle, allowed);
}

// Whether the main VM waits for nothing but other workers. A deadline or a descriptor would wait
// in vain while an isolated task computes, and so would a frame.
static bool main_is_free(const wf_worker *w) {
  if (w->brief && wf_workers_elsewhere(w->rt->workers)) return false;
  return wf_timers_next(&w->vm->timers) == WF_NEVER && !wf_loop_pending(&w->loop);
}

static bool takes_work(const wf_worker *w) {
  uint32_t limit = wf_idle_limit(&w->rt->workers->idle);
  if (w->index == 0) return !w->rt->keep_free && (limit == 1 || main_is_free(w));
  return w->index < limit;
}

void wf_turn_found(wf_worker *w) {
  if (!w->searching) return;
  w->searching = false;
  wf_idle_found(&w->rt->workers->idle);
}

// The rest of what was injected goes to the deque, for others to steal.
static wf_portable *take_injected(wf_worker *w) {
  wf_workers *workers = w->rt->workers;
  if (wf_inbox_empty(&workers->injected)) return NULL;
  wf_inbox_node *node = wf_inbox_take(&workers->injected);
  if (node == NULL) return NULL;
  wf_inbox_node *first = node;
  bool more = false;
  for (node = node->next; node != NULL;) {
    wf_inbox_node *next = node->next;
    if (!wf_deque_push(&w->deque, wf_container_of(node, wf_portable, node))) {
      (void)wf_inbox_push(&workers->injected, node);
    }
    more = true;
    node = next;
  }
  if (more) wf_idle_notify(&workers->idle);
  return wf_container_of(first, wf_portable, node);
}

static wf_portable *own_item(wf_worker *w) {
  void *item = NULL;
  if (++w->rounds % OLDEST_EVERY == 0 && wf_deque_steal(&w->deque, &item) == WF_STEAL_GOT) {
    return item;
  }
  item = wf_deque_pop(&w->deque);
  return item != NULL ? item : take_injected(w);
}

// `half`: of what there is; the rest goes to its own deque.
static wf_portable *steal_from_anybody(wf_worker *w, bool half) {
  const wf_workers *workers = w->rt->workers;
  uint32_t first = wf_rand_below(&w->rand, workers->count);
  for (uint32_t i = 0; i < workers->count; i++) {
    wf_worker *victim = workers->list[(first + i) % workers->count];
    void *item = NULL;
    if (victim == w) continue;
    wf_steal result;
    do {
      result = half ? wf_deque_steal_half(&victim->deque, &w->deque, &item)
                    : wf_deque_steal(&victim->deque, &item);
    } while (result == WF_STEAL_LOST);
    if (result != WF_STEAL_GOT) continue;
    wf_u64_add(&w->steals, 1, WF_RELAXED);
    return item;
  }
  return NULL;
}

// Portable tasks that nobody has taken.
static bool is_work(const wf_workers *workers) {
  for (uint32_t i = 0; i < workers->count; i++) {
    if (wf_deque_size(&workers->list[i]->deque) != 0) return true;
  }
  return !wf_inbox_empty(&workers->injected);
}

// Portable tasks, for one that takes them.
static bool is_more(const wf_worker *w) { return takes_work(w) && is_work(w->rt->workers); }

// It has something of its own to do, so nobody has to search in its place unless there is work.
static void give_up(wf_worker *w) {
  wf_idle *idle = &w->rt->workers->idle;
  w->searching = false;
  wf_idle_give_up(idle);
  if (is_work(w->rt->workers)) wf_idle_notify(idle);
}

static bool any_ready(wf_worker *w) {
  if (w->vm != NULL && wf_worker_has_ready(w->vm)) return true;
  return wf_worker_has_two(w) && wf_worker_has_ready(w->isolated);
}

// Looks at all the others again and again for a while, if not too many do that already; and at the
// loop: a peer's next word comes sooner than another's work does.
static wf_portable *search(wf_worker *w) {
  wf_workers *workers = w->rt->workers;
  if (workers->count == 1) return NULL;
  if (!w->searching && !wf_idle_search(&workers->idle)) return NULL;
  w->searching = true;
  bool pending = wf_loop_pending(&w->loop);
  for (uint64_t start = wf_clock_machine_ns();;) {
    wf_portable *item = steal_from_anybody(w, true);
    if (item == NULL) item = take_injected(w);
    if (item != NULL || !wf_inbox_empty(&w->inbox)) return item;
    if (wf_clock_machine_ns() - start >= SEARCH_NS) return NULL;
    if (pending) {
      wf_loop_turn(&w->loop);
      if (any_ready(w)) {
        give_up(w);
        return NULL;
      }
    } else {
      for (int i = 0; i < 32; i++) wf_pause();
    }
  }
}

static void start(wf_worker *w, wf_portable *item) {
  wf_turn_found(w);
  w->rt->hooks->start_portable(w, item);
}

// One more task for a worker that always has one ready. If there is none of its own, somebody
// else's, who may be as busy, or be worker 0 with something better to do: nobody might come to
// search.
static void start_another(wf_worker *w) {
  check_quota(w->rt->workers);
  if (!takes_work(w)) return;
  wf_portable *item = own_item(w);
  if (item == NULL) item = steal_from_anybody(w, false);
  if (item != NULL) start(w, item);
}

static bool run_isolated(wf_worker *w, uint32_t max) {
  wf_vm *vm = w->isolated;
  if (vm == NULL || !wf_worker_has_ready(vm)) return false;
  wf_turn_found(w);
  wf_worker_round(w, vm, max);
  if (w->rounds++ % START_EVERY == 0 || vm->turn_ns - w->started_ns >= SHARE_NS) {
    w->started_ns = vm->turn_ns;
    wf_worker_note_bytes(w, vm);
    start_another(w);
  }
  return true;
}

bool wf_turn_work(wf_worker *w, uint32_t max) {
  if (w->index == 0 && w->rt->keep_free) return false;
  if (run_isolated(w, max)) return true;
  wf_portable *item = takes_work(w) ? own_item(w) : NULL;
  if (item == NULL) return false;
  start(w, item);
  return true;
}

void wf_turn_share(wf_worker *w) {
  uint64_t now = wf_clock_coarse_ns();
  if (now - w->shared_ns < SHARE_NS) return;
  w->shared_ns = now;
  wf_worker_note_bytes(w, w->vm);
  check_quota(w->rt->workers);
  (void)wf_turn_work(w, WF_BATCH);
}

// Sleeping ------------------------------------------------------------------------------------

static void settle(wf_worker *w) {
  if (w->vm != NULL) w->rt->hooks->settle(w->vm);
  if (wf_worker_has_two(w)) w->rt->hooks->settle(w->isolated);
}

// The worker's virtual clocks catch up with the common time.
static void follow_time(wf_worker *w) {
  if (!w->rt->is_virtual) return;
  uint64_t now = wf_u64_load(&w->rt->workers->virtual_ns, WF_ACQUIRE);
  if (w->vm != NULL) wf_clock_advance_to(&w->vm->clock, now);
  if (wf_worker_has_two(w)) wf_clock_advance_to(&w->isolated->clock, now);
}

static uint64_t next_timer_locked(const wf_worker *other) {
  return other == NULL || other->retired ? WF_NEVER : wf_worker_next_timer(other);
}

// Everybody else is quiet: their timers can be looked at, if their VMs are still there. False:
// there are none.
static bool move_time(wf_worker *w) {
  wf_workers *workers = w->rt->workers;
  uint64_t next = WF_NEVER;
  // All are looked at before one is woken: it may give another one work.
  wf_lock_acquire(&workers->timers);
  for (uint32_t i = 0; i < workers->places; i++) {
    uint64_t its = next_timer_locked(workers->list[i]);
    if (its < next) next = its;
  }
  for (uint32_t i = 0; i < workers->places; i++) {
    wf_worker *other = workers->list[i];
    if (other != NULL) other->due = other != w && next_timer_locked(other) <= next;
  }
  wf_lock_release(&workers->timers);
  if (next == WF_NEVER) return false;
  // Release: a quiet worker may be up by a waker's late call, and its timers have been looked at.
  wf_u64_store(&workers->virtual_ns, next, WF_RELEASE);
  follow_time(w);
  for (uint32_t i = 0; i < workers->places; i++) {
    // Acquire: who has been woken may add one.
    const wf_worker *other = wf_load_acquire(&workers->list[i]);
    if (other != NULL && other->due) wf_idle_wake(&workers->idle, i);
  }
  wf_worker_fire_timers(w);
  return true;
}

bool wf_turn_jump(wf_worker *w) {
  if (!w->rt->is_virtual) return false;
  // Acquire: what the others did is seen. Who is alone stays so: nobody else gives anybody work.
  if (wf_u64_load(&w->rt->workers->idle.active, WF_ACQUIRE) != 1) return false;
  return move_time(w);
}

// Nobody has anything to do any more, nor this worker, which is not counted as active now. True:
// time has moved on, and it is active again. Else nothing will ever happen: worker 0 hears of it.
static bool at_rest(wf_worker *w) {
  wf_workers *workers = w->rt->workers;
  if (w->rt->is_virtual) {
    // Counted first: those whose time has come could be at rest again before all are woken.
    wf_idle_hold(&workers->idle);
    if (move_time(w)) return true;
    (void)wf_idle_release(&workers->idle);
  }
  wf_u64_store(&workers->quiescent, 1, WF_RELAXED);  // handed on by the wake
  if (w->index != 0) wf_idle_wake(&workers->idle, 0);
  return false;
}

void wf_turn_rest(wf_worker *w) {
  while (wf_idle_quiet(&w->rt->workers->idle) && at_rest(w)) {
  }
}

static void wait_on_loop(wf_worker *w, uint64_t timeout) {
  wf_monitor_sleep(w);
  wf_loop_wait(&w->loop, timeout);
  wf_monitor_wake(w);
  w->polled_ns = wf_clock_machine_ns();
}

// Between announce and leave. False: the runtime is at rest for good.
static bool sleep_announced(wf_worker *w, bool *quiet) {
  wf_workers *workers = w->rt->workers;
  if (is_more(w) || !wf_inbox_doze(&w->inbox)) return true;
  if (wf_u64_load(&workers->stopping, WF_ACQUIRE) != 0) return true;
  uint64_t next = wf_worker_next_timer(w), timeout = next;
  bool pending = wf_loop_pending(&w->loop);
  *quiet = !pending && (next == WF_NEVER || w->rt->is_virtual);
  if (*quiet && wf_idle_quiet(&workers->idle)) {
    *quiet = !at_rest(w);
    if (!*quiet) return true;
    if (w->index == 0) return false;
  }
  if (w->rt->is_virtual) {
    timeout = WF_NEVER;
  } else if (next != WF_NEVER) {
    uint64_t now = wf_clock_machine_ns();
    timeout = next > now ? next - now : 0;
  }
  if (w->index >= workers->count && timeout > LINGER_NS) timeout = LINGER_NS;
  uint64_t before = wf_clock_machine_ns();
  wait_on_loop(w, timeout);
  w->lingered = w->index >= workers->count && wf_clock_machine_ns() - before >= LINGER_NS;
  return true;
}

// The main VM goes by game time (weft_step), and the others do not.
static bool move_game_time(wf_worker *w) {
  wf_vm *vm = w->vm;
  if (w->index != 0 || w->rt->is_virtual || !vm->clock.is_virtual) return false;
  uint64_t next = wf_timers_next(&vm->timers);
  if (next == WF_NEVER) return false;
  wf_clock_advance_to(&vm->clock, next);
  wf_worker_fire_timers(w);
  return true;
}

static bool sleep_or_not(wf_worker *w) {
  wf_workers *workers = w->rt->workers;
  settle(w);
  if (any_ready(w) || move_game_time(w)) return true;
  if (w->isolated != NULL) {
    if (w->rt->hooks->collect_idle(w->isolated)) return true;
    wf_worker_note_bytes(w, w->isolated);
  }
  if (w->index == 0) wf_worker_note_bytes(w, w->vm);
  bool quiet = false;
  wf_idle_announce(&workers->idle, w->index, w->searching);
  w->searching = false;
  bool alive = sleep_announced(w, &quiet);
  bool more = is_more(w);
  w->searching = wf_idle_leave(&workers->idle, w->index, quiet, more) == WF_IDLE_TO_SEARCH;
  follow_time(w);
  wf_worker_fire_timers(w);
  if (w->index == 0 && wf_u64_load(&workers->quiescent, WF_RELAXED) != 0) {
    wf_u64_store(&workers->quiescent, 0, WF_RELAXED);
    alive = false;
  }
  return alive;
}

bool wf_turn(wf_worker *w) {
  wf_workers *workers = w->rt->workers;
  if (w->index != 0 && wf_u64_load(&workers->stopping, WF_ACQUIRE) != 0) {
    wf_turn_found(w);
    return false;
  }
  if (wf_worker_open_mail(w)) {
    wf_turn_found(w);
    return true;
  }
  if (WF_UNLIKELY(w->lingered) && w->rt->hooks->retire(w)) return false;
  if (wf_turn_work(w, WF_BATCH)) return true;
  check_quota(workers);
  bool takes = takes_work(w);
  if (!takes) wf_turn_found(w);  // whoever woke it to search meant somebody who does
  wf_portable *item = takes ? search(w) : NULL;
  if (item != NULL) {
    start(w, item);
    return true;
  }
  if (!wf_inbox_empty(&w->inbox) || any_ready(w)) return true;
  return sleep_or_not(w);
}
