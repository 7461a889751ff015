// SPDX-License-Identifier: MIT
#include "sched/runtime.h"

#include <lauxlib.h>

void wf_runtime_end(wf_runtime *rt, lua_State *L, wf_end end) {
  rt->vm.stop = true;
  if (rt->end != WF_RUNNING) {
    lua_pop(L, 1);
    return;
  }
  rt->end = end;
  lua_rawseti(L, LUA_REGISTRYINDEX, rt->panic_ref);
}

static int keep_words(lua_State *L) {
  const wf_runtime *rt = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, rt->panic_ref);
  lua_pushfstring(L, "panic: %s\n", lua_tostring(L, -1));
  lua_rawseti(L, LUA_REGISTRYINDEX, rt->panic_ref);
  return 0;
}

void wf_runtime_fail(wf_vm *vm) {
  wf_runtime *rt = vm->rt;
  lua_State *L = vm->L;
  bool has_words = lua_type(L, -1) == LUA_TSTRING && rt->end == WF_RUNNING;
  if (!has_words) {
    lua_pop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->oom_ref);
  }
  wf_runtime_end(rt, L, WF_END_PANIC);
  if (has_words && wf_vm_call_protected(vm, keep_words, rt) != 0) {
    lua_pop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->oom_ref);
    lua_rawseti(L, LUA_REGISTRYINDEX, rt->panic_ref);
  }
}
