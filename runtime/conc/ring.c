// SPDX-License-Identifier: MIT
#include "conc/ring.h"

enum { LINE = sizeof(wf_message) };

void wf_ring_init(wf_ring *ring) {
  *ring = (wf_ring){0};
  for (int i = 0; i < 2; i++) {
    wf_ring_side *side = i == 0 ? &ring->put : &ring->take;
    wf_brief_init(&side->lock);
    wf_u64_init(&side->done, 0);
  }
}

static size_t bytes_of(uint32_t size) { return ((size_t)size + 1) * LINE; }

wf_message *wf_ring_slot(const wf_ring *ring, uint32_t i) {
  uint64_t at = (uint64_t)ring->take.at + i;
  return &ring->slots[at < ring->size ? at : at - ring->size];
}

bool wf_ring_resize(wf_ring *ring, wf_mem *mem, uint32_t size) {
  char *memory = wf_mem_new(mem, bytes_of(size));
  if (memory == NULL) return false;
  wf_message *slots = (void *)(memory + (LINE - (uintptr_t)memory % LINE));
  uint32_t n = wf_ring_count(ring);
  for (uint32_t i = 0; i < n; i++) slots[i] = *wf_ring_slot(ring, i);
  wf_ring_free(ring, mem);
  ring->memory = memory;
  ring->slots = slots;
  ring->size = size;
  ring->take.at = 0;
  ring->put.at = n < size ? n : 0;
  return true;
}

void wf_ring_free(wf_ring *ring, wf_mem *mem) {
  if (ring->memory != NULL) wf_mem_free(mem, ring->memory, bytes_of(ring->size));
  ring->memory = ring->slots = NULL;
  ring->size = 0;
}
