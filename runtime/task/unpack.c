// SPDX-License-Identifier: MIT
// Reading messages (task/codec.h). Symbols: wf_codec
#include <lauxlib.h>
#include <string.h>

#include "task/codec.h"
#include "task/core.h"
#include "task/guard.h"
#include "task/int64.h"
#include "task/scalar.h"
#include "task/wire.h"

// What the next value is for.
typedef enum phase { ARRAY, KEY, VALUE, UPVALUES, NAME, GLOBAL } phase;

typedef struct frame {
  int slot;
  phase phase;
  int next;  // index of the array, or upvalue
  int nupvalues;
  int env;  // the slot of the function's environment
} frame;

typedef struct reader {
  wf_vm *vm;
  lua_State *L;
  const wf_message *m;
  const uint8_t *at, *end;
  int kept;  // the slot of the table of values that are referred to, nil at first; types are
             // at -1, -2, …
  int keys;  // the slot of WF_REF_KEYS
  int envs;  // the slot of a table of environments, by number from 1, nil at first
  uint64_t number;  // of the next table, function or long string
  uint64_t ntypes;
  int depth;
  frame frames[WF_WIRE_DEPTH];
} reader;

static _Noreturn void malformed(reader *r) {
  (void)luaL_error(r->L, "malformed message");
  __builtin_unreachable();
}

static uint8_t byte(reader *r) {
  if (WF_UNLIKELY(r->at == r->end)) malformed(r);
  return *r->at++;
}

static uint64_t uleb(reader *r) {
  uint64_t v = 0;
  for (uint32_t shift = 0; shift < 64; shift += 7) {
    uint8_t b = byte(r);
    v |= (uint64_t)(b & 0x7f) << shift;
    if (b < 0x80) return v;
  }
  malformed(r);
}

static const char *bytes(reader *r, uint64_t n) {
  if (WF_UNLIKELY((uint64_t)(r->end - r->at) < n)) malformed(r);
  const char *p = (const char *)r->at;
  r->at += n;
  return p;
}

static uint64_t word(reader *r) {
  uint64_t v;
  memcpy(&v, bytes(r, sizeof v), sizeof v);
  return v;
}

static uint32_t below(reader *r, uint32_t limit) {
  uint64_t v = uleb(r);
  if (v >= limit) malformed(r);
  return (uint32_t)v;
}

static void push_number(reader *r, uint8_t tag) {
  double v;
  const uint8_t *at = wf_scalar_get(tag, r->at, r->end, &v);
  if (WF_UNLIKELY(at == NULL)) malformed(r);
  r->at = at;
  lua_pushnumber(r->L, v);
}

// The table at the slot, made when it is first needed.
static void need_table(lua_State *L, int slot) {
  if (lua_istable(L, slot)) return;
  lua_newtable(L);
  lua_replace(L, slot);
}

// Gives the value on top the next number.
static void number_it(reader *r, uint8_t tag) {
  uint64_t n = r->number++;
  if ((tag & WF_WIRE_KEPT) == 0) return;
  need_table(r->L, r->kept);
  lua_pushvalue(r->L, -1);
  lua_rawseti(r->L, r->kept, (int)n + 1);
}

static void push_kept(reader *r) {
  uint64_t n = uleb(r);
  if (n >= r->number || n >= INT32_MAX || !lua_istable(r->L, r->kept)) malformed(r);
  lua_rawgeti(r->L, r->kept, (int)n + 1);
  if (lua_isnil(r->L, -1)) malformed(r);
}

static void push_blob(reader *r, uint8_t tag) {
  uint32_t i = below(r, r->m->parcel != NULL ? r->m->parcel->nblobs : 0);
  const wf_blob *blob = &r->m->parcel->blobs[i];
  lua_pushlstring(r->L, blob->data, blob->size);
  number_it(r, tag);
}

static void push_object(reader *r) {
  uint32_t i = below(r, r->m->parcel != NULL ? r->m->parcel->ncores : 0);
  wf_core_push(r->vm, r->L, r->m->parcel->cores[i]);
}

// A view of an object that lets only one thing be done with it.
static void push_view(reader *r) {
  lua_State *L = r->L;
  bool sends = byte(r) != 0;
  if (byte(r) != WF_WIRE_OBJECT) malformed(r);
  lua_createtable(L, 0, 1);
  push_object(r);
  lua_rawseti(L, -2, 0);
  wf_vm_push_ref(r->vm, L, sends ? WF_REF_SEND_VIEW_MT : WF_REF_VIEW_MT);
  lua_setmetatable(L, -2);
}

static frame *push_frame(reader *r, phase first) {
  if (r->depth == WF_WIRE_DEPTH) malformed(r);
  frame *f = &r->frames[r->depth++];
  f->slot = lua_gettop(r->L);
  f->phase = first;
  f->next = 1;
  return f;
}

static bool push_value(reader *r);

// Pushes a string, or nil: what a type is called. Nothing that has a type itself, so that this
// goes no deeper. NOLINTNEXTLINE(misc-no-recursion)
static void push_text(reader *r) {
  if (r->at == r->end) malformed(r);
  uint8_t tag = *r->at, kind = tag & (uint8_t)~WF_WIRE_KEPT;
  bool is_text = (tag >= WF_WIRE_SHORT && tag < WF_WIRE_SMALL) || tag == WF_WIRE_NIL ||
                 tag == WF_WIRE_REF || kind == WF_WIRE_STRING || kind == WF_WIRE_BLOB;
  if (!is_text || push_value(r)) malformed(r);
}

// Pushes the metatable of a table.
// NOLINTNEXTLINE(misc-no-recursion)
static void push_type(reader *r) {
  lua_State *L = r->L;
  uint64_t n = uleb(r);
  if (n > r->ntypes || n >= INT32_MAX) malformed(r);
  need_table(L, r->kept);
  if (n == r->ntypes) {
    int top = lua_gettop(L);
    r->ntypes++;
    push_text(r);
    push_text(r);
    if (lua_type(L, top + 1) != LUA_TSTRING) malformed(r);
    wf_names_resolve_type(r->vm, L, lua_tostring(L, top + 1), lua_tostring(L, top + 2));
    lua_rawseti(L, r->kept, -1 - (int)n);
    lua_settop(L, top);
  }
  lua_rawgeti(L, r->kept, -1 - (int)n);
  if (!lua_istable(L, -1)) malformed(r);
}

// No more than what the bytes that are left could fill.
static int capacity(const reader *r, uint8_t hint, uint64_t each) {
  uint64_t n = wf_wire_size(hint), most = (uint64_t)(r->end - r->at) / each;
  if (n > most) n = most;
  return n < INT32_MAX / 2 ? (int)n : INT32_MAX / 2;
}

// NOLINTNEXTLINE(misc-no-recursion)
static bool push_table(reader *r, uint8_t tag) {
  uint8_t narray = byte(r), npairs = byte(r);
  lua_createtable(r->L, capacity(r, narray, 1), capacity(r, npairs, 2));
  number_it(r, tag);
  if ((tag & WF_WIRE_TYPED) != 0) {
    push_type(r);
    lua_setmetatable(r->L, -2);
  }
  if ((tag & WF_WIRE_LATER) == 0) (void)push_frame(r, ARRAY);
  return (tag & WF_WIRE_LATER) == 0;
}

// Pushes the environment of that number, which counts from 0.
static void push_env(reader *r, uint64_t n) {
  lua_State *L = r->L;
  if (n >= INT32_MAX) malformed(r);
  need_table(L, r->envs);
  lua_rawgeti(L, r->envs, (int)n + 1);
  if (!lua_isnil(L, -1)) return;
  lua_pop(L, 1);
  lua_newtable(L);
  wf_vm_push_ref(r->vm, L, WF_REF_TASK_ENV_MT);
  lua_setmetatable(L, -2);
  lua_pushvalue(L, -1);
  lua_rawseti(L, r->envs, (int)n + 1);
}

static void open_function(reader *r, int nupvalues) {
  frame *f = push_frame(r, nupvalues > 0 ? UPVALUES : NAME);
  f->nupvalues = nupvalues;
  lua_getfenv(r->L, f->slot);
}

static bool push_function(reader *r, uint8_t tag) {
  lua_State *L = r->L;
  uint32_t i = below(r, r->m->parcel != NULL ? r->m->parcel->ncodes : 0);
  wf_code *code = r->m->parcel->codes[i];
  uint8_t flags = byte(r);
  uint64_t env = uleb(r);
  wf_closure_push(r->vm, &r->vm->codec->closures, L, code, (flags & WF_WIRE_SHARES) != 0);
  if ((flags & WF_WIRE_OWN_ENV) != 0) {
    wf_vm_push_ref(r->vm, L, WF_REF_ENV);
  } else {
    push_env(r, env);
  }
  lua_setfenv(L, -2);
  number_it(r, tag);
  if ((tag & WF_WIRE_LATER) != 0) return false;
  open_function(r, code->nupvalues);
  return true;
}

// Pushes the next value; true: it has opened a frame, and its contents come next.
// NOLINTNEXTLINE(misc-no-recursion)
static bool push_value(reader *r) {
  lua_State *L = r->L;
  uint8_t tag = byte(r);
  if (tag >= WF_WIRE_SMALL) {
    lua_pushnumber(L, (double)((int)tag - WF_WIRE_SMALL + WF_WIRE_SMALL_MIN));
    return false;
  }
  if (tag >= WF_WIRE_SHORT) {
    uint32_t n = tag - (uint32_t)WF_WIRE_SHORT;
    lua_pushlstring(L, bytes(r, n), n);
    return false;
  }
  if (tag >= WF_WIRE_TABLE && tag < WF_WIRE_TABLE + 8) return push_table(r, tag);
  if (tag >= WF_WIRE_FUNCTION && tag < WF_WIRE_FUNCTION + 4) return push_function(r, tag);
  switch (tag) {
    case WF_WIRE_NIL: lua_pushnil(L); break;
    case WF_WIRE_FALSE:
    case WF_WIRE_TRUE: lua_pushboolean(L, tag == WF_WIRE_TRUE); break;
    case WF_WIRE_INTEGER:
    case WF_WIRE_FLOAT:
    case WF_WIRE_NUMBER: push_number(r, tag); break;
    case WF_WIRE_INT64: wf_int64_push(r->vm, L, WF_INT64_SIGNED, word(r)); break;
    case WF_WIRE_UINT64: wf_int64_push(r->vm, L, WF_INT64_UNSIGNED, word(r)); break;
    case WF_WIRE_NULL: lua_pushlightuserdata(L, NULL); break;
    case WF_WIRE_REF: push_kept(r); break;
    case WF_WIRE_NAME: {
      uint64_t n = uleb(r);
      const char *name = bytes(r, n);
      if (n == 0) malformed(r);
      wf_names_resolve(r->vm, r->L, name, n);
      break;
    }
    case WF_WIRE_OBJECT: push_object(r); break;
    case WF_WIRE_VIEW: push_view(r); break;
    case WF_WIRE_BLOB:
    case WF_WIRE_BLOB | WF_WIRE_KEPT: push_blob(r, tag); break;
    case WF_WIRE_STRING:
    case WF_WIRE_STRING | WF_WIRE_KEPT: {
      uint64_t n = uleb(r);
      lua_pushlstring(L, bytes(r, n), n);
      number_it(r, tag);
      break;
    }
    default: malformed(r);
  }
  return false;
}

// The upvalue that comes next is one of another function.
static void join(reader *r, frame *f) {
  lua_State *L = r->L;
  push_kept(r);
  int up = (int)below(r, 256) + 1;
  if (!lua_isfunction(L, -1) || lua_iscfunction(L, -1)) malformed(r);
  // Nothing but this says how many there are; lua_upvalueid does not look.
  if (lua_getupvalue(L, -1, up) == NULL) malformed(r);
  lua_pop(L, 1);
  lua_upvaluejoin(L, f->slot, f->next, lua_gettop(L), up);
  lua_pop(L, 1);
}

static void next_upvalue(frame *f) {
  if (++f->next > f->nupvalues) f->phase = NAME;
}

// Puts the value on top where it belongs.
static void take(reader *r, frame *f) {
  lua_State *L = r->L;
  switch (f->phase) {
    case ARRAY: lua_rawseti(L, f->slot, f->next++); break;
    case KEY: f->phase = VALUE; break;
    case VALUE:
      lua_rawset(L, f->slot);
      f->phase = KEY;
      break;
    case UPVALUES:
      (void)lua_setupvalue(L, f->slot, f->next);
      next_upvalue(f);
      break;
    case NAME: f->phase = GLOBAL; break;
    case GLOBAL:
      lua_rawset(L, f->slot + 1);
      f->phase = NAME;
      break;
  }
}

// Whether the next tag is no value but says what comes; acts on it.
static bool is_mark(reader *r, frame *f) {
  uint8_t tag = byte(r);
  if (tag == WF_WIRE_END && (f->phase == ARRAY || f->phase == KEY || f->phase == NAME)) {
    lua_settop(r->L, f->slot);
    r->depth--;
    if (r->depth > 0) take(r, f - 1);
  } else if (tag == WF_WIRE_PAIRS && f->phase == ARRAY) {
    f->phase = KEY;
  } else if (tag == WF_WIRE_ZERO && f->phase == ARRAY && f->next == 1) {
    f->next = 0;
  } else if (tag == WF_WIRE_CELL && f->phase == UPVALUES) {
    join(r, f);
    next_upvalue(f);
  } else {
    r->at--;
    return false;
  }
  return true;
}

// Pushes a short string that is a key.
static void push_key(reader *r, uint32_t n) {
  lua_State *L = r->L;
  const char *s = bytes(r, n);
  uint64_t word[2] = {0};
  if (n == 0 || n > sizeof word) {
    lua_pushlstring(L, s, n);
    return;
  }
  memcpy(word, s, n);
  uint64_t h = (word[0] ^ word[1] * 0x9e3779b97f4a7c15U) * 0x9e3779b97f4a7c15U;
  uint32_t slot = (uint32_t)(h >> 56);
  char *known = r->vm->codec->keys[slot];
  // Padding is told from zeros of the string by the length, which Lua knows.
  if (WF_LIKELY(memcmp(known, word, sizeof word) == 0)) {
    lua_rawgeti(L, r->keys, (int)slot + 1);
    if (WF_LIKELY(lua_objlen(L, -1) == n)) return;
    lua_pop(L, 1);
  }
  lua_pushlstring(L, s, n);
  lua_pushvalue(L, -1);
  lua_rawseti(L, r->keys, (int)slot + 1);
  memcpy(known, word, sizeof word);
}

// The pairs of a table, as long as they are scalars with short strings as keys.
static void read_pairs(reader *r, frame *f) {
  lua_State *L = r->L;
  while (r->at < r->end && f->phase == KEY) {
    uint8_t tag = *r->at;
    if (tag < WF_WIRE_SHORT || tag >= WF_WIRE_SMALL) return;
    r->at++;
    push_key(r, tag - (uint32_t)WF_WIRE_SHORT);
    if (push_value(r)) {
      f->phase = VALUE;
      return;
    }
    lua_rawset(L, f->slot);
  }
}

// The array of a table, as long as it is of scalars.
static void read_array(reader *r, frame *f) {
  while (r->at < r->end && (*r->at < WF_WIRE_ZERO || *r->at > WF_WIRE_FILL)) {
    if (push_value(r)) return;
    lua_rawseti(r->L, f->slot, f->next++);
  }
}

// Reads on until every frame is closed.
static void read_frames(reader *r) {
  while (r->depth > 0) {
    frame *f = &r->frames[r->depth - 1];
    int depth = r->depth;
    if (f->phase == KEY) {
      read_pairs(r, f);
    } else if (f->phase == ARRAY) {
      read_array(r, f);
    }
    if (r->depth == depth && !is_mark(r, f) && !push_value(r)) take(r, f);
  }
}

static void read_pending(reader *r) {
  lua_State *L = r->L;
  while (r->at < r->end) {
    if (byte(r) != WF_WIRE_FILL) malformed(r);
    push_kept(r);
    lua_Debug ar;
    if (lua_istable(L, -1)) {
      (void)push_frame(r, ARRAY);
    } else if (lua_isfunction(L, -1) && !lua_iscfunction(L, -1)) {
      lua_pushvalue(L, -1);
      (void)lua_getinfo(L, ">u", &ar);
      open_function(r, ar.nups);
    } else {
      malformed(r);
    }
    read_frames(r);
    lua_pop(L, 1);
  }
}

// Three slots for each frame, and what a value takes beyond.
enum { STACK = 3 * WF_WIRE_DEPTH + 24 };

// Pushes the message's values.
static void read_all(wf_vm *vm, lua_State *L, const wf_message *m) {
  luaL_checkstack(L, (int)m->count + STACK, "too many values");
  int top = lua_gettop(L);
  lua_pushnil(L);
  lua_pushnil(L);
  wf_vm_push_ref(vm, L, WF_REF_KEYS);
  reader r;
  memset(&r, 0, offsetof(reader, frames));
  r.vm = vm;
  r.L = L;
  r.m = m;
  r.at = wf_message_bytes(m);
  r.end = r.at + m->size;
  r.kept = top + 1;
  r.envs = top + 2;
  r.keys = top + 3;
  for (uint32_t i = 0; i < m->count; i++) {
    if (push_value(&r)) read_frames(&r);
  }
  read_pending(&r);
  if (m->count == 1) {
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return;
  }
  for (int i = 0; i < 3; i++) lua_remove(L, top + 1);
}

typedef struct read_job {
  wf_vm *vm;
  const wf_message *m;
} read_job;

static int read_guarded(lua_State *L, void *ud) {
  const read_job *job = ud;
  lua_settop(L, 0);
  read_all(job->vm, L, job->m);
  return (int)job->m->count;
}

// One number or short string, the commonest messages: false when it is another. Pushes it.
static bool read_scalar(lua_State *L, const wf_message *m) {
  double v;
  uint8_t tag = m->bytes[0];
  if (wf_scalar_unpack(m, &v)) {
    lua_pushnumber(L, v);
  } else if (m->count == 1 && tag >= WF_WIRE_SHORT && tag < WF_WIRE_SMALL &&
             m->size == 1U + tag - WF_WIRE_SHORT) {
    lua_pushlstring(L, (const char *)m->bytes + 1, m->size - 1);
  } else {
    return false;
  }
  return true;
}

bool wf_codec_unpack(wf_vm *vm, lua_State *L, const wf_message *m) {
  if (m->parcel == NULL && m->plain) {
    if (read_scalar(L, m)) return true;
    (void)wf_codec_open(vm, L);
    read_all(vm, L, m);
    return true;
  }
  if (vm->codec == NULL && !wf_codec_open_protected(vm, L)) return false;
  read_job job = {.vm = vm, .m = m};
  luaL_checkstack(L, 4, "too many values");
  return wf_guard(vm, L, read_guarded, &job, 0, LUA_MULTRET) == 0;
}
