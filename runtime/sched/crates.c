// SPDX-License-Identifier: MIT
#include "sched/crates.h"

#include <stdalign.h>
#include <stdbool.h>

#include "base/check.h"
#include "base/list.h"

enum { WARM = 6 };  // cache lines

// What lies in front of a block.
typedef struct front {
  alignas(max_align_t) wf_inbox_node node;  // while nobody has it
  wf_crates *home;
  bool kept;
} front;

static front *front_of(wf_inbox_node *node) { return wf_container_of(node, front, node); }

static void free_front(wf_crates *crates, front *f) {
  wf_mem mem = crates->mem;
  wf_mem_free(&mem, f, sizeof *f + crates->size);
}

void wf_crates_init(wf_crates *crates, const wf_mem *mem, size_t size) {
  *crates = (wf_crates){.mem = *mem, .size = size};
  wf_inbox_init(&crates->returned);
}

static void free_all(wf_crates *crates, wf_inbox_node *node) {
  while (node != NULL) {
    front *f = front_of(node);
    node = node->next;
    free_front(crates, f);
    crates->kept--;
  }
}

void wf_crates_close(wf_crates *crates) {
  free_all(crates, crates->spare);
  free_all(crates, wf_inbox_take(&crates->returned));
  crates->spare = NULL;
  WF_ASSERT(crates->kept == 0);
}

void *wf_crates_take(wf_crates *crates) {
  if (crates->spare == NULL) crates->spare = wf_inbox_take_newest_first(&crates->returned);
  wf_inbox_node *node = crates->spare;
  if (WF_LIKELY(node != NULL)) {
    crates->spare = node->next;
    // Another core has written to the next one: it comes while this one is filled.
    if (node->next != NULL) WF_PREFETCH_LINES(node->next, WARM);
    return front_of(node) + 1;
  }
  front *f = crates->mem.fn(crates->mem.ud, NULL, 0, sizeof *f + crates->size);
  if (f == NULL) return NULL;
  f->home = crates;
  f->kept = crates->kept < WF_CRATES_KEPT;
  if (f->kept) crates->kept++;
  return f + 1;
}

void wf_crates_give(void *crate) {
  front *f = (front *)crate - 1;
  if (WF_LIKELY(f->kept)) {
    (void)wf_inbox_push(&f->home->returned, &f->node);
  } else {
    free_front(f->home, f);
  }
}
