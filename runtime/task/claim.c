// SPDX-License-Identifier: MIT
// A wait is open or claimed. Only open waits can be claimed; a wait that is claimed stays so until
// its task opens the next.
//
// Orders: open's store is a release and each claim an acquire, so that who claims sees what the
// task put there before it began to wait.
#include "task/claim.h"

#include "base/check.h"

enum { CLAIMED = 0, OPEN = 1, STATES = 2 };

void wf_claim_init(wf_claim_word *claim) { wf_u64_init(&claim->word, CLAIMED); }

uint64_t wf_claim_open(wf_claim_word *claim) {
  uint64_t word = wf_u64_load(&claim->word, WF_RELAXED);
  WF_ASSERT(word % STATES == CLAIMED);
  uint64_t ticket = word + STATES;
  wf_u64_store(&claim->word, ticket + OPEN, WF_RELEASE);
  return ticket;
}

bool wf_claim_one(wf_claim_word *claim, uint64_t ticket) {
  uint64_t word = ticket + OPEN;
  return wf_u64_cas(&claim->word, &word, ticket + CLAIMED, WF_ACQUIRE);
}
