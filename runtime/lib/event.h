// SPDX-License-Identifier: MIT
// How a door waits on an object of the floor io: after wf_arg_context, wf_ctx_is_over and
// wf_check_can_park. Symbols: wf_event
#ifndef WF_LIB_EVENT_H
#define WF_LIB_EVENT_H

#include "io/event.h"
#include "lib/arg.h"

// Has the running task wait for the event, or for the end of the context (may be NULL). Raises
// when memory is out. After it nothing may fail, but for what takes the task out of all with
// wf_claim.
static inline void wf_event_wait(wf_vm *vm, lua_State *L, wf_event *event, wf_ctx *ctx) {
  wf_waiter *waiter = wf_wait_on(vm, &event->obj, WF_OP_EVENT);
  wf_wait_context(vm, L, ctx);
  wf_list_push(&event->waiters, &waiter->link);
}

// Suspends it then. To be returned from the door.
static inline int wf_event_park(wf_vm *vm, lua_State *L) {
  return wf_park(vm, L, WF_WAIT_IO, lua_gettop(L));
}

#endif
