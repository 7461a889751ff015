// SPDX-License-Identifier: MIT
// How a select comes to wait where some of its channels have crossed. Other threads may make these
// ready at any time, so it holds the locks of all of them, from the one look at which none is
// ready until it stands in the queues of all.
#ifndef WF_CONC_WAIT_ALL_H
#define WF_CONC_WAIT_ALL_H

#include "conc/select.h"

// Queues the running task for all cases, `local` of which are not shared. False: one of those that
// are is ready, or another has become shared, and nothing is queued. Raises when memory is out or
// a value to be sent cannot cross; nothing is queued then either. `own`: see wf_select_park.
bool wf_wait_all_queue(wf_vm *vm, lua_State *L, const wf_case *cases, int n, uint32_t local,
                       wf_ctx *own);

#endif
