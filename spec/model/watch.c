// SPDX-License-Identifier: MIT
#include "watch.h"

#include <string.h>

#include "arena.h"
#include "memory.h"
#include "model.h"

enum { UNIT = 8, UNITS = ARENA_SIZE / UNIT };

static struct unit {
  memory_plain plain;
  uint64_t first;  // what was there before the threads
} units[UNITS];
static uint16_t touched[UNITS];
static int touched_count;

void watch_reset(void) {
  for (int i = 0; i < touched_count; i++) {
    units[touched[i]].plain = (memory_plain){.enrolled = false};
  }
  touched_count = 0;
}

static uint64_t value_of(size_t unit) {
  uint64_t v;
  memcpy(&v, arena_begin() + unit * UNIT, UNIT);
  return v;
}

static memory_plain *plain_of(size_t unit) {
  struct unit *u = &units[unit];
  if (!u->plain.enrolled) {
    touched[touched_count++] = (uint16_t)unit;
    u->first = value_of(unit);
  }
  return &u->plain;
}

// Whether there is anything to see: not before and after the threads, and not on their stacks.
static bool in_arena(const void *p, size_t size, size_t *from, size_t *to) {
  uintptr_t begin = (uintptr_t)arena_begin(), at = (uintptr_t)p;
  if (size == 0 || model_self() == MAIN || at < begin || at >= begin + ARENA_SIZE) return false;
  *from = (at - begin) / UNIT;
  *to = (at - begin + size - 1) / UNIT;
  return true;
}

void watch_read(const void *p, size_t size) {
  size_t from, to;
  if (!in_arena(p, size, &from, &to)) return;
  for (size_t i = from; i <= to; i++) {
    memory_plain_read(model_self(), plain_of(i));
    memory_remember(model_self(), value_of(i));
  }
}

void watch_write(const void *p, size_t size) {
  size_t from, to;
  if (!in_arena(p, size, &from, &to)) return;
  for (size_t i = from; i <= to; i++) memory_plain_write(model_self(), plain_of(i));
}

uint64_t watch_key(void) {
  uint64_t sum = 0;
  for (int i = 0; i < touched_count; i++) {
    uint64_t v = value_of(touched[i]);
    if (v != units[touched[i]].first) sum += memory_mix(touched[i], v);
  }
  return sum;
}

// The calls -----------------------------------------------------------------------------------

#define ON_ACCESS(what, size, name)  \
  void __tsan_##name(const void *p); \
  void __tsan_##name(const void *p) { watch_##what(p, size); }
#define ON_ACCESSES(size)                     \
  ON_ACCESS(read, size, read##size)           \
  ON_ACCESS(write, size, write##size)         \
  ON_ACCESS(read, size, unaligned_read##size) \
  ON_ACCESS(write, size, unaligned_write##size)

ON_ACCESSES(1)
ON_ACCESSES(2)
ON_ACCESSES(4)
ON_ACCESSES(8)
ON_ACCESSES(16)

void __tsan_read_range(const void *p, size_t size);
void __tsan_read_range(const void *p, size_t size) { watch_read(p, size); }
void __tsan_write_range(const void *p, size_t size);
void __tsan_write_range(const void *p, size_t size) { watch_write(p, size); }

void __tsan_init(void);
void __tsan_init(void) {}
void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller) { (void)caller; }
void __tsan_func_exit(void);
void __tsan_func_exit(void) {}

// clang has no calls for ranges. It calls memcpy and its like, also for an assignment of a struct:
// under their own names, which the linker then leads here, or from 16 on under tsan's.
#ifdef MODEL_WRAPS
#define ON_BYTES(prefix)                                                                          \
  void *prefix##memcpy(void *to, const void *from, size_t size);                                  \
  void *prefix##memcpy(void *to, const void *from, size_t size) { return copy(to, from, size); }  \
  void *prefix##memmove(void *to, const void *from, size_t size);                                 \
  void *prefix##memmove(void *to, const void *from, size_t size) { return copy(to, from, size); } \
  void *prefix##memset(void *p, int c, size_t size);                                              \
  void *prefix##memset(void *p, int c, size_t size) {                                             \
    watch_write(p, size);                                                                         \
    return __real_memset(p, c, size);                                                             \
  }

void *__real_memmove(void *to, const void *from, size_t size);
void *__real_memset(void *p, int c, size_t size);

static void *copy(void *to, const void *from, size_t size) {
  watch_read(from, size);
  watch_write(to, size);
  return __real_memmove(to, from, size);
}

ON_BYTES(__wrap_)
ON_BYTES(__tsan_)
#endif
