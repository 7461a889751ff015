// SPDX-License-Identifier: MIT
#include "base/brief.h"

#include <time.h>

#include "base/size.h"
#include "base/spin.h"

// Away for a while, as in base/lock.c, so that the other can take it several times more without
// its cache line going back and forth.
enum { FIRST_NS = 400, MOST_NS = 1600, TRIES = WF_SIZE(16, 1), SLEEP_NS = 20000 };

void wf_brief_wait(wf_brief *brief) {
  uint32_t ns = FIRST_NS;
  for (int i = 0; !wf_brief_try(brief); i++) {
    if (i >= TRIES) {
      struct timespec ts = {.tv_nsec = SLEEP_NS};
      (void)nanosleep(&ts, NULL);
      continue;
    }
    wf_spin(ns);
    if (ns < MOST_NS) ns *= 2;
  }
}
