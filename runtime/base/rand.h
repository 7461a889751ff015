// SPDX-License-Identifier: MIT
// A small seeded generator (xorshift64*, Vigna 2016) for choices that must be fair, not secret.
#ifndef WF_BASE_RAND_H
#define WF_BASE_RAND_H

#include <stdint.h>

typedef struct wf_rand {
  uint64_t state;  // never 0
} wf_rand;

static inline void wf_rand_seed(wf_rand *r, uint64_t seed) {
  r->state = seed != 0 ? seed : 0x9e3779b97f4a7c15U;
}

static inline uint32_t wf_rand_next(wf_rand *r) {
  uint64_t x = r->state;
  x ^= x >> 12;
  x ^= x << 25;
  x ^= x >> 27;
  r->state = x;
  return (uint32_t)((x * 0x2545f4914f6cdd1dU) >> 32);
}

// Uniform in [0, n), n > 0: the multiply-shift reduction, whose bias is below 2^-16 for n < 2^16.
static inline uint32_t wf_rand_below(wf_rand *r, uint32_t n) {
  return (uint32_t)(((uint64_t)wf_rand_next(r) * n) >> 32);
}

#endif
