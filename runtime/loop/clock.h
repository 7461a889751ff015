// SPDX-License-Identifier: MIT
// What time it is. A clock is a value: timers and `now` read the one of their VM, which is the
// machine's, or a virtual one that only moves when it is told to, so that a test or a game can
// run time by hand. Monotonic time is in nanoseconds; wall time follows it from a common start.
#ifndef WF_LOOP_CLOCK_H
#define WF_LOOP_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define WF_NEVER UINT64_MAX
#define WF_NS_PER_S 1000000000ULL

typedef struct wf_clock wf_clock;

struct wf_clock {
  uint64_t (*now)(const wf_clock *clock);  // monotonic, ns
  double (*wall)(const wf_clock *clock);   // seconds since 1970
  uint64_t virtual_ns;                     // the time of a virtual clock
  double wall_at_zero;                     // what `wall` said at virtual_ns == 0
  bool is_virtual;
};

void wf_clock_real(wf_clock *clock);

// From now on time stands still until wf_clock_advance moves it. It goes on from the time that
// `clock` shows, so that deadlines which were set before keep their meaning.
void wf_clock_virtual(wf_clock *clock);

void wf_clock_advance_to(wf_clock *clock, uint64_t ns);

static inline uint64_t wf_clock_now(const wf_clock *clock) { return clock->now(clock); }

static inline double wf_clock_wall(const wf_clock *clock) { return clock->wall(clock); }

// The machine's monotonic time, whatever the VM's clock says: for budgets and for measuring how
// long a task has held its VM. The coarse one costs a quarter and is exact to a few milliseconds.
uint64_t wf_clock_machine_ns(void);
uint64_t wf_clock_coarse_ns(void);

// base + seconds, saturating: WF_NEVER for more than 292 years, base for 0, less, or NaN.
uint64_t wf_clock_after(uint64_t base_ns, double seconds);

#endif
