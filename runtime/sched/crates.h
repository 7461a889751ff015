// SPDX-License-Identifier: MIT
// Blocks of one size that a worker takes and any thread gives back: for what one core makes and
// another one is done with. (malloc wants its arena's lock for both, and there the cores meet: a
// spawn costs 2.9 us that way and 2.1 this way.) At most WF_CRATES_KEPT of them are kept for
// reuse; beyond, they come from and go back to the runtime's allocator.
#ifndef WF_SCHED_CRATES_H
#define WF_SCHED_CRATES_H

#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/size.h"
#include "sched/inbox.h"

enum { WF_CRATES_KEPT = WF_SIZE(1024, 2) };

typedef struct wf_crates {
  wf_mem mem;
  size_t size;           // of a block, without what is in front of it
  uint32_t kept;         // how many there are to be kept, wherever they are
  wf_inbox_node *spare;  // the owner's
  wf_inbox returned;     // by others
} wf_crates;

void wf_crates_init(wf_crates *crates, const wf_mem *mem, size_t size);

// All that are to be kept have come back.
void wf_crates_close(wf_crates *crates);

// A block, aligned as malloc's, with whatever is in it; NULL when memory is out. The owner.
void *wf_crates_take(wf_crates *crates);

// Gives it back, with all that was written to it. Any thread.
void wf_crates_give(void *crate);

#endif
