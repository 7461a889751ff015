// SPDX-License-Identifier: MIT
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void wf_broken(const char *file, int line, const char *what) {
  fprintf(stderr, "weft: internal error: %s:%d: %s does not hold\n", file, line, what);
  abort();
}
