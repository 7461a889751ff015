// SPDX-License-Identifier: MIT
#include "sched/workers.h"

#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/peek.h"
#include "base/thread.h"
#include "sched/runtime.h"
#include "sched/turn.h"

enum { STACK_BYTES = 1 << 20 };

// A thread that is kept free needs another one beside it.
uint32_t wf_workers_wanted(const wf_runtime *rt) {
  uint32_t n = rt->nworkers != 0 ? rt->nworkers : rt->count_cores();
  if (n > WF_MAX_WORKERS) n = WF_MAX_WORKERS;
  return rt->keep_free && n == 1 ? 2 : n;
}

uint32_t wf_workers_count(const wf_runtime *rt) {
  return rt->workers != NULL ? rt->workers->count : wf_workers_wanted(rt);
}

uint64_t wf_workers_tasks(const wf_runtime *rt) {
  const wf_workers *workers = rt->workers;
  uint64_t tasks = rt->vm.stats.tasks;
  if (workers == NULL) return tasks;
  // In this order one that begins meanwhile counts once or twice, but never not at all.
  uint64_t sent = 0, begun = wf_u64_load(&workers->dropped, WF_RELAXED);
  for (uint32_t i = 0; i < workers->places; i++) {
    const wf_worker *w = wf_load_acquire(&workers->list[i]);
    if (w != NULL) begun += wf_u64_load(&w->begun, WF_ACQUIRE);  // pairs with wf_spawn_start
  }
  for (uint32_t i = 0; i < workers->places; i++) {
    const wf_worker *w = wf_load_acquire(&workers->list[i]);
    if (w == NULL) continue;
    sent += wf_u64_load(&w->sent, WF_RELAXED);
    tasks += wf_u64_load(&w->live, WF_RELAXED);
  }
  return tasks + (sent > begun ? sent - begun : 0);
}

uint64_t wf_workers_steals(const wf_runtime *rt) {
  uint64_t steals = 0;
  for (uint32_t i = 0; rt->workers != NULL && i < rt->workers->count; i++) {
    steals += wf_u64_load(&rt->workers->list[i]->steals, WF_RELAXED);
  }
  return steals;
}

uint64_t wf_workers_bytes(const wf_runtime *rt, uint32_t place, bool main) {
  const wf_worker *w = wf_load_acquire(&rt->workers->list[place]);
  if (w == NULL) return 0;
  return wf_u64_load(main ? &w->main_bytes : &w->bytes, WF_RELAXED);
}

// Threads -------------------------------------------------------------------------------------

// It has no thread, or none any more: asleep, as far as others can see. (Those that wf_turn_rest
// may wake have one: no wake comes to want the lock.)
static void put_to_sleep(wf_workers *workers, wf_worker *w) {
  wf_idle_announce(&workers->idle, w->index, false);
  while (!wf_inbox_doze(&w->inbox)) (void)wf_worker_open_mail(w);
  wf_turn_rest(w);
}

void wf_workers_set_retired_locked(wf_workers *workers, wf_worker *w, bool retired) {
  wf_lock_acquire(&workers->timers);
  w->retired = retired;
  wf_lock_release(&workers->timers);
}

static void *thread_main(void *arg) {
  wf_worker *w = arg;
  wf_workers *workers = w->rt->workers;
  w->searching = wf_idle_leave(&workers->idle, w->index, true, false) == WF_IDLE_TO_SEARCH;
  wf_monitor_enter(w);
  while (wf_turn(w)) {
  }
  wf_monitor_leave(w);
  wf_lock_acquire(&workers->lock);
  wf_store_relaxed(&w->started, false);  // pairs with wake
  if (w->retired) {                      // as it was before its thread was started
    wf_workers_set_retired_locked(workers, w, false);
    put_to_sleep(workers, w);
  }
  workers->running--;
  (void)pthread_cond_broadcast(&workers->changed);
  wf_lock_release(&workers->lock);
  return NULL;
}

static int create_thread(wf_worker *w) {
  return wf_thread_start(&w->thread, STACK_BYTES, thread_main, w);
}

static int start_locked(wf_workers *workers, wf_worker *w) {
  wf_store_relaxed(&w->started, true);  // pairs with wake
  workers->running++;
  int rc = create_thread(w);
  if (rc == 0) return 0;
  wf_store_relaxed(&w->started, false);
  workers->running--;
  workers->thread_error = rc;
  return rc;
}

static int start(wf_workers *workers, wf_worker *w) {
  wf_lock_acquire(&workers->lock);
  int rc = w->started ? 0 : start_locked(workers, w);
  w->broken = rc != 0;
  wf_lock_release(&workers->lock);
  return rc;
}

// wf_idle's wake: only who has claimed the sleeper's bit gets here, so one caller for each sleep.
// The bit brings along whether the sleeper has a thread. A caller that comes late, when that sleep
// is over, may see what has become of it since: a thread that has ended is started for nothing,
// and a wake for one that has begun anew does no harm.
static void wake(void *ud, uint32_t index) {
  wf_workers *workers = ud;
  wf_worker *w = workers->list[index];
  if (index == 0 || wf_load_relaxed(&w->started)) {
    wf_loop_wake(&w->loop);
  } else if (start(workers, w) != 0) {
    // In its name: it is awake, finds nothing, and is never heard of again.
    bool search = wf_idle_leave(&workers->idle, index, true, false) == WF_IDLE_TO_SEARCH;
    if (search) wf_idle_found(&workers->idle);
    (void)wf_idle_quiet(&workers->idle);
  }
}

// `any`: whether one has a thread.
static bool elsewhere_locked(const wf_workers *workers, bool *any) {
  bool possible = false;
  *any = false;
  for (uint32_t i = 1; i < workers->count; i++) {
    *any = *any || workers->list[i]->started;
    possible = possible || !workers->list[i]->broken;
  }
  return *any || possible;
}

bool wf_workers_elsewhere(wf_workers *workers) {
  wf_lock_acquire(&workers->lock);
  bool any, possible = elsewhere_locked(workers, &any);
  wf_lock_release(&workers->lock);
  return possible;
}

int wf_workers_ensure(wf_runtime *rt) {
  wf_workers *workers = rt->workers;
  if (!rt->keep_free) return 0;  // worker 0 will, if nobody else does
  wf_lock_acquire(&workers->lock);
  bool any, possible = elsewhere_locked(workers, &any);
  int rc = possible ? 0 : workers->thread_error != 0 ? workers->thread_error : EAGAIN;
  wf_lock_release(&workers->lock);
  if (rc == 0 && !any) wf_idle_wake(&workers->idle, 1);
  return rc;
}

// Opening and closing -------------------------------------------------------------------------

static void free_worker(wf_workers *workers, wf_worker *w) {
  if (w == NULL || w->index == 0) return;
  wf_loop_close(&w->loop);
  wf_deque_close(&w->deque);
  wf_crates_close(&w->crates);
  wf_mem_free(&workers->rt->mem, w, sizeof *w);
}

static wf_worker *new_worker(wf_runtime *rt, uint32_t index) {
  wf_worker *w = wf_mem_new(&rt->mem, sizeof *w);
  if (w == NULL) return NULL;
  w->rt = rt;
  w->index = index;
  w->jumps = true;
  wf_inbox_init(&w->inbox);
  wf_crates_init(&w->crates, &rt->mem, WF_PORTABLE_BYTES);
  wf_rand_seed(&w->rand, rt->seed + index);
  if (!wf_deque_open(&w->deque, &rt->mem)) {
    wf_mem_free(&rt->mem, w, sizeof *w);
    return NULL;
  }
  if (wf_loop_init(&w->loop, rt->count_cores) == 0) {
    if (wf_loop_enable_wakes(&w->loop) == 0) return w;
    wf_loop_close(&w->loop);
  }
  wf_deque_close(&w->deque);
  wf_mem_free(&rt->mem, w, sizeof *w);
  return NULL;
}

static void free_all(wf_workers *workers) {
  wf_runtime *rt = workers->rt;
  for (uint32_t i = 0; workers->list != NULL && i < workers->places; i++) {
    free_worker(workers, workers->list[i]);
  }
  wf_mem_free(&rt->mem, workers->list, workers->places * sizeof *workers->list);
  wf_mem_free(&rt->mem, workers, sizeof *workers);
}

static wf_workers *new_workers(wf_runtime *rt, uint32_t count) {
  wf_workers *workers = wf_mem_new(&rt->mem, sizeof *workers);
  if (workers == NULL) return NULL;
  workers->rt = rt;
  workers->count = count;
  workers->places = count + WF_MAX_BLOCKING;
  workers->list = wf_mem_new(&rt->mem, workers->places * sizeof *workers->list);
  bool fine = workers->list != NULL;
  for (uint32_t i = 1; fine && i < count; i++) {
    workers->list[i] = new_worker(rt, i);
    fine = workers->list[i] != NULL;
  }
  if (fine && wf_idle_open(&workers->idle, &rt->mem, workers->places, count, wake, workers)) {
    return workers;
  }
  free_all(workers);
  return NULL;
}

bool wf_workers_open(wf_runtime *rt) {
  if (rt->workers != NULL) return true;
  wf_worker *first = &rt->worker;
  if (wf_loop_enable_wakes(&first->loop) != 0) return false;
  if (!wf_deque_open(&first->deque, &rt->mem)) return false;
  wf_workers *workers = new_workers(rt, wf_workers_count(rt));
  if (workers == NULL) {
    wf_deque_close(&first->deque);
    return false;
  }
  wf_crates_init(&first->crates, &rt->mem, WF_PORTABLE_BYTES);
  wf_rand_seed(&first->rand, rt->seed);
  workers->list[0] = first;
  wf_inbox_init(&workers->injected);
  wf_u64_init(&workers->checked_ns, wf_clock_coarse_ns());
  wf_u64_init(&workers->virtual_ns, rt->vm.clock.is_virtual ? wf_clock_now(&rt->vm.clock) : 0);
  wf_u64_init(&workers->quiescent, 0);
  wf_u64_init(&workers->stopping, 0);
  wf_lock_init(&workers->lock, WF_RANK_RUNTIME);
  wf_lock_init(&workers->timers, WF_RANK_LEAF);
  wf_list_init(&workers->calls);
  wf_lock_cond_init(&workers->changed);
  rt->workers = workers;
  wf_monitor_want(rt);
  for (uint32_t i = 1; i < workers->count; i++) {
    wf_monitor_add(workers->list[i]);
    put_to_sleep(workers, workers->list[i]);
  }
  // Places without a worker so far are quiet too, and nobody wakes them.
  for (uint32_t i = workers->count; i < workers->places; i++) (void)wf_idle_quiet(&workers->idle);
  return true;
}

int wf_workers_start_locked(wf_workers *workers, uint32_t index) {
  wf_worker *w = workers->list[index];
  if (w == NULL) {
    w = new_worker(workers->rt, index);
    if (w == NULL) return ENOMEM;
    wf_store_release(&workers->list[index], w);  // pairs with wf_workers_tasks
    wf_idle_hold(&workers->idle);                // which put_to_sleep takes back
    put_to_sleep(workers, w);
  }
  return w->started ? 0 : start_locked(workers, w);
}

bool wf_workers_stop(wf_runtime *rt, uint64_t timeout_ns) {
  wf_workers *workers = rt->workers;
  if (workers == NULL) return true;
  wf_u64_store(&workers->stopping, 1, WF_RELEASE);  // pairs with wf_turn's acquire
  wf_lock_acquire(&workers->lock);
  for (uint32_t i = 1; i < workers->places; i++) {
    wf_worker *w = workers->list[i];
    if (w != NULL && w->started) wf_loop_wake(&w->loop);
  }
  struct timespec end = wf_lock_deadline(timeout_ns);
  int rc = 0;
  while (workers->running != 0 && rc == 0) {
    rc = pthread_cond_timedwait(&workers->changed, &workers->lock.mutex, &end);
  }
  bool all = workers->running == 0;
  wf_lock_release(&workers->lock);
  return all;
}

static void drop_portable(wf_runtime *rt, wf_worker *w) {
  void *item;
  while ((item = wf_deque_pop(&w->deque)) != NULL) rt->hooks->drop_portable(rt, item);
}

void wf_workers_close(wf_runtime *rt) {
  wf_workers *workers = rt->workers;
  if (workers == NULL) return;
  for (uint32_t i = 0; i < workers->places; i++) {
    if (workers->list[i] != NULL) drop_portable(rt, workers->list[i]);
  }
  wf_inbox_node *node = wf_inbox_take(&workers->injected);
  while (node != NULL) {
    wf_portable *item = wf_container_of(node, wf_portable, node);
    node = node->next;
    rt->hooks->drop_portable(rt, item);
  }
  wf_idle_close(&workers->idle);
  (void)pthread_cond_destroy(&workers->changed);
  wf_lock_close(&workers->timers);
  wf_lock_close(&workers->lock);
  wf_deque_close(&rt->worker.deque);
  wf_crates_close(&rt->worker.crates);
  rt->workers = NULL;
  free_all(workers);
}

// Work ----------------------------------------------------------------------------------------

bool wf_workers_push(wf_runtime *rt, wf_worker *from, wf_portable *item) {
  wf_workers *workers = rt->workers;
  if (from != NULL && from->index < workers->count) {
    if (!wf_deque_push(&from->deque, item)) return false;
  } else {
    (void)wf_inbox_push(&workers->injected, &item->node);
  }
  wf_idle_notify(&workers->idle);
  return true;
}
