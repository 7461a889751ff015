// SPDX-License-Identifier: MIT
// The event loop of a worker: a uv_loop_t and an exact way to wait in it. libuv's own timers count
// in milliseconds; here the wait for a deadline is a ppoll on the loop's descriptor, exact to what
// the kernel gives, and uv_run only ever runs what is already there. A second descriptor in that
// ppoll ends it: cheaper than uv_async_send, which takes a turn of the loop besides.
//
// Where the last wait was short, the next one first looks again and again for SPIN_NS: a peer that
// answers at once does so in less time than going to sleep and being woken takes. An echo of 64
// bytes over one connection: 22 us instead of 32 (plain libuv 29, Go 33), for 22 us of processor
// time instead of 20 (16, 30). Medians of 5, in turns, at a real-time priority.
#ifndef WF_LOOP_LOOP_H
#define WF_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/atomic.h"
#include "base/list.h"

typedef struct wf_loop {
  uv_loop_t uv;
  int wake_fds[2];  // an eventfd, or a pipe's two ends; -1: no wakes
  // Calls on other threads (loop/pool.h).
  uint32_t jobs;         // that have not come back
  wf_link finished;      // of these; under the pool's lock
  uv_async_t jobs_done;  // tells of them
  bool has_jobs_done;
  uint32_t (*count_cores)(void);
  uint32_t cores;       // 0: not asked yet
  bool lively;          // the last wait was a short one: the next may be, too
  wf_atomic_u64 woken;  // wf_loop_wake has been called, for a wait that does not sleep yet
  bool happened;  // a callback has given somebody something to do: wf_loop_wait does not wait
} wf_loop;

// Whether this thread is inside of an event loop, or a write of weft's own; read by a signal
// handler (io/sigpipe.h).
extern _Thread_local volatile bool wf_loop_here __attribute__((tls_model("initial-exec")));

// 0, or a libuv error code. `count_cores` is asked at most once: with a single core no wait spins.
int wf_loop_init(wf_loop *loop, uint32_t (*count_cores)(void));

// Closes what is still open on it, runs the close callbacks, ends it.
void wf_loop_close(wf_loop *loop);

// Whether anything on the loop can still happen.
static inline bool wf_loop_pending(const wf_loop *loop) { return uv_loop_alive(&loop->uv) != 0; }

// Makes wf_loop_wake work: 0, or a libuv error code. It keeps no loop going.
int wf_loop_enable_wakes(wf_loop *loop);

// Ends a wait that is going on, or else the next one. From any thread, and from signal handlers.
void wf_loop_wake(wf_loop *loop);

// Takes note of all wakes until now.
void wf_loop_take_wakes(wf_loop *loop);

// Runs what is ready, without waiting.
void wf_loop_turn(wf_loop *loop);

// Waits until something happens on the loop or `timeout_ns` have gone by (WF_NEVER: no limit), and
// runs it. Returns early when a signal arrives.
void wf_loop_wait(wf_loop *loop, uint64_t timeout_ns);

#endif
