// SPDX-License-Identifier: MIT
// A worker is a core: a thread with an event loop, which runs the tasks of its VM in batches and
// looks at timers and I/O in between.
#ifndef WF_SCHED_WORKER_H
#define WF_SCHED_WORKER_H

#include <stdint.h>

#include "loop/loop.h"
#include "sched/inbox.h"
#include "sched/vm.h"

// What another thread wants of a worker. It belongs to whoever made it until it is posted, and then
// to `open`, which the worker calls between two tasks.
typedef struct wf_mail {
  wf_inbox_node node;
  void (*open)(struct wf_mail *mail);
} wf_mail;

typedef struct wf_worker {
  struct wf_runtime *rt;
  wf_vm *vm;
  wf_loop loop;
  bool jumps;          // a virtual clock moves by itself: in wf_worker_run, not in steps
  uint64_t polled_ns;  // the machine's time when the event loop was last looked at
  wf_inbox inbox;      // of wf_mail
  bool asleep;         // it waits for something to happen; pairs with wf_monitor.asleep
} wf_worker;

typedef enum wf_outcome {
  WF_STOPPED,  // somebody set vm->stop
  WF_ASLEEP,   // nothing is ready, and nothing can ever become ready
  WF_IDLE,     // nothing is ready now (only from wf_worker_step)
  WF_BUDGET,   // the time given is used up (only from wf_worker_step)
} wf_outcome;

// Runs tasks until one of the first two outcomes. Blocks while all tasks wait. On a virtual clock
// time jumps to the next timer instead.
wf_outcome wf_worker_run(wf_worker *worker);

// Runs what is ready, for at most budget_ns of the machine's time (WF_NEVER: until nothing is
// ready); never blocks and never moves a virtual clock.
wf_outcome wf_worker_step(wf_worker *worker, uint64_t budget_ns);

// Hands it to the worker, which is woken if it sleeps. From any thread of the runtime. In the order
// of posting, as far as one thread's go.
void wf_worker_post(struct wf_worker *to, wf_mail *mail);

// Has wf_hooks.interrupt called between two tasks, soon: in the run or step that is going on, or
// else in the next. From any thread, and from signal handlers.
void wf_worker_interrupt(wf_worker *worker);

// Fires the timers of the VM that are due by now.
void wf_worker_fire_timers(wf_worker *worker);

// Moves a virtual clock to its next timer, if there is one and nothing else could come first.
bool wf_worker_jump(wf_worker *worker);

#endif
