// SPDX-License-Identifier: MIT
// Threads that begin together, and time, for the tests of the rooms that threads share.
#ifndef SPEC_STRESS_H
#define SPEC_STRESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../embed/check.h"

enum { STRESS_MOST = 8 };

static inline double stress_seconds(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// Runs body(i) for i from 0 to count - 1, each on a thread of its own.
static inline void stress_run(int count, void *(*body)(void *arg)) {
  pthread_t threads[STRESS_MOST];
  for (int i = 0; i < count; i++) {
    CHECK(pthread_create(&threads[i], NULL, body, (void *)(intptr_t)i) == 0);
  }
  for (int i = 0; i < count; i++) CHECK(pthread_join(threads[i], NULL) == 0);
}

// `program --bench`: prints what things cost instead of testing.
static inline bool stress_wants_bench(int argc, char **argv) {
  return argc > 1 && strcmp(argv[1], "--bench") == 0;
}

static inline void stress_report(const char *what, double start, double count) {
  (void)printf("%-40s %8.1f ns\n", what, (stress_seconds() - start) * 1e9 / count);
}

#endif
