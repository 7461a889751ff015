// SPDX-License-Identifier: MIT
// The monitor: a thread of the runtime that watches for how long each worker stays with one task.
// A task that keeps the worker while others wait for it is reported once for each such slice; one
// of the main VM that may be interrupted is, after 10 ms. There is a monitor only where one of the
// two is wanted. Others are: tasks of the worker's VMs that are ready, timers that are due, I/O,
// and mail. Not: tasks that have not started, for which any worker will do. Threads for blocking
// calls are not watched: to block is what they are for.
//
// What the worker does for it on its way costs nothing: of fields that it writes anyway (the count
// of switches, the current task, lengths of queues, the next deadline) the monitor reads the
// latest value. The rest, and all that is rare, is under the monitor's lock.
//
// Symbols: wf_monitor
#ifndef WF_SCHED_MONITOR_H
#define WF_SCHED_MONITOR_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <uv.h>

#include "base/atomic.h"
#include "base/list.h"

typedef struct wf_monitor wf_monitor;
struct wf_runtime;
struct wf_worker;
struct wf_vm;
struct wf_task;

// A slice that takes long: what the monitor has seen of it, in a copy that anybody may read.
typedef struct wf_hog {
  uint64_t slice;    // vm->stats.switches while it lasts
  uint64_t kept_ns;  // for how long others have waited; not: while the process was stopped
  uint64_t cpu_ns;   // in which the thread has computed that much, when it can be known
  bool has_cpu;
  bool said;               // the monitor has reported it while it lasted
  bool of_guest;           // an isolated task on the main VM's thread
  uint64_t task, creator;  // their numbers
  const char *waited;      // what the task did last before it became ready
  char created[LUA_IDSIZE + 16];
  char place[LUA_IDSIZE + 16];  // where it was seen, "" when there was no way to look
} wf_hog;

// What the monitor knows of one worker: under its lock, but for `monitor`, which is set before the
// worker's thread runs.
typedef struct wf_watched {
  wf_monitor *monitor;  // NULL: nobody watches
  wf_link link;         // in the monitor's list
  struct wf_worker *worker;
  // The thread that runs the worker's tasks, if one does.
  bool present;
  bool has_cpu_clock;
  int tid;
  uv_thread_t thread;
  clockid_t cpu_clock;
  char delay_file[64];  // where the kernel tells how long the thread has waited for a processor
  // The last look.
  uint64_t look_ns, cpu_ns, delay_ns;
  struct wf_vm *vm;  // whose task was running; NULL: none was
  const struct wf_task *task;
  uint64_t slice, slice_ns;  // the slice, and when it was seen first
  uint64_t kept_ns, kept_cpu_ns;
  bool to_say;
  wf_hog hog;  // hog.slice 0: none
  const struct wf_vm *hog_vm;
} wf_watched;

// What can be asked of a worker's thread while a slice lasts is up to task/preempt.c: see
// wf_hooks.nudge.

// Starts the monitor if it is not there yet. False when the system refuses a thread. Worker 0.
bool wf_monitor_start(struct wf_runtime *rt);

// The same where long slices are to be reported; says so when they cannot be. Worker 0.
void wf_monitor_want(struct wf_runtime *rt);

// Has it watch a worker other than 0, which has no thread yet, if long slices are reported.
void wf_monitor_add(struct wf_worker *worker);

// Ends it and waits for its thread. `stuck`: a worker's thread goes on, so that nothing is freed.
void wf_monitor_stop(struct wf_runtime *rt, bool stuck);

// The calling thread begins, or ends, to run the worker's tasks.
void wf_monitor_enter(struct wf_worker *worker);
void wf_monitor_leave(struct wf_worker *worker);

// The worker is about to sleep until something happens, and has woken again.
void wf_monitor_sleep(struct wf_worker *worker);
void wf_monitor_wake(struct wf_worker *worker);

// While the lock is held no pointer that the monitor has read becomes invalid: what takes memory
// away that it may look into (tasks, places, VMs) does so under the lock. Nobody calls out with
// it. Without a monitor, and for workers that it does not watch, they do nothing.
void wf_monitor_lock(const struct wf_vm *vm);
void wf_monitor_unlock(const struct wf_vm *vm);

// Where the running task is, from wf_hooks.nudge's answer. Worker.
void wf_monitor_note_place(struct wf_vm *vm, const char *place, int line);

// The worker reports a long slice of the VM that has come to its end, if there was one. Between
// tasks.
void wf_monitor_settle(struct wf_vm *vm);

#endif
