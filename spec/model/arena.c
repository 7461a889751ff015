// SPDX-License-Identifier: MIT
#include "arena.h"

#include <string.h>

#include "model.h"
#include "watch.h"

enum { BLOCKS = 64 };

typedef struct block {
  size_t start, size;
} block;

static _Alignas(16) char arena[ARENA_SIZE];
static size_t arena_used;
static block blocks[BLOCKS];
static int block_count;
int model_allocations;

void arena_reset(void) {
  memset(arena, 0, arena_used);
  arena_used = 0;
  block_count = 0;
  model_allocations = BLOCKS;
}

char *arena_begin(void) { return arena; }
size_t arena_size(void) { return arena_used; }
int arena_blocks(void) { return block_count; }

// Nothing is used twice, so that what is freed can be told. Its bytes then make cells that are
// not.
static void free_block(char *p, size_t size) {
  size_t start = (size_t)(p - arena);
  for (int i = 0; i < block_count; i++) {
    if (blocks[i].start != start) continue;
    MODEL_CHECK(blocks[i].size == size);
    blocks[i] = blocks[--block_count];
    for (size_t at = start; at < start + size; at += 4) {
      uint32_t id;
      memcpy(&id, arena + at, sizeof(id));
      if (arena_is_cell(id)) memory_free_cell(model_self(), id & 0xffff);
    }
    watch_write(p, size);
    memset(p, 0xdd, size);
    return;
  }
  model_fail("freed what is not there");
}

static void *allocate(void *ud, void *p, size_t osize, size_t nsize) {
  (void)ud;
  if (p != NULL && nsize == 0) {
    free_block(p, osize);
    return NULL;
  }
  MODEL_CHECK(p == NULL && block_count < BLOCKS && arena_used + nsize + 16 <= ARENA_SIZE);
  if (model_allocations == 0) return NULL;
  model_allocations--;
  blocks[block_count++] = (block){.start = arena_used, .size = nsize};
  p = arena + arena_used;
  memory_remember(model_self(), arena_used + 1);
  arena_used += (nsize + 15) / 16 * 16;
  return p;
}

wf_mem model_mem = {.fn = allocate};
