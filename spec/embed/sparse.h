// SPDX-License-Identifier: MIT
// For programs in which each allocation of a workload fails in turn. Under valgrind that takes too
// long: with WEFT_EVERY=n it is each n-th, from a place that depends on WEFT_TEST_SEED, so that in
// the course of many runs it is all.
#ifndef SPEC_SPARSE_H
#define SPEC_SPARSE_H

#include <stdlib.h>

static inline long sparse_number(const char *name, long otherwise) {
  const char *given = getenv(name);
  long n = given != NULL ? strtol(given, NULL, 10) : 0;
  return n > 0 ? n : otherwise;
}

// The step from one to the next.
static inline long sparse_step(void) { return sparse_number("WEFT_EVERY", 1); }

// What to add to the first.
static inline long sparse_start(void) {
  return sparse_number("WEFT_TEST_SEED", 0) % sparse_step();
}

#endif
