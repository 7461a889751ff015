// SPDX-License-Identifier: MIT
// Waits that other threads can complete: of tasks that wait on at least one object that is shared
// with other VMs. Beside what a wait has otherwise (task/park.h) such a task has a claim, and a
// place in the queue of each core.
//
// Whoever completes the wait, on any thread, has the core's lock and finds a place in its queue.
// It claims the wait, takes the place out, writes down what the result is and, having released the
// lock, posts the wait to the task's worker. There the rest is done: the task is taken out of all
// other queues, gets its results and becomes ready. What is local to the task's VM (a local
// channel in the same select, a context) claims with the same word on the task's own thread, and
// goes on to the next waiter when it comes too late.
//
// Who owns what: places are linked under the lock of their core, and only their task's thread
// makes and frees them; it locks each core before, so nobody still looks at them. The result
// belongs to whoever has the claim.
#ifndef WF_TASK_REMOTE_H
#define WF_TASK_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "sched/worker.h"
#include "task/claim.h"
#include "task/core.h"
#include "task/message.h"
#include "task/task.h"

typedef struct wf_remote_place {
  wf_link link;  // in a queue of the core
  struct wf_remote *wait;
  wf_core *core;                 // counted
  struct wf_remote_place *next;  // of the same wait
  wf_waiter *instead_of;         // while the object becomes shared: what was queued there
  wf_message message;            // what is to be sent
  int64_t units;                 // or acquired (conc/latch.h)
  const char *site;              // where a lock is waited for (wf_site_kept); or NULL
  int16_t index;                 // as in wf_waiter
  uint8_t op;
} wf_remote_place;

typedef enum wf_remote_outcome {
  WF_REMOTE_RECEIVED,  // the message
  WF_REMOTE_DONE,      // what it waited to do: a value was sent
  WF_REMOTE_CLOSED,
} wf_remote_outcome;

typedef struct wf_remote {
  wf_mail mail;  // first; to the task's worker, once it is claimed
  wf_claim_word claim;
  uint64_t ticket;  // 0: the wait is not open
  wf_task *task;    // NULL: its VM is about to be closed, nobody wants to know any more
  wf_vm *vm;
  wf_worker *worker;
  bool claimed;             // the task's own thread has it, or knows who has
  bool was_local;           // the task began to wait before the object became shared
  wf_remote_place *places;  // of the task's thread
  struct wf_remote *next;   // in a list of those who are to be posted, or are free
  // The result.
  wf_remote_outcome outcome;
  uint8_t op;
  int16_t index;
  wf_core *core;
  wf_message message;
} wf_remote;

// Gives the task a wait of this kind, still closed, unless it has one; NULL when memory is out.
// The task's thread. `open` is how it ends: it is called by the worker with the wait, see
// wf_remote_end.
wf_remote *wf_remote_of(wf_task *task, void (*open)(wf_mail *mail));

// A place in a queue of the core, linked nowhere; NULL when memory is out.
wf_remote_place *wf_remote_place_new(wf_vm *vm, wf_core *core, wf_op op, int index);

// Frees it with its message. It is linked nowhere.
void wf_remote_place_free(wf_vm *vm, wf_remote_place *place);

// Under the core's lock: puts the place, which is set up, at the end of the queue. The wait is
// open from then on, and others may be queued while it is.
void wf_remote_queue(wf_remote *wait, wf_remote_place *place, wf_link *queue);

// Under the core's lock: claims the first wait in the queue that can still be claimed; those that
// cannot are taken out. Of several places of that wait one is drawn, and all are out of the queue
// afterwards. NULL: nobody waits. The caller fills in the result and posts it.
wf_remote_place *wf_remote_claim_first(wf_link *queue, wf_rand *rand);

// Writes down the result of a wait that has been claimed in the place, but for the message.
wf_remote *wf_remote_settle(wf_remote_place *place, wf_remote_outcome outcome);

// Hands a settled wait to its worker. Outside of all locks.
static inline void wf_remote_post(wf_remote *wait) {
  if (wait != NULL) wf_worker_post(wait->worker, &wait->mail);
}

// The task's thread. Whether other threads can wake the task.
static inline bool wf_remote_is_open(const wf_task *task) {
  const wf_remote *wait = task->extra != NULL ? task->extra->remote : NULL;
  return wait != NULL && wait->ticket != 0;
}

// The task's thread. Whether the caller may complete the wait: always, unless another thread will.
bool wf_remote_win(const wf_task *task);

// Of wf_claim: takes the wait out of all queues and frees it, as soon as nobody uses it any more.
void wf_remote_leave(wf_remote *wait);

// The wait that was posted as `mail`: its result, with a reference to the core and the message
// being the caller's, after the task has been taken out of all it waited on. The task, or NULL
// when nobody wants to know.
typedef struct wf_remote_result {
  wf_remote_outcome outcome;
  bool was_local;
  uint8_t op;
  int16_t index;
  wf_core *core;
  wf_message message;
} wf_remote_result;
wf_task *wf_remote_end(wf_mail *mail, wf_remote_result *result);

// Gives back what the VM keeps for reuse.
void wf_remote_free_all(wf_vm *vm);

#endif
