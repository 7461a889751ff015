// SPDX-License-Identifier: MIT
#include "task/preempt.h"

#include <poll.h>

#include "base/check.h"
#include "sched/runtime.h"
#include "task/park.h"
#include "task/profiler.h"
#include "task/site.h"
#include "task/task.h"

// Interpreted instructions from one call of the hook to the next: 1 ms or so, and short enough for
// wf_profiler_mend. A call costs 100 ns, and the recording of a trace, if one is going on.
#ifdef WEFT_TORTURE
enum { HOOK_COUNT = 50, RETRY_COUNT = 1 };
#else
enum { HOOK_COUNT = 100000, RETRY_COUNT = 16 };
#endif

enum { MAX_STEPS = 8, SLICE_NS = 10000000 };

static bool is_main(const wf_vm *vm) { return vm == &vm->rt->vm; }

// Whether anybody waits for the VM, or for its worker: as monitor.c: others_wait.
static bool others_wait(wf_vm *vm) {
  wf_worker *w = vm->worker;
  if (wf_vm_ready(vm) != 0 || wf_deque_size(&w->deque) != 0) return true;
  if (!wf_inbox_empty(&w->inbox)) return true;
  if (!vm->clock.is_virtual && wf_timers_next(&vm->timers) <= wf_clock_now(&vm->clock))
    return true;
  struct pollfd fd = {.fd = uv_backend_fd(&w->loop.uv), .events = POLLIN};
  return poll(&fd, 1, 0) > 0;
}

// The monitor watches the main VM alone. In others the hook looks at the clock itself.
static bool has_had_its_slice(wf_vm *vm) {
  wf_preempt *p = &vm->preempt;
  uint64_t now = wf_clock_coarse_ns();
  if (p->slice != vm->stats.switches) {
    p->slice = vm->stats.switches;
    p->slice_ns = now;
  }
  return now - p->slice_ns >= SLICE_NS && others_wait(vm);
}

static bool is_asked(wf_vm *vm) {
#ifdef WEFT_TORTURE
  if (wf_vm_ready(vm) != 0) return true;
#endif
  if (!is_main(vm)) return has_had_its_slice(vm);
  // Pairs with the store in monitor.c: look. Read once more at the next call if it comes too late.
  return wf_load_relaxed(&vm->preempt.nudge) == vm->stats.switches;
}

static void hook(lua_State *L, lua_Debug *ar);

static void set_hook(wf_vm *vm, lua_State *L, lua_Hook fn, int count) {
  vm->preempt.hold = 1;
  (void)lua_sethook(L, fn, fn != NULL ? LUA_MASKCOUNT : 0, count);
  vm->preempt.hold = 0;
}

// For hogs that cannot be interrupted: the report tells where they are.
static void note_place(wf_vm *vm, lua_State *L) {
  lua_Debug ar;
  if (vm->rt->hog_ns != 0 && wf_site_find(L, 0, &ar)) {
    wf_monitor_note_place(vm, ar.short_src, ar.currentline);
  }
}

// Nothing here allocates or raises: it would be an error out of nowhere in the script.
static void hook(lua_State *L, lua_Debug *ar) {
  wf_vm *vm = wf_vm_here;
  if (vm == NULL) return;
  if (lua_gethookcount(L) != HOOK_COUNT) wf_preempt_set_count(vm, L);
  wf_profiler_mend(vm, L);
  const wf_task *task = vm->current;
  if (task == NULL || task->state != WF_RUN || !is_asked(vm)) return;
  if ((task->flags & WF_TASK_PREEMPT) == 0 || !wf_can_park(vm, L)) {
    note_place(vm, L);
    return;
  }
  if (lua_getinfo(L, "S", ar) == 0 || wf_site_is_own(ar)) {
    set_hook(vm, L, hook, RETRY_COUNT);
    return;
  }
  vm->preempt.caught = L;
  (void)lua_yield(L, 0);  // does not return
}

bool wf_preempt_has_hook(const wf_vm *vm) { return lua_gethook(vm->L) == hook; }

void wf_preempt_set_count(wf_vm *vm, lua_State *L) { set_hook(vm, L, hook, HOOK_COUNT); }

// LuaJIT restores the hook's mask, but not its count, when a sample has been taken.
void wf_preempt_look_now(wf_vm *vm, lua_State *L) {
  if (wf_preempt_has_hook(vm) && is_asked(vm)) (void)lua_sethook(L, hook, LUA_MASKCOUNT, 1);
}

void wf_preempt_nudge(wf_vm *vm, pthread_t thread) { wf_profiler_ask(vm, thread); }

// False when there is no monitor to be had. Other VMs than the main one need none, and leave the
// profiler to it.
static bool turn_on(wf_vm *vm, lua_State *L) {
  if (!is_main(vm)) {
    vm->preempt.on = true;
    wf_preempt_refresh(vm);
    return true;
  }
  bool was_on = vm->preempt.on;
  wf_store_relaxed(&vm->preempt.on, true);  // pairs with monitor.c: look, is_idle
  if (!wf_monitor_start(vm->rt)) {
    wf_store_relaxed(&vm->preempt.on, was_on);
    return false;
  }
  wf_preempt_refresh(vm);
  wf_profiler_claim(vm, L);
  return true;
}

void wf_preempt_start(wf_vm *vm) {
  if (vm->preempt.on || turn_on(vm, vm->L)) return;
  vm->rt->log(vm->rt->log_ud,
              "weft: no task is interrupted: no thread can be had to watch the time\n");
}

const char *wf_preempt_allow(wf_vm *vm, lua_State *L) {
  wf_task *task = vm->current;
  if (!wf_task_can_run_from(L)) return "inside of a finaliser or debug hook";
  if (lua_gethook(L) != NULL && !wf_preempt_has_hook(vm)) return "a debug hook is set";
  if (!turn_on(vm, L)) return "no thread can be had to watch the time";
  if ((task->flags & WF_TASK_PREEMPT) != 0) return NULL;
  task->flags |= WF_TASK_PREEMPT;
  if (!vm->rt->preempt_all) vm->preempt.tasks++;
  return NULL;
}

void wf_preempt_forbid(wf_vm *vm) {
  wf_task *task = vm->current;
  if ((task->flags & WF_TASK_PREEMPT) == 0) return;
  task->flags &= (uint8_t)~WF_TASK_PREEMPT;
  wf_preempt_ended(vm);
}

void wf_preempt_ended(wf_vm *vm) {
  if (vm->rt->preempt_all || --vm->preempt.tasks != 0) return;
  wf_store_relaxed(&vm->preempt.on, false);
  if (wf_preempt_has_hook(vm)) set_hook(vm, vm->L, NULL, 0);
}

void wf_preempt_refresh(wf_vm *vm) {
  if (lua_gethook(vm->L) == NULL) wf_preempt_set_count(vm, vm->L);
}

bool wf_preempt_step(wf_vm *vm, lua_State *co) {
  wf_preempt *p = &vm->preempt;
  lua_Debug ar;
  bool found = lua_getstack(co, 0, &ar) != 0 && lua_getinfo(co, "l", &ar) != 0;
  if (WF_LIKELY(found && ar.currentline > 0)) {
    p->steps = 0;
    return false;
  }
  p->caught = NULL;
  p->steps = (p->steps + 1) % MAX_STEPS;
  set_hook(vm, co, hook, p->steps != 0 ? 1 : HOOK_COUNT);
  return true;
}

bool wf_preempt_caught(wf_vm *vm, wf_task *task, lua_State *co) {
  wf_preempt *p = &vm->preempt;
  if (WF_LIKELY(p->caught != co)) return false;
  p->caught = NULL;
  vm->stats.preemptions++;
  lua_pushboolean(co, 1);  // LuaJIT has made room for the hook
  task->at = co;
  task->nresults = 1;
  task->state = WF_READY;
  task->since_ns = vm->now_ns;
  p->stopped_ns = wf_clock_coarse_ns();
  wf_runq_push(&p->stopped, &task->run);
  return true;
}

void wf_preempt_close(wf_vm *vm) {
  wf_profiler_release(vm);
  if (vm->L != NULL && wf_preempt_has_hook(vm)) set_hook(vm, vm->L, NULL, 0);
  wf_store_relaxed(&vm->preempt.on, false);  // the monitor may still look
}
