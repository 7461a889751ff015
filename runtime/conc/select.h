// SPDX-License-Identifier: MIT
// Waiting for the first of several channel operations.
#ifndef WF_CONC_SELECT_H
#define WF_CONC_SELECT_H

#include "conc/chan.h"
#include "conc/context.h"

// One case, as the door has understood it. `self` is the stack index of the channel's proxy;
// `value` that of a value to send, 0 for a receive.
typedef struct wf_case {
  wf_chan *ch;  // NULL: never ready
  int self, value;
  int index;  // position in the call
} wf_case;

// Tries the cases in the order of a fair draw; true when one has gone ahead, with its results
// pushed: index and value (and error), index and true, or false alone for a send on a closed
// channel. *nresults says how many.
bool wf_select_try(wf_vm *vm, lua_State *L, const wf_case *cases, int n, int *nresults);

// Parks the running task on all cases, with the stack of L as it is: values to send are taken from
// there; and on its own context, if it has one. 0: it has to be tried again, as another thread has
// made one of them ready.
int wf_select_park(wf_vm *vm, lua_State *L, const wf_case *cases, int n, wf_ctx *own);

// Queues the waiter for a case whose channel is local.
void wf_select_queue(lua_State *L, const wf_case *c, wf_waiter *waiter);

// For compiled code, which calls it through the FFI and so sees nothing of Lua: whether a receive
// from what `proxy`, the address of some userdata, stands for would have to wait. False also when
// it is not known.
bool wf_select_would_wait(const void *proxy);

#endif
