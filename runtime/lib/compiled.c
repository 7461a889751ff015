// SPDX-License-Identifier: MIT
#include "conc/compiled.h"

#include <string.h>

#include "lib/lib.h"

enum { EXCHANGED = 4 };  // upvalues: a function, the number of an upvalue, two values for it

// What LuaJIT tells of traces: gives each of the functions the second value when one begins to be
// recorded, else the first. It allocates nothing.
static int on_trace(lua_State *L) {
  const char *event = lua_tostring(L, 1);
  int which = event != NULL && strcmp(event, "start") == 0 ? 3 : 2;
  for (int i = 1; !lua_isnone(L, lua_upvalueindex(i)); i += EXCHANGED) {
    int number = (int)lua_tointeger(L, lua_upvalueindex(i + 1));
    lua_pushvalue(L, lua_upvalueindex(i + which));
    (void)lua_setupvalue(L, lua_upvalueindex(i), number);
  }
  return 0;
}

// exchanger(function, number, plain, compiled, …): what to attach (lua/weft/internal/compiled.lua)
static int l_exchanger(lua_State *L) {
  lua_pushcclosure(L, on_trace, lua_gettop(L));
  return 1;
}

void wf_lib_open_compiled(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"exchanger", l_exchanger}, {NULL, NULL}};
  wf_lib_add(vm, L, functions);
  wf_lib_add_address(L, "send_now_address", (void (*)(void))wf_compiled_send);
  wf_lib_add_address(L, "recv_now_address", (void (*)(void))wf_compiled_recv);
  wf_lib_add_address(L, "take_address", (void (*)(void))wf_compiled_take);
  wf_lib_add_address(L, "give_address", (void (*)(void))wf_compiled_give);
  wf_lib_add_address(L, "add_address", (void (*)(void))wf_compiled_add);
  wf_lib_add_address(L, "word_load_address", (void (*)(void))wf_compiled_word_load);
  wf_lib_add_address(L, "word_swap_address", (void (*)(void))wf_compiled_word_swap);
  wf_lib_add_address(L, "word_add_address", (void (*)(void))wf_compiled_word_add);
  wf_lib_add_address(L, "word_cas_address", (void (*)(void))wf_compiled_word_cas);
}
