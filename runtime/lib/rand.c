// SPDX-License-Identifier: MIT
// The VM's generator for Lua: choices that differ from one run to the next, but follow --seed.
// math.random does not do: it gives every process the same, and is the script's to seed.
#include "base/rand.h"

#include "lib/arg.h"
#include "lib/lib.h"

// random() -> a number in [0, 1)
static int l_random(lua_State *L) {
  lua_pushnumber(L, (double)wf_rand_next(&wf_door_vm(L)->rand) / 4294967296.0);
  return 1;
}

void wf_lib_open_rand(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"random", l_random}, {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
