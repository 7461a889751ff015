// SPDX-License-Identifier: MIT
// One claim per wait, between cores. A task that waits on shared objects can be found by several
// at once: who completes the operation, who closes, who cancels, its own timer. Whoever claims the
// wait does what follows, and all others go on as if it were not there.
//
// A wait has a number, its ticket, which a waiter keeps beside it: a claim with the ticket of an
// earlier wait fails. So waiters may be left in the queues of other objects, as long as the
// claim's memory stays (a task's does).
//
// Two selects that meet would need both claims or none (Reppy, Russo and Xiao, Parallel Concurrent
// ML, ICFP 2009, make one tentative meanwhile). That was here and has gone: a select over shared
// channels holds their locks until it can be found, so only one side is ever to be claimed.
#ifndef WF_TASK_CLAIM_H
#define WF_TASK_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

typedef struct wf_claim_word {
  wf_atomic_u64 word;  // ticket and state
} wf_claim_word;

// With no wait open.
void wf_claim_init(wf_claim_word *claim);

// The task's own worker, while no wait is open: opens one, and returns its ticket. What it did
// before is visible to whoever claims it.
uint64_t wf_claim_open(wf_claim_word *claim);

// Any thread. True: the wait is the caller's, for good.
bool wf_claim_one(wf_claim_word *claim, uint64_t ticket);

#endif
