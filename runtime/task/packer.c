// SPDX-License-Identifier: MIT
// Packing a message from the first value to the last. Symbols: wf_pack, wf_codec
#include <lauxlib.h>
#include <string.h>

#include "sched/runtime.h"
#include "task/guard.h"
#include "task/pack.h"
#include "task/promote.h"
#include "task/site.h"

static bool run(wf_packer *p) {
  while (p->depth > 0) {
    wf_pack_frame *f = &p->frames[p->depth - 1];
    if (!(f->is_function ? wf_pack_function_step(p, f) : wf_pack_table_step(p, f))) return false;
  }
  return true;
}

// The contents of what came too deep, which may put off others.
static bool pack_pending(wf_packer *p) {
  lua_State *L = p->L;
  p->deep = true;
  for (size_t i = 0; i < p->s->pending.size / sizeof(uint32_t); i++) {
    uint32_t number;
    memcpy(&number, p->s->pending.data + i * sizeof number, sizeof number);
    if (!wf_pack_tag(p, WF_WIRE_FILL) || !wf_pack_uleb(p, number)) return false;
    lua_rawgeti(L, p->pending, (int)number + 1);
    size_t place;
    memcpy(&place, p->s->places.data + number * sizeof place, sizeof place);
    if (lua_istable(L, -1)) {
      wf_pack_push_frame(p, number)->hints = place + 1;
      lua_pushnil(L);
    } else if (!wf_pack_open_function(p, number)) {
      return false;
    }
    if (!run(p)) return false;
  }
  return true;
}

static bool pack_all(wf_packer *p) {
  for (p->root = 0; p->root < p->n; p->root++) {
    lua_pushvalue(p->L, p->first + p->root);
    if (!wf_pack_value(p) || !run(p)) return false;
  }
  return pack_pending(p);
}

static int refresh(lua_State *L, void *ud) {
  wf_vm *vm = ud;
  lua_pushboolean(L, wf_names_refresh(vm, &vm->codec->names, L));
  vm->codec->modules_changed = false;
  return 1;
}

bool wf_pack_has_news(wf_packer *p) {
  if (p->fresh) return false;
  p->fresh = true;
  if (wf_guard_at_rest(p->vm, p->L, refresh, p->vm, 0, 1) != 0) return wf_pack_no_memory(p);
  bool news = lua_toboolean(p->L, -1) != 0;
  lua_pop(p->L, 1);
  return news;
}

// From the start, as often as modules turn out to be there that were not known: once.
static bool pack(wf_packer *p, int top) {
  if (p->codec->modules_changed) (void)wf_pack_has_news(p);
  do {
    if (p->fresh) wf_scratch_reset(p->s);
    lua_settop(p->L, top);
    lua_pushnil(p->L);
    p->pending = top + 1;
    p->depth = 0;
    p->plain = true;
    p->deep = p->restart = false;
    p->why = NULL;
    if (!p->out_of_memory && pack_all(p)) return true;
  } while (!p->out_of_memory && (p->restart || wf_pack_has_news(p)));
  return false;
}

// More than all frames need at once: three slots each, and what the deepest does beyond; and the
// slots of a C function that is called there (wf_int64_read), so that no stack has to grow then.
enum { STACK = 3 * WF_WIRE_DEPTH + 32 + LUA_MINSTACK };

typedef enum result { PACKED, REFUSED, NO_MEMORY } result;

// Raises only before it has begun. What is refused lies on the stack above `top`, still to be put
// into words.
static result pack_values(wf_packer *p, int top, wf_message *m) {
  wf_codec *codec = p->codec;
  p->s = codec->scratch != NULL ? codec->scratch : wf_scratch_new(&p->vm->rt->mem);
  if (p->s == NULL) return NO_MEMORY;
  codec->scratch = NULL;
  wf_guard_hook hook = wf_guard_lift_hook(p->L);
  bool ok = pack(p, top);
  wf_guard_put_hook_back(p->L, &hook);
  if (ok && !wf_scratch_finish(p->s, p->mem, (uint32_t)p->n, p->plain, m))
    ok = wf_pack_no_memory(p);
  wf_scratch_reset(p->s);
  if (codec->scratch == NULL) {
    wf_scratch_trim(p->s);
    codec->scratch = p->s;
  } else {
    wf_scratch_free(p->s);
  }
  if (p->out_of_memory) return NO_MEMORY;
  return ok ? PACKED : REFUSED;
}

// mem: for the parcel.
static void set_up(wf_packer *p, wf_promotion *promotion, lua_State *L, int first, int n,
                   const wf_mem *mem) {
  memset(p, 0, offsetof(wf_packer, effect));
  luaL_checkstack(L, STACK, "too many values");
  p->vm = promotion->vm;
  p->L = L;
  p->codec = wf_codec_open(p->vm, L);
  p->mem = mem;
  p->promotion = promotion;
  p->first = first;
  p->n = n;
}

static bool pack_shared(wf_vm *vm, lua_State *L, int first, int n, wf_pack_as as, bool commit,
                        const wf_mem *mem, wf_message *m) {
  if (n > UINT16_MAX) luaL_error(L, "too many values");
  int top = lua_gettop(L);
  wf_promotion promotion = {.vm = vm};
  wf_packer p;
  set_up(&p, &promotion, L, first, n, mem);
  p.as = as;
  result packed = pack_values(&p, top, m);
  if (packed != PACKED) {
    wf_promotion_undo(&promotion, L);
    // From here on errors may be raised.
    if (packed == NO_MEMORY) wf_site_raise(L, "not enough memory");
    wf_pack_push_refusal(&p);
    lua_replace(L, top + 1);
    lua_settop(L, top + 1);
    return false;
  }
  lua_settop(L, top);
  if (WF_LIKELY(wf_promotion_finish(&promotion, L, commit))) return true;
  wf_message_free(m);
  if (!promotion.refused) lua_error(L);
  return false;
}

bool wf_codec_pack(wf_vm *vm, lua_State *L, int first, int n, wf_pack_as as, wf_message *m) {
  return wf_pack_inline(L, first, n, m) ||
         wf_codec_pack_into(vm, L, first, n, as, &vm->rt->mem, m);
}

bool wf_codec_pack_into(wf_vm *vm, lua_State *L, int first, int n, wf_pack_as as,
                        const wf_mem *mem, wf_message *m) {
  return pack_shared(vm, L, first, n, as, true, mem, m);
}

bool wf_codec_check(wf_vm *vm, lua_State *L, int first, int n, wf_pack_as as, size_t *weight) {
  wf_message m;
  if (!wf_pack_inline(L, first, n, &m) &&
      !pack_shared(vm, L, first, n, as, false, &vm->rt->mem, &m)) {
    return false;
  }
  *weight = wf_message_weight(&m);
  wf_message_free(&m);
  return true;
}

bool wf_pack_part(wf_promotion *promotion, lua_State *L, int idx, const char *what,
                  wf_message *m) {
  if (wf_pack_inline(L, idx, 1, m)) return true;
  int top = lua_gettop(L);
  wf_packer p;
  set_up(&p, promotion, L, idx, 1, &promotion->vm->rt->mem);
  p.as = WF_PACK_VALUES;
  p.what = what;
  result packed = pack_values(&p, top, m);
  if (packed == NO_MEMORY) wf_site_raise(L, "not enough memory");
  if (packed == REFUSED) {
    wf_pack_push_refusal(&p);
    lua_replace(L, top + 1);
  }
  lua_settop(L, packed == PACKED ? top : top + 1);
  return packed == PACKED;
}
