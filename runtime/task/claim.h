// SPDX-License-Identifier: MIT
// One claim per wait, between cores. A task that waits on shared objects can be found by several
// at once: who completes the operation, who closes, who cancels, its own timer. Whoever claims the
// wait does what follows, and all others go on as if it were not there.
//
// A wait has a number, its ticket, which a waiter keeps beside it: a claim with the ticket of an
// earlier wait fails. So waiters may be left in the queues of other objects, as long as the
// claim's memory stays (a task's does).
//
// Two waits that meet, of a select that is already to be found and of another in a queue, need
// both claims or none: wf_claim_both.
#ifndef WF_TASK_CLAIM_H
#define WF_TASK_CLAIM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"

typedef struct wf_claim_word {
  wf_atomic_u64 word;  // ticket and state
} wf_claim_word;

typedef enum wf_claimed {
  WF_CLAIM_BOTH,
  WF_CLAIM_MINE_GONE,    // somebody has claimed the caller's wait
  WF_CLAIM_THEIRS_GONE,  // the other's; the caller's is open as before
} wf_claimed;

// With no wait open.
void wf_claim_init(wf_claim_word *claim);

// The task's own worker, while no wait is open: opens one, and returns its ticket. What it did
// before is visible to whoever claims it.
uint64_t wf_claim_open(wf_claim_word *claim);

// Any thread. True: the wait is the caller's, for good. Waits, for a few instructions of another
// thread, while a wf_claim_both is deciding about it.
bool wf_claim_one(wf_claim_word *claim, uint64_t ticket);

// Any thread; two different waits. Both or none.
wf_claimed wf_claim_both(wf_claim_word *mine, uint64_t my_ticket, wf_claim_word *theirs,
                         uint64_t their_ticket);

#endif
