// SPDX-License-Identifier: MIT
// Counting checks for the C specs. A program ends with CHECK_DONE().
#ifndef SPEC_CHECK_H
#define SPEC_CHECK_H

#include <stdio.h>

static int check_passed, check_failed;

#define CHECK(cond)                                                                  \
  do {                                                                               \
    if (cond) {                                                                      \
      check_passed++;                                                                \
    } else {                                                                         \
      check_failed++;                                                                \
      (void)fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #cond); \
    }                                                                                \
  } while (0)

static inline int check_done(void) {
  (void)printf("%d passed, %d failed\n", check_passed, check_failed);
  return check_failed == 0 ? 0 : 1;
}

#endif
