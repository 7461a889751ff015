// SPDX-License-Identifier: MIT
#include "task/guard.h"

#include "task/address.h"

typedef struct call {
  wf_guard_fn fn;
  void *ud;
} call;

static int run(lua_State *L) {
  const call *c = wf_address_at(L, 1);
  return c->fn(L, c->ud);
}

void wf_guard_open(wf_vm *vm, lua_State *L) {
  lua_pushcfunction(L, run);
  wf_vm_set_ref(vm, L, WF_REF_GUARD);
}

int wf_guard(wf_vm *vm, lua_State *L, wf_guard_fn fn, void *ud, int nargs, int nresults) {
  call c = {.fn = fn, .ud = ud};
  int first = lua_gettop(L) - nargs + 1;
  wf_vm_push_ref(vm, L, WF_REF_GUARD);
  if (nargs > 0) lua_insert(L, first);
  wf_address_push(L, &c);
  if (nargs > 0) lua_insert(L, first + 1);
  return lua_pcall(L, nargs + 1, nresults, 0);
}

int wf_guard_at_rest(wf_vm *vm, lua_State *L, wf_guard_fn fn, void *ud, int nargs, int nresults) {
  bool running = lua_gc(L, LUA_GCISRUNNING, 0) != 0;
  if (running) (void)lua_gc(L, LUA_GCSTOP, 0);
  int status = wf_guard(vm, L, fn, ud, nargs, nresults);
  if (running) (void)lua_gc(L, LUA_GCRESTART, 0);
  return status;
}

wf_guard_hook wf_guard_lift_hook(lua_State *L) {
  wf_guard_hook hook = {.mask = lua_gethookmask(L)};
  if ((hook.mask & (LUA_MASKCALL | LUA_MASKRET)) == 0) return hook;
  hook.fn = lua_gethook(L);
  hook.count = lua_gethookcount(L);
  (void)lua_sethook(L, NULL, 0, 0);
  return hook;
}

void wf_guard_put_hook_back(lua_State *L, const wf_guard_hook *hook) {
  if (hook->fn != NULL) (void)lua_sethook(L, hook->fn, hook->mask, hook->count);
}
