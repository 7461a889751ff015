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
//
// What every hand-over goes through is inline: as calls, those four cost 8 ns of 45.
// Symbols: wf_park, wf_can, wf_check, wf_wait, wf_claim, wf_pass, wf_poll, wf_ready
#ifndef WF_TASK_PARK_H
#define WF_TASK_PARK_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/peek.h"
#include "task/obj.h"
#include "task/task.h"

// Whether the running task can be suspended at L, its innermost coroutine: not outside of any
// task, nor with a C function somewhere between the task and L.
static inline bool wf_can_park(wf_vm *vm, lua_State *L) {
  return vm->running == L && vm->chain_ok && lua_isyieldable(L);
}

// Raises, naming `call`, that it cannot.
void wf_park_refuse(wf_vm *vm, lua_State *L, const char *call);

static inline void wf_check_can_park(wf_vm *vm, lua_State *L, const char *call) {
  if (WF_UNLIKELY(!wf_can_park(vm, L))) wf_park_refuse(vm, L, call);
}

// The running task's own waiter, set up for `on`. The caller links it.
static inline wf_waiter *wf_wait_on(wf_vm *vm, struct wf_obj *on, wf_op op) {
  wf_task *task = vm->current;
  wf_waiter *waiter = &task->wait.waiter;
  *waiter = (wf_waiter){.task = task, .on = on, .op = (uint8_t)op};
  return waiter;
}

// `count` waiters beside the task's own one, for the caller to set up and link. Raises when memory
// is out.
wf_waits *wf_wait_more(wf_vm *vm, lua_State *L, uint32_t count);

// The same for any task of this thread. False when memory is out.
bool wf_wait_extend(wf_task *task, uint32_t count);

// Arms the task's timer for a task that waits for nothing but it and extra waiters. Raises when
// memory is out.
void wf_wait_until(wf_vm *vm, lua_State *L, uint64_t when);

// Counts, and lets go of, all that a task waits on, where that is more than one object.
void wf_wait_hold_all(wf_task *task);
void wf_claim_all(wf_task *task);

// Suspends the running task with the top `nkeep` >= 1 values left on its stack for the waker (a
// parked coroutine's stack is never empty: that tells it from one that has yielded). To be
// returned from a C function.
static inline int wf_park(wf_vm *vm, lua_State *L, wf_reason reason, int nkeep) {
  wf_task *task = vm->current;
  WF_ASSERT(nkeep >= 1 && lua_gettop(L) >= nkeep);
  task->at = L;
  task->state = WF_PARKED;
  wf_store_relaxed(&task->reason, (uint8_t)reason);  // pairs with task/hog.c: wf_hog_peek
  task->since_ns = vm->now_ns;
  vm->stats.parks++;
  // Scripts can take tables apart, so that the values on the parked stack are no proof that what
  // the task waits on lives: it is counted.
  if (WF_UNLIKELY(task->timed || task->extra != NULL)) {
    wf_wait_hold_all(task);
  } else if (WF_LIKELY(task->wait.waiter.on != NULL)) {
    wf_obj_ref(task->wait.waiter.on);
  }
  return lua_yield(L, nkeep);
}

// Lets other ready tasks run and then goes on with the top `nresults` values as results of the
// call. To be returned from a C function.
int wf_pass(wf_vm *vm, lua_State *L, int nresults);

// For a poll that found nothing and has its `nresults` results on the stack: returns them, after
// letting others run when the task has held the VM for 10 ms and may be suspended here. Time
// counts from the first fruitless poll of a slice: reading the clock at every switch would cost
// more than the switch.
int wf_poll_missed(wf_vm *vm, lua_State *L, int nresults);

// The same for compiled code (conc/select.h): true when the poll need not let others run, and then
// it has been counted.
bool wf_poll_is_free(void);

// Takes the waiting task out of all that it waits on.
static inline void wf_claim(wf_task *task) {
  wf_waiter *waiter = &task->wait.waiter;
  if (WF_UNLIKELY(task->timed || task->extra != NULL)) {
    wf_claim_all(task);
  } else if (WF_LIKELY(wf_link_in_list(&waiter->link))) {
    wf_list_remove(&waiter->link);
    if (WF_LIKELY(task->state == WF_PARKED)) wf_obj_unref(waiter->on);
  }
}

// Makes a claimed task ready; the `nresults` values on top of the stack of task->at are what its
// call returns.
static inline void wf_ready(wf_task *task, int nresults) {
  WF_ASSERT(task->state != WF_READY && task->state != WF_FREE && task->extra == NULL);
  wf_vm *vm = task->vm;
  task->nresults = (uint16_t)nresults;
  task->state = WF_READY;
  task->since_ns = vm->now_ns;
  wf_runq_push(&vm->runq, &task->run);
}

// Gives back the blocks of waiters that the VM keeps for reuse.
void wf_waits_free_all(wf_vm *vm);

#endif
