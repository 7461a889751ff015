// SPDX-License-Identifier: MIT
#include "lib/lib.h"

#include <string.h>

#include "base/embedded.h"
#include "lib/arg.h"
#include "sched/runtime.h"
#include "task/guard.h"
#include "task/obj.h"
#include "task/site.h"

void wf_lib_add_address(lua_State *L, const char *name, void (*fn)(void)) {
  lua_pushlightuserdata(L, (void *)(uintptr_t)fn);
  lua_setfield(L, -2, name);
}

void wf_lib_add(wf_vm *vm, lua_State *L, const luaL_Reg *functions) {
  for (; functions->name != NULL; functions++) {
    lua_pushlightuserdata(L, vm);
    lua_pushcclosure(L, functions->func, 1);
    lua_setfield(L, -2, functions->name);
  }
}

// Pushes the chunk of an embedded module.
static void push_chunk(wf_vm *vm, lua_State *L, const char *name) {
  for (const struct wf_embedded *m = wf_embedded; m->name != NULL; m++) {
    if (strcmp(m->name, name) != 0) continue;
    lua_pushfstring(L, "=[%s]", name);
    if (luaL_loadbuffer(L, m->data, m->size, lua_tostring(L, -1)) != 0) lua_error(L);
    lua_remove(L, -2);
    wf_vm_push_ref(vm, L, WF_REF_ENV);
    lua_setfenv(L, -2);
    return;
  }
  luaL_error(L, "weft has no module '%s'", name);
}

// package.preload's function of a module: runs the chunk with its name and the raw table.
static int l_load(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  const char *name = luaL_checkstring(L, 1);
  push_chunk(vm, L, name);
  lua_pushvalue(L, 1);
  wf_vm_push_ref(vm, L, WF_REF_RAW);
  lua_call(L, 2, 1);
  return 1;
}

// import(name): an inner module, kept in the raw table; scripts cannot `require` it.
static int l_import(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  const char *name = luaL_checkstring(L, 1);
  wf_vm_push_ref(vm, L, WF_REF_RAW);
  lua_pushfstring(L, "module %s", name);
  lua_pushvalue(L, -1);
  lua_rawget(L, 2);
  if (!lua_isnil(L, -1)) return 1;
  lua_pop(L, 1);
  lua_pushfstring(L, "weft.internal.%s", name);
  push_chunk(vm, L, lua_tostring(L, -1));
  lua_insert(L, -2);
  lua_pushvalue(L, 2);
  lua_call(L, 2, 1);
  lua_pushvalue(L, -1);
  lua_insert(L, -3);
  lua_rawset(L, 2);
  return 1;
}

static bool is_inner(const char *name) {
  return strncmp(name, "weft.internal.", sizeof "weft.internal." - 1) == 0;
}

static void add_preloads(wf_vm *vm, lua_State *L) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "preload");
  for (const struct wf_embedded *m = wf_embedded; m->name != NULL; m++) {
    if (is_inner(m->name)) continue;
    lua_pushlightuserdata(L, vm);
    lua_pushcclosure(L, l_load, 1);
    lua_setfield(L, -2, m->name);
  }
  lua_pop(L, 2);
}

// Scripts may replace or remove globals; weft's own modules, some of which load late, go on with
// what was there at the start.
static void keep_globals(wf_vm *vm, lua_State *L) {
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, LUA_GLOBALSINDEX) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
  wf_vm_set_ref(vm, L, WF_REF_ENV);
}

void wf_lib_open(wf_vm *vm, lua_State *L) {
  keep_globals(vm, L);
  wf_sites_open(vm, L);
  wf_guard_open(vm, L);
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, wf_obj_gc);
  lua_setfield(L, -2, "__gc");
  lua_pushliteral(L, "weft");
  lua_setfield(L, -2, "__metatable");
  wf_vm_set_ref(vm, L, WF_REF_PROXY_MT);
  lua_createtable(L, 0, 64);
  wf_lib_open_task(vm, L);
  wf_lib_open_report(vm, L);
  wf_lib_open_run(vm, L);
  wf_lib_open_chan(vm, L);
  wf_lib_open_select(vm, L);
  wf_lib_open_context(vm, L);
  wf_lib_open_face(vm, L);
  wf_lib_open_scope(vm, L);
  wf_lib_open_time(vm, L);
  wf_lib_open_queue(vm, L);
  wf_lib_open_sync(vm, L);
  wf_lib_open_compiled(vm, L);
  wf_lib_open_value(vm, L);
  wf_lib_open_coroutine(vm, L);
  wf_lib_open_preempt(vm, L);
  wf_lib_open_codec(vm, L);
  wf_lib_open_spawn(vm, L);
  wf_lib_open_call(vm, L);
  wf_lib_open_fs(vm, L);
  wf_lib_open_signal(vm, L);
  wf_lib_open_process(vm, L);
  wf_lib_open_watch(vm, L);
  wf_lib_open_rand(vm, L);
  wf_lib_open_stream(vm, L);
  wf_lib_open_net(vm, L);
  wf_lib_open_udp(vm, L);
  static const luaL_Reg functions[] = {{"import", l_import}, {NULL, NULL}};
  wf_lib_add(vm, L, functions);
  lua_pushstring(L, WEFT_VERSION);
  lua_setfield(L, -2, "version");
  lua_pushvalue(L, -1);
  wf_vm_set_ref(vm, L, WF_REF_RAW);
  add_preloads(vm, L);
  lua_getfield(L, -1, "import");
  lua_pushliteral(L, "boot");
  lua_call(L, 1, 0);
  lua_pop(L, 1);
}
