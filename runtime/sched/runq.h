// SPDX-License-Identifier: MIT
// The ready queue of a VM: first in, first out. Owner: the VM's worker alone (the monitor peeks at
// the head). The torture build takes a random one of the first few instead, so that nothing can
// come to rely on the order.
#ifndef WF_SCHED_RUNQ_H
#define WF_SCHED_RUNQ_H

#include <stddef.h>
#include <stdint.h>

#include "base/peek.h"
#include "base/rand.h"

// What stands in the queue; the first member of a task.
typedef struct wf_runnable {
  struct wf_runnable *next;
} wf_runnable;

typedef struct wf_runq {
  wf_runnable *head, *tail;
  uint32_t count;
} wf_runq;

static inline void wf_runq_push(wf_runq *q, wf_runnable *r) {
  r->next = NULL;
  if (q->tail != NULL) {
    q->tail->next = r;
  } else {
    wf_store_relaxed(&q->head, r);  // pairs with monitor.c: others_wait
  }
  q->tail = r;
  q->count++;
}

static inline wf_runnable *wf_runq_pop(wf_runq *q) {
  wf_runnable *r = q->head;
  if (r == NULL) return NULL;
  wf_store_relaxed(&q->head, r->next);  // likewise
  if (q->head == NULL) q->tail = NULL;
  q->count--;
  return r;
}

#ifdef WEFT_TORTURE
static inline wf_runnable *wf_runq_pop_random(wf_runq *q, wf_rand *rand) {
  if (q->count < 2) return wf_runq_pop(q);
  uint32_t skip = wf_rand_below(rand, q->count < 8 ? q->count : 8);
  for (; skip > 0; skip--) wf_runq_push(q, wf_runq_pop(q));
  return wf_runq_pop(q);
}
#endif

#endif
