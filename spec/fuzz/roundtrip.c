// SPDX-License-Identifier: MIT
// libFuzzer: the input tells how to build Lua values, with cycles, sharing, functions and what
// else there is. They go to another VM and back, and must be the same.
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>

#include "../c/two_vms.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static weft *a, *b;
static unsigned int runs;

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  a = two_vms_open(NULL);
  b = two_vms_open(NULL);
  two_vms_connect(a, b);
  static const char register_type[] =
      "package.preload.types = function()\n"
      "  local T = {}\n"
      "  require 'weft'.register('T', T, 'types')\n"
      "  return T\n"
      "end\n"
      "return (require 'types')";
  lua_State *A = weft_lua(a);
  if (luaL_dostring(weft_lua(b), register_type) != 0 || luaL_dostring(A, register_type) != 0 ||
      luaL_dofile(A, "spec/fuzz/roundtrip.lua") != 0) {
    (void)fprintf(stderr, "%s\n", lua_tostring(A, -1));
    abort();
  }
  lua_settop(A, 0);
  lua_settop(weft_lua(b), 0);
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  lua_State *A = weft_lua(a);
  lua_getglobal(A, "roundtrip");
  lua_pushlstring(A, (const char *)data, size);
  if (lua_pcall(A, 1, 0, 0) != 0) {
    (void)fprintf(stderr, "%s\n", lua_tostring(A, -1));
    abort();
  }
  lua_settop(A, 0);
  if (++runs % 256 == 0) {
    (void)lua_gc(A, LUA_GCCOLLECT, 0);
    (void)lua_gc(weft_lua(b), LUA_GCCOLLECT, 0);
  }
  return 0;
}
