// SPDX-License-Identifier: MIT
// An allocator that counts, and fails when it is told to.
#ifndef SPEC_METER_H
#define SPEC_METER_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

typedef struct meter {
  long calls;                  // that ask for more
  long fail_from, fail_until;  // of these, the ones that fail, counted from 1; the last excepted
  long long blocks;            // in use: the sizes that LuaJIT tells are wrong after failures
  size_t stack_bytes;          // of a new coroutine's stack (meter_init)
} meter;

// In front of every block.
typedef union meter_head {
  bool is_stack;
  max_align_t align;
} meter_head;

static inline void meter_fail(meter *m, long from, long count) {
  m->fail_from = from;
  m->fail_until = from + count;
}

// Whether a call that asks for more has to fail. Two kinds never do. LuaJIT relies on it that a
// block can be made smaller. And a coroutine's stack that cannot grow makes it write one value
// past the end of that stack, with or without weft: lj_err_mem puts its message where the frame
// would end for which there was no room.
static inline bool meter_fails(meter *m, const meter_head *head, size_t osize, size_t nsize) {
  if (head != NULL && nsize <= osize) return false;
  m->calls++;
  if (head != NULL && head->is_stack) return false;
  return m->calls >= m->fail_from && m->calls < m->fail_until;
}

static inline void *metered(void *ud, void *ptr, size_t osize, size_t nsize) {
  meter *m = ud;
  meter_head *head = ptr != NULL ? (meter_head *)ptr - 1 : NULL;
  if (nsize == 0) {
    if (head != NULL) m->blocks--;
    free(head);
    return NULL;
  }
  if (meter_fails(m, head, osize, nsize)) return NULL;
  meter_head *new_head = realloc(head, sizeof *head + nsize);
  if (new_head == NULL) return NULL;
  if (head == NULL) {
    m->blocks++;
    new_head->is_stack = nsize == m->stack_bytes;
  }
  return new_head + 1;
}

static inline void *meter_largest(void *ud, void *ptr, size_t osize, size_t nsize) {
  size_t *largest = ud;
  (void)osize;
  if (nsize > *largest) *largest = nsize;
  if (nsize != 0) return realloc(ptr, nsize);
  free(ptr);
  return NULL;
}

static inline meter meter_init(void) {
  size_t largest = 0;
  lua_State *L = lua_newstate(meter_largest, &largest);
  if (L == NULL) abort();
  (void)lua_gc(L, LUA_GCSTOP, 0);
  largest = 0;
  (void)lua_newthread(L);
  meter m = {.stack_bytes = largest};
  lua_close(L);
  return m;
}

#endif
