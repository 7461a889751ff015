// SPDX-License-Identifier: MIT
// The workers of a runtime, from the first spawn on: before that there is only worker 0 and none
// of this. Portable tasks (spawned, not started yet) lie in the deque of the worker that spawned
// them; workers with nothing ready run their own newest one, or steal somebody's oldest. Once
// started a task stays in the VM where it was.
//
// Places: 0 the main VM's worker; 1 to count-1 others that run portable tasks; behind them the
// threads of weft.blocking, which only run what they are given. A thread is started when its place
// is first woken. The sleep and wake protocol is sched/idle.h's.
//
// With a virtual clock the VMs of all workers share one time, which moves to the earliest timer
// when the runtime is quiescent.
#ifndef WF_SCHED_WORKERS_H
#define WF_SCHED_WORKERS_H

#include "base/lock.h"
#include "sched/idle.h"
#include "sched/worker.h"

// A task that has not started: the first member of task/spawn.h's, in a block of WF_PORTABLE_BYTES
// of the worker that spawned it.
typedef struct wf_portable {
  wf_inbox_node node;  // in the injection queue
} wf_portable;

enum { WF_MAX_WORKERS = 1024, WF_MAX_BLOCKING = 64, WF_PORTABLE_BYTES = 512 };

typedef struct wf_workers {
  struct wf_runtime *rt;
  uint32_t count;    // that run portable tasks, worker 0 included
  uint32_t places;   // all of them
  wf_worker **list;  // by place
  wf_idle idle;
  wf_inbox injected;         // portable tasks from threads without a deque
  wf_atomic_u64 checked_ns;  // when the quota was looked at last
  wf_atomic_u64 virtual_ns;  // the common time of virtual clocks
  wf_atomic_u64 dropped;     // portable tasks and blocking calls that will never begin
  wf_atomic_u64 quiescent;   // 1: nothing can ever happen; worker 0 is to say so
  wf_atomic_u64 stopping;    // 1: the threads are to end
  wf_lock lock;              // of what follows; WF_RANK_RUNTIME
  pthread_cond_t changed;
  uint32_t running;  // threads that have not ended
  int thread_error;  // errno of the last thread that could not be created
  wf_link calls;     // of weft.blocking, that wait for a place, in order
  uint64_t busy;     // places that have one: a bit each, from `count` on
  // While somebody looks at the timers of others: nobody's VM goes, who may be up again of himself
  // (wf_turn's LINGER_NS). WF_RANK_LEAF.
  wf_lock timers;
} wf_workers;

// Makes the workers ready, if they are not yet. False: no memory, or no descriptors. Worker 0.
bool wf_workers_open(struct wf_runtime *rt);

// Asks the threads to end and waits for that, at most that long. False: some still run, busy with
// a task or blocked in C; then nothing of the runtime may be freed. Worker 0.
bool wf_workers_stop(struct wf_runtime *rt, uint64_t timeout_ns);

// After wf_workers_stop: frees what is left.
void wf_workers_close(struct wf_runtime *rt);

// How many workers there are, or would be.
uint32_t wf_workers_count(const struct wf_runtime *rt);

// How many there should be now: as configured, or for the cores that this process may use.
uint32_t wf_workers_wanted(const struct wf_runtime *rt);

// Live tasks of all VMs, unstarted ones included; portable tasks that were stolen. From any
// worker: others go on meanwhile.
uint64_t wf_workers_tasks(const struct wf_runtime *rt);
uint64_t wf_workers_steals(const struct wf_runtime *rt);

// Bytes of the heap of the VM for isolated tasks at that place, or, with `main`, of the main VM,
// as of a moment ago, or of when it came to rest; 0: there is none, or it has not run a task yet.
// From any worker.
uint64_t wf_workers_bytes(const struct wf_runtime *rt, uint32_t place, bool main);

// Whether another worker than 0 has a thread for portable tasks, or may still get one.
bool wf_workers_elsewhere(wf_workers *workers);

// Makes sure that somebody will run portable tasks. 0, or the errno of the thread that could not
// be created. Worker 0, or any other while it runs a task.
int wf_workers_ensure(struct wf_runtime *rt);

// Hands over a portable task. `from`: the worker that is running the caller, or NULL. False: no
// memory, and it is still the caller's.
bool wf_workers_push(struct wf_runtime *rt, wf_worker *from, wf_portable *item);

// Gives the place its worker and its thread, if it has none. 0 or an errno. The lock is held.
int wf_workers_start_locked(wf_workers *workers, uint32_t index);

// Whether its thread is about to end, and its VM to go. The lock is held.
void wf_workers_set_retired_locked(wf_workers *workers, wf_worker *w, bool retired);

#endif
