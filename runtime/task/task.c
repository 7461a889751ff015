// SPDX-License-Identifier: MIT
// A finished coroutine is used again for the next task: making one costs 250 ns and garbage,
// taking a warm one 10. Tasks live in slabs, and a slab's coroutines are anchored in one table of
// the registry, so that the write barrier of a new one touches 256 slots and not a million.
#include "task/task.h"

#include <lauxlib.h>

#include "base/atomic.h"
#include "base/check.h"
#include "base/size.h"
#include "sched/runtime.h"
#include "task/own.h"
#include "task/panic.h"
#include "task/park.h"
#include "task/preempt.h"
#include "task/remote.h"
#include "task/site.h"

enum { SLAB_TASKS = WF_SIZE(256, 4), MAX_WARM = WF_SIZE(8192, 2), LINE = 64, ID_BLOCK = 1024 };

typedef struct wf_slab {
  wf_link link;   // in pool->slabs while it has free structs, else in full_slabs
  wf_task *free;  // chained through run.next
  uint32_t used;
  int anchors;   // wf_vm_anchor of the table of its coroutines, by slot
  void *memory;  // of which this struct is the aligned part
  // A task is two cache lines, of which a hand-over needs the first and half of the second.
  _Alignas(2 * LINE) wf_task tasks[SLAB_TASKS];
} wf_slab;

_Static_assert(sizeof(wf_task) == 2 * (size_t)LINE, "a task is two cache lines");
_Static_assert(SLAB_TASKS <= UINT8_MAX + 1 && LUAI_MAXSTACK <= UINT16_MAX, "slot, nresults");

enum { SLAB_BYTES = sizeof(wf_slab) + _Alignof(wf_slab) };

static wf_slab *slab_of(wf_task *task) {
  return wf_container_of(task - task->slot, wf_slab, tasks);
}

static wf_task *task_of(wf_runnable *r) { return wf_container_of(r, wf_task, run); }

static void drop_slab(wf_vm *vm, wf_slab *slab) {
  wf_list_remove(&slab->link);
  wf_vm_drop_anchor(vm, slab->anchors);
  wf_monitor_lock(vm);
  wf_mem_free(&vm->rt->mem, slab->memory, SLAB_BYTES);
  wf_monitor_unlock(vm);
}

// Raises on L when memory is out; a slab that was made by then is kept for the next time.
static wf_slab *slab_with_free(wf_vm *vm, lua_State *L) {
  wf_link *first = vm->tasks.slabs.next;
  if (first != &vm->tasks.slabs) return wf_container_of(first, wf_slab, link);
  lua_createtable(L, SLAB_TASKS, 0);
  int anchors = wf_vm_anchor(vm, L);
  void *memory = wf_mem_new(&vm->rt->mem, SLAB_BYTES);
  if (memory == NULL) {
    wf_vm_drop_anchor(vm, anchors);
    wf_site_raise(L, "not enough memory");
  }
  size_t past = (uintptr_t)memory % _Alignof(wf_slab);
  wf_slab *slab = (void *)((char *)memory + (_Alignof(wf_slab) - past));
  slab->memory = memory;
  slab->anchors = anchors;
  for (int i = SLAB_TASKS - 1; i >= 0; i--) {
    wf_task *task = &slab->tasks[i];
    task->slot = (uint8_t)i;
    task->vm = vm;
    task->defers = LUA_NOREF;
    task->run.next = slab->free != NULL ? &slab->free->run : NULL;
    slab->free = task;
  }
  wf_list_push(&vm->tasks.slabs, &slab->link);
  return slab;
}

static void anchor(lua_State *L, wf_slab *slab, wf_task *task) {
  wf_vm_push_anchor(task->vm, L, slab->anchors);
  lua_insert(L, -2);
  lua_rawseti(L, -2, task->slot + 1);
  lua_pop(L, 1);
}

// A script may have used setfenv(0, …) on this coroutine or on the one that made it.
static void reset_environment(wf_vm *vm, lua_State *co) {
  if (WF_LIKELY(lua_topointer(co, LUA_GLOBALSINDEX) == vm->globals)) return;
  lua_pushvalue(vm->L, LUA_GLOBALSINDEX);
  lua_xmove(vm->L, co, 1);
  lua_replace(co, LUA_GLOBALSINDEX);
}

// A task with a coroutine, not yet listed anywhere.
static wf_task *take_task(wf_vm *vm, lua_State *L) {
  wf_task *task = vm->tasks.warm;
  if (WF_LIKELY(task != NULL)) {
    vm->tasks.warm = task->run.next != NULL ? task_of(task->run.next) : NULL;
    vm->tasks.warm_count--;
    return task;
  }
  // All that may start the collector comes before the choice of the struct: a finaliser may call
  // `go` as well.
  lua_State *co = lua_newthread(L);
  wf_slab *slab = slab_with_free(vm, L);
  task = slab->free;
  anchor(L, slab, task);
  task->co = co;
  reset_environment(vm, co);
  slab->free = task->run.next != NULL ? task_of(task->run.next) : NULL;
  if (slab->free == NULL) {
    wf_list_remove(&slab->link);
    wf_list_push(&vm->tasks.full_slabs, &slab->link);
  }
  slab->used++;
  return task;
}

// The struct goes back to its slab, the coroutine to the collector.
static void drop_task(wf_vm *vm, wf_task *task) {
  wf_slab *slab = slab_of(task);
  task->co = NULL;
  lua_pushnil(vm->L);
  anchor(vm->L, slab, task);  // writes an existing slot: allocates nothing
  if (slab->free == NULL) {
    wf_list_remove(&slab->link);
    wf_list_push(&vm->tasks.slabs, &slab->link);
  }
  task->run.next = slab->free != NULL ? &slab->free->run : NULL;
  slab->free = task;
  // One slab is kept, so that a lone task that comes and goes does not make and drop it.
  if (--slab->used == 0 && slab->link.next != slab->link.prev) drop_slab(vm, slab);
}

static void give_task(wf_vm *vm, wf_task *task, bool reusable) {
  wf_own_drop(task);
  task->state = WF_FREE;
  if (!reusable || task->flags & WF_TASK_HANDED_OUT || vm->tasks.warm_count >= MAX_WARM) {
    drop_task(vm, task);
    return;
  }
  reset_environment(vm, task->co);
  task->run.next = vm->tasks.warm != NULL ? &vm->tasks.warm->run : NULL;
  vm->tasks.warm = task;
  vm->tasks.warm_count++;
}

void wf_task_push_coroutine(lua_State *L, wf_task *task) {
  wf_vm_push_anchor(task->vm, L, slab_of(task)->anchors);
  lua_rawgeti(L, -1, task->slot + 1);
  lua_replace(L, -2);
}

void wf_task_renew(lua_State *L, wf_task *task) {
  task->co = task->at = lua_tothread(L, -1);
  anchor(L, slab_of(task), task);
}

static int grow_stack(lua_State *co) {
  int *n = lua_touserdata(co, 1);
  *n = lua_checkstack(co, *n);
  return 0;
}

bool wf_task_reserve_more(lua_State *co, int n) {
  int ok = n;
  if (lua_cpcall(co, grow_stack, &ok) == 0) return ok != 0;
  lua_pop(co, 1);
  return false;
}

// VMs take them in blocks, so that they count one atomic in a thousand tasks.
uint64_t wf_task_next_id(wf_vm *vm) {
  if (WF_UNLIKELY(vm->next_id == vm->last_id)) {
    vm->next_id = wf_u64_fetch_add(&vm->rt->task_ids, ID_BLOCK, WF_RELAXED);
    vm->last_id = vm->next_id + ID_BLOCK;
  }
  return ++vm->next_id;
}

wf_task *wf_task_go(wf_vm *vm, lua_State *L, int fn) {
  int n = lua_gettop(L) - fn + 1;
  if (WF_UNLIKELY(vm->orphaned)) wf_site_raise(L, "weft has been closed");
  uint32_t site = wf_site_here(vm, L);
  wf_task *task = take_task(vm, L);
  lua_State *co = task->co;
  if (WF_UNLIKELY(!wf_task_reserve(co, n))) {
    give_task(vm, task, true);
    wf_site_raise(L, "not enough memory");
  }
  lua_xmove(L, co, n);
  task->at = co;
  // These four, of which the site brings its text along, pair with task/hog.c: wf_hog_peek.
  wf_store_relaxed(&task->id, wf_task_next_id(vm));
  wf_store_relaxed(&task->creator, vm->current != NULL ? vm->current->id : 0);
  wf_store_release(&task->site, site);
  wf_own_inherit(task, vm->current);
  task->flags = vm->task_flags;
  wf_store_relaxed(&task->reason, WF_WAIT_NONE);
  task->state = WF_PARKED;
  vm->stats.spawned++;
  vm->stats.tasks++;
  wf_ready(task, n - 1);
  return task;
}

typedef struct go_call {
  wf_vm *vm;
  uint64_t creator;
  uint32_t site;
  int fn;
  wf_obj *own;
} go_call;

static int go_protected(lua_State *L) {
  go_call *call = lua_touserdata(L, 1);
  wf_vm_push_anchor(call->vm, L, call->fn);
  wf_task *task = wf_task_go(call->vm, L, 2);
  wf_store_relaxed(&task->creator, call->creator);
  wf_store_release(&task->site, call->site);
  wf_own_set(task, call->own);
  return 0;
}

void wf_task_go_anchor(wf_vm *vm, int fn, uint64_t creator, uint32_t site, wf_obj *own) {
  go_call call = {.vm = vm, .fn = fn, .creator = creator, .site = site, .own = own};
  if (wf_vm_call_protected(vm, go_protected, &call) != 0) wf_runtime_fail(vm);
}

// The end of a task whose deferred calls, if any, have run.
static void retire(wf_vm *vm, wf_task *task) {
  bool failed = (task->flags & WF_TASK_FAILED) != 0;
  vm->stats.tasks--;
  if (WF_UNLIKELY(task->flags & WF_TASK_PREEMPT)) wf_preempt_ended(vm);
  if (task->flags & WF_TASK_MAIN) vm->stop = true;
  if (task->flags & WF_TASK_KEEP) {
    task->state = WF_DONE;
    return;
  }
  if (!failed) lua_settop(task->co, 0);
  give_task(vm, task, !failed);
}

void wf_task_release(wf_task *task) {
  WF_CHECK(task->state == WF_DONE);
  bool failed = (task->flags & WF_TASK_FAILED) != 0;
  if (!failed) lua_settop(task->co, 0);
  give_task(task->vm, task, !failed);
}

// Goes on with the deferred calls on the task's own coroutine, above the results that lie there.
static void start_defers(wf_vm *vm, wf_task *task) {
  lua_State *co = task->co;
  int list = task->defers;
  task->defers = LUA_NOREF;
  task->flags |= WF_TASK_DEFERRING;
  wf_vm_push_ref(vm, co, WF_REF_RUN_DEFERS);
  wf_vm_push_anchor(vm, co, list);
  wf_vm_drop_anchor(vm, list);
  task->at = co;
  wf_ready(task, 1);
}

static void finish(wf_vm *vm, wf_task *task, int status) {
  if (WF_UNLIKELY(status != 0)) {
    wf_panic_task(vm, task);
    return;
  }
  if (WF_UNLIKELY(task->flags & WF_TASK_FAILED)) {
    wf_panic_after_defers(vm, task);
    return;
  }
  if (WF_UNLIKELY(task->defers != LUA_NOREF)) {
    start_defers(vm, task);
    return;
  }
  retire(vm, task);
}

void wf_task_end_failed(wf_vm *vm, wf_task *task) {
  task->flags |= WF_TASK_FAILED;
  if (task->defers != LUA_NOREF) {
    wf_vm_drop_anchor(vm, task->defers);
    task->defers = LUA_NOREF;
  }
  retire(vm, task);
}

// Inline in the batch's loop: with a call that yield needs no more, 24.5 -> 23.9 ns a switch.
static inline __attribute__((always_inline)) void run_one(wf_vm *vm, wf_task *task) {
  lua_State *co = vm->running = task->co;
  int nargs = task->at == co ? task->nresults : 0;
  task->state = WF_RUN;
  vm->chain_ok = true;
  if (WF_UNLIKELY(task->flags & WF_TASK_PREEMPT)) wf_preempt_refresh(vm);
  // Both pair with monitor.c: look. Who sees the task sees its slice's number, and its struct.
  wf_store_relaxed(&vm->stats.switches, vm->stats.switches + 1);
  wf_store_release(&vm->current, task);
  vm->current_id = (double)(int64_t)task->id;  // unsigned: two instructions more
  wf_own_follow(vm, task);
  int status = lua_resume(co, nargs);
  while (status == LUA_YIELD && wf_preempt_goes_on(vm, co)) status = lua_resume(co, 0);
  wf_store_relaxed(&vm->current, NULL);
  vm->running = NULL;
  if (WF_LIKELY(status == LUA_YIELD)) {
    if (WF_UNLIKELY(task->state == WF_RUN) && !wf_preempt_caught(vm, task, co)) {
      wf_panic_stray_yield(vm, task);
    }
    return;
  }
  finish(vm, task, status);
}

static int yield_one(lua_State *L) {
  lua_pushboolean(L, 1);
  return lua_yield(L, 1);
}

// While LuaJIT runs a finaliser or a debug hook, lua_yield takes itself for a part of that, and
// the coroutine cannot be resumed. One that yields a value and has none to show is how this can
// be seen from outside.
bool wf_task_can_run_from(lua_State *L) {
  lua_State *co = lua_newthread(L);
  lua_pushcfunction(L, yield_one);  // here: what raises on `co` would not be caught
  lua_xmove(L, co, 1);
  bool can = lua_resume(co, 0) == LUA_YIELD && lua_gettop(co) == 1;
  lua_pop(L, 1);
  return can;
}

#ifdef WEFT_TORTURE
// The collector never rests, takes a step between any two tasks, and now and then, where the heap
// is small, collects everything.
static int collect_some(lua_State *L) {
  wf_vm *vm = lua_touserdata(L, 1);
  (void)lua_gc(L, LUA_GCSETPAUSE, 100);
  bool all = wf_rand_below(&vm->rand, 64) == 0 && lua_gc(L, LUA_GCCOUNT, 0) < 1024;
  (void)lua_gc(L, all ? LUA_GCCOLLECT : LUA_GCSTEP, 1);
  return 0;
}
#endif

// Where a thousand tasks take turns, each one's struct, coroutine and stack have left the cache
// since its last turn: fetching those of the next tasks while one runs, and tasks that lie on
// cache lines, take 14 % off the sieve (medians of 48 runs in turns). The fifth word of LuaJIT's
// coroutine is the base of its stack; were it something else, something else would be fetched.
// (always_inline: gcc 12 takes a function that only prefetches for one that does nothing.)
static inline __attribute__((always_inline)) void prefetch_following(const wf_runq *queue) {
  if (queue->head == NULL) return;
  const char *base = ((const char *const *)task_of(queue->head)->co)[4];
  for (int below = 16; below < 16 + 3 * LINE; below += LINE) WF_PREFETCH(base - below);
  wf_runnable *second = queue->head->next;
  if (second == NULL) return;
  WF_PREFETCH_LINES(task_of(second)->co, 2);
  if (second->next != NULL) WF_PREFETCH(second->next);
}

static void run_batch(wf_vm *vm, uint32_t max) {
  for (; max > 0 && !vm->stop; max--) {
#ifdef WEFT_TORTURE
    wf_runnable *r = wf_runq_pop_random(&vm->runq, &vm->rand);
    if (lua_cpcall(vm->L, collect_some, vm) != 0) wf_runtime_fail(vm);
#else
    wf_runnable *r = wf_runq_pop(&vm->runq);
#endif
    if (r == NULL) return;
    prefetch_following(&vm->runq);
    run_one(vm, task_of(r));
    if (WF_UNLIKELY(wf_load_relaxed(&vm->hog))) return;  // pairs with monitor.c: mark
    // Tasks that compute must not keep timers and I/O waiting for the rest of the batch. Every
    // eighth time a look at the coarse clock (7 ns), which moves every few milliseconds.
    if ((max & 7) == 0) {
      uint64_t now = wf_clock_coarse_ns();
      if (now != vm->batch_ns) {
        vm->batch_ns = now;
        return;
      }
    }
  }
}

void wf_task_run_batch(wf_vm *vm, uint32_t max) {
  wf_vm *outer = wf_vm_here;
  wf_vm_here = vm;
  run_batch(vm, max);
  wf_vm_here = outer;
}

enum { DONE = 1 << WF_DONE, LIVE = 1 << WF_READY | 1 << WF_RUN | 1 << WF_PARKED };

static void each_in(wf_link *slabs, int states, void (*fn)(wf_task *task, void *arg), void *arg) {
  for (wf_link *l = slabs->next; l != slabs; l = l->next) {
    wf_slab *slab = wf_container_of(l, wf_slab, link);
    for (int i = 0; i < SLAB_TASKS; i++) {
      wf_task *task = &slab->tasks[i];
      if ((1 << task->state & states) != 0) fn(task, arg);
    }
  }
}

void wf_tasks_each(wf_vm *vm, void (*fn)(wf_task *task, void *arg), void *arg) {
  each_in(&vm->tasks.full_slabs, LIVE, fn, arg);
  each_in(&vm->tasks.slabs, LIVE, fn, arg);
}

void wf_tasks_each_done(wf_vm *vm, void (*fn)(wf_task *task, void *arg), void *arg) {
  each_in(&vm->tasks.full_slabs, DONE, fn, arg);
  each_in(&vm->tasks.slabs, DONE, fn, arg);
}

enum { LAST_PASSES = 100 };

static void report_overdue(wf_task *task, void *arg) {
  if (task->flags & WF_TASK_FAILED && task->flags & WF_TASK_DEFERRING) {
    task->flags &= (uint8_t)~WF_TASK_FAILED;
    wf_panic_overdue(task->vm, task);
    *(bool *)arg = true;
  }
}

// One look at everything in the queue; true when somebody was run.
static bool last_pass(wf_vm *vm) {
  bool any = false;
  while (wf_vm_readmit(vm)) {
  }
  for (uint32_t left = vm->runq.count; left > 0; left--) {
    wf_runnable *r = wf_runq_pop(&vm->runq);
    if (r == NULL) break;
    if (task_of(r)->flags & (WF_TASK_FAILED | WF_TASK_HANDLER)) {
      run_one(vm, task_of(r));
      any = true;
    } else {
      wf_runq_push(&vm->runq, r);
    }
  }
  return any;
}

void wf_task_run_last(wf_vm *vm) {
  int passes = 0;
  while (passes < LAST_PASSES && last_pass(vm)) passes++;
  bool any = false;
  wf_tasks_each(vm, report_overdue, &any);
  if (any) {
    while (passes < 2 * LAST_PASSES && last_pass(vm)) passes++;
  }
}

typedef struct search {
  lua_State *co;
  wf_task *found;
} search;

static void match_coroutine(wf_task *task, void *arg) {
  search *s = arg;
  if (task->co == s->co || task->at == s->co) s->found = task;
}

wf_task *wf_task_of_coroutine(wf_vm *vm, lua_State *co) {
  search s = {.co = co};
  wf_tasks_each(vm, match_coroutine, &s);
  return s.found;
}

static void free_slabs(wf_vm *vm, wf_link *slabs) {
  while (!wf_list_empty(slabs)) {
    wf_link *first = wf_list_pop(slabs);
    WF_ASSUME(first != NULL);
    wf_slab *slab = wf_container_of(first, wf_slab, link);
    wf_mem_free(&vm->rt->mem, slab->memory, SLAB_BYTES);
  }
}

static void abandon(wf_task *task, void *arg) {
  (void)arg;
  wf_own_drop(task);
  if (task->state != WF_PARKED) return;
  wf_claim(task);
  task->wait.waiter.on = NULL;  // finalisers may still list tasks
}

void wf_tasks_abandon(wf_vm *vm) { wf_tasks_each(vm, abandon, NULL); }

void wf_tasks_free(wf_vm *vm) {
  free_slabs(vm, &vm->tasks.slabs);
  free_slabs(vm, &vm->tasks.full_slabs);
  vm->tasks.warm = NULL;
  vm->tasks.warm_count = 0;
  wf_waits_free_all(vm);
  wf_remote_free_all(vm);
}

const char *wf_task_state_name(const wf_task *task) {
  switch (task->state) {
    case WF_RUN: return "running";
    case WF_READY: return "ready";
    case WF_PARKED: return wf_reason_name(task->reason);
    default: return "done";
  }
}
