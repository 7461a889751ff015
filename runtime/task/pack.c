// SPDX-License-Identifier: MIT
#include "task/pack.h"

#include <lauxlib.h>
#include <string.h>

#include "task/guard.h"
#include "task/int64.h"
#include "task/promote.h"
#include "task/scalar.h"

static uint8_t *put_uleb(uint8_t *at, uint64_t v) {
  for (; v >= 0x80; v >>= 7) *at++ = (uint8_t)(v | 0x80);
  *at++ = (uint8_t)v;
  return at;
}

enum { ULEB_MAX = 10 };

static void *room(wf_packer *p, size_t n) {
  void *place = wf_vec_add(p->s->mem, &p->s->bytes, n);
  if (WF_UNLIKELY(place == NULL)) (void)wf_pack_no_memory(p);
  return place;
}

bool wf_pack_uleb(wf_packer *p, uint64_t v) {
  uint8_t *at = room(p, ULEB_MAX);
  if (at == NULL) return false;
  p->s->bytes.size -= (size_t)(at + ULEB_MAX - put_uleb(at, v));
  return true;
}

// Scalars ------------------------------------------------------------------------------------

// What is small and plain, straight into the message.
bool wf_pack_inline(lua_State *L, int first, int n, wf_message *m) {
  uint8_t *at = m->bytes, *end = m->bytes + WF_MESSAGE_INLINE;
  for (int i = first; i < first + n; i++) {
    int type = lua_type(L, i);
    size_t size = 0;
    const char *data = type == LUA_TSTRING ? lua_tolstring(L, i, &size) : NULL;
    if (size >= WF_WIRE_LONG_BYTES || (size_t)(end - at) < WF_SCALAR_MAX + size) return false;
    if (type == LUA_TNUMBER) {
      at = wf_scalar_put(at, lua_tonumber(L, i));
    } else if (data != NULL) {
      *at++ = (uint8_t)(WF_WIRE_SHORT + size);
      memcpy(at, data, size);
      at += size;
    } else if (type == LUA_TBOOLEAN) {
      *at++ = lua_toboolean(L, i) ? WF_WIRE_TRUE : WF_WIRE_FALSE;
    } else if (type == LUA_TNIL) {
      *at++ = WF_WIRE_NIL;
    } else {
      return false;
    }
  }
  m->parcel = NULL;
  m->size = (uint32_t)(at - m->bytes);
  m->count = (uint16_t)n;
  m->plain = true;
  return true;
}

static bool pack_number(wf_packer *p, int idx) {
  uint8_t *at = room(p, WF_SCALAR_MAX);
  if (at == NULL) return false;
  p->s->bytes.size -= (size_t)(at + WF_SCALAR_MAX - wf_scalar_put(at, lua_tonumber(p->L, idx)));
  return true;
}

static bool pack_bytes(wf_packer *p, const char *data, size_t size) {
  uint8_t *at = room(p, size);
  if (at != NULL && size > 0) memcpy(at, data, size);
  return at != NULL;
}

static bool pack_long(wf_packer *p, const char *data, size_t size) {
  uint64_t number;
  lua_pushnil(p->L);  // what wf_pack_meet pops
  wf_pack_met met = wf_pack_meet(p, data, &number);
  if (met != WF_PACK_NEW) return met == WF_PACK_SEEN;
  lua_pop(p->L, 1);
  if (size < WF_WIRE_BLOB_BYTES) {
    return wf_pack_tag(p, WF_WIRE_STRING) && wf_pack_uleb(p, size) && pack_bytes(p, data, size);
  }
  wf_blob *blob = wf_vec_add(p->s->mem, &p->s->blobs, sizeof *blob);
  if (blob == NULL) return wf_pack_no_memory(p);
  *blob = (wf_blob){.data = (char *)(uintptr_t)data, .size = size};
  p->plain = false;
  return wf_pack_tag(p, WF_WIRE_BLOB) && wf_pack_uleb(p, p->s->blobs.size / sizeof *blob - 1);
}

bool wf_pack_string(wf_packer *p, int idx) {
  size_t size;
  const char *data = lua_tolstring(p->L, idx, &size);
  if (WF_UNLIKELY(size >= WF_WIRE_LONG_BYTES)) return pack_long(p, data, size);
  uint8_t *at = room(p, size + 1);
  if (at == NULL) return false;
  *at = (uint8_t)(WF_WIRE_SHORT + size);
  memcpy(at + 1, data, size);
  return true;
}

// nil, a boolean, a number or a string, which stays; false with *is_scalar unset: it is another.
static bool pack_scalar(wf_packer *p, int idx, bool *is_scalar) {
  *is_scalar = true;
  switch (lua_type(p->L, idx)) {
    case LUA_TNUMBER: return pack_number(p, idx);
    case LUA_TSTRING: return wf_pack_string(p, idx);
    case LUA_TNIL: return wf_pack_tag(p, WF_WIRE_NIL);
    case LUA_TBOOLEAN:
      return wf_pack_tag(p, lua_toboolean(p->L, idx) ? WF_WIRE_TRUE : WF_WIRE_FALSE);
    default: *is_scalar = false; return false;
  }
}

// What is met again ----------------------------------------------------------------------------

void wf_pack_keep(wf_packer *p, uint64_t number) {
  size_t place;
  memcpy(&place, p->s->places.data + number * sizeof place, sizeof place);
  p->s->bytes.data[place] |= WF_WIRE_KEPT;
}

wf_pack_met wf_pack_meet(wf_packer *p, const void *address, uint64_t *number) {
  wf_scratch *s = p->s;
  wf_seen *seen = wf_scratch_see(s, address, WF_SEEN_VALUE);
  if (seen == NULL) {
    (void)wf_pack_no_memory(p);
    return WF_PACK_FAILED;
  }
  if (seen->value != UINT64_MAX) {
    lua_pop(p->L, 1);
    wf_pack_keep(p, seen->value);
    bool ok = wf_pack_tag(p, WF_WIRE_REF) && wf_pack_uleb(p, seen->value);
    return ok ? WF_PACK_SEEN : WF_PACK_FAILED;
  }
  size_t *place = wf_vec_add(s->mem, &s->places, sizeof *place);
  if (place == NULL) {
    (void)wf_pack_no_memory(p);
    return WF_PACK_FAILED;
  }
  *place = s->bytes.size;
  *number = seen->value = s->places.size / sizeof *place - 1;
  return WF_PACK_NEW;
}

// Puts the value at 2 into the table at 3, by its number.
static int put_off(lua_State *L, void *ud) {
  const uint32_t *number = ud;
  lua_settop(L, 3);
  if (!lua_istable(L, 3)) {
    lua_newtable(L);
    lua_replace(L, 3);
  }
  lua_pushvalue(L, 2);
  lua_rawseti(L, 3, (int)*number + 1);
  return 1;
}

bool wf_pack_later(wf_packer *p, uint64_t number) {
  uint32_t *place = wf_vec_add(p->s->mem, &p->s->pending, sizeof *place);
  if (place == NULL || number > INT32_MAX - 1) return wf_pack_no_memory(p);
  uint32_t n = *place = (uint32_t)number;
  lua_pushvalue(p->L, p->pending);
  if (wf_guard_at_rest(p->vm, p->L, put_off, &n, 2, 1) != 0) return wf_pack_no_memory(p);
  lua_replace(p->L, p->pending);
  return true;
}

wf_pack_frame *wf_pack_push_frame(wf_packer *p, uint64_t number) {
  wf_pack_frame *f = &p->frames[p->depth++];
  *f = (wf_pack_frame){.slot = lua_gettop(p->L), .number = number, .next = 1};
  return f;
}

// Tables ---------------------------------------------------------------------------------------

bool wf_pack_name(wf_packer *p) {
  size_t size;
  const char *name = lua_tolstring(p->L, -1, &size);
  p->plain = false;
  if (!wf_pack_tag(p, WF_WIRE_NAME) || !wf_pack_uleb(p, size) || !pack_bytes(p, name, size)) {
    return false;
  }
  lua_pop(p->L, 2);
  return true;
}

// Remembers the proxy at 2 as that of its object, so that it is the same when it comes back.
typedef struct remember_job {
  wf_vm *vm;
  const wf_core *core;
} remember_job;

static int remember(lua_State *L, void *ud) {
  const remember_job *job = ud;
  wf_core_remember(job->vm, L, job->core, 2);
  return 0;
}

// The core of the object whose proxy is on top gets a number in the parcel.
static bool list_core(wf_packer *p, wf_core *core, wf_seen *seen) {
  wf_core **place = wf_vec_add(p->s->mem, &p->s->cores, sizeof *place);
  if (place == NULL) return wf_pack_no_memory(p);
  *place = core;
  seen->value = p->s->cores.size / sizeof *place - 1;
  if (wf_core_is_known(p->vm, p->L, core, -1)) return true;
  remember_job job = {.vm = p->vm, .core = core};
  lua_pushvalue(p->L, -1);
  return wf_guard_at_rest(p->vm, p->L, remember, &job, 1, 0) == 0 || wf_pack_no_memory(p);
}

// The object whose proxy is on top.
static bool pack_object(wf_packer *p, wf_obj *obj) {
  if (obj->shared && obj->kind->share->moves) {
    wf_core *before = obj->core;
    wf_core_forget(p->vm, p->L, before);
    obj->core = NULL;
    obj->shared = false;
    wf_core_unref(before);
  }
  if (obj->core == NULL) {
    const wf_share *share = obj->kind->share;
    const char *why = share != NULL ? share->refuse(obj) : obj->kind->name;
    if (why != NULL) return wf_pack_refuse(p, why);
    if (!wf_promotion_add(p->promotion, obj)) return wf_pack_no_memory(p);
  }
  wf_seen *seen = wf_scratch_see(p->s, obj->core, WF_SEEN_CORE);
  if (seen == NULL) return wf_pack_no_memory(p);
  if (seen->value == UINT64_MAX && !list_core(p, obj->core, seen)) return false;
  p->plain = false;
  lua_pop(p->L, 1);
  return wf_pack_tag(p, WF_WIRE_OBJECT) && wf_pack_uleb(p, seen->value);
}

// The object behind the table on top of the stack, which has a metatable; of a view it says which,
// and puts what it is a view of in its place.
static wf_obj *look_behind(wf_packer *p, const void *metatable, bool *ok) {
  lua_State *L = p->L;
  bool sends = metatable == p->vm->send_view_type;
  if (sends || metatable == p->vm->view_type) {
    lua_rawgeti(L, -1, 0);
    wf_obj *obj = wf_obj_any(L, lua_gettop(L));
    if (obj == NULL) {
      lua_pop(L, 1);
      return NULL;
    }
    lua_replace(L, -2);
    *ok = wf_pack_tag(p, WF_WIRE_VIEW) && wf_pack_tag(p, sends);
    return obj;
  }
  return wf_obj_any(L, lua_gettop(L));
}

// The number of the metatable that is on top, and with the first use its name and module.
static bool pack_type(wf_packer *p) {
  wf_scratch *s = p->s;
  wf_seen *seen = wf_scratch_see(s, lua_topointer(p->L, -1), WF_SEEN_TYPE);
  if (seen == NULL) return wf_pack_no_memory(p);
  bool first = seen->value == UINT64_MAX;
  if (first) seen->value = s->ntypes++;
  if (!wf_pack_uleb(p, seen->value)) return false;
  if (!first) return true;
  if (!wf_names_push_type(p->vm, p->L, lua_gettop(p->L))) return false;
  bool is_scalar;
  if (!pack_scalar(p, -2, &is_scalar) || !pack_scalar(p, -1, &is_scalar)) return false;
  lua_pop(p->L, 2);
  return true;
}

// Opens the table on top of the stack; below it lies its metatable, when it has one.
static bool open_table(wf_packer *p, uint64_t number, bool typed) {
  lua_State *L = p->L;
  bool is_later = p->depth == WF_WIRE_DEPTH;
  uint32_t tag = WF_WIRE_TABLE | (typed ? WF_WIRE_TYPED : 0);
  if (is_later) tag |= WF_WIRE_LATER | WF_WIRE_KEPT;
  size_t hints = p->s->bytes.size + 1;
  if (!wf_pack_tag(p, tag) || !wf_pack_tag(p, 0) || !wf_pack_tag(p, 0)) return false;
  if (typed) {
    lua_insert(L, -2);
    if (!pack_type(p)) return false;
    lua_pop(L, 1);
  }
  if (is_later) return wf_pack_later(p, number);
  wf_pack_push_frame(p, number)->hints = hints;
  lua_pushnil(L);
  return true;
}

static bool pack_table(wf_packer *p) {
  lua_State *L = p->L;
  int table = lua_gettop(L);
  if (wf_names_push(p->vm, &p->codec->names, L, table)) return wf_pack_name(p);
  bool typed = lua_getmetatable(L, table) != 0;
  if (typed) {
    const void *metatable = lua_topointer(L, -1);
    bool ok = true;
    lua_pop(L, 1);
    wf_obj *obj = look_behind(p, metatable, &ok);
    if (!ok) return false;
    if (obj != NULL) return pack_object(p, obj);
    (void)lua_getmetatable(L, table);
    if (!wf_names_push_type(p->vm, L, table + 1)) {
      lua_settop(L, table);
      return wf_pack_refuse(p, "table with a metatable that is not registered (weft.register)");
    }
    lua_settop(L, table + 1);
    lua_insert(L, table);
    p->plain = false;
  }
  uint64_t number;
  wf_pack_met met = wf_pack_meet(p, lua_topointer(L, -1), &number);
  if (met == WF_PACK_NEW) return open_table(p, number, typed);
  if (typed) lua_pop(L, 1);
  return met == WF_PACK_SEEN;
}

// Whether the key at -2 goes on with the array; leaves out a few holes.
static bool goes_on(wf_packer *p, wf_pack_frame *f, bool *ok) {
  double key = lua_tonumber(p->L, -2);
  if (WF_LIKELY(key == (double)f->next)) {
    f->next++;
    return true;
  }
  if (key == 0 && f->next == 1) {
    *ok = wf_pack_tag(p, WF_WIRE_ZERO);
    return true;
  }
  if (!(key > f->next && key <= (double)f->next + WF_WIRE_HOLES && key < INT32_MAX) ||
      key != (double)(uint32_t)key) {
    return false;
  }
  for (; *ok && f->next < key; f->next++) *ok = wf_pack_tag(p, WF_WIRE_NIL);
  f->next++;
  return true;
}

static bool close_table(wf_packer *p, wf_pack_frame *f) {
  p->s->bytes.data[f->hints] = wf_wire_hint(f->next - 1);
  p->s->bytes.data[f->hints + 1] = wf_wire_hint(f->npairs);
  lua_pop(p->L, 1);
  p->depth--;
  return wf_pack_tag(p, WF_WIRE_END);
}

// Goes on with the table until one of its keys or values has opened a frame, or to its end.
bool wf_pack_table_step(wf_packer *p, wf_pack_frame *f) {
  lua_State *L = p->L;
  bool is_scalar, ok = true;
  int depth = p->depth;
  if (f->key_is_out) {
    f->key_is_out = false;
    if (!wf_pack_value(p)) return false;
    if (p->depth != depth) return true;
  }
  while (lua_next(L, f->slot) != 0) {
    bool is_array = !f->pairs && lua_type(L, -2) == LUA_TNUMBER && goes_on(p, f, &ok);
    if (!ok) return false;
    if (!is_array) {
      if (!f->pairs && !wf_pack_tag(p, WF_WIRE_PAIRS)) return false;
      f->pairs = true;
      f->npairs++;
      if (!pack_scalar(p, -2, &is_scalar)) {
        if (is_scalar) return false;
        f->key_is_out = true;
        lua_pushvalue(L, -2);
        return wf_pack_value(p);
      }
    }
    if (pack_scalar(p, -1, &is_scalar)) {
      lua_pop(L, 1);
    } else {
      if (is_scalar || !wf_pack_value(p)) return false;
      if (p->depth != depth) return true;
    }
  }
  return close_table(p, f);
}

// Other values ---------------------------------------------------------------------------------

static bool pack_cdata(wf_packer *p) {
  uint64_t v;
  wf_int64_type type = wf_int64_read(p->vm, p->L, &v);
  if (type == WF_INT64_NO_MEMORY) return wf_pack_no_memory(p);
  if (type == WF_INT64_NONE) return wf_pack_refuse(p, NULL);
  lua_pop(p->L, 1);
  p->plain = false;
  uint8_t *at = room(p, 1 + sizeof v);
  if (at == NULL) return false;
  *at = type == WF_INT64_SIGNED ? WF_WIRE_INT64 : WF_WIRE_UINT64;
  memcpy(at + 1, &v, sizeof v);
  return true;
}

static bool pack_userdata(wf_packer *p) {
  lua_State *L = p->L;
  wf_obj *obj = wf_obj_any(L, lua_gettop(L));
  if (obj != NULL) return pack_object(p, obj);
  if (wf_names_push(p->vm, &p->codec->names, L, lua_gettop(L))) return wf_pack_name(p);
  return wf_pack_refuse(p, NULL);
}

bool wf_pack_value(wf_packer *p) {
  lua_State *L = p->L;
  bool is_scalar;
  if (pack_scalar(p, -1, &is_scalar)) {
    lua_pop(L, 1);
    return true;
  }
  if (is_scalar) return false;
  switch (lua_type(L, -1)) {
    case LUA_TTABLE: return pack_table(p);
    case LUA_TFUNCTION: return wf_pack_function(p);
    case LUA_TUSERDATA: return pack_userdata(p);
    case WF_TYPE_CDATA: return pack_cdata(p);
    case LUA_TLIGHTUSERDATA:
      if (lua_touserdata(L, -1) == NULL) {
        lua_pop(L, 1);
        return wf_pack_tag(p, WF_WIRE_NULL);
      }
      if (wf_names_push(p->vm, &p->codec->names, L, lua_gettop(L))) return wf_pack_name(p);
      return wf_pack_refuse(p, NULL);
    default: return wf_pack_refuse(p, NULL);
  }
}
