// SPDX-License-Identifier: MIT
// A lock for what takes a few instructions nearly always. It costs half of what a mutex does (13
// ns for 29, taken and given back), and nobody is woken: who finds it taken looks again after a
// while, and then sleeps for a while at a time, as whoever has it may have lost its core, and may
// be one of a lower priority. Taken after all others (base/lock.h); with it no lock is taken but
// brief ones, in an order that their room says, and what the allocator has.
#ifndef WF_BASE_BRIEF_H
#define WF_BASE_BRIEF_H

#include "base/atomic.h"

typedef struct wf_brief {
  wf_atomic_u64 taken;  // 0 or 1
} wf_brief;

static inline void wf_brief_init(wf_brief *brief) { wf_u64_init(&brief->taken, 0); }

// Of wf_brief_acquire.
void wf_brief_wait(wf_brief *brief);

static inline bool wf_brief_try(wf_brief *brief) {
  uint64_t taken = 0;
  return wf_u64_cas(&brief->taken, &taken, 1, WF_ACQUIRE);  // pairs with the release
}

static inline void wf_brief_acquire(wf_brief *brief) {
  if (!wf_brief_try(brief)) wf_brief_wait(brief);
}

static inline void wf_brief_release(wf_brief *brief) {
  wf_u64_store(&brief->taken, 0, WF_RELEASE);
}

#endif
