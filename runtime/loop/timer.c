// SPDX-License-Identifier: MIT
// A 4-ary heap is shallower than a binary one and its four children share a cache line or two;
// keys are kept beside the pointers so that sifting does not touch the timers themselves.
#include "loop/timer.h"

#include "base/check.h"
#include "base/peek.h"
#include "base/size.h"
#include "loop/clock.h"

typedef struct wf_timer_entry {
  uint64_t when, order;
  wf_timer *timer;
} entry;

void wf_timers_init(wf_timers *timers, wf_mem *mem) {
  *timers = (wf_timers){.mem = mem, .next = WF_NEVER};
}

// Pairs with the monitor's look (sched/monitor.c: others_wait).
static void publish_next(wf_timers *timers) {
  wf_store_relaxed(&timers->next, timers->count != 0 ? timers->heap[0].when : WF_NEVER);
}

void wf_timers_free(wf_timers *timers) {
  wf_mem_free(timers->mem, timers->heap, timers->capacity * sizeof(entry));
  timers->heap = NULL;
  timers->count = timers->capacity = 0;
  publish_next(timers);
}

static bool before(const entry *a, const entry *b) {
  return a->when != b->when ? a->when < b->when : a->order < b->order;
}

static void place(entry *heap, uint32_t i, entry e) {
  heap[i] = e;
  e.timer->slot = i + 1;
}

static void sift_up(entry *heap, uint32_t i, entry e) {
  while (i > 0) {
    uint32_t parent = (i - 1) / 4;
    if (!before(&e, &heap[parent])) break;
    place(heap, i, heap[parent]);
    i = parent;
  }
  place(heap, i, e);
}

static void sift_down(entry *heap, uint32_t count, uint32_t i, entry e) {
  for (;;) {
    uint32_t first = i * 4 + 1;
    if (first >= count) break;
    uint32_t last = first + 4 < count ? first + 4 : count;
    uint32_t least = first;
    for (uint32_t c = first + 1; c < last; c++) {
      if (before(&heap[c], &heap[least])) least = c;
    }
    if (!before(&heap[least], &e)) break;
    place(heap, i, heap[least]);
    i = least;
  }
  place(heap, i, e);
}

bool wf_timer_arm(wf_timers *timers, wf_timer *timer, uint64_t when) {
  WF_ASSERT(timer->slot == 0);
  if (timers->count == timers->capacity) {
    uint32_t capacity = timers->capacity != 0 ? timers->capacity * 2 : WF_SIZE(16, 1);
    entry *heap = wf_mem_resize(timers->mem, timers->heap, timers->capacity * sizeof(entry),
                                capacity * sizeof(entry));
    if (heap == NULL) return false;
    timers->heap = heap;
    timers->capacity = capacity;
  }
  timer->when = when;
  entry e = {.when = when, .order = timers->armed_total++, .timer = timer};
  sift_up(timers->heap, timers->count++, e);
  if (timer->slot == 1) publish_next(timers);
  return true;
}

bool wf_timer_stop(wf_timers *timers, wf_timer *timer) {
  if (timer->slot == 0) return false;
  uint32_t i = timer->slot - 1;
  timer->slot = 0;
  entry last = timers->heap[--timers->count];
  if (i == timers->count) {
    // it was the last one
  } else if (i > 0 && before(&last, &timers->heap[(i - 1) / 4])) {
    sift_up(timers->heap, i, last);
  } else {
    sift_down(timers->heap, timers->count, i, last);
  }
  if (i == 0) publish_next(timers);
  return true;
}

uint64_t wf_timers_next(const wf_timers *timers) { return timers->next; }

uint32_t wf_timers_fire(wf_timers *timers, uint64_t now) {
  uint32_t fired = 0;
  uint64_t limit = timers->armed_total;
  while (timers->count != 0 && timers->heap[0].when <= now && timers->heap[0].order < limit) {
    wf_timer *timer = timers->heap[0].timer;
    (void)wf_timer_stop(timers, timer);
    timer->fire(timer);
    fired++;
  }
  return fired;
}

wf_timer *wf_timers_at(const wf_timers *timers, uint32_t i) { return timers->heap[i].timer; }
