// SPDX-License-Identifier: MIT
// Rejected: letting the collector decide, with weak anchors for parked coroutines. Proxies with
// finalisers are resurrected and finalised under their waiters, edges in C are invisible, LuaJIT
// has no ephemerons, and asking would end the tasks.
#include "task/leaks.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "sched/runtime.h"
#include "task/obj.h"
#include "task/park.h"
#include "task/remote.h"
#include "task/task.h"
#include "task/unwind.h"

typedef struct roots {
  wf_mark *mark;
  uint32_t sleepers;
} roots;

static void mark_runnable(wf_task *task, void *arg) {
  roots *r = arg;
  if (task->state == WF_PARKED && !wf_remote_is_open(task)) {
    if (!task->timed || !wf_timer_armed(&task->wait.timer)) return;
    r->sleepers++;
  }
  wf_mark_task(r->mark, task);
}

// Armed timers act for the object that owns them. A timer without one is a sleeping task's; what
// else there might be could do anything.
static void mark_timers(const roots *r) {
  const wf_timers *timers = &r->mark->vm->timers;
  uint32_t without_owner = 0;
  for (uint32_t i = 0; i < timers->count; i++) {
    wf_obj *owner = wf_timers_at(timers, i)->owner;
    if (owner != NULL) {
      wf_mark_obj(r->mark, owner);
    } else {
      without_owner++;
    }
  }
  if (without_owner != r->sleepers) r->mark->blind = true;
}

static void mark_held(wf_mark *m) {
  for (wf_link *l = m->vm->held.next; l != &m->vm->held; l = l->next) {
    wf_mark_obj(m, wf_container_of(l, wf_held, link)->obj);
  }
}

static void mark_roots(wf_mark *m, lua_State *asker) {
  wf_vm *vm = m->vm;
  roots r = {.mark = m};
  wf_tasks_each(vm, mark_runnable, &r);
  wf_tasks_each_done(vm, mark_runnable, &r);
  mark_timers(&r);
  mark_held(m);
  wf_mark_registry(m);  // vm->L is in there
  wf_mark_type_metatables(m);
  wf_mark_thread(m, asker);
  if (vm->running != NULL) wf_mark_thread(m, vm->running);
  if (vm->host != NULL) {
    wf_mark_thread(m, vm->host);
  } else {
    m->blind = true;
  }
}

static void collect_unmarked(wf_task *task, void *arg) {
  wf_leaks *leaks = arg;
  if (!wf_mark_has_task(&leaks->mark, task)) leaks->tasks[leaks->count++] = task;
}

static int by_id(const void *a, const void *b) {
  uint64_t x = (*(wf_task *const *)a)->id, y = (*(wf_task *const *)b)->id;
  return x < y ? -1 : x > y;
}

void wf_leaks_find(wf_leaks *leaks, wf_vm *vm, lua_State *L, lua_State *asker) {
  wf_mark_start(&leaks->mark, vm, L);
  mark_roots(&leaks->mark, asker);
  wf_mark_run(&leaks->mark);
  lua_settop(L, leaks->mark.todo - 1);
  if (leaks->mark.blind || vm->stats.tasks == 0) return;
  leaks->capacity = (size_t)vm->stats.tasks;
  leaks->tasks = wf_mem_new(&vm->rt->mem, leaks->capacity * sizeof(wf_task *));
  if (leaks->tasks == NULL) luaL_error(L, "not enough memory");
  wf_tasks_each(vm, collect_unmarked, leaks);
  qsort(leaks->tasks, leaks->count, sizeof(wf_task *), by_id);
}

void wf_leaks_free(wf_leaks *leaks) {
  wf_mark_free(&leaks->mark);
  if (leaks->tasks != NULL) {
    wf_mem_free(&leaks->mark.vm->rt->mem, leaks->tasks, leaks->capacity * sizeof(wf_task *));
  }
  leaks->tasks = NULL;
}

// Pushes the list of the deferred calls that the task was running when it came to wait, those left
// of it: the first local of lua/weft/internal/task.lua: run_defers. Else nil.
static void push_begun(lua_State *L, const wf_task *task) {
  lua_State *co = task->co;
  lua_Debug ar;
  wf_vm_push_ref(task->vm, L, WF_REF_RUN_DEFERS);
  int run_defers = lua_gettop(L);
  for (int level = 0; lua_getstack(co, level, &ar) != 0; level++) {
    if (lua_getinfo(co, "f", &ar) == 0) break;
    lua_xmove(co, L, 1);
    bool found = lua_rawequal(L, -1, run_defers) != 0;
    lua_pop(L, 1);
    if (!found || lua_getlocal(co, &ar, 1) == NULL) continue;
    lua_xmove(co, L, 1);
    lua_replace(L, run_defers);
    return;
  }
  lua_pop(L, 1);
  lua_pushnil(L);
}

enum { END_ARGS = 6 };

// Pushes the coroutine that ends the task, with its function and the values for it, or false when
// there is nothing left to run.
static void push_end(lua_State *L, wf_task *task, const char *trace) {
  wf_vm *vm = task->vm;
  int top = lua_gettop(L);
  push_begun(L, task);
  wf_unwind_push(L, task);
  if (task->defers == LUA_NOREF && lua_isnil(L, -1) && lua_isnil(L, -2) && lua_isnil(L, -3)) {
    lua_settop(L, top);
    lua_pushboolean(L, 0);
    return;
  }
  lua_State *co = lua_newthread(L);
  lua_insert(L, top + 1);
  wf_vm_push_ref(vm, L, WF_REF_RECLAIM);
  lua_insert(L, top + 2);
  lua_pushboolean(L, (task->flags & WF_TASK_FAILED) != 0);
  lua_pushfstring(L, "task %d was reclaimed: nothing could wake it from its %s", (int)task->id,
                  wf_task_state_name(task));
  lua_pushstring(L, trace);
  lua_xmove(L, co, END_ARGS + 1);
}

static bool end_task(lua_State *L, wf_task *task) {
  wf_claim(task);
  if (!lua_isthread(L, -1)) {
    lua_pop(L, 1);
    wf_task_end_failed(task->vm, task);
    return false;
  }
  task->flags |= WF_TASK_DEFERRING;
  wf_task_renew(L, task);
  wf_ready(task, END_ARGS);
  return true;
}

bool wf_leaks_reclaim(wf_leaks *leaks, lua_State *L, int traces) {
  lua_createtable(L, (int)leaks->count, 0);
  int ends = lua_gettop(L);
  for (size_t i = 0; i < leaks->count; i++) {
    lua_rawgeti(L, traces, (int)i + 1);
    push_end(L, leaks->tasks[i], lua_tostring(L, -1));
    lua_rawseti(L, ends, (int)i + 1);
    lua_pop(L, 1);
  }
  // From here on nothing allocates.
  bool any = false;
  for (size_t i = 0; i < leaks->count; i++) {
    if (leaks->tasks[i]->flags & WF_TASK_MAIN) continue;
    lua_rawgeti(L, ends, (int)i + 1);
    if (end_task(L, leaks->tasks[i])) any = true;
  }
  lua_settop(L, ends - 1);
  return any;
}
