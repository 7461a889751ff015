// SPDX-License-Identifier: MIT
// The inside of unpacking, for the rooms that share it: unpack.c (values) and unpackfn.c
// (functions). Bytes that do not make sense raise.
#ifndef WF_TASK_UNPACK_H
#define WF_TASK_UNPACK_H

#include <lauxlib.h>
#include <string.h>

#include "task/codec.h"
#include "task/wire.h"

// What the next value is for.
typedef enum wf_unpack_phase {
  WF_UNPACK_ARRAY,
  WF_UNPACK_KEY,
  WF_UNPACK_VALUE,
  WF_UNPACK_UPVALUES,
  WF_UNPACK_NAME,
  WF_UNPACK_GLOBAL
} wf_unpack_phase;

typedef struct wf_unpack_frame {
  int slot;
  wf_unpack_phase phase;
  int next;  // index of the array, or upvalue
  int nupvalues;
  int env;  // the slot of the function's environment
} wf_unpack_frame;

typedef struct wf_unpacker {
  wf_vm *vm;
  lua_State *L;
  const wf_message *m;
  const uint8_t *at, *end;
  int kept;  // the slot of the table of values that are referred to, nil at first; types are
             // at -1, -2, …
  int keys;  // the slot of WF_REF_KEYS
  int env;   // the slot of the first environment, which is seldom not the only one; nil at first
  int envs;  // the slot of a table of the others, by number, nil at first
  uint64_t number;  // of the next table, function or long string
  uint64_t ntypes;
  int depth;
  wf_unpack_frame frames[WF_WIRE_DEPTH];
} wf_unpacker;

static inline _Noreturn void wf_unpack_malformed(wf_unpacker *r) {
  (void)luaL_error(r->L, "malformed message");
  __builtin_unreachable();
}

static inline uint8_t wf_unpack_byte(wf_unpacker *r) {
  if (WF_UNLIKELY(r->at == r->end)) wf_unpack_malformed(r);
  return *r->at++;
}

static inline uint64_t wf_unpack_uleb(wf_unpacker *r) {
  uint64_t v = 0;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    uint8_t b = wf_unpack_byte(r);
    v |= (uint64_t)(b & 0x7f) << shift;
    if (b < 0x80) return v;
  }
  wf_unpack_malformed(r);
}

static inline const char *wf_unpack_bytes(wf_unpacker *r, uint64_t n) {
  if (WF_UNLIKELY((uint64_t)(r->end - r->at) < n)) wf_unpack_malformed(r);
  const char *p = (const char *)r->at;
  r->at += n;
  return p;
}

static inline uint64_t wf_unpack_word(wf_unpacker *r) {
  uint64_t v;
  memcpy(&v, wf_unpack_bytes(r, sizeof v), sizeof v);
  return v;
}

static inline uint32_t wf_unpack_below(wf_unpacker *r, uint32_t limit) {
  uint64_t v = wf_unpack_uleb(r);
  if (v >= limit) wf_unpack_malformed(r);
  return (uint32_t)v;
}

// The table at the slot, made when it is first needed.
void wf_unpack_need_table(lua_State *L, int slot);

// Gives the value on top the next number.
void wf_unpack_number_it(wf_unpacker *r, uint8_t tag);

// Pushes the value of the number that comes next.
void wf_unpack_push_kept(wf_unpacker *r);

// A frame for the value on top.
wf_unpack_frame *wf_unpack_push_frame(wf_unpacker *r, wf_unpack_phase first);

// A function (task/unpackfn.c): pushes it, true: it has opened a frame. Opens one for the function
// on top, made before.
bool wf_unpack_function(wf_unpacker *r, uint8_t tag);
void wf_unpack_open_function(wf_unpacker *r, int nupvalues);

// The upvalue that comes next is one of another function.
void wf_unpack_join(wf_unpacker *r, wf_unpack_frame *f);

static inline void wf_unpack_next_upvalue(wf_unpack_frame *f) {
  if (++f->next > f->nupvalues) f->phase = WF_UNPACK_NAME;
}

#endif
