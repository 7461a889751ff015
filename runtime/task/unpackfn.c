// SPDX-License-Identifier: MIT
// Reading functions: closures made again, with environments of the message's own.
// Symbols: wf_unpack
#include "task/unpack.h"

static void push_new_env(wf_unpacker *r) {
  lua_newtable(r->L);
  wf_vm_push_ref(r->vm, r->L, WF_REF_TASK_ENV_MT);
  lua_setmetatable(r->L, -2);
  lua_pushvalue(r->L, -1);
}

// Pushes the environment of that number, which counts from 0.
static void push_env(wf_unpacker *r, uint64_t n) {
  lua_State *L = r->L;
  if (n >= INT32_MAX) wf_unpack_malformed(r);
  if (n == 0) {
    lua_pushvalue(L, r->env);
  } else {
    wf_unpack_need_table(L, r->envs);
    lua_rawgeti(L, r->envs, (int)n);
  }
  if (!lua_isnil(L, -1)) return;
  lua_pop(L, 1);
  push_new_env(r);
  if (n == 0) {
    lua_replace(L, r->env);
  } else {
    lua_rawseti(L, r->envs, (int)n);
  }
}

void wf_unpack_open_function(wf_unpacker *r, int nupvalues) {
  wf_unpack_frame *f =
      wf_unpack_push_frame(r, nupvalues > 0 ? WF_UNPACK_UPVALUES : WF_UNPACK_NAME);
  f->nupvalues = nupvalues;
  lua_getfenv(r->L, f->slot);
}

bool wf_unpack_function(wf_unpacker *r, uint8_t tag) {
  lua_State *L = r->L;
  uint32_t i = wf_unpack_below(r, r->m->parcel != NULL ? r->m->parcel->ncodes : 0);
  wf_code *code = r->m->parcel->codes[i];
  uint8_t flags = wf_unpack_byte(r);
  uint64_t env = wf_unpack_uleb(r);
  wf_closure_push(r->vm, &r->vm->codec->closures, L, code, (flags & WF_WIRE_SHARES) != 0);
  if ((flags & WF_WIRE_OWN_ENV) != 0) {
    wf_vm_push_ref(r->vm, L, WF_REF_ENV);
  } else {
    push_env(r, env);
  }
  lua_setfenv(L, -2);
  wf_unpack_number_it(r, tag);
  if ((tag & WF_WIRE_LATER) != 0) return false;
  wf_unpack_open_function(r, code->nupvalues);
  return true;
}

void wf_unpack_join(wf_unpacker *r, wf_unpack_frame *f) {
  lua_State *L = r->L;
  wf_unpack_push_kept(r);
  int up = (int)wf_unpack_below(r, 256) + 1;
  if (!lua_isfunction(L, -1) || lua_iscfunction(L, -1)) wf_unpack_malformed(r);
  // Nothing but this says how many there are; lua_upvalueid does not look.
  if (lua_getupvalue(L, -1, up) == NULL) wf_unpack_malformed(r);
  lua_pop(L, 1);
  lua_upvaluejoin(L, f->slot, f->next, lua_gettop(L), up);
  lua_pop(L, 1);
}
