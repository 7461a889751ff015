// SPDX-License-Identifier: MIT
#include "task/isolated.h"

#include <lauxlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/lock.h"
#include "task/codec.h"
#include "task/site.h"

typedef struct on_vm {
  struct on_vm *next;
  wf_message function;
} on_vm;

typedef struct wf_isolated {
  wf_lock lock;
  wf_atomic_u64 version;  // of the paths; read without the lock to see whether there is news
  char *paths[2];         // path, cpath; NULL: never set
  on_vm *first, **last;   // only ever grows
} wf_isolated;

static const char *const names[2] = {"path", "cpath"};
static const wf_vm_ref seen[2] = {WF_REF_PATH, WF_REF_CPATH};

bool wf_isolated_open(wf_runtime *rt) {
  if (rt->isolated != NULL) return true;
  wf_isolated *is = wf_mem_new(&rt->mem, sizeof *is);
  if (is == NULL) return false;
  wf_lock_init(&is->lock, WF_RANK_LEAF);
  wf_u64_init(&is->version, 0);
  is->last = &is->first;
  rt->isolated = is;
  return true;
}

static void free_text(wf_mem *mem, char *text) {
  if (text != NULL) wf_mem_free(mem, text, strlen(text) + 1);
}

void wf_isolated_close(wf_runtime *rt) {
  wf_isolated *is = rt->isolated;
  if (is == NULL) return;
  while (is->first != NULL) {
    on_vm *entry = is->first;
    is->first = entry->next;
    wf_message_free(&entry->function);
    wf_mem_free(&rt->mem, entry, sizeof *entry);
  }
  for (int i = 0; i < 2; i++) free_text(&rt->mem, is->paths[i]);
  wf_lock_close(&is->lock);
  wf_mem_free(&rt->mem, is, sizeof *is);
  rt->isolated = NULL;
}

// Pushes the package library, or what stands in its place.
static void push_package(lua_State *L) {
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  lua_getfield(L, -1, "package");
  lua_replace(L, -2);
}

static char *copy(wf_mem *mem, const char *text) {
  size_t n = strlen(text) + 1;
  char *mine = wf_mem_new(mem, n);
  if (mine != NULL) memcpy(mine, text, n);
  return mine;
}

// Keeps a copy of the path on top of the stack.
static void note(wf_vm *vm, lua_State *L, int i) {
  wf_isolated *is = vm->rt->isolated;
  char *mine = copy(&vm->rt->mem, lua_tostring(L, -1));
  if (mine == NULL) wf_site_raise(L, "not enough memory");
  wf_lock_acquire(&is->lock);
  char *old = is->paths[i];
  is->paths[i] = mine;
  wf_u64_add(&is->version, 1, WF_RELEASE);
  wf_lock_release(&is->lock);
  free_text(&vm->rt->mem, old);
  lua_pushvalue(L, -1);
  wf_vm_set_ref(vm, L, seen[i]);
}

// The main VM's count: others have theirs from there. Strings are the same when their addresses
// are, and the last ones are kept: for that no character has to be looked at.
void wf_isolated_note_paths(wf_vm *vm, lua_State *L) {
  if (vm != &vm->rt->vm) return;
  if (vm->refs[WF_REF_PACKAGE] == LUA_NOREF) {
    push_package(L);
    wf_vm_set_ref(vm, L, WF_REF_PACKAGE);
  }
  int top = lua_gettop(L);
  wf_vm_push_ref(vm, L, WF_REF_PACKAGE);
  for (int i = 0; i < 2 && lua_istable(L, top + 1); i++) {
    lua_pushstring(L, names[i]);
    lua_rawget(L, top + 1);
    wf_vm_push_ref(vm, L, seen[i]);
    bool same = lua_rawequal(L, -1, -2) != 0;
    lua_pop(L, 1);
    if (!same && lua_type(L, -1) == LUA_TSTRING) note(vm, L, i);
  }
  lua_settop(L, top);
}

// Copies a path as it is now; NULL: there is none, or no memory.
static char *path_now(wf_vm *vm, int i) {
  wf_isolated *is = vm->rt->isolated;
  wf_lock_acquire(&is->lock);
  char *mine = is->paths[i] != NULL ? copy(&vm->rt->mem, is->paths[i]) : NULL;
  wf_lock_release(&is->lock);
  return mine;
}

void wf_isolated_follow_paths(wf_vm *vm, lua_State *L) {
  uint64_t version = wf_u64_load(&vm->rt->isolated->version, WF_ACQUIRE);
  if (version == vm->paths_version) return;
  int top = lua_gettop(L);
  for (int i = 0; i < 2; i++) {
    char *path = path_now(vm, i);
    if (path == NULL) continue;
    push_package(L);
    lua_pushstring(L, path);
    free_text(&vm->rt->mem, path);
    if (lua_istable(L, top + 1)) lua_setfield(L, top + 1, names[i]);
    lua_settop(L, top);
  }
  vm->paths_version = version;
}

bool wf_isolated_add_function(wf_vm *vm, lua_State *L, int idx) {
  wf_isolated *is = vm->rt->isolated;
  wf_message m;
  if (!wf_codec_pack(vm, L, idx, 1, WF_PACK_VM, &m)) return false;
  on_vm *entry = wf_mem_new(&vm->rt->mem, sizeof *entry);
  if (entry == NULL) {
    wf_message_free(&m);
    wf_site_raise(L, "not enough memory");
  }
  entry->function = m;
  wf_lock_acquire(&is->lock);
  *is->last = entry;
  is->last = &entry->next;
  wf_lock_release(&is->lock);
  return true;
}

static on_vm *after(wf_isolated *is, const on_vm *entry) {
  wf_lock_acquire(&is->lock);
  on_vm *next = entry != NULL ? entry->next : is->first;
  wf_lock_release(&is->lock);
  return next;
}

// Makes the environment of the function on top, which has come in a message, let through to the
// VM's globals: what it brings along and is not there yet, and what is assigned in it.
static void open_env(wf_vm *vm, lua_State *L) {
  int function = lua_gettop(L), env = function + 1, globals = function + 2;
  lua_getfenv(L, function);
  lua_pushvalue(vm->L, LUA_GLOBALSINDEX);
  lua_xmove(vm->L, L, 1);
  wf_vm_push_ref(vm, L, WF_REF_TASK_ENV_MT);
  // One that goes by name has an environment that is somebody's.
  if (lua_getmetatable(L, env) && lua_rawequal(L, -1, -2)) {
    for (lua_pushnil(L); lua_next(L, env) != 0; lua_pop(L, 1)) {
      lua_pushvalue(L, -2);
      lua_rawget(L, globals);
      bool is_there = !lua_isnil(L, -1);
      lua_pop(L, 1);
      if (is_there) continue;
      lua_pushvalue(L, -2);
      lua_insert(L, -2);
      lua_rawset(L, globals);
      lua_pushvalue(L, -1);
      lua_pushnil(L);
      lua_rawset(L, env);
      lua_pushnil(L);  // for the value
    }
    lua_createtable(L, 0, 2);
    lua_pushvalue(L, globals);
    lua_setfield(L, -2, "__index");
    lua_pushvalue(L, globals);
    lua_setfield(L, -2, "__newindex");
    lua_setmetatable(L, env);
  }
  lua_settop(L, function);
}

void wf_isolated_run_functions(wf_vm *vm, lua_State *L) {
  wf_isolated *is = vm->rt->isolated;
  for (on_vm *entry = after(is, NULL); entry != NULL; entry = after(is, entry)) {
    if (!wf_codec_unpack(vm, L, &entry->function)) lua_error(L);
    open_env(vm, L);
    lua_call(L, 0, 0);
  }
}
