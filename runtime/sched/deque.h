// SPDX-License-Identifier: MIT
// A worker's portable tasks: the work-stealing deque of Chase and Lev, with the orders of Lê, Pop,
// Cohen and Nardelli (Correct and Efficient Work-Stealing for Weak Memory Models, PPoPP 2013),
// each as weak as spec/model/deque_model.c allows. The owner pushes and pops at one end, newest
// first; thieves take the oldest. It grows; items are pointers that are not NULL.
//
// Who may call: the *owner side* is one thread at a time. The *thief side* is any thread, the
// owner included (to run its oldest item first).
#ifndef WF_SCHED_DEQUE_H
#define WF_SCHED_DEQUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/atomic.h"
#include "base/mem.h"

struct wf_deque_ring;

// The gaps keep what thieves write, what the owner writes and what the owner keeps for itself in
// cache lines of their own. (No _Alignas: memory comes from a lua_Alloc, which knows of none.)
typedef struct wf_deque {
  wf_atomic_u64 top;  // where thieves take: items [top, bottom) are there; only grows
  char gap_before_bottom[64];
  wf_atomic_u64 bottom;  // where the owner pushes
  wf_atomic_ptr ring;
  char gap_before_own[64];
  uint64_t end;       // the owner's copy of bottom
  uint64_t top_seen;  // top at some time: all before it are gone for good
  struct wf_deque_ring *own_ring;
  wf_mem *mem;
} wf_deque;

typedef enum wf_steal {
  WF_STEAL_EMPTY,
  WF_STEAL_LOST,  // another took that item; there may be more
  WF_STEAL_GOT,
} wf_steal;

// False: no memory. `mem` must outlive it.
bool wf_deque_open(wf_deque *deque, wf_mem *mem);

// The deque is empty, and no thief will look at it again. Frees all rings.
void wf_deque_close(wf_deque *deque);

// Owner side. -------------------------------------------------------------------------------

// False: no memory to grow; the deque is as before and the item still the caller's.
bool wf_deque_push(wf_deque *deque, void *item);

// The newest item; NULL: none.
void *wf_deque_pop(wf_deque *deque);

// Thief side. -------------------------------------------------------------------------------

// Takes the oldest item, in one try.
wf_steal wf_deque_steal(wf_deque *deque, void **item);

// Takes the oldest item into *item, and up to half of the others, one by one, into `own`, of which
// the caller is the owner. That pays where items are short: a second visit costs the thief two
// cache misses or, when it has gone to sleep in between, a wake-up. Stops early when it loses an
// item to somebody else or `own` cannot grow.
wf_steal wf_deque_steal_half(wf_deque *deque, wf_deque *own, void **item);

// How many items there seem to be. After a wf_fence it counts all that were pushed before the
// pusher's own fence and have not been taken.
uint64_t wf_deque_size(const wf_deque *deque);

#endif
