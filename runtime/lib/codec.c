// SPDX-License-Identifier: MIT
#include "task/codec.h"

#include <string.h>

#include "lib/arg.h"
#include "lib/lib.h"
#include "task/record.h"

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

// record_number(name, ...) -> the number of the shape with these names; nothing: there is none
static int l_record_number(lua_State *L) {
  wf_record_shape shape = {.fields = (uint32_t)lua_gettop(L)};
  if (shape.fields == 0 || shape.fields > WF_RECORD_FIELDS) return 0;
  for (uint32_t i = 0; i < shape.fields; i++) {
    size_t size;
    const char *name = lua_tolstring(L, (int)i + 1, &size);
    if (name == NULL || size >= WF_RECORD_NAME || strlen(name) != size) return 0;
    memcpy(shape.names[i], name, size);
  }
  uint32_t number = wf_record_number(&shape);
  if (number == 0) return 0;
  lua_pushinteger(L, (lua_Integer)number);
  return 1;
}

// record_names(number) -> name, ...; nothing: no shape has the number
static int l_record_names(lua_State *L) {
  const wf_record_shape *shape = wf_record_shape_at((uint32_t)lua_tointeger(L, 1));
  if (shape == NULL) return 0;
  for (uint32_t i = 0; i < shape->fields; i++) lua_pushstring(L, shape->names[i]);
  return (int)shape->fields;
}

// named_values() -> what crosses by name, value -> name
static int l_named_values(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  (void)wf_codec_open(vm, L);
  wf_vm_push_ref(vm, L, WF_REF_NAMES);
  return 1;
}

void wf_lib_open_codec(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"check", l_check},
                                       {"register", l_register},
                                       {"modules_changed", l_modules_changed},
                                       {"record_number", l_record_number},
                                       {"record_names", l_record_names},
                                       {"named_values", l_named_values},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
