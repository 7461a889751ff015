// SPDX-License-Identifier: MIT
// A queue of tasks, first in, first out, and nothing else: what Futures and the objects of
// weft.sync (conc/sync.h) wait in while they are known in one VM alone. Their state is in Lua,
// where it compiles into the caller's trace.
#ifndef WF_CONC_QUEUE_H
#define WF_CONC_QUEUE_H

#include "task/obj.h"
#include "task/park.h"

typedef struct wf_queue {
  wf_obj obj;
  wf_link waiters;
  // Of a mutex, for reports, and only while somebody waits: the task that has locked it (0: not
  // known), and where (task/site.h).
  uint64_t holder;
  uint32_t site;
  bool is_first;  // it is not known where this time: that is where it was locked first
} wf_queue;

// Pushes a userdata with a new queue. Raises when memory is out.
wf_queue *wf_queue_new(wf_vm *vm, lua_State *L);

// Whether who waits so counts as waiting for a lock.
static inline bool wf_queue_is_lock(wf_reason reason) {
  return reason == WF_WAIT_MUTEX || reason == WF_WAIT_RWMUTEX;
}

// An empty queue, of an object that has it as its first member.
static inline void wf_queue_init(wf_queue *queue) { wf_list_init(&queue->waiters); }

// Marks those who wait (wf_kind.visit).
void wf_queue_visit(wf_obj *obj, struct wf_mark *m);

// Wakes with true, from the front on, those whose units, the number on top of their stack, are
// free; what is left. Nobody is passed over.
double wf_queue_grant(wf_queue *queue, double units);

// Wakes up to `max` waiters with true; how many.
uint32_t wf_queue_wake(wf_queue *queue, uint32_t max);

#endif
