// SPDX-License-Identifier: MIT
// Module mode: weft in a process whose main loop is somebody else's.
#include <math.h>

#include "lib/arg.h"
#include "lib/lib.h"
#include "sched/runtime.h"
#include "task/main.h"
#include "task/task.h"

static void check_outside(wf_vm *vm, lua_State *L, const char *fname) {
  wf_vm_meet_host(vm, L);
  if (!vm->busy) {
    if (!wf_task_can_run_from(L)) wf_raise(L, "'%s' inside of a finaliser or debug hook", fname);
    return;
  }
  wf_raise(L,
           vm->rt->module_mode
               ? "'%s' inside of a task: weft is running already"
               : "'%s' is for hosts other than weft itself: this is a task already",
           fname);
}

// run(fn, …) -> its results; raises the report of a panic or deadlock
static int l_run(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_arg_function(L, 1, 1, "run");
  check_outside(vm, L, "run");
  wf_end end = wf_main_run(vm, L, 1, true);
  if (end != WF_END_MAIN && end != WF_END_HANDLED) return lua_error(L);
  return lua_gettop(L);
}

// A number of seconds >= 0, or -1 for nil or nothing.
static double opt_seconds(lua_State *L, int idx) {
  if (lua_isnoneornil(L, idx)) return -1;
  double s = wf_arg_seconds(L, idx, idx, "step");
  if (s < 0 || isinf(s)) wf_arg_fail(L, idx, "step", "number of seconds >= 0", idx);
  return s;
}

// step([budget_s[, dt_s]]) -> live tasks, ready tasks, seconds to the next timer or nil
static int l_step(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  double budget_s = opt_seconds(L, 1);
  double dt_s = opt_seconds(L, 2);
  check_outside(vm, L, "step");
  if (budget_s == 0) budget_s = 1e-9;  // one task
  if (wf_main_step(vm, L, budget_s, dt_s) != WF_RUNNING) return lua_error(L);
  lua_pushnumber(L, (lua_Number)vm->stats.tasks);
  lua_pushnumber(L, wf_vm_ready(vm));
  uint64_t next = wf_timers_next(&vm->timers);
  if (next == WF_NEVER) {
    lua_pushnil(L);
    return 3;
  }
  uint64_t now = wf_clock_now(&vm->clock);
  lua_pushnumber(L, next > now ? (double)(next - now) / 1e9 : 0);
  return 3;
}

// fail_to_load(msg): ends the runtime before its script has started
static int l_fail_to_load(lua_State *L) {
  lua_settop(L, 1);
  wf_runtime_end(wf_door_vm(L), L, WF_END_LOAD);
  return 0;
}

static int l_set_reporter(lua_State *L) {
  lua_settop(L, 1);
  wf_vm_set_ref(wf_door_vm(L), L, WF_REF_REPORT);
  return 0;
}

void wf_lib_open_run(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"run", l_run},
                                       {"step", l_step},
                                       {"fail_to_load", l_fail_to_load},
                                       {"set_reporter", l_set_reporter},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
