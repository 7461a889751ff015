// SPDX-License-Identifier: MIT
// Reading messages (task/codec.h). Symbols: wf_codec, wf_unpack
#include "task/unpack.h"

#include "sched/runtime.h"
#include "task/core.h"
#include "task/face.h"
#include "task/guard.h"
#include "task/int64.h"
#include "task/record.h"
#include "task/scalar.h"

static void push_number(wf_unpacker *r, uint8_t tag) {
  double v;
  const uint8_t *at = wf_scalar_get(tag, r->at, r->end, &v);
  if (WF_UNLIKELY(at == NULL)) wf_unpack_malformed(r);
  r->at = at;
  lua_pushnumber(r->L, v);
}

void wf_unpack_need_table(lua_State *L, int slot) {
  if (lua_istable(L, slot)) return;
  lua_newtable(L);
  lua_replace(L, slot);
}

void wf_unpack_number_it(wf_unpacker *r, uint8_t tag) {
  uint64_t n = r->number++;
  if ((tag & WF_WIRE_KEPT) == 0) return;
  wf_unpack_need_table(r->L, r->kept);
  lua_pushvalue(r->L, -1);
  lua_rawseti(r->L, r->kept, (int)n + 1);
}

void wf_unpack_push_kept(wf_unpacker *r) {
  uint64_t n = wf_unpack_uleb(r);
  if (n >= r->number || n >= INT32_MAX || !lua_istable(r->L, r->kept)) wf_unpack_malformed(r);
  lua_rawgeti(r->L, r->kept, (int)n + 1);
  if (lua_isnil(r->L, -1)) wf_unpack_malformed(r);
}

wf_unpack_frame *wf_unpack_push_frame(wf_unpacker *r, wf_unpack_phase first) {
  if (r->depth == WF_WIRE_DEPTH) wf_unpack_malformed(r);
  wf_unpack_frame *f = &r->frames[r->depth++];
  f->slot = lua_gettop(r->L);
  f->phase = first;
  f->next = 1;
  return f;
}

static void push_blob(wf_unpacker *r, uint8_t tag) {
  uint32_t i = wf_unpack_below(r, r->m->parcel != NULL ? r->m->parcel->nblobs : 0);
  const wf_blob *blob = &r->m->parcel->blobs[i];
  lua_pushlstring(r->L, blob->data, blob->size);
  wf_unpack_number_it(r, tag);
}

static void push_object(wf_unpacker *r) {
  uint32_t i = wf_unpack_below(r, r->m->parcel != NULL ? r->m->parcel->ncores : 0);
  wf_core_push(r->vm, r->L, r->m->parcel->cores[i]);
}

// What stands for an object.
static void push_view(wf_unpacker *r) {
  uint8_t face = wf_unpack_byte(r);
  if (face >= WF_FACE_NONE || wf_unpack_byte(r) != WF_WIRE_OBJECT) wf_unpack_malformed(r);
  push_object(r);
  r->vm->rt->hooks->faces->push(r->vm, r->L, (wf_face)face);
}

static bool push_value(wf_unpacker *r);

// Pushes a string, or nil: what a type is called. Nothing that has a type itself, so that this
// goes no deeper. NOLINTNEXTLINE(misc-no-recursion)
static void push_text(wf_unpacker *r) {
  if (r->at == r->end) wf_unpack_malformed(r);
  uint8_t tag = *r->at, kind = tag & (uint8_t)~WF_WIRE_KEPT;
  bool is_text = (tag >= WF_WIRE_SHORT && tag < WF_WIRE_SMALL) || tag == WF_WIRE_NIL ||
                 tag == WF_WIRE_REF || kind == WF_WIRE_STRING || kind == WF_WIRE_BLOB;
  if (!is_text || push_value(r)) wf_unpack_malformed(r);
}

// Pushes the metatable of a table.
// NOLINTNEXTLINE(misc-no-recursion)
static void push_type(wf_unpacker *r) {
  lua_State *L = r->L;
  uint64_t n = wf_unpack_uleb(r);
  if (n > r->ntypes || n >= INT32_MAX) wf_unpack_malformed(r);
  wf_unpack_need_table(L, r->kept);
  if (n == r->ntypes) {
    int top = lua_gettop(L);
    r->ntypes++;
    push_text(r);
    push_text(r);
    if (lua_type(L, top + 1) != LUA_TSTRING) wf_unpack_malformed(r);
    wf_names_resolve_type(r->vm, L, lua_tostring(L, top + 1), lua_tostring(L, top + 2));
    lua_rawseti(L, r->kept, -1 - (int)n);
    lua_settop(L, top);
  }
  lua_rawgeti(L, r->kept, -1 - (int)n);
  if (!lua_istable(L, -1)) wf_unpack_malformed(r);
}

// No more than what the bytes that are left could fill.
static int capacity(const wf_unpacker *r, uint8_t hint, uint64_t each) {
  uint64_t n = wf_wire_size(hint), most = (uint64_t)(r->end - r->at) / each;
  if (n > most) n = most;
  return n < INT32_MAX / 2 ? (int)n : INT32_MAX / 2;
}

// NOLINTNEXTLINE(misc-no-recursion)
static bool push_table(wf_unpacker *r, uint8_t tag) {
  uint8_t narray = wf_unpack_byte(r), npairs = wf_unpack_byte(r);
  lua_createtable(r->L, capacity(r, narray, 1), capacity(r, npairs, 2));
  wf_unpack_number_it(r, tag);
  if ((tag & WF_WIRE_TYPED) != 0) {
    push_type(r);
    lua_setmetatable(r->L, -2);
  }
  if ((tag & WF_WIRE_LATER) == 0) (void)wf_unpack_push_frame(r, WF_UNPACK_ARRAY);
  return (tag & WF_WIRE_LATER) == 0;
}

// Pushes the next value; true: it has opened a frame, and its contents come next.
// NOLINTNEXTLINE(misc-no-recursion)
static bool push_value(wf_unpacker *r) {
  lua_State *L = r->L;
  uint8_t tag = wf_unpack_byte(r);
  if (tag >= WF_WIRE_SMALL) {
    lua_pushnumber(L, (double)((int)tag - WF_WIRE_SMALL + WF_WIRE_SMALL_MIN));
    return false;
  }
  if (tag >= WF_WIRE_SHORT) {
    uint32_t n = tag - (uint32_t)WF_WIRE_SHORT;
    lua_pushlstring(L, wf_unpack_bytes(r, n), n);
    return false;
  }
  if (tag >= WF_WIRE_TABLE && tag < WF_WIRE_TABLE + 8) return push_table(r, tag);
  if (tag >= WF_WIRE_FUNCTION && tag < WF_WIRE_FUNCTION + 4) return wf_unpack_function(r, tag);
  switch (tag) {
    case WF_WIRE_NIL: lua_pushnil(L); break;
    case WF_WIRE_FALSE:
    case WF_WIRE_TRUE: lua_pushboolean(L, tag == WF_WIRE_TRUE); break;
    case WF_WIRE_INTEGER:
    case WF_WIRE_FLOAT:
    case WF_WIRE_NUMBER: push_number(r, tag); break;
    case WF_WIRE_INT64: wf_int64_push(r->vm, L, WF_INT64_SIGNED, wf_unpack_word(r)); break;
    case WF_WIRE_UINT64: wf_int64_push(r->vm, L, WF_INT64_UNSIGNED, wf_unpack_word(r)); break;
    case WF_WIRE_NULL: lua_pushlightuserdata(L, NULL); break;
    case WF_WIRE_REF: wf_unpack_push_kept(r); break;
    case WF_WIRE_NAME: {
      uint64_t n = wf_unpack_uleb(r);
      const char *name = wf_unpack_bytes(r, n);
      if (n == 0) wf_unpack_malformed(r);
      wf_names_resolve(r->vm, r->L, name, n);
      break;
    }
    case WF_WIRE_OBJECT: push_object(r); break;
    case WF_WIRE_VIEW: push_view(r); break;
    case WF_WIRE_BLOB:
    case WF_WIRE_BLOB | WF_WIRE_KEPT: push_blob(r, tag); break;
    case WF_WIRE_STRING:
    case WF_WIRE_STRING | WF_WIRE_KEPT: {
      uint64_t n = wf_unpack_uleb(r);
      lua_pushlstring(L, wf_unpack_bytes(r, n), n);
      wf_unpack_number_it(r, tag);
      break;
    }
    default: wf_unpack_malformed(r);
  }
  return false;
}

// Puts the value on top where it belongs.
static void take(wf_unpacker *r, wf_unpack_frame *f) {
  lua_State *L = r->L;
  switch (f->phase) {
    case WF_UNPACK_ARRAY: lua_rawseti(L, f->slot, f->next++); break;
    case WF_UNPACK_KEY: f->phase = WF_UNPACK_VALUE; break;
    case WF_UNPACK_VALUE:
      lua_rawset(L, f->slot);
      f->phase = WF_UNPACK_KEY;
      break;
    case WF_UNPACK_UPVALUES:
      (void)lua_setupvalue(L, f->slot, f->next);
      wf_unpack_next_upvalue(f);
      break;
    case WF_UNPACK_NAME: f->phase = WF_UNPACK_GLOBAL; break;
    case WF_UNPACK_GLOBAL:
      lua_rawset(L, f->slot + 1);
      f->phase = WF_UNPACK_NAME;
      break;
  }
}

// Whether the next tag is no value but says what comes; acts on it.
static bool is_mark(wf_unpacker *r, wf_unpack_frame *f) {
  uint8_t tag = wf_unpack_byte(r);
  if (tag == WF_WIRE_END &&
      (f->phase == WF_UNPACK_ARRAY || f->phase == WF_UNPACK_KEY || f->phase == WF_UNPACK_NAME)) {
    lua_settop(r->L, f->slot);
    r->depth--;
    if (r->depth > 0) take(r, f - 1);
  } else if (tag == WF_WIRE_PAIRS && f->phase == WF_UNPACK_ARRAY) {
    f->phase = WF_UNPACK_KEY;
  } else if (tag == WF_WIRE_ZERO && f->phase == WF_UNPACK_ARRAY && f->next == 1) {
    f->next = 0;
  } else if (tag == WF_WIRE_CELL && f->phase == WF_UNPACK_UPVALUES) {
    wf_unpack_join(r, f);
    wf_unpack_next_upvalue(f);
  } else {
    r->at--;
    return false;
  }
  return true;
}

// Pushes a short string that is a key.
static void push_key(wf_unpacker *r, uint32_t n) {
  lua_State *L = r->L;
  const char *s = wf_unpack_bytes(r, n);
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
static void read_pairs(wf_unpacker *r, wf_unpack_frame *f) {
  lua_State *L = r->L;
  while (r->at < r->end && f->phase == WF_UNPACK_KEY) {
    uint8_t tag = *r->at;
    if (tag < WF_WIRE_SHORT || tag >= WF_WIRE_SMALL) return;
    r->at++;
    push_key(r, tag - (uint32_t)WF_WIRE_SHORT);
    if (push_value(r)) {
      f->phase = WF_UNPACK_VALUE;
      return;
    }
    lua_rawset(L, f->slot);
  }
}

// The array of a table, as long as it is of scalars.
static void read_array(wf_unpacker *r, wf_unpack_frame *f) {
  while (r->at < r->end && (*r->at < WF_WIRE_ZERO || *r->at > WF_WIRE_FILL)) {
    if (push_value(r)) return;
    lua_rawseti(r->L, f->slot, f->next++);
  }
}

// Reads on until every frame is closed.
static void read_frames(wf_unpacker *r) {
  while (r->depth > 0) {
    wf_unpack_frame *f = &r->frames[r->depth - 1];
    int depth = r->depth;
    if (f->phase == WF_UNPACK_KEY) {
      read_pairs(r, f);
    } else if (f->phase == WF_UNPACK_ARRAY) {
      read_array(r, f);
    }
    if (r->depth == depth && !is_mark(r, f) && !push_value(r)) take(r, f);
  }
}

static void read_pending(wf_unpacker *r) {
  lua_State *L = r->L;
  while (r->at < r->end) {
    if (wf_unpack_byte(r) != WF_WIRE_FILL) wf_unpack_malformed(r);
    wf_unpack_push_kept(r);
    lua_Debug ar;
    if (lua_istable(L, -1)) {
      (void)wf_unpack_push_frame(r, WF_UNPACK_ARRAY);
    } else if (lua_isfunction(L, -1) && !lua_iscfunction(L, -1)) {
      lua_pushvalue(L, -1);
      (void)lua_getinfo(L, ">u", &ar);
      wf_unpack_open_function(r, ar.nups);
    } else {
      wf_unpack_malformed(r);
    }
    read_frames(r);
    lua_pop(L, 1);
  }
}

// Three slots for each frame, and what a value takes beyond.
enum { STACK = 3 * WF_WIRE_DEPTH + 24, OWN_SLOTS = 4 };

// Pushes the message's values.
static void read_all(wf_vm *vm, lua_State *L, const wf_message *m) {
  luaL_checkstack(L, (int)m->count + STACK, "too many values");
  int top = lua_gettop(L);
  wf_vm_push_ref(vm, L, WF_REF_KEYS);
  for (int i = 0; i < OWN_SLOTS - 1; i++) lua_pushnil(L);
  wf_unpacker r;
  memset(&r, 0, offsetof(wf_unpacker, frames));
  r.vm = vm;
  r.L = L;
  r.m = m;
  r.at = wf_message_bytes(m);
  r.end = r.at + m->size;
  r.keys = top + 1;
  r.kept = top + 2;
  r.env = top + 3;
  r.envs = top + 4;
  for (uint32_t i = 0; i < m->count; i++) {
    if (push_value(&r)) read_frames(&r);
  }
  read_pending(&r);
  if (m->count == 1) {
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return;
  }
  for (int i = 0; i < OWN_SLOTS; i++) lua_remove(L, top + 1);
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

static bool read_record(lua_State *L, const wf_message *m) {
  double values[WF_RECORD_FIELDS];
  uint32_t number = wf_record_unpack(m, values);
  if (number == 0) return false;
  const wf_record_shape *shape = wf_record_shape_at(number);
  lua_createtable(L, 0, (int)shape->fields);
  for (uint32_t i = 0; i < shape->fields; i++) {
    lua_pushstring(L, shape->names[i]);
    lua_pushnumber(L, values[i]);
    lua_rawset(L, -3);
  }
  return true;
}

// One number, short string or record, the commonest messages: false when it is another. Pushes it.
static bool read_scalar(lua_State *L, const wf_message *m) {
  double v;
  uint8_t tag = m->bytes[0];
  if (wf_scalar_unpack(m, &v)) {
    lua_pushnumber(L, v);
  } else if (m->count == 1 && tag >= WF_WIRE_SHORT && tag < WF_WIRE_SMALL &&
             m->size == 1U + tag - WF_WIRE_SHORT) {
    lua_pushlstring(L, (const char *)m->bytes + 1, m->size - 1);
  } else {
    return read_record(L, m);
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
