// SPDX-License-Identifier: MIT
#include "sched/heap.h"

#include "base/size.h"

enum { LEAST_KB = WF_SIZE(1536, 0), USUAL = 200 };

static void set_pause(wf_vm *vm, lua_State *L, int percent) {
  (void)lua_gc(L, LUA_GCSETPAUSE, percent);
  vm->gc_pause = percent;
}

// On L lies the metatable of such userdata; leaves a new one above it.
static void push_sentinel(lua_State *L) {
  (void)lua_newuserdata(L, 1);
  lua_pushvalue(L, -2);
  lua_setmetatable(L, -2);
}

static int cycle_ends(lua_State *L) {
  wf_vm *vm = lua_touserdata(L, lua_upvalueindex(1));
  if (vm->closing || vm->orphaned) return 0;
  int before = lua_gc(L, LUA_GCSETPAUSE, USUAL);
  if (before != vm->gc_pause) {
    (void)lua_gc(L, LUA_GCSETPAUSE, before);
    return 0;
  }
  vm->gc_pause = USUAL;  // should there be no memory for the next one
  lua_getmetatable(L, 1);
  push_sentinel(L);
  int kb = lua_gc(L, LUA_GCCOUNT, 0);
  int percent = kb > 0 ? (int)(LEAST_KB * 100.0 / kb) : USUAL;
  set_pause(vm, L, percent < USUAL ? USUAL : percent);
  return 0;
}

void wf_heap_open(wf_vm *vm, lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushlightuserdata(L, vm);
  lua_pushcclosure(L, cycle_ends, 1);
  lua_setfield(L, -2, "__gc");
  push_sentinel(L);
  lua_pop(L, 2);
  set_pause(vm, L, USUAL);
}
