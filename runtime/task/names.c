// SPDX-License-Identifier: MIT
#include "task/names.h"

#include <lauxlib.h>
#include <string.h>

#include "task/site.h"

// The libraries whose functions are standard.
static const char *const libraries[] = {"coroutine", "table", "io",  "os",  "string",
                                        "math",      "debug", "bit", "jit", "package"};

static void note(wf_names *names, lua_State *L, int idx) {
  uint64_t h = (uint64_t)(uintptr_t)lua_topointer(L, idx) * 0x9e3779b97f4a7c15U >> 52;
  names->bits[h / 64] |= (uint64_t)1 << h % 64;
}

static bool is_own_function(lua_State *L, int idx) {
  lua_Debug ar;
  lua_pushvalue(L, idx);
  return lua_getinfo(L, ">S", &ar) != 0 && wf_site_is_own(&ar);
}

// C functions, and those of weft's own that take the place of one.
static bool goes_by_name(lua_State *L, int idx) {
  return lua_iscfunction(L, idx) || (lua_isfunction(L, idx) && is_own_function(L, idx));
}

// names[value at idx] = the string on top, which is popped; and back, when `both`. The first name
// stays.
static void bind(wf_names *names, lua_State *L, int table, int idx, bool both) {
  lua_pushvalue(L, idx);
  lua_rawget(L, table);
  bool known = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if (!known) {
    note(names, L, idx);
    lua_pushvalue(L, idx);
    lua_pushvalue(L, -2);
    lua_rawset(L, table);
  }
  if (both) {
    lua_pushvalue(L, -1);
    lua_pushvalue(L, idx);
    lua_rawset(L, table);
  }
  lua_pop(L, 1);
}

// The functions and streams of the library on top of the stack (of `package` the tables too), and
// the library itself.
static void add_library(wf_names *names, lua_State *L, int table, const char *name) {
  int library = lua_gettop(L);
  lua_pushfstring(L, "S%s", name);
  bind(names, L, table, library, true);
  for (lua_pushnil(L); lua_next(L, library) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) continue;
    bool table_of_package = strcmp(name, "package") == 0 && lua_istable(L, -1);
    if (!goes_by_name(L, -1) && !lua_isuserdata(L, -1) && !table_of_package) continue;
    lua_pushfstring(L, "S%s.%s", name, lua_tostring(L, -2));
    bind(names, L, table, library + 2, true);
  }
}

static void add_standard(wf_vm *vm, wf_names *names, lua_State *L, int table) {
  wf_vm_push_ref(vm, L, WF_REF_ENV);
  int env = lua_gettop(L);
  for (lua_pushnil(L); lua_next(L, env) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING || !lua_iscfunction(L, -1)) continue;
    lua_pushfstring(L, "S%s", lua_tostring(L, -2));
    bind(names, L, table, env + 2, true);
  }
  for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
    lua_getfield(L, env, libraries[i]);
    if (lua_istable(L, -1)) add_library(names, L, table, libraries[i]);
    lua_settop(L, env);
  }
  // What weft has put in place of LuaJIT's own.
  wf_vm_push_ref(vm, L, WF_REF_RAW);
  lua_getfield(L, -1, "require");
  lua_pushliteral(L, "Srequire");
  bind(names, L, table, env + 2, true);
  lua_pop(L, 1);
  lua_pushliteral(L, "R");
  bind(names, L, table, env + 1, true);
  lua_settop(L, env);
  // The VM's own, which a task need not see as its globals.
  lua_pushvalue(vm->L, LUA_GLOBALSINDEX);
  lua_xmove(vm->L, L, 1);
  lua_pushliteral(L, "S_G");
  bind(names, L, table, env + 1, true);
  lua_getfield(L, env + 1, "dofile");
  if (goes_by_name(L, -1)) {
    lua_pushliteral(L, "Sdofile");
    bind(names, L, table, env + 2, true);
  }
  lua_settop(L, env);
  wf_vm_push_ref(vm, L, WF_REF_DEFAULT);
  lua_pushliteral(L, "Sweft.default");
  bind(names, L, table, env + 1, true);
}

void wf_names_open(wf_vm *vm, wf_names *names, lua_State *L) {
  int top = lua_gettop(L);
  lua_createtable(L, 0, 512);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  add_standard(vm, names, L, top + 1);
  lua_settop(L, top + 1);
  wf_vm_set_ref(vm, L, WF_REF_NAMES);
  lua_newtable(L);
  wf_vm_set_ref(vm, L, WF_REF_TYPES);
  (void)wf_names_refresh(vm, names, L);
}

static void push_loaded(lua_State *L) { lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED"); }

static bool add_module(wf_names *names, lua_State *L, int table, int name, int value) {
  if (!lua_istable(L, value) && !lua_isfunction(L, value)) return false;
  lua_pushvalue(L, value);
  lua_rawget(L, table);
  bool known = !lua_isnil(L, -1);
  lua_pop(L, 1);
  if (known) return false;
  lua_pushfstring(L, "M%s", lua_tostring(L, name));
  bind(names, L, table, value, false);
  if (strcmp(lua_tostring(L, name), "ffi") != 0 || !lua_istable(L, value)) return true;
  lua_getfield(L, value, "C");
  lua_pushlstring(L, "Fffi\0C", 6);
  if (lua_isuserdata(L, -2)) bind(names, L, table, lua_gettop(L) - 1, false);
  lua_settop(L, value);
  return true;
}

bool wf_names_refresh(wf_vm *vm, wf_names *names, lua_State *L) {
  int top = lua_gettop(L);
  bool found = false;
  wf_vm_push_ref(vm, L, WF_REF_NAMES);
  push_loaded(L);
  if (lua_istable(L, -1)) {
    for (lua_pushnil(L); lua_next(L, top + 2) != 0; lua_pop(L, 1)) {
      if (lua_type(L, -2) == LUA_TSTRING) {
        found |= add_module(names, L, top + 1, top + 3, top + 4);
      }
    }
  }
  lua_settop(L, top);
  return found;
}

// Whether package.loaded still says so of the value at idx.
static bool is_still_module(lua_State *L, const char *name, int idx) {
  push_loaded(L);
  bool same = false;
  if (lua_istable(L, -1)) {
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    same = lua_rawequal(L, -1, idx) != 0;
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return same;
}

bool wf_names_push(wf_vm *vm, const wf_names *names, lua_State *L, int idx) {
  const void *address = lua_topointer(L, idx);
  if (address == NULL) address = lua_touserdata(L, idx);
  if (WF_LIKELY(!wf_names_may_have(names, address))) return false;
  wf_vm_push_ref(vm, L, WF_REF_NAMES);
  lua_pushvalue(L, idx);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  const char *name = lua_tostring(L, -1);
  if (name != NULL && (name[0] != 'M' || is_still_module(L, name + 1, idx))) return true;
  lua_pop(L, 1);
  return false;
}

// The field of the table at `table` that is the value at idx; its key is left on the stack.
static bool find_field(lua_State *L, int table, int idx) {
  for (lua_pushnil(L); lua_next(L, table) != 0; lua_pop(L, 1)) {
    if (lua_type(L, -2) == LUA_TSTRING && lua_rawequal(L, -1, idx)) {
      lua_pop(L, 1);
      return true;
    }
  }
  return false;
}

static bool search_raw(wf_vm *vm, wf_names *names, lua_State *L, int table, int idx) {
  wf_vm_push_ref(vm, L, WF_REF_RAW);
  if (!find_field(L, lua_gettop(L), idx)) return false;
  lua_pushfstring(L, "R%s", lua_tostring(L, -1));
  bind(names, L, table, idx, false);
  return true;
}

bool wf_names_search(wf_vm *vm, wf_names *names, lua_State *L, int idx) {
  int top = lua_gettop(L);
  bool found = false;
  if (!goes_by_name(L, idx)) return false;
  wf_vm_push_ref(vm, L, WF_REF_NAMES);
  push_loaded(L);
  if (lua_istable(L, -1)) {
    for (lua_pushnil(L); !found && lua_next(L, top + 2) != 0; lua_settop(L, top + 3)) {
      if (lua_type(L, -2) != LUA_TSTRING || !lua_istable(L, -1)) continue;
      if (!find_field(L, top + 4, idx)) continue;
      lua_pushfstring(L, "F%s", lua_tostring(L, top + 3));
      lua_pushlstring(L, "\0", 1);
      lua_pushvalue(L, top + 5);
      lua_concat(L, 3);
      bind(names, L, top + 1, idx, false);
      found = true;
    }
  }
  lua_settop(L, top + 1);
  if (!found) found = search_raw(vm, names, L, top + 1, idx);
  lua_settop(L, top);
  return found;
}

// Pushes what package.loaded has of that name, or what `require` gives.
static void push_module(wf_vm *vm, lua_State *L, const char *name) {
  push_loaded(L);
  if (lua_istable(L, -1)) {
    lua_pushstring(L, name);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (lua_toboolean(L, -1)) return;
  }
  lua_pop(L, 1);
  wf_vm_push_ref(vm, L, WF_REF_RAW);
  lua_getfield(L, -1, "require");
  lua_remove(L, -2);
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
}

static void push_field(wf_vm *vm, lua_State *L, const char *module, const char *field) {
  push_module(vm, L, module);
  if (lua_istable(L, -1)) {
    lua_pushstring(L, field);
    lua_rawget(L, -2);
    lua_remove(L, -2);
    if (!lua_isnil(L, -1)) return;
  }
  luaL_error(L, "module '%s' has no '%s' here", module, field);
}

static void push_standard(wf_vm *vm, lua_State *L, const char *name) {
  wf_vm_push_ref(vm, L, WF_REF_NAMES);
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (lua_isnil(L, -1)) luaL_error(L, "there is no '%s' here", name + 1);
}

void wf_names_resolve(wf_vm *vm, lua_State *L, const char *name, size_t length) {
  // A Lua string ends with a zero.
  lua_pushlstring(L, name, length);
  int at = lua_gettop(L);
  name = lua_tostring(L, at);
  if (name[0] == 'M') {
    push_module(vm, L, name + 1);
  } else if (name[0] == 'F') {
    const char *end = memchr(name, '\0', length);
    push_field(vm, L, name + 1, end != NULL ? end + 1 : "");
  } else if (name[0] == 'R' && length > 1) {
    wf_vm_push_ref(vm, L, WF_REF_RAW);
    lua_getfield(L, -1, name + 1);
  } else {
    push_standard(vm, L, name);
  }
  lua_replace(L, at);
  lua_settop(L, at);
}

bool wf_names_register(wf_vm *vm, lua_State *L, const char *name, int mt) {
  int top = lua_gettop(L);
  wf_vm_push_ref(vm, L, WF_REF_TYPES);
  lua_pushstring(L, name);
  lua_rawget(L, top + 1);
  if (lua_istable(L, -1)) {
    lua_rawgeti(L, -1, 1);
    lua_rawgeti(L, -2, 2);
    // A module that is loaded again brings a new metatable.
    bool same = lua_rawequal(L, -2, mt) != 0;
    bool again = !lua_isnil(L, -1) && lua_rawequal(L, -1, mt + 1) != 0;
    if (!same && !again) {
      lua_settop(L, top);
      return false;
    }
  }
  lua_settop(L, top + 1);
  lua_createtable(L, 3, 0);  // {metatable, module, name}
  lua_pushvalue(L, mt);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, mt + 1);
  lua_rawseti(L, -2, 2);
  lua_pushstring(L, name);
  lua_rawseti(L, -2, 3);
  lua_pushvalue(L, mt);
  lua_pushvalue(L, -2);
  lua_rawset(L, top + 1);
  lua_pushstring(L, name);
  lua_insert(L, -2);
  lua_rawset(L, top + 1);
  lua_settop(L, top);
  return true;
}

bool wf_names_push_type(wf_vm *vm, lua_State *L, int idx) {
  wf_vm_push_ref(vm, L, WF_REF_TYPES);
  lua_pushvalue(L, idx);
  lua_rawget(L, -2);
  if (!lua_istable(L, -1)) {
    lua_pop(L, 2);
    return false;
  }
  lua_rawgeti(L, -1, 3);
  lua_rawgeti(L, -2, 2);
  lua_replace(L, -4);
  lua_replace(L, -2);
  lua_insert(L, -2);
  return true;
}

static bool find_type(wf_vm *vm, lua_State *L, const char *name) {
  wf_vm_push_ref(vm, L, WF_REF_TYPES);
  lua_pushstring(L, name);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  if (!lua_istable(L, -1)) {
    lua_pop(L, 1);
    return false;
  }
  lua_rawgeti(L, -1, 1);
  lua_remove(L, -2);
  return true;
}

void wf_names_resolve_type(wf_vm *vm, lua_State *L, const char *name, const char *module) {
  if (find_type(vm, L, name)) return;
  if (module == NULL) {
    luaL_error(L,
               "type '%s' is not registered here (weft.register's third argument names the "
               "module that does it)",
               name);
  }
  push_module(vm, L, module);
  lua_pop(L, 1);
  if (!find_type(vm, L, name)) {
    luaL_error(L, "module '%s' has not registered the type '%s'", module, name);
  }
}
