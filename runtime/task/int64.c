// SPDX-License-Identifier: MIT
#include "task/int64.h"

#include <lauxlib.h>
#include <string.h>

#include "task/guard.h"

enum { ISTYPE = 1 };  // in the table of WF_REF_INT64, and the ctypes after it

static void add_type(lua_State *L, int ffi, const char *name, int at) {
  lua_getfield(L, ffi, "typeof");
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
  lua_rawseti(L, -2, at);
}

// WF_REF_INT64 = {ffi.istype, int64_t, uint64_t}, or false where there is no ffi.
static int open(lua_State *L, void *ud) {
  wf_vm *vm = ud;
  wf_vm_push_ref(vm, L, WF_REF_RAW);
  lua_getfield(L, -1, "require");
  lua_pushliteral(L, "ffi");
  int status = lua_pcall(L, 1, 1, 0);
  // `require` passes errors on as errors of its own.
  const char *said = lua_tostring(L, -1);
  if (status != 0 && said != NULL && strstr(said, "not enough memory") != NULL) {
    return lua_error(L);
  }
  int ffi = lua_gettop(L);
  if (status == 0 && lua_istable(L, ffi)) {
    lua_createtable(L, 3, 0);
    lua_getfield(L, ffi, "istype");
    lua_rawseti(L, -2, ISTYPE);
    add_type(L, ffi, "int64_t", ISTYPE + WF_INT64_SIGNED);
    add_type(L, ffi, "uint64_t", ISTYPE + WF_INT64_UNSIGNED);
  } else {
    lua_pushboolean(L, 0);
  }
  wf_vm_set_ref(vm, L, WF_REF_INT64);
  return 0;
}

wf_int64_type wf_int64_read(wf_vm *vm, lua_State *L, uint64_t *value) {
  int top = lua_gettop(L);
  if (vm->refs[WF_REF_INT64] == LUA_NOREF && wf_guard_at_rest(vm, L, open, vm, 0, 0) != 0) {
    lua_settop(L, top);
    return WF_INT64_NO_MEMORY;
  }
  wf_vm_push_ref(vm, L, WF_REF_INT64);
  wf_int64_type type = lua_istable(L, -1) ? WF_INT64_UNSIGNED : WF_INT64_NONE;
  for (; type != WF_INT64_NONE; type--) {
    lua_rawgeti(L, top + 1, ISTYPE);
    lua_rawgeti(L, top + 1, ISTYPE + (int)type);
    lua_pushvalue(L, top);
    lua_call(L, 2, 1);
    bool is_one = lua_toboolean(L, -1) != 0;
    lua_pop(L, 1);
    if (is_one) break;
  }
  if (type != WF_INT64_NONE) memcpy(value, lua_topointer(L, top), sizeof *value);
  lua_settop(L, top);
  return type;
}

void wf_int64_push(wf_vm *vm, lua_State *L, wf_int64_type type, uint64_t value) {
  if (vm->refs[WF_REF_INT64] == LUA_NOREF && wf_guard(vm, L, open, vm, 0, 0) != 0) lua_error(L);
  wf_vm_push_ref(vm, L, WF_REF_INT64);
  if (!lua_istable(L, -1)) luaL_error(L, "an int64 needs LuaJIT's ffi");
  lua_rawgeti(L, -1, ISTYPE + (int)type);
  lua_remove(L, -2);
  lua_pushinteger(L, 0);
  lua_call(L, 1, 1);
  // A new one, that nobody else has: nothing else lets C set it.
  memcpy((void *)(uintptr_t)lua_topointer(L, -1), &value, sizeof value);
}
