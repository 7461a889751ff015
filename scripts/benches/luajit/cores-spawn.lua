-- SPDX-License-Identifier: MIT
-- What stands for an isolated task in LuaJIT alone: a Lua state of its own for each.
local ffi = require "ffi"

ffi.cdef [[
typedef struct lua_State lua_State;
lua_State *luaL_newstate(void);
void luaL_openlibs(lua_State *L);
int luaL_loadbuffer(lua_State *L, const char *code, size_t size, const char *name);
void lua_pushnumber(lua_State *L, double n);
int lua_pcall(lua_State *L, int nargs, int nresults, int handler);
double lua_tonumber(lua_State *L, int index);
void lua_close(lua_State *L);
]]

local C = ffi.C
local TOP = -1

local code = string.dump(function(i) return i end)

local function run(i)
  local L = C.luaL_newstate()
  C.luaL_openlibs(L)
  assert(C.luaL_loadbuffer(L, code, #code, "=task") == 0)
  C.lua_pushnumber(L, i)
  assert(C.lua_pcall(L, 1, 1, 0) == 0)
  local result = C.lua_tonumber(L, TOP)
  C.lua_close(L)
  return result
end

local function pass(n)
  local sum = 0
  for i = 1, n do sum = sum + run(i) end
  return sum
end

return { pass = pass }
