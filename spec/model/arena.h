// SPDX-License-Identifier: MIT
// The rooms' memory (model_mem): what is freed, or was never set up, is known for what it is.
#ifndef SPEC_MODEL_ARENA_H
#define SPEC_MODEL_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ARENA_SIZE = 32768 };

void arena_reset(void);

// Where it is; how many bytes of it have been given away.
char *arena_begin(void);
size_t arena_size(void);

// How many there are that have not been freed.
int arena_blocks(void);

// What stands in a cell that memory.h has given the number `id`: no bytes look so by chance.
static inline uint32_t arena_cell(uint32_t id) { return 0xce110000U + id; }
static inline bool arena_is_cell(uint32_t word) { return word >> 16 == 0xce11; }

#endif
