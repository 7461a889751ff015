// SPDX-License-Identifier: MIT
#include "task/codec.h"

#include "lib/arg.h"
#include "lib/lib.h"

// check(fn, ...) -> true, bytes; nil, why not
static int l_check(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_arg_function(L, 1, 1, "check");
  size_t weight;
  if (!wf_codec_check(vm, L, 1, lua_gettop(L), WF_PACK_CALL, &weight)) {
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
  }
  lua_pushboolean(L, 1);
  lua_pushnumber(L, (double)weight);
  return 2;
}

// register(name, metatable[, module])
static int l_register(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  if (lua_type(L, 1) != LUA_TSTRING) wf_arg_fail(L, 1, "register", "string", 1);
  if (!lua_istable(L, 2)) wf_arg_fail(L, 2, "register", "metatable", 2);
  if (!lua_isnoneornil(L, 3) && lua_type(L, 3) != LUA_TSTRING) {
    wf_arg_fail(L, 3, "register", "name of a module", 3);
  }
  lua_settop(L, 3);
  (void)wf_codec_open(vm, L);
  if (!wf_names_register(vm, L, lua_tostring(L, 1), 2)) {
    wf_raise(L, "'register': the name '%s' is another metatable's", lua_tostring(L, 1));
  }
  return 0;
}

// modules_changed(): what goes by name has to be looked at anew
static int l_modules_changed(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  if (vm->codec != NULL) vm->codec->modules_changed = true;
  return 0;
}

void wf_lib_open_codec(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"check", l_check},
                                       {"register", l_register},
                                       {"modules_changed", l_modules_changed},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
