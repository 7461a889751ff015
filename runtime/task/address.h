// SPDX-License-Identifier: MIT
// An address as a value of Lua where nothing may be raised: a light userdata may need memory, as
// LuaJIT keeps a list of the upper bits that it has seen. A number has room for all addresses.
#ifndef WF_TASK_ADDRESS_H
#define WF_TASK_ADDRESS_H

#include <lua.h>
#include <stdint.h>

static inline void wf_address_push(lua_State *L, const void *address) {
  lua_pushnumber(L, (lua_Number)(uintptr_t)address);
}

static inline void *wf_address_at(lua_State *L, int idx) {
  return (void *)(uintptr_t)lua_tonumber(L, idx);
}

#endif
