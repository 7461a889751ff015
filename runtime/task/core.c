// SPDX-License-Identifier: MIT
// Orders: a reference is taken relaxed, by somebody who has one already. One that is given back is
// a release, and the last one an acquire of all of those: whoever frees the core sees what the
// others have done to it.
#include "task/core.h"

#include <lauxlib.h>
#include <string.h>

#include "base/check.h"
#include "task/address.h"
#include "task/cycles.h"
#include "task/obj.h"

wf_core *wf_core_new(const wf_mem *mem, const wf_core_kind *kind) {
  wf_mem m = *mem;
  wf_core *core = wf_mem_new(&m, kind->size);
  if (core == NULL) return NULL;
  core->kind = kind;
  core->mem = m;
  wf_u64_init(&core->refs, 1);
  wf_u64_init(&core->uses, 0);
  wf_lock_init(&core->lock, WF_RANK_OBJECT);
  return core;
}

void wf_core_ref(wf_core *core) { wf_u64_add(&core->refs, 1, WF_RELAXED); }

bool wf_core_ref_living(wf_core *core) {
  uint64_t refs = wf_u64_load(&core->refs, WF_RELAXED);
  while (refs != 0) {
    if (wf_u64_cas(&core->refs, &refs, refs + 1, WF_RELAXED)) return true;
  }
  return false;
}

static void free_label(wf_core *core, char *label) {
  if (label != NULL) wf_mem_free(&core->mem, label, strlen(label) + 1);
}

static void destroy(wf_core *core) {
  wf_cycles_remove(core);
  core->kind->empty(core);
  free_label(core, core->label);
  wf_lock_close(&core->lock);
  wf_mem mem = core->mem;
  wf_mem_free(&mem, core, core->kind->size);
}

// A channel may hold the last reference to another one, and so on, as deep as one likes: who is
// already busy with the dead only adds to its list.
void wf_core_unref(wf_core *core) {
  static _Thread_local wf_core *dead;
  static _Thread_local bool busy;
  if (wf_u64_fetch_sub(&core->refs, 1, WF_ACQ_REL) != 1) return;
  core->next = dead;
  dead = core;
  if (busy) return;
  busy = true;
  while ((core = dead) != NULL) {
    dead = core->next;
    destroy(core);
  }
  busy = false;
}

static bool copy_text(wf_mem *mem, const char *text, char **copy) {
  *copy = NULL;
  if (text == NULL) return true;
  size_t size = strlen(text) + 1;
  *copy = wf_mem_new(mem, size);
  if (*copy != NULL) memcpy(*copy, text, size);
  return *copy != NULL;
}

bool wf_core_set_label(wf_core *core, const char *label) {
  char *copy;
  if (!copy_text(&core->mem, label, &copy)) return false;
  wf_lock_acquire(&core->lock);
  char *before = core->label;
  core->label = copy;
  wf_lock_release(&core->lock);
  free_label(core, before);
  return true;
}

bool wf_core_copy_label(wf_core *core, wf_obj *stub) {
  wf_lock_acquire(&core->lock);
  bool ok = copy_text(wf_obj_mem(stub), core->label, &stub->label);
  wf_lock_release(&core->lock);
  return ok;
}

// Known proxies that are tables have the userdata in them beside themselves. A table that goes may
// be referred to by something with a finaliser that goes as well: then the collector keeps it in
// weak tables until that has run, and soon finalises the userdata, which would end what a script
// has just been given. A userdata about to be finalised is taken out at once.
static void push_key_beside(lua_State *L, const wf_core *core) {
  wf_address_push(L, (const char *)core + 1);  // no core's address
}

static void set_known(lua_State *L, int proxies, int idx) {
  lua_pushvalue(L, idx);
  lua_rawset(L, proxies);
}

void wf_core_remember(wf_vm *vm, lua_State *L, const wf_core *core, int idx) {
  if (vm->refs[WF_REF_PROXIES] == LUA_NOREF) {
    lua_newtable(L);
    lua_createtable(L, 0, 1);
    lua_pushliteral(L, "v");
    lua_setfield(L, -2, "__mode");
    lua_setmetatable(L, -2);
    wf_vm_set_ref(vm, L, WF_REF_PROXIES);
  }
  int top = lua_gettop(L);
  wf_vm_push_ref(vm, L, WF_REF_PROXIES);
  if (lua_istable(L, idx)) {
    lua_rawgeti(L, idx, 0);
    push_key_beside(L, core);
    set_known(L, top + 1, top + 2);
  }
  wf_address_push(L, core);
  set_known(L, top + 1, idx);
  lua_settop(L, top);
}

// Whether the table on top, known in the one at `proxies`, is about to go.
static bool is_going(lua_State *L, int proxies, const wf_core *core) {
  if (!lua_istable(L, -1)) return false;
  push_key_beside(L, core);
  lua_rawget(L, proxies);
  bool going = lua_isnil(L, -1);
  lua_pop(L, 1);
  return going;
}

void wf_core_push_known(wf_vm *vm, lua_State *L, const wf_core *core) {
  int top = lua_gettop(L);
  if (vm->refs[WF_REF_PROXIES] != LUA_NOREF) {
    wf_vm_push_ref(vm, L, WF_REF_PROXIES);
    wf_address_push(L, core);
    lua_rawget(L, -2);
    // The address may have been another core's before.
    const wf_obj *obj = lua_isnil(L, -1) ? NULL : wf_obj_any(L, lua_gettop(L));
    if (obj != NULL && obj->core == core && !is_going(L, top + 1, core)) {
      lua_replace(L, top + 1);
      return;
    }
    lua_settop(L, top);
  }
  lua_pushnil(L);
}

bool wf_core_is_known(wf_vm *vm, lua_State *L, const wf_core *core, int idx) {
  int top = lua_gettop(L);
  wf_core_push_known(vm, L, core);
  bool known = lua_rawequal(L, idx < 0 ? top + 1 + idx : idx, -1) != 0;
  lua_settop(L, top);
  return known;
}

// What is there can be taken out without memory.
static void take_out(lua_State *L, int proxies) {
  lua_pushvalue(L, -1);
  lua_rawget(L, proxies);
  bool there = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if (there) {
    lua_pushnil(L);
    lua_rawset(L, proxies);
  } else {
    lua_pop(L, 1);
  }
}

void wf_core_forget(wf_vm *vm, lua_State *L, const wf_core *core) {
  if (vm->refs[WF_REF_PROXIES] == LUA_NOREF) return;
  int top = lua_gettop(L);
  wf_vm_push_ref(vm, L, WF_REF_PROXIES);
  wf_address_push(L, core);
  take_out(L, top + 1);
  push_key_beside(L, core);
  take_out(L, top + 1);
  lua_settop(L, top);
}

void wf_core_push(wf_vm *vm, lua_State *L, wf_core *core) {
  wf_core_push_known(vm, L, core);
  if (!lua_isnil(L, -1)) return;
  lua_pop(L, 1);
  core->kind->push(vm, L, core);
  wf_core_remember(vm, L, core, lua_gettop(L));
}

void wf_core_push_ref_of(wf_vm *vm, lua_State *L, wf_vm_ref ref, const char *module) {
  if (vm->refs[ref] == LUA_NOREF) {
    wf_vm_push_ref(vm, L, WF_REF_RAW);
    lua_getfield(L, -1, "require");
    lua_pushstring(L, module);
    lua_call(L, 1, 0);
    lua_pop(L, 1);
  }
  wf_vm_push_ref(vm, L, ref);
}
