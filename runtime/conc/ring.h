// SPDX-License-Identifier: MIT
// The buffer of a channel that has crossed: a bounded queue of messages with two sides, so that
// who sends and who receives on different cores do not wait for each other. Each side has a lock,
// which a thread holds that puts or takes; with both it is alone, and may do anything.
//
// What one side tells the other is how often it has put or taken: a release store after the slot
// has been written or read, an acquire load before the other side reads or writes that slot. Each
// remembers what it saw of the other's last and looks again when that says full or empty, so that
// the lines of the counts stay where they are most of the time. The locks order the threads of one
// side among each other. spec/model/ring_model.c runs it through all that can happen.
//
// The queue with two locks is Michael and Scott's (Simple, Fast, and Practical Non-Blocking and
// Blocking Concurrent Queue Algorithms, PODC 1996), here in an array.
#ifndef WF_CONC_RING_H
#define WF_CONC_RING_H

#include "base/atomic.h"
#include "base/brief.h"
#include "task/message.h"

enum { WF_RING_APART = 128 };  // two cache lines, as machines fetch them in pairs

typedef struct wf_ring_side {
  wf_brief lock;
  wf_atomic_u64 done;  // puts or takes so far; only this side writes it
  uint64_t seen;       // the other side's `done` when this one last looked
  uint32_t at;         // the slot that comes next
} wf_ring_side;

typedef struct wf_ring {
  wf_message *slots;  // whole cache lines
  void *memory;       // of which these are the aligned part
  uint32_t size;      // slots
  char apart0[WF_RING_APART];
  wf_ring_side put;
  char apart1[WF_RING_APART];
  wf_ring_side take;
  char apart2[WF_RING_APART];
} wf_ring;

// Without slots.
void wf_ring_init(wf_ring *ring);

// Makes it so many slots, at least as many as are in use, or fails when memory is out and changes
// nothing. With both locks, as what follows:
bool wf_ring_resize(wf_ring *ring, wf_mem *mem, uint32_t size);
void wf_ring_free(wf_ring *ring, wf_mem *mem);
wf_message *wf_ring_slot(const wf_ring *ring, uint32_t i);  // the i-th oldest message

// How many messages there are. With the lock of one side: at some moment during the call; without,
// a hint.
static inline uint32_t wf_ring_count(const wf_ring *ring) {
  uint64_t taken = wf_u64_load(&ring->take.done, WF_RELAXED);
  uint64_t put = wf_u64_load(&ring->put.done, WF_RELAXED);
  return put > taken ? (uint32_t)(put - taken) : 0;
}

// With the lock of one side:

static inline void wf_ring_step(const wf_ring *ring, wf_ring_side *side) {
  side->at = side->at + 1 < ring->size ? side->at + 1 : 0;
  uint64_t done = wf_u64_load(&side->done, WF_RELAXED);
  wf_u64_store(&side->done, done + 1, WF_RELEASE);
}

// The slot for the next message, to be written; NULL: it is full.
static inline wf_message *wf_ring_room(wf_ring *ring) {
  wf_ring_side *side = &ring->put;
  uint64_t done = wf_u64_load(&side->done, WF_RELAXED);
  if (done - side->seen >= ring->size) {
    side->seen = wf_u64_load(&ring->take.done, WF_ACQUIRE);  // pairs with wf_ring_drop
    if (done - side->seen >= ring->size) return NULL;
  }
  return &ring->slots[side->at];
}

// It has been written.
static inline void wf_ring_put(wf_ring *ring) { wf_ring_step(ring, &ring->put); }

// The oldest message, to be read; NULL: there is none.
static inline wf_message *wf_ring_first(wf_ring *ring) {
  wf_ring_side *side = &ring->take;
  uint64_t done = wf_u64_load(&side->done, WF_RELAXED);
  if (done == side->seen) {
    side->seen = wf_u64_load(&ring->put.done, WF_ACQUIRE);  // pairs with wf_ring_put
    if (done == side->seen) return NULL;
  }
  return &ring->slots[side->at];
}

// It has been read.
static inline void wf_ring_drop(wf_ring *ring) { wf_ring_step(ring, &ring->take); }

#endif
