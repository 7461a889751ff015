// SPDX-License-Identifier: MIT
// A wait is open, tentative or claimed. Only open waits can be claimed; a wait that is claimed
// stays so until its task opens the next. Tentative is a wait of wf_claim_both that holds it while
// it tries the second: who made it tentative alone changes it, to claimed or back to open.
//
// The three states are those of Parallel Concurrent ML (Reppy, Russo, Xiao, ICFP 2009). There each
// side makes its own wait tentative and starts again when it finds the other's so, which two
// selects can do to each other for ever. Here the wait at the lower address is made tentative,
// whosever it is, and who finds a tentative wait lets its holder finish. A holder only ever waits
// for one at a higher address than what it holds, so there is no circle, and no deadlock: the
// holder at the highest address waits for nobody. Nobody is between the two swaps but for those
// few instructions.
//
// Orders: open's store is a release and each claim an acquire, so that who claims sees what the
// task put there before it began to wait. Going back to open is a store by another thread and so
// has to be a release too, to hand on what its own swap has acquired. Claiming what one holds
// already is relaxed: losers look at nothing else.
#include "task/claim.h"

#include "base/check.h"

enum { CLAIMED = 0, OPEN = 1, TENTATIVE = 2, STATES = 4 };

void wf_claim_init(wf_claim_word *claim) { wf_u64_init(&claim->word, CLAIMED); }

uint64_t wf_claim_open(wf_claim_word *claim) {
  uint64_t word = wf_u64_load(&claim->word, WF_RELAXED);
  WF_ASSERT(word % STATES == CLAIMED);
  uint64_t ticket = word + STATES;
  wf_u64_store(&claim->word, ticket + OPEN, WF_RELEASE);
  return ticket;
}

// From open to `state`; false when it has been claimed.
static bool move(wf_claim_word *claim, uint64_t ticket, uint64_t state) {
  uint64_t word = ticket + OPEN;
  while (!wf_u64_cas(&claim->word, &word, ticket + state, WF_ACQUIRE)) {
    if (word == ticket + TENTATIVE) word = wf_u64_await_change(&claim->word, word);
    if (word != ticket + OPEN) return false;
  }
  return true;
}

bool wf_claim_one(wf_claim_word *claim, uint64_t ticket) { return move(claim, ticket, CLAIMED); }

wf_claimed wf_claim_both(wf_claim_word *mine, uint64_t my_ticket, wf_claim_word *theirs,
                         uint64_t their_ticket) {
  WF_ASSERT(mine != theirs);
  bool mine_first = (uintptr_t)mine < (uintptr_t)theirs;
  wf_claim_word *first = mine_first ? mine : theirs, *second = mine_first ? theirs : mine;
  uint64_t first_ticket = mine_first ? my_ticket : their_ticket;
  uint64_t second_ticket = mine_first ? their_ticket : my_ticket;
  if (!move(first, first_ticket, TENTATIVE)) {
    return mine_first ? WF_CLAIM_MINE_GONE : WF_CLAIM_THEIRS_GONE;
  }
  if (!move(second, second_ticket, CLAIMED)) {
    wf_u64_store(&first->word, first_ticket + OPEN, WF_RELEASE);
    return mine_first ? WF_CLAIM_THEIRS_GONE : WF_CLAIM_MINE_GONE;
  }
  wf_u64_store(&first->word, first_ticket + CLAIMED, WF_RELAXED);
  return WF_CLAIM_BOTH;
}
