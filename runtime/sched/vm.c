// SPDX-License-Identifier: MIT
#include "sched/vm.h"

#include <lauxlib.h>
#include <string.h>

#include "sched/runtime.h"

_Thread_local wf_vm *wf_vm_here __attribute__((tls_model("initial-exec")));

void wf_vm_set_ref(wf_vm *vm, lua_State *L, wf_vm_ref ref) {
  if (vm->refs[ref] == LUA_NOREF) {
    vm->refs[ref] = luaL_ref(L, LUA_REGISTRYINDEX);
  } else {
    lua_rawseti(L, LUA_REGISTRYINDEX, vm->refs[ref]);
  }
}

int wf_vm_anchor(wf_vm *vm, lua_State *L) {
  wf_vm_push_ref(vm, L, WF_REF_ANCHORS);
  lua_insert(L, -2);
  int anchor = luaL_ref(L, -2);
  lua_pop(L, 1);
  return anchor;
}

void wf_vm_push_anchor(wf_vm *vm, lua_State *L, int anchor) {
  wf_vm_push_ref(vm, vm->L, WF_REF_ANCHORS);
  lua_rawgeti(vm->L, -1, anchor);
  lua_replace(vm->L, -2);
  lua_xmove(vm->L, L, 1);
}

void wf_vm_drop_anchor(wf_vm *vm, int anchor) {
  wf_vm_push_ref(vm, vm->L, WF_REF_ANCHORS);
  luaL_unref(vm->L, -1, anchor);
  lua_pop(vm->L, 1);
}

int wf_vm_call_protected(wf_vm *vm, lua_CFunction fn, void *arg) {
  bool running = lua_gc(vm->L, LUA_GCISRUNNING, 0) != 0;
  if (running) (void)lua_gc(vm->L, LUA_GCSTOP, 0);
  int status = lua_cpcall(vm->L, fn, arg);
  if (running) (void)lua_gc(vm->L, LUA_GCRESTART, 0);
  return status;
}

// Makes the list of free references of the table at t, so that giving one back never allocates,
// and n of them.
static void make_free_list(lua_State *L, int t, int n) {
  int refs[WF_REFS];
  for (int i = 0; i < n; i++) {
    lua_pushboolean(L, 1);
    refs[i] = luaL_ref(L, t);
  }
  while (n > 0) luaL_unref(L, t, refs[--n]);
}

static int init_protected(lua_State *L) {
  wf_vm *vm = lua_touserdata(L, 1);
  // Where LuaJIT finds no memory for a table that has grown both ways, the registry for one, it
  // forgets integer keys. So there is a place for every reference from the beginning.
  make_free_list(L, LUA_REGISTRYINDEX, WF_REFS);
  vm->L = lua_newthread(L);
  vm->main_ref = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_pushliteral(L, "closed");
  wf_vm_set_ref(vm, L, WF_REF_CLOSED);
  lua_pushliteral(L, "context canceled");
  wf_vm_set_ref(vm, L, WF_REF_CANCELED);
  lua_pushliteral(L, "context deadline exceeded");
  wf_vm_set_ref(vm, L, WF_REF_DEADLINE);
  lua_pushliteral(L,
                  "attempt to yield outside of a coroutine (by a coroutine.yield that was "
                  "kept from before weft was loaded)");
  wf_vm_set_ref(vm, L, WF_REF_STRAY_YIELD);
  lua_createtable(L, 2, 0);
  lua_pushboolean(L, 0);
  lua_rawseti(L, -2, 1);
  wf_vm_set_ref(vm, L, WF_REF_SCOPED);
  lua_newtable(L);
  lua_pushvalue(L, -1);
  wf_vm_set_ref(vm, L, WF_REF_ANCHORS);
  make_free_list(L, lua_gettop(L), 1);
  return 0;
}

void wf_vm_meet_host(wf_vm *vm, lua_State *L) {
  if (vm->host != NULL) return;
  if (lua_pushthread(L) != 0) vm->host = L;
  lua_pop(L, 1);
}

int wf_vm_init(wf_vm *vm, struct wf_runtime *rt, struct wf_worker *worker, lua_State *host) {
  memset(vm, 0, sizeof *vm);
  vm->rt = rt;
  vm->worker = worker;
  vm->main_ref = LUA_NOREF;
  for (size_t i = 0; i < sizeof vm->refs / sizeof vm->refs[0]; i++) vm->refs[i] = LUA_NOREF;
  wf_list_init(&vm->held);
  wf_list_init(&vm->tasks.slabs);
  wf_list_init(&vm->tasks.full_slabs);
  wf_timers_init(&vm->timers, &rt->mem);
  wf_rand_seed(&vm->rand, rt->seed);
  wf_clock_real(&vm->clock);
  vm->now_ns = vm->start_ns = wf_clock_now(&vm->clock);
  wf_vm_meet_host(vm, host);
  if (lua_cpcall(host, init_protected, vm) != 0) {
    lua_pop(host, 1);
    return -1;
  }
  vm->globals = lua_topointer(vm->L, LUA_GLOBALSINDEX);
  return 0;
}

void wf_vm_deinit(wf_vm *vm) {
  wf_timers_free(&vm->timers);
  if (vm->owns_state) return;
  for (size_t i = 0; i < sizeof vm->refs / sizeof vm->refs[0]; i++) {
    luaL_unref(vm->L, LUA_REGISTRYINDEX, vm->refs[i]);
  }
  luaL_unref(vm->L, LUA_REGISTRYINDEX, vm->main_ref);
}
