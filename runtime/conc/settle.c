// SPDX-License-Identifier: MIT
#include "conc/settle.h"

#include "conc/context.h"
#include "conc/tick.h"
#include "sched/runtime.h"
#include "task/cycles.h"

static int collect(lua_State *L) {
  (void)lua_gc(L, LUA_GCCOLLECT, 0);
  return 0;
}

void wf_settle(wf_vm *vm) {
  wf_cycles_collect_if_due(true);
  if (vm->timers.count == 0 || vm->settled == vm->stats.switches) return;
  if (wf_loop_pending(&vm->worker->loop)) return;
  for (uint32_t i = 0; i < vm->timers.count; i++) {
    const wf_timer *timer = wf_timers_at(&vm->timers, i);
    if (!wf_tick_idle(timer) && !wf_ctx_idle(timer)) return;
  }
  vm->settled = vm->stats.switches;
  // Twice: what a finaliser lets go of is found by the next collection.
  for (int i = 0; i < 2; i++) {
    if (lua_cpcall(vm->L, collect, NULL) != 0) wf_runtime_fail(vm);
  }
}
