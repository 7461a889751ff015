// SPDX-License-Identifier: MIT
// What a task waits on, and why: the parts of a task's wait (task/park.h).
// Symbols: wf_reason
#ifndef WF_TASK_WAIT_H
#define WF_TASK_WAIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct wf_task;
struct wf_obj;

enum { WF_WAKE_SLOTS = 6 };

typedef enum wf_reason {
  WF_WAIT_NONE,
  WF_WAIT_CHAN_RECV,
  WF_WAIT_CHAN_SEND,
  WF_WAIT_SELECT,
  WF_WAIT_SLEEP,
  WF_WAIT_MUTEX,
  WF_WAIT_RWMUTEX,
  WF_WAIT_COND,
  WF_WAIT_WAITGROUP,
  WF_WAIT_SEMAPHORE,
  WF_WAIT_ONCE,
  WF_WAIT_AWAIT,
  WF_WAIT_BLOCKING,
  WF_WAIT_IO,
} wf_reason;

const char *wf_reason_name(wf_reason reason);

// What a waiter waits to do; tells the waker which results it owes.
typedef enum wf_op {
  WF_OP_RECV,
  WF_OP_SEND,     // the value is on top of the stack of task->at
  WF_OP_CONTEXT,  // wake with nil, error when the context ends
  WF_OP_EVENT,    // wake with true
} wf_op;

// A task's place in one queue. Owned by its task; linked from wf_park until the claim.
typedef struct wf_waiter {
  wf_link link;
  struct wf_task *task;
  struct wf_obj *on;  // what is waited on
  int16_t index;      // position of the case in a select, 0: no select
  int16_t slot;       // where a select's value to send lies on the stack of task->at
  uint8_t op;
  bool again;  // more cases of the same select wait in the same queue, or others may claim
} wf_waiter;

// A block of further waiters, owned by the task while it waits.
typedef struct wf_waits {
  uint32_t count, capacity;
  struct wf_remote *remote;  // of a task that waits on shared objects (task/remote.h)
  wf_waiter waiters[];
} wf_waits;

#endif
