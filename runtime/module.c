// SPDX-License-Identifier: MIT
// Module mode: `require "weft"` in any LuaJIT process. The runtime is made when the first of
// weft's modules is required and goes with the Lua state, or with its last object when finalisers
// run in an order in which that comes later. Its memory is not Lua's: threads may use it still.
#include <lauxlib.h>

#include "api.h"

static const char registry_key;

// __gc of what `release` leaves behind: all other finalisers have run, so that nobody calls weft
// any more. Threads that have not ended keep the memory for themselves.
static int free_runtime(lua_State *L) {
  weft *w = *(weft **)lua_touserdata(L, 1);
  if (w->rt.vm.objects != 0) {
    w->free_with_objects = true;
  } else if (!w->stuck) {
    wf_mem mem = w->rt.mem;
    wf_mem_free(&mem, w, sizeof *w);
  }
  return 0;
}

// Pushes a userdata with w and that finaliser.
static void push_owner(lua_State *L, weft *w, lua_CFunction finaliser) {
  weft **owner = lua_newuserdata(L, sizeof(weft *));
  *owner = w;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, finaliser);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
}

// __gc of the runtime: the state is being closed. The memory stays until all finalisers have run:
// older ones may still call functions of weft. What is made in a finaliser is finalised after all
// those that were there before.
static int release(lua_State *L) {
  weft *w = *(weft **)lua_touserdata(L, 1);
  if (w == NULL || w->rt.vm.orphaned) return 0;
  wf_api_let_go(w);
  w->rt.vm.orphaned = true;
  if (w->rt.vm.objects == 0) wf_api_free(w);
  push_owner(L, w, free_runtime);
  return 0;
}

static void attach(lua_State *L) {
  push_owner(L, NULL, release);
  weft **owner = lua_touserdata(L, -1);
  lua_pushlightuserdata(L, (void *)(uintptr_t)&registry_key);
  lua_insert(L, -2);
  lua_rawset(L, LUA_REGISTRYINDEX);
  weft_config config = {0};
  wf_mem mem = {.fn = wf_mem_default};
  weft *w = wf_mem_new(&mem, sizeof *w);
  if (w != NULL) {
    wf_api_init(w, &config);
    w->rt.module_mode = true;
    if (wf_api_attach(w, L) == WEFT_OK) {
      w->rt.vm.owns_state = true;  // its references go with the state
      *owner = w;
      return;
    }
  }
  bool words = w != NULL && w->error[0] != '\0';
  lua_pushfstring(L, "weft: %s", words ? w->error : "not enough memory");
  if (w != NULL) {
    wf_api_free(w);
    wf_mem_free(&mem, w, sizeof *w);
  }
  lua_pushlightuserdata(L, (void *)(uintptr_t)&registry_key);
  lua_pushnil(L);
  lua_rawset(L, LUA_REGISTRYINDEX);
  lua_error(L);
}

static int open_module(lua_State *L, const char *name) {
  lua_pushlightuserdata(L, (void *)(uintptr_t)&registry_key);
  lua_rawget(L, LUA_REGISTRYINDEX);
  bool attached = lua_isuserdata(L, -1) != 0;
  lua_pop(L, 1);
  if (!attached) attach(L);
  // Straight from the preload table: `require` has marked this name as being loaded.
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  lua_getfield(L, -1, name);
  lua_pushstring(L, name);
  lua_call(L, 1, 1);
  return 1;
}

int luaopen_weft(lua_State *L) { return open_module(L, "weft"); }

// `require "weft.time"` before `require "weft"` finds these in the same file.
#define MODULE(name)                              \
  WEFT_API int luaopen_weft_##name(lua_State *L); \
  int luaopen_weft_##name(lua_State *L) { return open_module(L, "weft." #name); }

MODULE(time)
MODULE(context)
MODULE(sync)
MODULE(errgroup)
MODULE(singleflight)
MODULE(rate)
MODULE(retry)
MODULE(pipeline)
MODULE(broadcast)
MODULE(supervisor)
MODULE(net)
MODULE(fs)
MODULE(process)
MODULE(signal)
