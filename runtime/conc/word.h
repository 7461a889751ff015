// SPDX-License-Identifier: MIT
// int and bool that have crossed: a number that all threads change at once. All operations on all
// of them are sequentially consistent.
#ifndef WF_CONC_WORD_H
#define WF_CONC_WORD_H

#include "conc/latch.h"

// Beyond it Lua's numbers do not tell all integers apart.
#define WF_WORD_MOST ((INT64_C(1) << 53) - 1)

int64_t wf_word_load(const wf_latch *latch);
int64_t wf_word_swap(wf_latch *latch, int64_t v);

// False: the sum is beyond WF_WORD_MOST, and nothing has changed.
bool wf_word_add(wf_latch *latch, int64_t n, int64_t *sum);

bool wf_word_compare_and_swap(wf_latch *latch, int64_t old, int64_t v);

#endif
