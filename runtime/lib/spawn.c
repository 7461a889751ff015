// SPDX-License-Identifier: MIT
// Isolated tasks: spawn, and the C half of parallel, blocking and on_vm.
#include "task/spawn.h"

#include "lib/arg.h"
#include "lib/lib.h"
#include "task/blocking.h"
#include "task/isolated.h"

// spawn(fn, …)
static int l_spawn(lua_State *L) {
  wf_arg_function(L, 1, 1, "spawn");
  wf_spawn(wf_door_vm(L), L, 1, NULL, "spawn");
  return 0;
}

// spawn_counted(waitgroup, fn, …)
static int l_spawn_counted(lua_State *L) {
  wf_spawn_counted(wf_door_vm(L), L, 1, "spawn");
  return 0;
}

// start_job(future, call, fn, …): its results go to settle_job(future, …)
static int l_start_job(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  const char *call = lua_tostring(L, 2);
  lua_pushvalue(L, 1);
  wf_job *job = wf_job_new(vm, L);
  lua_replace(L, 1);
  wf_spawn(vm, L, 3, job, call);
  return 0;
}

// start_blocking(future, fn, …): the same on a thread of its own
static int l_start_blocking(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_pushvalue(L, 1);
  wf_job *job = wf_job_new(vm, L);
  lua_replace(L, 1);
  wf_blocking_start(vm, L, 2, job);
  return 0;
}

// answer_job(job, ok, …) -> true; false, why a value cannot cross
static int l_answer_job(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_job *job = lua_touserdata(L, 1);
  if (!wf_job_answer(vm, L, job, lua_toboolean(L, 2) != 0, 3)) {
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
  }
  lua_pushboolean(L, 1);
  return 1;
}

// fail_job(job): there is no memory to say why
static int l_fail_job(lua_State *L) {
  wf_job_fail(wf_door_vm(L), lua_touserdata(L, 1));
  return 0;
}

// on_vm(fn)
static int l_on_vm(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_arg_function(L, 1, 1, "on_vm");
  lua_settop(L, 1);
  if (!wf_isolated_open(vm->rt)) luaL_error(L, "not enough memory");
  if (!wf_isolated_add_function(vm, L, 1)) wf_raise(L, "'on_vm': %s", lua_tostring(L, -1));
  return 0;
}

static int l_nworkers(lua_State *L) {
  lua_pushnumber(L, wf_workers_count(wf_door_vm(L)->rt));
  return 1;
}

void wf_lib_open_spawn(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"spawn", l_spawn},
                                       {"spawn_counted", l_spawn_counted},
                                       {"start_job", l_start_job},
                                       {"start_blocking", l_start_blocking},
                                       {"answer_job", l_answer_job},
                                       {"fail_job", l_fail_job},
                                       {"on_vm", l_on_vm},
                                       {"nworkers", l_nworkers},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
