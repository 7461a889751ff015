// SPDX-License-Identifier: MIT
// Timers of a VM: a 4-ary min-heap of nodes that live inside what they wake, so that arming and
// stopping allocate nothing but the heap's own array. Equal deadlines fire in the order in which
// they were armed. Owner: the VM's worker alone.
#ifndef WF_LOOP_TIMER_H
#define WF_LOOP_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"

typedef struct wf_timer wf_timer;
typedef void (*wf_timer_fn)(wf_timer *timer);

struct wf_timer {
  uint64_t when;     // ns on the VM's clock
  wf_timer_fn fire;  // called after the timer has left the heap
  void *owner;       // the object (task/obj.h) that it acts for; NULL: a sleeping task
  uint32_t slot;     // place in the heap + 1; 0: not armed
};

typedef struct wf_timers {
  struct wf_timer_entry *heap;
  uint32_t count, capacity;
  uint64_t armed_total;  // also the tie-breaker of equal deadlines
  uint64_t next;         // the earliest deadline; the monitor peeks
  wf_mem *mem;
} wf_timers;

void wf_timers_init(wf_timers *timers, wf_mem *mem);
void wf_timers_free(wf_timers *timers);

// False when memory is out; nothing has changed then. `timer->fire` must be set.
bool wf_timer_arm(wf_timers *timers, wf_timer *timer, uint64_t when);

// False when it was not armed.
bool wf_timer_stop(wf_timers *timers, wf_timer *timer);

static inline bool wf_timer_armed(const wf_timer *timer) { return timer->slot != 0; }

// The earliest deadline, WF_NEVER without any.
uint64_t wf_timers_next(const wf_timers *timers);

// Fires what is due at `now`; how many. A timer that is armed meanwhile waits for the next call,
// so that a callback which re-arms itself cannot keep the loop here.
uint32_t wf_timers_fire(wf_timers *timers, uint64_t now);

// The armed timers in no particular order, for looking through them.
wf_timer *wf_timers_at(const wf_timers *timers, uint32_t i);

#endif
