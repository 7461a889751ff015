// SPDX-License-Identifier: MIT
#include "loop/clock.h"

#include <time.h>

static uint64_t read_ns(clockid_t id) {
  struct timespec ts;
  (void)clock_gettime(id, &ts);
  return (uint64_t)ts.tv_sec * WF_NS_PER_S + (uint64_t)ts.tv_nsec;
}

uint64_t wf_clock_machine_ns(void) { return read_ns(CLOCK_MONOTONIC); }

uint64_t wf_clock_coarse_ns(void) {
#ifdef CLOCK_MONOTONIC_COARSE
  return read_ns(CLOCK_MONOTONIC_COARSE);
#else
  return read_ns(CLOCK_MONOTONIC);
#endif
}

static double machine_wall(void) {
  struct timespec ts;
  (void)clock_gettime(CLOCK_REALTIME, &ts);
  return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static uint64_t real_now(const wf_clock *clock) {
  (void)clock;
  return wf_clock_machine_ns();
}

static double real_wall(const wf_clock *clock) {
  (void)clock;
  return machine_wall();
}

static uint64_t virtual_now(const wf_clock *clock) { return clock->virtual_ns; }

static double virtual_wall(const wf_clock *clock) {
  return clock->wall_at_zero + (double)clock->virtual_ns / 1e9;
}

void wf_clock_real(wf_clock *clock) { *clock = (wf_clock){.now = real_now, .wall = real_wall}; }

void wf_clock_virtual(wf_clock *clock) {
  if (clock->is_virtual) return;
  uint64_t now = wf_clock_machine_ns();
  *clock = (wf_clock){.now = virtual_now,
                      .wall = virtual_wall,
                      .virtual_ns = now,
                      .wall_at_zero = machine_wall() - (double)now / 1e9,
                      .is_virtual = true};
}

void wf_clock_advance_to(wf_clock *clock, uint64_t ns) {
  if (ns > clock->virtual_ns) clock->virtual_ns = ns;
}

uint64_t wf_clock_after(uint64_t base_ns, double seconds) {
  if (!(seconds > 0)) return base_ns;
  double ns = seconds * 1e9;
  if (ns >= (double)(INT64_MAX)) return WF_NEVER;
  uint64_t rounded = (uint64_t)ns;
  if ((double)rounded < ns) rounded++;  // never early
  return rounded >= WF_NEVER - base_ns ? WF_NEVER : base_ns + rounded;
}
