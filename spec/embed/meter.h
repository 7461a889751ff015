// SPDX-License-Identifier: MIT
// An allocator that counts, and fails when it is told to.
#ifndef SPEC_METER_H
#define SPEC_METER_H

#include <lauxlib.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

typedef struct meter {
  long calls;                  // that ask for more
  long fail_from, fail_until;  // of these, the ones that fail, counted from 1; the last excepted
  long long blocks;    // that are in use: the sizes that LuaJIT says are wrong after failures
  size_t stack_bytes;  // of a new coroutine's stack (meter_init)
  size_t ffi_bytes;    // what luaopen_ffi asks for first, 0: it has done so,
  long ffi_calls, ffi_until;  // how often it asks, and the call with which it is done
} meter;

// In front of every block.
typedef union meter_head {
  bool is_stack;
  max_align_t align;
} meter_head;

// Calls of the system are made on threads that allocate too.
static pthread_mutex_t meter_lock = PTHREAD_MUTEX_INITIALIZER;

static inline void meter_fail(meter *m, long from, long count) {
  (void)pthread_mutex_lock(&meter_lock);
  m->fail_from = from;
  m->fail_until = from + count;
  (void)pthread_mutex_unlock(&meter_lock);
}

static inline long meter_calls(const meter *m) {
  (void)pthread_mutex_lock(&meter_lock);
  long calls = m->calls;
  (void)pthread_mutex_unlock(&meter_lock);
  return calls;
}

static inline long long meter_blocks(const meter *m) {
  (void)pthread_mutex_lock(&meter_lock);
  long long blocks = m->blocks;
  (void)pthread_mutex_unlock(&meter_lock);
  return blocks;
}

// Whether a call that asks for more has to fail. Three kinds never do, as LuaJIT itself, with or
// without weft, does not survive it: it relies on it that a block can be made smaller; when a
// coroutine's stack cannot grow it writes one value past the end of that stack (lj_err_mem puts
// its message where the frame would end for which there was no room); and an FFI that was opened
// by half makes lua_close crash.
static inline bool meter_fails(meter *m, const meter_head *head, size_t osize, size_t nsize) {
  if (head != NULL && nsize <= osize) return false;
  m->calls++;
  if (head == NULL && nsize == m->ffi_bytes) {
    m->ffi_bytes = 0;
    m->ffi_until = m->calls + m->ffi_calls;
  }
  if (m->calls < m->ffi_until || (head != NULL && head->is_stack)) return false;
  return m->calls >= m->fail_from && m->calls < m->fail_until;
}

static inline void *metered_locked(meter *m, void *ptr, size_t osize, size_t nsize) {
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

static inline void *metered(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)pthread_mutex_lock(&meter_lock);
  void *result = metered_locked(ud, ptr, osize, nsize);
  (void)pthread_mutex_unlock(&meter_lock);
  return result;
}

// What was asked for since `calls` was 0.
typedef struct meter_trial {
  long calls;
  size_t first, largest;
} meter_trial;

static inline void *meter_try(void *ud, void *ptr, size_t osize, size_t nsize) {
  meter_trial *trial = ud;
  if (nsize > osize) {
    if (trial->calls++ == 0) trial->first = nsize;
    if (nsize > trial->largest) trial->largest = nsize;
  }
  if (nsize != 0) return realloc(ptr, nsize);
  free(ptr);
  return NULL;
}

static inline meter meter_init(void) {
  meter_trial trial = {0};
  lua_State *L = lua_newstate(meter_try, &trial);
  if (L == NULL) abort();
  luaL_openlibs(L);
  (void)lua_gc(L, LUA_GCSTOP, 0);
  trial = (meter_trial){0};
  (void)lua_newthread(L);
  meter m = {.stack_bytes = trial.largest};
  lua_pushcfunction(L, luaopen_ffi);
  trial = (meter_trial){0};
  lua_call(L, 0, 0);
  m.ffi_bytes = trial.first;
  m.ffi_calls = trial.calls;
  lua_close(L);
  return m;
}

#endif
