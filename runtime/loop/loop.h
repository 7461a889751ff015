// SPDX-License-Identifier: MIT
// The event loop of a worker: a uv_loop_t and an exact way to wait in it. libuv's own timers count
// in milliseconds; here what is left of a deadline below one is waited for by a ppoll on the
// loop's descriptor, exact to what the kernel gives. All that is longer is one call of uv_run, and
// so one of the system's: with a ppoll in front of each, a message over one connection took an
// echo's server four calls, and now takes three, as it does plain libuv.
//
// A wake is a descriptor that the loop watches: cheaper than uv_async_send.
#ifndef WF_LOOP_LOOP_H
#define WF_LOOP_LOOP_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/list.h"

typedef struct wf_loop {
  uv_loop_t uv;
  uv_prepare_t before_wait;  // the last word before it waits
  uv_timer_t limit;          // of a wait
  uv_poll_t wakes;           // on wake_fds[0]
  int wake_fds[2];           // an eventfd, or a pipe's two ends; -1: no wakes
  bool woken;                // and no wait has ended by it yet
  // Calls on other threads (loop/pool.h).
  uint32_t jobs;         // that have not come back
  wf_link finished;      // of these; under the pool's lock
  uv_async_t jobs_done;  // tells of them
  bool has_jobs_done;
  bool happened;  // a callback has given somebody something to do: it does not wait then
} wf_loop;

// Whether this thread is inside of an event loop, or a write of weft's own; read by a signal
// handler (io/sigpipe.h).
extern _Thread_local volatile bool wf_loop_here __attribute__((tls_model("initial-exec")));

// 0, or a libuv error code.
int wf_loop_init(wf_loop *loop);

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
