// SPDX-License-Identifier: MIT
// Orders: sequentially consistent, as weft.sync promises it to scripts. First loads of a loop are
// relaxed: the swap that follows looks again.
#include "conc/word.h"

int64_t wf_word_load(const wf_latch *latch) {
  return (int64_t)wf_u64_load(&latch->word, WF_SEQ_CST);
}

int64_t wf_word_swap(wf_latch *latch, int64_t v) {
  uint64_t before = wf_u64_load(&latch->word, WF_RELAXED);
  while (!wf_u64_cas(&latch->word, &before, (uint64_t)v, WF_SEQ_CST)) continue;
  return (int64_t)before;
}

bool wf_word_add(wf_latch *latch, int64_t n, int64_t *sum) {
  uint64_t before = wf_u64_load(&latch->word, WF_RELAXED);
  do {
    *sum = (int64_t)before + n;
    if (*sum > WF_WORD_MOST || *sum < -WF_WORD_MOST) return false;
  } while (!wf_u64_cas(&latch->word, &before, (uint64_t)*sum, WF_SEQ_CST));
  return true;
}

bool wf_word_compare_and_swap(wf_latch *latch, int64_t old, int64_t v) {
  uint64_t expected = (uint64_t)old;
  return wf_u64_cas(&latch->word, &expected, (uint64_t)v, WF_SEQ_CST);
}
