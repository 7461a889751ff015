// SPDX-License-Identifier: MIT
// A queue of tasks, first in, first out, and nothing else: what mutex, waitgroup and Future wait
// in. Their state is in Lua (lua/weft/sync.lua), where it compiles into the caller's trace.
#ifndef WF_CONC_QUEUE_H
#define WF_CONC_QUEUE_H

#include "task/obj.h"
#include "task/park.h"

typedef struct wf_queue {
  wf_obj obj;
  wf_link waiters;
} wf_queue;

// Pushes a userdata with a new queue. Raises when memory is out.
wf_queue *wf_queue_new(wf_vm *vm, lua_State *L);

// Wakes up to `max` waiters with true; how many.
uint32_t wf_queue_wake(wf_queue *queue, uint32_t max);

#endif
