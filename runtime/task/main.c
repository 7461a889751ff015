// SPDX-License-Identifier: MIT
#include "task/main.h"

#include <lauxlib.h>

#include "base/check.h"
#include "sched/worker.h"
#include "task/preempt.h"
#include "task/site.h"
#include "task/task.h"

bool wf_main_busy(const wf_vm *vm) { return vm->busy; }

static void begin(wf_vm *vm) {
  vm->busy = true;
  vm->stop = vm->main_failed = false;
  vm->rt->end = WF_RUNNING;
  if (vm->rt->preempt_all) wf_preempt_start(vm);
  wf_monitor_want(vm->rt);
  wf_monitor_enter(vm->worker);
}

static void end(wf_vm *vm) {
  wf_monitor_leave(vm->worker);
  vm->busy = false;
}

typedef struct report_call {
  wf_vm *vm;
  const char *kind;
  int text;  // registry reference, LUA_NOREF: there is nothing to report
} report_call;

static int make_report(lua_State *L) {
  report_call *call = lua_touserdata(L, 1);
  wf_vm_push_ref(call->vm, L, WF_REF_REPORT);
  lua_pushstring(L, call->kind);
  lua_call(L, 1, 1);
  if (lua_isstring(L, -1)) call->text = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

// Asks lua/weft/internal/report.lua for a report. 0, and when there is any it is on vm->L; or a
// status, and the error is there.
static int push_report(wf_vm *vm, const char *kind, bool *any) {
  report_call call = {.vm = vm, .kind = kind, .text = LUA_NOREF};
  int status = wf_vm_call_protected(vm, make_report, &call);
  *any = status == 0 && call.text != LUA_NOREF;
  if (!*any) return status;
  lua_rawgeti(vm->L, LUA_REGISTRYINDEX, call.text);
  luaL_unref(vm->L, LUA_REGISTRYINDEX, call.text);
  return 0;
}

// Makes a report the text of the runtime's end, if there is one; true then.
static bool end_report(wf_vm *vm, const char *kind) {
  bool any = false;
  if (push_report(vm, kind, &any) != 0) {
    wf_runtime_fail(vm);
    return true;
  }
  if (any) lua_rawseti(vm->L, LUA_REGISTRYINDEX, vm->rt->panic_ref);
  return any;
}

void wf_main_report(wf_vm *vm, const char *kind, void (*use)(void *ud, const char *text),
                    void *ud) {
  bool any = false;
  if (push_report(vm, kind, &any) != 0) {
    use(ud, "weft: not enough memory for a report\n");
  } else if (any) {
    use(ud, lua_tostring(vm->L, -1));
  } else {
    return;
  }
  lua_pop(vm->L, 1);
}

static int collect(lua_State *L) {
  (void)lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}

// Says which tasks nothing could have woken, and what the end of main has cut off.
static void warn(wf_vm *vm) {
  const wf_runtime *rt = vm->rt;
  if (rt->warn_leaks) {
    // A finaliser that fails would have done so unheard at the end of the state.
    if (lua_cpcall(vm->L, collect, NULL) != 0) lua_pop(vm->L, 1);
    wf_main_report(vm, "leaks", rt->log, rt->log_ud);
  }
  if (rt->warn_pending) wf_main_report(vm, "pending", rt->log, rt->log_ud);
}

// The main task has returned: its results go to L. False when they are too many.
static bool move_results(lua_State *L, wf_task *task) {
  int n = lua_gettop(task->co);
  if (lua_checkstack(L, n) == 0) return false;
  lua_xmove(task->co, L, n);
  return true;
}

wf_end wf_main_run(wf_vm *vm, lua_State *L, int fn, bool results) {
  WF_CHECK(!vm->busy);
  wf_runtime *rt = vm->rt;
  wf_task *task = wf_task_go(vm, L, fn);
  task->flags |= WF_TASK_KEEP | WF_TASK_MAIN;
  begin(vm);
  wf_outcome outcome = wf_worker_run(vm->worker);
  if (rt->end == WF_RUNNING) {
    if (outcome == WF_ASLEEP) {
      rt->end = WF_END_DEADLOCK;
      (void)end_report(vm, "deadlock");
    } else {
      wf_task_run_last(vm);
      if (rt->end == WF_RUNNING) rt->end = end_report(vm, "end") ? WF_END_PANIC : WF_END_MAIN;
      warn(vm);
    }
  }
  end(vm);
  bool done = task->state == WF_DONE, fit = true;
  if (rt->end == WF_END_MAIN && vm->main_failed) {
    rt->end = WF_END_HANDLED;
  } else if (rt->end == WF_END_MAIN) {
    if (results) fit = move_results(L, task);
  } else {
    lua_rawgeti(L, LUA_REGISTRYINDEX, rt->panic_ref);
  }
  if (done) {
    wf_task_release(task);
  } else {
    task->flags &= (uint8_t) ~(WF_TASK_KEEP | WF_TASK_MAIN);  // goes on in the next run or step
  }
  if (!fit) wf_site_raise(L, "too many results");
  return rt->end;
}

typedef struct frame {
  wf_vm *vm;
  uint64_t start_ns, budget_ns;
} frame;

// What is left of the budget, 0 when it is used up.
static uint64_t time_left(const frame *f) {
  if (f->budget_ns == WF_NEVER) return WF_NEVER;
  uint64_t used = wf_clock_machine_ns() - f->start_ns;
  return used < f->budget_ns ? f->budget_ns - used : 0;
}

static void run_ready(const frame *f) {
  uint64_t left = time_left(f);
  if (left != 0) (void)wf_worker_step(f->vm->worker, left);
}

// Moves game time by dt, stopping at each timer on the way so that its task sees its own moment;
// once the budget is spent, straight to the end.
static void run_game_time(const frame *f, double dt_s) {
  wf_vm *vm = f->vm;
  uint64_t target = wf_clock_after(wf_clock_now(&vm->clock), dt_s);
  run_ready(f);
  while (!vm->stop && time_left(f) != 0 && wf_timers_next(&vm->timers) <= target) {
    if (!wf_worker_jump(vm->worker)) break;
    run_ready(f);
  }
  if (target != WF_NEVER) wf_clock_advance_to(&vm->clock, target);
}

static int gc_step(lua_State *L) {
  bool *finished = lua_touserdata(L, 1);
  *finished = lua_gc(L, LUA_GCSTEP, 4) != 0;
  return 0;
}

enum { GC_WORTH_KB = 256 };

// Two cycles: what became garbage after the first had begun is found by the second.
bool wf_main_collect_idle(wf_vm *vm) {
  int now = lua_gc(vm->L, LUA_GCCOUNT, 0), base = vm->collected_kb;
  if (vm->idle_cycles == 0) {
    if (now < base + GC_WORTH_KB || now < base + base / 4) return false;
    vm->idle_cycles = 2;
  }
  bool finished = false;
  if (lua_cpcall(vm->L, gc_step, &finished) != 0) wf_runtime_fail(vm);
  if (finished && --vm->idle_cycles == 0) vm->collected_kb = lua_gc(vm->L, LUA_GCCOUNT, 0);
  return true;
}

// What is left of the budget goes to the collector, when there is something for it to do.
static void collect_with_rest(const frame *f) {
  wf_vm *vm = f->vm;
  if (f->budget_ns == WF_NEVER) return;
  while (!vm->stop && time_left(f) != 0) {
    if (lua_gc(vm->L, LUA_GCCOUNT, 0) < vm->collected_kb + GC_WORTH_KB) return;
    bool finished = false;
    if (lua_cpcall(vm->L, gc_step, &finished) != 0) wf_runtime_fail(vm);
    if (finished) vm->collected_kb = lua_gc(vm->L, LUA_GCCOUNT, 0);
  }
}

wf_end wf_main_step(wf_vm *vm, lua_State *L, double budget_s, double dt_s) {
  WF_CHECK(!vm->busy);
  wf_runtime *rt = vm->rt;
  if (dt_s >= 0) wf_clock_virtual(&vm->clock);
  begin(vm);
  frame f = {.vm = vm, .start_ns = wf_clock_machine_ns()};
  f.budget_ns = budget_s > 0 ? wf_clock_after(0, budget_s) : WF_NEVER;
  // However small the budget, and whatever used it up: a step takes the program one task further.
  wf_worker_fire_timers(vm->worker);
  wf_task_run_batch(vm, 1);
  if (dt_s >= 0) {
    run_game_time(&f, dt_s);
  } else {
    run_ready(&f);
  }
  collect_with_rest(&f);
  end(vm);
  if (rt->end != WF_RUNNING) lua_rawgeti(L, LUA_REGISTRYINDEX, rt->panic_ref);
  return rt->end;
}
