// SPDX-License-Identifier: MIT
// Invariant: top <= end, the owner's own bottom. Bottom is the same, or one less since a pop that
// has left nothing. An item is taken by who moves top past it, with one exception: the owner takes
// the newest one without that when at least one older is left (pop).
//
// The stores and what they pair with:
//   slot, bottom (push)   release: who reads this bottom sees the item and what it points to
//   bottom (pop)          release: the same for older items, whose push it hides from thieves (in
//                         C11 a release sequence goes on through it, but C++20 and tools end it)
//   top (steal)           release: pairs with make_room's acquire, which ends the slot's old life;
//                         without, the thief's load of the slot may happen after its next store
//   top (pop)             relaxed: the owner needs no word from itself
//   ring                  release, acquire: a ring's slots and its mask. A thief may find a newer
//                         ring than its bottom told it of
// The fences: pop stores bottom and loads top; steal loads top and later bottom. Without pop's,
// the owner may take an item that a thief takes too: neither sees the other's move. Without
// steal's, a thief may see an old bottom after a newer top, and take what pop took without moving
// top.
//
// Old rings are kept until the deque is closed, because slow thieves may still read them: they are
// smaller than the present one, all together. What a thief reads in an old ring is right when its
// swap succeeds: the owner has not written there since it left it.
//
// Rejected: to take several items with one swap of top. Pop takes items between top and bottom
// without telling anybody, so a thief that moves top by two may take what was popped.
#include "sched/deque.h"

#include "base/check.h"

#ifdef WEFT_TORTURE
enum { FIRST_CAPACITY = 2 };
#else
enum { FIRST_CAPACITY = 64 };
#endif
enum { WARM = 6 };          // cache lines of an item
enum { MOST_STOLEN = 64 };  // more would keep the others waiting for what this thief has

typedef struct wf_deque_ring {
  struct wf_deque_ring *older;
  uint64_t mask;  // capacity - 1
  wf_atomic_ptr slots[];
} wf_deque_ring;

static size_t ring_size(uint64_t capacity) {
  return sizeof(wf_deque_ring) + (size_t)capacity * sizeof(wf_atomic_ptr);
}

static wf_deque_ring *new_ring(wf_mem *mem, uint64_t capacity) {
  wf_deque_ring *ring = wf_mem_new(mem, ring_size(capacity));
  if (ring == NULL) return NULL;
  ring->mask = capacity - 1;
  for (uint64_t i = 0; i < capacity; i++) wf_ptr_init(&ring->slots[i], NULL);
  return ring;
}

static wf_atomic_ptr *slot(wf_deque_ring *ring, uint64_t i) {
  return &ring->slots[i & ring->mask];
}

bool wf_deque_open(wf_deque *deque, wf_mem *mem) {
  wf_deque_ring *ring = new_ring(mem, FIRST_CAPACITY);
  if (ring == NULL) return false;
  *deque = (wf_deque){.mem = mem, .own_ring = ring};
  wf_u64_init(&deque->top, 0);
  wf_u64_init(&deque->bottom, 0);
  wf_ptr_init(&deque->ring, ring);
  return true;
}

void wf_deque_close(wf_deque *deque) {
  WF_ASSERT(wf_deque_size(deque) == 0);
  while (deque->own_ring != NULL) {
    wf_deque_ring *ring = deque->own_ring;
    deque->own_ring = ring->older;
    wf_mem_free(deque->mem, ring, ring_size(ring->mask + 1));
  }
}

// Owner side. -------------------------------------------------------------------------------

static bool grow(wf_deque *deque) {
  wf_deque_ring *old = deque->own_ring, *ring = new_ring(deque->mem, 2 * (old->mask + 1));
  if (ring == NULL) return false;
  for (uint64_t i = deque->top_seen; i != deque->end; i++) {
    wf_ptr_store(slot(ring, i), wf_ptr_load(slot(old, i), WF_RELAXED), WF_RELAXED);
  }
  ring->older = old;
  deque->own_ring = ring;
  wf_ptr_store(&deque->ring, ring, WF_RELEASE);
  return true;
}

// Whether there is room for one more. Only here the owner's push reads what thieves write.
static bool make_room(wf_deque *deque) {
  uint64_t mask = deque->own_ring->mask;
  if (deque->end - deque->top_seen <= mask) return true;
  deque->top_seen = wf_u64_load(&deque->top, WF_ACQUIRE);
  return deque->end - deque->top_seen <= mask || grow(deque);
}

bool wf_deque_push(wf_deque *deque, void *item) {
  if (WF_UNLIKELY(!make_room(deque))) return false;
  uint64_t b = deque->end++;
  wf_ptr_store(slot(deque->own_ring, b), item, WF_RELAXED);
  wf_u64_store(&deque->bottom, b + 1, WF_RELEASE);
  return true;
}

void *wf_deque_pop(wf_deque *deque) {
  uint64_t b = deque->end - 1;
  // Top never goes back: what has been empty is so until the next push.
  if (wf_u64_load(&deque->top, WF_RELAXED) == b + 1) return NULL;
  wf_u64_store(&deque->bottom, b, WF_RELEASE);
  wf_fence();
  uint64_t t = wf_u64_load(&deque->top, WF_RELAXED);
  void *item = wf_ptr_load(slot(deque->own_ring, b), WF_RELAXED);
  if (t < b) {
    deque->end = b;
    return item;
  }
  // At most one is left, and thieves may be after it: whoever moves top has it.
  // Bottom stays behind until the next push, which is no matter: nothing is there.
  return t == b && wf_u64_cas(&deque->top, &t, t + 1, WF_RELAXED) ? item : NULL;
}

// Thief side. -------------------------------------------------------------------------------

wf_steal wf_deque_steal(wf_deque *deque, void **item) {
  uint64_t t = wf_u64_load(&deque->top, WF_RELAXED);
  wf_fence();
  uint64_t b = wf_u64_load(&deque->bottom, WF_ACQUIRE);
  if ((int64_t)(b - t) <= 0) return WF_STEAL_EMPTY;
  wf_deque_ring *ring = wf_ptr_load(&deque->ring, WF_ACQUIRE);
  void *oldest = wf_ptr_load_early(slot(ring, t));
  if (!wf_u64_cas(&deque->top, &t, t + 1, WF_RELEASE)) return WF_STEAL_LOST;
  *item = oldest;
  return WF_STEAL_GOT;
}

wf_steal wf_deque_steal_half(wf_deque *deque, wf_deque *own, void **item) {
  uint64_t size = wf_deque_size(deque);
  wf_steal result = wf_deque_steal(deque, item);
  if (result != WF_STEAL_GOT || deque == own || size == 0) return result;
  uint64_t more = (size - 1) / 2;
  if (more > MOST_STOLEN) more = MOST_STOLEN;
  void *other;
  // Room first: there is no way to give an item back.
  while (more-- > 0 && make_room(own) && wf_deque_steal(deque, &other) == WF_STEAL_GOT) {
    // Another core has written it: fetching it now takes a tenth off a spawn.
    WF_PREFETCH_LINES(other, WARM);
    bool pushed = wf_deque_push(own, other);
    WF_CHECK(pushed);
  }
  return WF_STEAL_GOT;
}

uint64_t wf_deque_size(const wf_deque *deque) {
  uint64_t t = wf_u64_load(&deque->top, WF_RELAXED);
  uint64_t b = wf_u64_load(&deque->bottom, WF_RELAXED);
  return (int64_t)(b - t) > 0 ? b - t : 0;
}
