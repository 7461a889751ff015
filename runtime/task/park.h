// SPDX-License-Identifier: MIT
// The one way to suspend a task. A blocking call that cannot go on
//   1. checks wf_can_park before it queues anything,
//   2. links the task's waiter (or several) into what it waits on,
//   3. returns wf_park(...).
// Whoever completes the operation claims the waiter (wf_claim: from then on no other side can),
// pushes the call's results onto the stack of task->at, and calls wf_ready. Claiming takes the
// task out of everything it waited on, its timer included, so nothing can wake it later.
//
// Only pushes that allocate nothing are allowed on a parked task's stack, at most WF_WAKE_SLOTS:
// an error raised there would unwind the wrong coroutine.
// Symbols: wf_park, wf_reason, wf_can, wf_check, wf_wait, wf_claim, wf_pass, wf_poll, wf_ready
#ifndef WF_TASK_PARK_H
#define WF_TASK_PARK_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "loop/timer.h"

struct wf_task;
struct wf_vm;
struct wf_obj;

enum { WF_WAKE_SLOTS = 6 };

typedef enum wf_reason {
  WF_WAIT_NONE,
  WF_WAIT_CHAN_RECV,
  WF_WAIT_CHAN_SEND,
  WF_WAIT_SELECT,
  WF_WAIT_SLEEP,
  WF_WAIT_MUTEX,
  WF_WAIT_WAITGROUP,
  WF_WAIT_AWAIT,
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
  uint8_t op;
} wf_waiter;

// A block of further waiters, owned by the task while it waits.
typedef struct wf_waits {
  uint32_t count, capacity;
  wf_waiter waiters[];
} wf_waits;

// Raises, naming `call`, unless the running task can be suspended here: outside of any task, or
// with a C function somewhere between the task and the innermost coroutine.
void wf_check_can_park(struct wf_vm *vm, lua_State *L, const char *call);

// The same as a question, for polls.
bool wf_can_park(struct wf_vm *vm, lua_State *L);

// The running task's own waiter, set up for `on`. The caller links it.
wf_waiter *wf_wait_on(struct wf_vm *vm, struct wf_obj *on, wf_op op);

// `count` zeroed waiters beside the task's own one. Raises when memory is out.
wf_waits *wf_wait_more(struct wf_vm *vm, lua_State *L, uint32_t count);

// Arms the task's timer for a task that waits for nothing but it and extra waiters. Raises when
// memory is out.
void wf_wait_until(struct wf_vm *vm, lua_State *L, uint64_t when);

// Suspends the running task with the top `nkeep` >= 1 values left on its stack for the waker (a
// parked coroutine's stack is never empty: that tells it from one that has yielded). To be
// returned from a C function.
int wf_park(struct wf_vm *vm, lua_State *L, wf_reason reason, int nkeep);

// Lets other ready tasks run and then goes on with the top `nresults` values as results of the
// call. To be returned from a C function.
int wf_pass(struct wf_vm *vm, lua_State *L, int nresults);

// For a poll that found nothing and has its `nresults` results on the stack: returns them, after
// letting others run when the task has held the VM for 10 ms and may be suspended here. Time
// counts from the first fruitless poll of a slice: reading the clock at every switch would cost
// more than the switch.
int wf_poll_missed(struct wf_vm *vm, lua_State *L, int nresults);

// Takes the waiting task out of all that it waits on.
void wf_claim(struct wf_task *task);

// Makes a claimed task ready; the `nresults` values on top of the stack of task->at are what its
// call returns.
void wf_ready(struct wf_task *task, int nresults);

// Gives back the blocks of waiters that the VM keeps for reuse.
void wf_waits_free_all(struct wf_vm *vm);

#endif
