// SPDX-License-Identifier: MIT
// Who sleeps, who searches, and whether anything can still happen: how the workers of a runtime
// go to sleep and are woken. idle.c argues why no wake-up is lost. How a worker sleeps is its own
// affair: `wake` must end the sleep that worker is in or else its next one, and what the caller
// did before happens before that sleep returns (a futex, an eventfd, uv_async_send).
//
// A worker's loop, with its deque, its inbox and the runtime's injection queue:
//
//   bool searching = false;
//   for (;;) {
//     item = what is ready, or wf_deque_pop(own), or wf_inbox_take(inbox or injected), or, when
//            searching, what wf_deque_steal_half gets from others, for 20 to 50 us
//     if (item != NULL) {
//       if (searching) wf_idle_found(idle);  // before it runs: that may take long
//       searching = false;
//       run(item);
//       continue;
//     }
//     if (!searching && (searching = wf_idle_search(idle))) continue;
//     if (searching && something_of_its_own_has_come_meanwhile()) {
//       wf_idle_give_up(idle);
//       if (any_deque_or_the_injection_queue_has_something()) wf_idle_notify(idle);
//       searching = false;
//       continue;
//     }
//     wf_idle_announce(idle, me, searching);
//     bool quiet = false, more = any_deque_or_the_injection_queue_has_something();
//     if (!more && wf_inbox_doze(inbox)) {
//       quiet = no_timers_and_no_handles();
//       if (quiet && wf_idle_quiet(idle)) report_deadlock();
//       sleep();
//     }
//     searching = wf_idle_leave(idle, me, quiet, more) == WF_IDLE_TO_SEARCH;
//   }
//
// Who pushes on a deque or the injection queue calls wf_idle_notify after it; who pushes into an
// inbox and is told that its consumer dozed calls wf_idle_wake.
//
// Each worker that is not quiet is counted as active, and each wake-up in flight. Other threads
// that may push must be counted too: wf_idle_hold, before anybody could think all is over. So when
// the count comes to 0, nothing is under way and nobody is left to begin anything.
#ifndef WF_SCHED_IDLE_H
#define WF_SCHED_IDLE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/mem.h"

typedef struct wf_idle {
  wf_atomic_u64 searching;  // workers that look for work, or have been woken to
  wf_atomic_u64 active;     // workers that are not quiet, wake-ups in flight, holds
  wf_atomic_u64 *sleepers;  // for every 32 workers: a bit each, asleep; above, woken to search
  uint32_t workers;
  wf_atomic_u64 searchers;  // wf_idle_limit: the others do no portable work
  void (*wake)(void *ud, uint32_t worker);
  void *ud;
  wf_mem *mem;
} wf_idle;

typedef enum wf_woken {
  WF_IDLE_NOT_WOKEN,  // it woke by itself, or never slept
  WF_IDLE_WOKEN,      // wf_idle_wake
  WF_IDLE_TO_SEARCH,  // wf_idle_notify, or it has seen more: it is counted as one that searches
} wf_woken;

// For `workers` >= 1, all awake and active, of which the first `searchers` can be woken to search.
// False: no memory.
bool wf_idle_open(wf_idle *idle, wf_mem *mem, uint32_t workers, uint32_t searchers,
                  void (*wake)(void *ud, uint32_t worker), void *ud);

// No worker uses it any more.
void wf_idle_close(wf_idle *idle);

// How many, the first ones, can be woken to search. It can change, between 1 and `workers`: by any
// counted thread. Whoever then finds itself beyond and searches, or has been woken to, calls
// wf_idle_found, so that another does.
static inline uint32_t wf_idle_limit(const wf_idle *idle) {
  return (uint32_t)wf_u64_load(&idle->searchers, WF_RELAXED);
}
void wf_idle_set_limit(wf_idle *idle, uint32_t limit);

// The worker itself. --------------------------------------------------------------------------

// Whether it may search: not when half of those that are awake do already, since each that looks
// costs those that work cache misses. If so, it is counted until wf_idle_found or
// wf_idle_announce.
bool wf_idle_search(wf_idle *idle);

// It was searching and has found something. Wakes another when nobody else searches: there may be
// more.
void wf_idle_found(wf_idle *idle);

// It was searching, has found nothing, and has something of its own to do. What it looks at after
// this counts: when there is work, it calls wf_idle_notify.
void wf_idle_give_up(wf_idle *idle);

// From here it can be woken; it no longer searches. Only what it looks at after this counts: when
// that is nothing, it may sleep.
void wf_idle_announce(wf_idle *idle, uint32_t worker, bool searching);

// Between announce and sleep, when nothing but a wake-up can give it work. True: the runtime is
// quiescent: all are quiet, nothing is held, nothing under way, and what all of them did is
// visible. A worker that wakes without being woken ends that, until it is quiet again; it finds
// nothing, but it is up, so ask it for what is its own.
bool wf_idle_quiet(wf_idle *idle);

// After each announce, whether it slept or not: it is awake. `quiet`: it has called wf_idle_quiet.
// `more`: it has seen something that others may take too. When it was woken, what the waker did
// before is visible; the waker's call of `wake` may still be to come, and end the next sleep.
wf_woken wf_idle_leave(wf_idle *idle, uint32_t worker, bool quiet, bool more);

// Any thread that is counted. -----------------------------------------------------------------

// There is something new for whoever finds it: wakes one to search, unless somebody searches.
void wf_idle_notify(wf_idle *idle);

// There is something for this worker: wakes it if it sleeps or is about to.
void wf_idle_wake(wf_idle *idle, uint32_t worker);

// Counts something besides workers that may yet give them work, and counts it no more. True: the
// runtime is quiescent, as above.
void wf_idle_hold(wf_idle *idle);
bool wf_idle_release(wf_idle *idle);

#endif
