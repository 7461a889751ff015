// SPDX-License-Identifier: MIT
// Threads for calls of the system that block: files, above all. One pool for the process, as a
// thread serves whoever asks. (libuv's own has four threads, a number that only the environment
// changes, and they are taken for as long as somebody reads from a terminal.)
//
// As many threads work as there are cores, at least four. When no job has begun for 20 ms though
// some wait, those that run hang (a terminal, a pipe, a file system far away) and do not count any
// more; up to 64 threads in all. A thread that has had nothing to do for 5 s ends.
//
// Who owns a job: whoever made it, until it is started; the pool, until `done` is called; the
// maker again. All links and the states are under the pool's lock.
#ifndef WF_LOOP_POOL_H
#define WF_LOOP_POOL_H

#include <stdbool.h>

#include "base/atomic.h"
#include "base/list.h"
#include "loop/loop.h"

typedef enum wf_pool_state { WF_POOL_QUEUED, WF_POOL_RUNS, WF_POOL_HAS_RUN } wf_pool_state;

typedef struct wf_pool_job {
  wf_link link;                           // in the pool's queue, then among its loop's finished
  wf_loop *loop;                          // NULL: nobody wants to know any more
  wf_atomic_u64 stop;                     // 1: nobody waits for it; long jobs look at it
  void (*run)(struct wf_pool_job *job);   // on a thread of the pool
  void (*done)(struct wf_pool_job *job);  // afterwards, on the loop's thread, from its turn
  void (*drop)(struct wf_pool_job *job);  // frees a forgotten one; any thread
  uint64_t number;                        // in the order in which jobs have begun
  uint8_t state;
} wf_pool_job;

// Has it run soon. 0, or a libuv error code (no thread, no descriptor), and nothing has happened.
// The loop's thread, as all that follows.
int wf_pool_start(wf_loop *loop, wf_pool_job *job);

// Takes back a job that has not begun: true, and `done` is not called. False: it runs or has run,
// `done` will come; it is told to stop.
bool wf_pool_cancel(wf_pool_job *job);

// Nobody waits for it any more, and `done` is not called: it is dropped as soon as it does not
// run.
void wf_pool_forget(wf_pool_job *job);

#endif
