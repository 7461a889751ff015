// SPDX-License-Identifier: MIT
// A worker is a core: a thread with an event loop, which runs the tasks of its VMs in batches and
// looks at timers and I/O in between. Worker 0 is the thread of the main VM; it and all the others
// have a VM for isolated tasks, made when the first one comes (sched/workers.h).
#ifndef WF_SCHED_WORKER_H
#define WF_SCHED_WORKER_H

#include <pthread.h>
#include <stdint.h>

#include "base/check.h"
#include "loop/loop.h"
#include "sched/crates.h"
#include "sched/deque.h"
#include "sched/inbox.h"
#include "sched/monitor.h"
#include "sched/vm.h"

// What another thread wants of a worker. It belongs to whoever made it until it is posted, and
// then to `open`, which the worker calls between two tasks.
typedef struct wf_mail {
  wf_inbox_node node;
  void (*open)(struct wf_mail *mail);
} wf_mail;

typedef struct wf_worker {
  struct wf_runtime *rt;
  wf_vm *vm;        // whose tasks come first: the main VM; of other workers the one below
  wf_vm *isolated;  // for isolated tasks; NULL: there was none yet
  uint32_t index;
  wf_loop loop;
  wf_inbox inbox;       // of wf_mail
  wf_deque deque;       // of wf_portable: its own spawns
  wf_crates crates;     // for those
  wf_atomic_u64 sent;   // portable tasks and blocking calls that its VMs have made, and
  wf_atomic_u64 begun;  // such as it has started: each is changed by its own thread alone
  wf_rand rand;         // whom to rob first
  bool searching;       // counted as such in wf_idle
  bool jumps;           // a virtual clock moves by itself: in wf_worker_run, not in steps
  bool brief;           // in a step with a budget
  uint64_t polled_ns;   // the machine's time when the event loop was last looked at
  uint64_t shared_ns;   // the coarse clock when the isolated tasks of a busy worker had a turn
  uint32_t rounds;      // of tasks
  uint64_t started_ns;  // turn_ns when a portable task had its last chance beside those
  bool asleep;          // it waits for something to happen; pairs with wf_monitor.asleep
  wf_atomic_u64 steals;
  // Tasks of its VM for isolated ones, as of its last round; the bytes of that VM and, of worker
  // 0, of the main VM, as of its last rest, or of some rounds ago.
  wf_atomic_u64 live, bytes, main_bytes;
  pthread_t thread;      // not of worker 0
  bool started, broken;  // its thread; broken: there is none to be had
  bool due;              // its time has come (turn.c: move_time)
  bool lingered;         // it has slept for long
  bool retired;          // its thread ends, for want of blocking calls
  wf_watched watch;      // the monitor's
} wf_worker;

// Whether it has a second VM: the first one is the main VM then.
static inline bool wf_worker_has_two(const wf_worker *worker) {
  return WF_UNLIKELY(worker->isolated != NULL && worker->isolated != worker->vm);
}

typedef enum wf_outcome {
  WF_STOPPED,  // somebody set vm->stop
  WF_ASLEEP,   // nothing is ready, and nothing can ever become ready
  WF_IDLE,     // nothing is ready now (only from wf_worker_step)
  WF_BUDGET,   // the time given is used up (only from wf_worker_step)
} wf_outcome;

// Runs tasks until one of the first two outcomes. Blocks while all tasks wait. On a virtual clock
// time jumps to the next timer instead. Worker 0.
wf_outcome wf_worker_run(wf_worker *worker);

// Runs what is ready, for at most budget_ns of the machine's time (WF_NEVER: until nothing is
// ready); never blocks and never moves a virtual clock. Worker 0.
wf_outcome wf_worker_step(wf_worker *worker, uint64_t budget_ns);

// Hands it to the worker, which is woken if it sleeps. From any thread of the runtime. In the
// order of posting, as far as one thread's go.
void wf_worker_post(wf_worker *to, wf_mail *mail);

// Has wf_hooks.interrupt called between two tasks, soon: in the run or step that is going on, or
// else in the next. From any thread, and from signal handlers.
void wf_worker_interrupt(wf_worker *worker);

// Fires the timers of its VMs that are due by now.
void wf_worker_fire_timers(wf_worker *worker);

// The earliest deadline of its VMs, WF_NEVER without any.
uint64_t wf_worker_next_timer(const wf_worker *worker);

// Moves a virtual clock to its next timer, if there is one and nothing else could come first.
bool wf_worker_jump(wf_worker *worker);

// What sched/workers.c does between two looks at the rest. ---------------------------------------

bool wf_worker_open_mail(wf_worker *worker);

// Whether a task of the VM is ready.
bool wf_worker_has_ready(wf_vm *vm);

// Writes down for other threads how many bytes the VM's heap has.
void wf_worker_note_bytes(wf_worker *worker, const wf_vm *vm);

// A batch of the VM's tasks, timers, and the event loop.
void wf_worker_round(wf_worker *worker, wf_vm *vm, uint32_t max);

enum { WF_BATCH = 64 };

#endif
