// SPDX-License-Identifier: MIT
// The VMs of workers for isolated tasks: a Lua state with the standard libraries and weft's own,
// and what weft.on_vm adds.
#include "task/isolated.h"

#include <lauxlib.h>
#include <lualib.h>

#include "api.h"
#include "io/block.h"
#include "io/dns.h"
#include "lib/lib.h"
#include "sched/heap.h"
#include "sched/workers.h"
#include "task/blocking.h"
#include "task/codec.h"
#include "task/panic.h"
#include "task/park.h"
#include "task/task.h"

static int open_libs(lua_State *L) {
  wf_vm *vm = lua_touserdata(L, 1);
  luaL_openlibs(L);
  wf_lib_open(vm, L);
  (void)wf_codec_open(vm, L);
  wf_heap_open(vm, L);
  return 0;
}

static int run_functions(lua_State *L) {
  wf_isolated_run_functions(lua_touserdata(L, 1), L);
  return 0;
}

static int begin(lua_State *L) {
  wf_vm *vm = lua_touserdata(L, 1);
  wf_isolated_follow_paths(vm, L);
  lua_pushcfunction(L, run_functions);
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 1, 0, 0) == 0) return 0;
  lua_pushliteral(L, "in a function that weft.on_vm runs in a new VM");
  wf_panic_orphan(vm, L);
  return 0;
}

static void close_vm(wf_runtime *rt, wf_vm *vm, lua_State *L) {
  lua_close(L);
  wf_tasks_free(vm);
  wf_sites_free(vm);
  wf_codec_free(vm);
  wf_dns_close(vm);
  wf_block_free_all(vm);
  wf_vm_deinit(vm);
  wf_mem_free(&rt->mem, vm, sizeof *vm);
}

static bool init(wf_vm *vm, wf_worker *worker, lua_State *L) {
  wf_runtime *rt = worker->rt;
  if (wf_vm_init(vm, rt, worker, L) != 0) return false;
  vm->owns_state = true;
  wf_rand_seed(&vm->rand, rt->seed + worker->index + 1);
  if (rt->is_virtual) {
    wf_clock_virtual(&vm->clock);
    vm->clock.virtual_ns = wf_u64_load(&rt->workers->virtual_ns, WF_RELAXED);
    vm->clock.wall_at_zero = rt->vm.clock.wall_at_zero;
  }
  vm->start_ns = rt->vm.start_ns;
  vm->now_ns = wf_clock_now(&vm->clock);
  if (rt->preempt_all) vm->task_flags = WF_TASK_PREEMPT;
  if (lua_cpcall(L, open_libs, vm) == 0) return true;
  lua_pop(L, 1);
  return false;
}

bool wf_api_open_isolated(wf_worker *worker) {
  wf_runtime *rt = worker->rt;
  wf_vm *vm = wf_mem_new(&rt->mem, sizeof *vm);
  if (vm == NULL) return false;
  lua_State *L = wf_api_new_state(rt);
  if (L == NULL) {
    wf_mem_free(&rt->mem, vm, sizeof *vm);
    return false;
  }
  if (!init(vm, worker, L)) {
    close_vm(rt, vm, L);
    return false;
  }
  wf_monitor_lock(vm);
  worker->isolated = vm;
  if (worker->vm == NULL) worker->vm = vm;
  wf_monitor_unlock(vm);
  if (lua_cpcall(vm->L, begin, vm) != 0) wf_runtime_fail(vm);
  return true;
}

void wf_api_close_isolated(wf_worker *worker) {
  wf_vm *vm = worker->isolated;
  if (vm == NULL) return;
  wf_tasks_abandon(vm);
  wf_obj_release_all(vm);
  wf_monitor_lock(vm);
  worker->isolated = NULL;
  wf_u64_store(&worker->bytes, 0, WF_RELAXED);
  if (worker->vm == vm) worker->vm = NULL;
  wf_monitor_unlock(vm);
  close_vm(worker->rt, vm, vm->host);
}

bool wf_api_retire(wf_worker *worker) {
  const wf_vm *vm = worker->isolated;
  // Its tasks, or objects that wait for something, may still matter.
  if (vm != NULL && (vm->stats.tasks != 0 || !wf_list_empty(&vm->held))) return false;
  if (!wf_blocking_retire(worker)) return false;
  wf_api_close_isolated(worker);
  return true;
}
