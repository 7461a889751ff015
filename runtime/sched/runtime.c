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

void wf_runtime_fail(wf_runtime *rt, lua_State *L) {
  if (!lua_isstring(L, -1)) {
    lua_pop(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->oom_ref);
  }
  wf_runtime_end(rt, L, WF_END_PANIC);
}
