// SPDX-License-Identifier: MIT
// Packing functions: by name, or their code, the values of their upvalues and of the globals that
// they read. Symbols: wf_pack
#include <lauxlib.h>
#include <stdio.h>
#include <string.h>

#include "task/guard.h"
#include "task/obj.h"
#include "task/pack.h"
#include "task/site.h"

const char wf_pack_has_effect[] = "has an effect";

static int search(lua_State *L, void *ud) {
  wf_vm *vm = ud;
  (void)wf_names_search(vm, &vm->codec->names, L, 2);
  return 0;
}

// Whether the function on top has a name, which is pushed; looks through all modules when `far`.
static bool push_name(wf_packer *p, bool far) {
  lua_State *L = p->L;
  if (far) {
    lua_pushvalue(L, -1);
    if (wf_guard_at_rest(p->vm, L, search, p->vm, 1, 0) != 0) return wf_pack_no_memory(p);
  }
  return wf_names_push(p->vm, &p->codec->names, L, lua_gettop(L));
}

static bool is_own(lua_State *L) {
  lua_Debug ar;
  lua_pushvalue(L, -1);
  return lua_getinfo(L, ">S", &ar) != 0 && wf_site_is_own(&ar);
}

// Effects --------------------------------------------------------------------------------------

typedef struct effect_job {
  wf_packer *p;
  const wf_code *code;
  bool found;
} effect_job;

static void push_globals(wf_vm *vm, lua_State *L) {
  lua_pushvalue(vm->L, LUA_GLOBALSINDEX);
  lua_xmove(vm->L, L, 1);
}

// With a metatable on top: pushes its __index, or nil. (Asked for by name, it would be a string to
// make, and that can start the collector.)
static void push_index(lua_State *L) {
  for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || strcmp(lua_tostring(L, -2), "__index") != 0) continue;
    lua_remove(L, -2);
    return;
  }
  lua_pushnil(L);
}

enum { INDEX_CHAIN = 100 };  // as long as LuaJIT follows one

// With the key on top and the environment at `env`: pushes the value, along the tables that stand
// behind the environment. An __index that is a function stands for one that leads to the globals.
static void push_global(wf_packer *p, lua_State *L, int env) {
  bool more = true;
  lua_pushvalue(L, env);
  for (int i = 0; i < INDEX_CHAIN; i++) {
    lua_pushvalue(L, -2);
    lua_rawget(L, -2);
    if (!lua_isnil(L, -1) || !more || !lua_getmetatable(L, -2)) {
      lua_remove(L, -2);
      return;
    }
    push_index(L);
    lua_replace(L, -4);
    lua_pop(L, 2);
    if (lua_isnil(L, -1)) return;
    if (lua_istable(L, -1)) continue;
    more = false;
    lua_pop(L, 1);
    push_globals(p->vm, L);
  }
  lua_pop(L, 1);
  lua_pushnil(L);
}

// Pushes the value of the function's variable (the function is at 2, its environment at 3).
static void push_variable(effect_job *job, lua_State *L, const wf_variable *v) {
  if (v->kind == WF_UPVALUE) {
    if (lua_getupvalue(L, 2, (int)v->index + 1) == NULL) lua_pushnil(L);
    return;
  }
  lua_pushlstring(L, job->code->dump + v->at, v->length);
  push_global(job->p, L, 3);
  lua_remove(L, -2);
}

static bool is_named(effect_job *job, lua_State *L, int idx, const char *name, size_t length) {
  if (!wf_names_push(job->p->vm, &job->p->codec->names, L, idx)) return false;
  bool same = strncmp(lua_tostring(L, -1), name, length) == 0;
  lua_pop(L, 1);
  return same;
}

// Whether only a copy of the variable's table would arrive. What is not there yet is no table of
// the VM's own either.
static bool is_copied(effect_job *job, lua_State *L, const wf_variable *v) {
  push_variable(job, L, v);
  int idx = lua_gettop(L);
  bool copied = lua_istable(L, idx) || (lua_isnil(L, idx) && v->kind == WF_UPVALUE);
  if (lua_istable(L, idx)) {
    copied = !is_named(job, L, idx, "", 0) && wf_obj_any(L, idx) == NULL;
  }
  lua_pop(L, 1);
  return copied;
}

static bool is_table_function(effect_job *job, lua_State *L, const wf_effect *e) {
  push_variable(job, L, &e->callee);
  int idx = lua_gettop(L);
  static const char library[] = "Stable", *const functions[] = {"insert", "remove", "sort"};
  bool is = e->field != 0 && is_named(job, L, idx, library, sizeof library);
  for (size_t i = 0; i < 3 && e->field == 0 && !is; i++) {
    char name[16];
    int length = snprintf(name, sizeof name, "%s.%s", library, functions[i]);
    is = is_named(job, L, idx, name, (size_t)length + 1);
  }
  lua_pop(L, 1);
  return is;
}

static void tell(effect_job *job, lua_State *L, const wf_effect *e) {
  wf_packer *p = job->p;
  const wf_variable *v = &e->variable;
  p->effect = *e;
  job->found = true;
  if (v->kind == WF_GLOBAL) {
    (void)snprintf(p->variable, sizeof p->variable, "global '%.*s'", (int)v->length,
                   job->code->dump + v->at);
    return;
  }
  const char *name = lua_getupvalue(L, 2, (int)v->index + 1);
  if (name != NULL && name[0] != '\0') {
    (void)snprintf(p->variable, sizeof p->variable, "captured variable '%s'", name);
  } else {
    (void)snprintf(p->variable, sizeof p->variable, "captured variable %u", v->index + 1);
  }
}

static int find_effect(lua_State *L, void *ud) {
  effect_job *job = ud;
  lua_getfenv(L, 2);
  for (uint32_t i = 0; i < job->code->neffects && !job->found; i++) {
    const wf_effect *e = &job->code->effects[i];
    bool of_vm = e->kind == WF_ASSIGNS && e->variable.kind == WF_GLOBAL;
    if (of_vm && job->p->as == WF_PACK_VM) continue;
    if (e->kind == WF_MAY_PASS && !is_table_function(job, L, e)) continue;
    if (e->kind == WF_ASSIGNS || is_copied(job, L, &e->variable)) tell(job, L, e);
  }
  return 0;
}

// Refuses the function on top when nobody could see what it does.
static bool check_effects(wf_packer *p, const wf_code *code) {
  if (!wf_pack_is_call(p) || code->neffects == 0 || is_own(p->L)) return true;
  effect_job job = {.p = p, .code = code};
  lua_pushvalue(p->L, -1);
  if (wf_guard_at_rest(p->vm, p->L, find_effect, &job, 1, 0) != 0) return wf_pack_no_memory(p);
  return !job.found || wf_pack_refuse(p, wf_pack_has_effect);
}

// The function ---------------------------------------------------------------------------------

static bool put_code(wf_packer *p, wf_code *code) {
  wf_scratch *s = p->s;
  wf_seen *seen = wf_scratch_see(s, code, WF_SEEN_CODE);
  if (seen == NULL) return wf_pack_no_memory(p);
  if (seen->value == UINT64_MAX) {
    wf_code **place = wf_vec_add(s->mem, &s->codes, sizeof *place);
    if (place == NULL) return wf_pack_no_memory(p);
    *place = code;
    wf_code_ref(code);
    seen->value = s->codes.size / sizeof *place - 1;
  }
  return wf_pack_uleb(p, seen->value);
}

// Flags, and the number of the environment that the function on top has.
static bool put_env(wf_packer *p) {
  lua_State *L = p->L;
  lua_getfenv(L, -1);
  const void *env = lua_topointer(L, -1);
  lua_pop(L, 1);
  if (env == p->codec->own_env) return wf_pack_tag(p, WF_WIRE_OWN_ENV) && wf_pack_uleb(p, 0);
  wf_seen *seen = wf_scratch_see(p->s, env, WF_SEEN_ENV);
  if (seen == NULL) return wf_pack_no_memory(p);
  if (seen->value == UINT64_MAX) seen->value = p->s->nenvs++;
  return wf_pack_tag(p, 0) && wf_pack_uleb(p, seen->value);
}

// The code of the function on top, which is not known; NULL: p says why not.
static wf_code *code_of(wf_packer *p) {
  wf_code *code = NULL;
  // A function that has not crossed before may be of a module that has been loaded since.
  if (wf_pack_has_news(p)) {
    p->restart = true;
    return NULL;
  }
  if (!p->out_of_memory) {
    code = wf_closure_code(p->vm, &p->codec->closures, p->L, lua_gettop(p->L));
  }
  if (code == NULL) (void)wf_pack_no_memory(p);
  return code;
}

// What stands behind the tag of a function: the number of its code, flags, the number of its
// environment. The code is counted since it was put there; asked for anew it might be another one,
// which nobody counts when the cache lets it go.
typedef struct head {
  wf_code *code;
  uint8_t *flags;
  uint32_t env;
} head;

static uint64_t read_uleb(uint8_t **at) {
  uint64_t v = 0;
  for (uint32_t shift = 0;; shift += 7) {
    uint8_t b = *(*at)++;
    v |= (uint64_t)(b & 0x7f) << shift;
    if (b < 0x80) return v;
  }
}

static head head_of(const wf_packer *p, uint64_t number) {
  size_t place;
  memcpy(&place, p->s->places.data + number * sizeof place, sizeof place);
  uint8_t *at = p->s->bytes.data + place + 1;
  wf_code *const *codes = (wf_code *const *)(const void *)p->s->codes.data;
  head h = {.code = codes[read_uleb(&at)]};
  h.flags = at++;
  h.env = (uint32_t)read_uleb(&at);
  return h;
}

bool wf_pack_open_function(wf_packer *p, uint64_t number) {
  lua_State *L = p->L;
  head h = head_of(p, number);
  wf_pack_frame *f = wf_pack_push_frame(p, number);
  f->is_function = true;
  f->code = h.code;
  f->env = h.env;
  lua_getfenv(L, f->slot);
  if ((*h.flags & WF_WIRE_OWN_ENV) != 0 || h.code->nglobals == 0) {
    f->global = UINT32_MAX;
    lua_pushnil(L);
    return true;
  }
  return wf_closure_push_names(p->vm, &p->codec->closures, L, h.code) || wf_pack_no_memory(p);
}

// Else `code` is that of a function that has crossed before, or NULL.
static bool wanted_by_name(wf_packer *p, wf_code **code, bool *ok) {
  *ok = true;
  if (push_name(p, false)) return true;
  if (lua_iscfunction(p->L, -1)) {
    if (push_name(p, true)) return true;
    *ok = wf_pack_refuse(p, "C function that is in no module");
    return false;
  }
  *code = wf_closure_known(p->vm, &p->codec->closures, p->L, lua_gettop(p->L));
  return *code == NULL && is_own(p->L) && push_name(p, true);
}

bool wf_pack_function(wf_packer *p) {
  lua_State *L = p->L;
  bool ok, is_later = p->depth == WF_WIRE_DEPTH;
  wf_code *code = NULL;
  if (lua_iscfunction(L, -1) && wf_pack_face(p, &ok)) return ok;
  if (wanted_by_name(p, &code, &ok)) return wf_pack_name(p);
  if (code == NULL && ok) code = code_of(p);
  if (code == NULL) return false;
  if (!check_effects(p, code)) return false;
  uint64_t number;
  wf_pack_met met = wf_pack_meet(p, lua_topointer(L, -1), &number);
  if (met != WF_PACK_NEW) return met == WF_PACK_SEEN;
  p->plain = false;
  uint32_t tag = WF_WIRE_FUNCTION | (is_later ? WF_WIRE_LATER | WF_WIRE_KEPT : 0);
  if (!wf_pack_tag(p, tag) || !put_code(p, code) || !put_env(p)) return false;
  return is_later ? wf_pack_later(p, number) : wf_pack_open_function(p, number);
}

// Upvalue n (from 1) of the function: where it was seen before, or its value.
static bool pack_upvalue(wf_packer *p, wf_pack_frame *f, int n) {
  lua_State *L = p->L;
  wf_seen *seen = wf_scratch_see(p->s, lua_upvalueid(L, f->slot, n), WF_SEEN_UPVALUE);
  if (seen == NULL) return wf_pack_no_memory(p);
  if (seen->value != UINT64_MAX) {
    uint64_t number = seen->value >> 8;
    wf_pack_keep(p, number);
    // Of what a started function brings along nothing assigns an upvalue: no matter there.
    if (!wf_pack_is_call(p)) {
      *head_of(p, number).flags |= WF_WIRE_SHARES;
      *head_of(p, f->number).flags |= WF_WIRE_SHARES;
    }
    return wf_pack_tag(p, WF_WIRE_CELL) && wf_pack_uleb(p, number) &&
           wf_pack_uleb(p, seen->value & 0xff);
  }
  seen->value = f->number << 8 | (uint64_t)(n - 1);
  (void)lua_getupvalue(L, f->slot, n);
  return wf_pack_value(p);
}

// Whether the value on top is what the other side has under the name below it.
static bool is_standard(wf_packer *p) {
  lua_State *L = p->L;
  if (lua_type(L, -1) < LUA_TTABLE) return false;
  if (!wf_names_push(p->vm, &p->codec->names, L, lua_gettop(L))) return false;
  const char *name = lua_tostring(L, -1);
  bool same = name[0] == 'S' && strcmp(name + 1, lua_tostring(L, -3)) == 0;
  lua_pop(L, 1);
  return same;
}

static bool pack_global(wf_packer *p, wf_pack_frame *f, int n) {
  lua_State *L = p->L;
  lua_rawgeti(L, f->slot + 2, n);
  wf_seen *seen = wf_scratch_see(p->s, lua_tostring(L, -1), WF_SEEN_GLOBAL + f->env);
  if (seen == NULL) return wf_pack_no_memory(p);
  push_global(p, L, f->slot + 1);
  if (seen->value != UINT64_MAX || lua_isnil(L, -1) || is_standard(p)) {
    lua_pop(L, 2);
    return true;
  }
  seen->value = 0;
  if (!wf_pack_string(p, -2)) return false;
  lua_remove(L, -2);
  return wf_pack_value(p);
}

bool wf_pack_function_step(wf_packer *p, wf_pack_frame *f) {
  int depth = p->depth;
  while (f->upvalue < f->code->nupvalues) {
    if (!pack_upvalue(p, f, (int)++f->upvalue)) return false;
    if (p->depth != depth) return true;
  }
  while (f->global < f->code->nglobals) {
    if (!pack_global(p, f, (int)++f->global)) return false;
    if (p->depth != depth) return true;
  }
  lua_settop(p->L, f->slot - 1);
  p->depth--;
  return wf_pack_tag(p, WF_WIRE_END);
}
