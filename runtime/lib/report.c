// SPDX-License-Identifier: MIT
// What can be seen of the tasks from outside: tasks(), their stacks, and the counters.
#include "conc/sync.h"
#include "lib/arg.h"
#include "lib/lib.h"
#include "sched/runtime.h"
#include "sched/workers.h"
#include "task/ask.h"
#include "task/leaks.h"
#include "task/obj.h"
#include "task/park.h"
#include "task/site.h"
#include "task/task.h"
#include "task/trace.h"

static void set_number(lua_State *L, const char *name, double value) {
  lua_pushnumber(L, value);
  lua_setfield(L, -2, name);
}

static void set_string(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, name);
}

typedef struct list {
  wf_task **tasks;
  size_t count, capacity;
} list;

static void collect(wf_task *task, void *arg) {
  list *l = arg;
  if (l->count < l->capacity) l->tasks[l->count++] = task;
}

static void push_where(lua_State *L, wf_task *task) {
  lua_Debug ar;
  if (task->state != WF_RUN) {
    wf_trace_push_where(L, task);
  } else if (wf_site_find(L, 1, &ar)) {
    lua_pushfstring(L, "%s:%d", ar.short_src, ar.currentline);
  } else {
    lua_pushliteral(L, "?");
  }
}

// What the task waits on, or NULL.
static const wf_obj *waited_on(const wf_task *task) {
  return task->state == WF_PARKED && !task->timed ? task->wait.waiter.on : NULL;
}

static void push_label(lua_State *L, const wf_task *task) {
  const wf_obj *on = waited_on(task);
  if (on != NULL && on->label != NULL) {
    lua_pushstring(L, on->label);
  } else if (on != NULL && on->kind->describe != NULL) {
    char text[256];
    on->kind->describe(on, task, text, sizeof text);
    lua_pushstring(L, text);
  } else {
    lua_pushnil(L);
  }
}

// Of a task that waits for a lock: who has it, and where that one has locked it.
static void set_holder(lua_State *L, const wf_task *task) {
  wf_lock_holder holder;
  if (!wf_sync_find_holder(waited_on(task), &holder)) return;
  set_number(L, "holder", (double)holder.task);
  if (holder.site == NULL) return;
  set_string(L, holder.is_first ? "first_locked_at" : "locked_at", holder.site);
}

static void push_task(lua_State *L, wf_task *task) {
  const wf_vm *vm = task->vm;
  lua_createtable(L, 0, 8);
  set_number(L, "id", (double)task->id);
  set_string(L, "state", wf_task_state_name(task));
  set_number(L, "since", (double)(task->since_ns - vm->start_ns) / 1e9);
  set_number(L, "vm", wf_ask_vm_number(vm));
  push_where(L, task);
  lua_setfield(L, -2, "where");
  push_label(L, task);
  lua_setfield(L, -2, "label");
  set_holder(L, task);
  if (task->creator != 0) {
    lua_pushfstring(L, "task %d at %s", (int)task->creator, wf_site_text(vm, task->site));
  } else {
    lua_pushliteral(L, "the host");
  }
  lua_setfield(L, -2, "created_by");
}

// The live tasks, in memory that L owns (pushed). A finaliser that the allocation sets off may
// start tasks, hence the second look; it can end none.
static list all_tasks(wf_vm *vm, lua_State *L) {
  list l = {0};
  while (l.capacity < vm->stats.tasks || l.tasks == NULL) {
    l.capacity = (size_t)vm->stats.tasks + 16;
    l.tasks = lua_newuserdata(L, l.capacity * sizeof(wf_task *));
  }
  wf_tasks_each(vm, collect, &l);
  return l;
}

// tasks() -> array of records, in the order of their numbers
static int l_tasks(lua_State *L) {
  list l = all_tasks(wf_door_vm(L), L);
  lua_createtable(L, (int)l.count, 0);
  for (size_t i = 0; i < l.count; i++) {
    push_task(L, l.tasks[i]);
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

// task_stacks() -> id -> text of the stack
static int l_task_stacks(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  list l = all_tasks(vm, L);
  lua_createtable(L, (int)l.count, 0);
  for (size_t i = 0; i < l.count; i++) {
    wf_task *task = l.tasks[i];
    lua_pushnumber(L, (double)task->id);
    if (task->state == WF_RUN) {
      wf_trace_push_running(vm, L, 1);
    } else {
      wf_trace_push_task(L, task);
    }
    lua_rawset(L, -3);
  }
  return 1;
}

// other_tasks() -> array of records of the tasks of all other VMs, each with `stack`
static int l_other_tasks(lua_State *L) {
  wf_ask_tasks(wf_door_vm(L), L);
  return 1;
}

// collect(): a full collection; a collector that was stopped stays so
static int l_collect(lua_State *L) {
  bool running = lua_gc(L, LUA_GCISRUNNING, 0) != 0;
  (void)lua_gc(L, LUA_GCCOLLECT, 0);
  if (!running) (void)lua_gc(L, LUA_GCSTOP, 0);
  return 0;
}

typedef struct leaks_call {
  wf_vm *vm;
  lua_State *asker;
  bool reclaim;
  wf_leaks leaks;
  int result;   // registry reference of the array of records
  bool begins;  // there are deferred calls to be run
} leaks_call;

static int leaks_protected(lua_State *L) {
  leaks_call *call = lua_touserdata(L, 1);
  wf_leaks *leaks = &call->leaks;
  wf_leaks_find(leaks, call->vm, L, call->asker);
  lua_createtable(L, (int)leaks->count, 0);
  lua_createtable(L, call->reclaim ? (int)leaks->count : 0, 0);
  int records = lua_gettop(L) - 1, traces = records + 1;
  for (size_t i = 0; i < leaks->count; i++) {
    push_task(L, leaks->tasks[i]);
    wf_trace_push_task(L, leaks->tasks[i]);
    if (call->reclaim) {
      lua_pushvalue(L, -1);
      lua_rawseti(L, traces, (int)i + 1);
    }
    lua_setfield(L, -2, "stack");
    lua_rawseti(L, records, (int)i + 1);
  }
  lua_pushvalue(L, records);
  call->result = luaL_ref(L, LUA_REGISTRYINDEX);
  if (call->reclaim) call->begins = wf_leaks_reclaim(leaks, L, traces);
  return 0;
}

// leaks_now(reclaim) -> array of records, each with `stack`, in the order of their numbers. Leaves
// garbage out of account only where it has been collected.
static int l_leaks_now(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  if (vm->orphaned) wf_raise(L, "weft has been closed");
  leaks_call call = {
      .vm = vm, .asker = L, .reclaim = lua_toboolean(L, 1) != 0, .result = LUA_NOREF};
  int status = wf_vm_call_protected(vm, leaks_protected, &call);
  wf_leaks_free(&call.leaks);
  lua_rawgeti(L, LUA_REGISTRYINDEX, call.result);
  luaL_unref(L, LUA_REGISTRYINDEX, call.result);
  if (status != 0) {
    lua_xmove(vm->L, L, 1);
    wf_raise(L, "'leaks': %s", lua_tostring(L, -1));
  }
  // Reclaimed tasks run their deferred calls first, where the asker may be suspended.
  return call.begins && wf_can_park(vm, L) ? wf_pass(vm, L, 1) : 1;
}

static void push_failure(wf_task *task, void *arg) {
  lua_State *L = arg;
  if ((task->flags & WF_TASK_FAILED) == 0 || task->defers == LUA_NOREF) return;
  wf_vm_push_anchor(task->vm, L, task->defers);
  lua_rawseti(L, -2, (int)lua_objlen(L, -2) + 1);
}

// pending_failures() -> array of {err =, trace =} of tasks that have failed and still run their
// deferred calls
static int l_pending_failures(lua_State *L) {
  lua_newtable(L);
  wf_tasks_each(wf_door_vm(L), push_failure, L);
  return 1;
}

static void set_bytes(lua_State *L, int vm, double bytes) {
  if (bytes == 0) return;
  lua_pushnumber(L, bytes);
  lua_rawseti(L, -2, vm);
}

// Pushes a table: the number of a VM -> bytes of its heap, of others as of a moment ago, or of
// when they came to rest.
static void push_vm_bytes(const wf_vm *vm, lua_State *L, double own) {
  const wf_runtime *rt = vm->rt;
  lua_createtable(L, 1, 0);
  if (rt->workers != NULL) {
    set_bytes(L, 1, (double)wf_workers_bytes(rt, 0, true));
    for (uint32_t i = 0; i < rt->workers->places; i++) {
      set_bytes(L, wf_ask_place_number(i), (double)wf_workers_bytes(rt, i, false));
    }
  }
  set_bytes(L, wf_ask_vm_number(vm), own);
}

static int l_stats(lua_State *L) {
  const wf_vm *vm = wf_door_vm(L);
  const wf_vm_stats *s = &vm->stats;
  lua_createtable(L, 0, 16);
  set_number(L, "tasks", (double)wf_workers_tasks(vm->rt));
  set_number(L, "ready", wf_vm_ready(vm));
  set_number(L, "workers", wf_workers_count(vm->rt));
  set_number(L, "spawned", (double)s->spawned);
  set_number(L, "switches", (double)s->switches);
  set_number(L, "parks", (double)s->parks);
  set_number(L, "polls", (double)s->polls);
  set_number(L, "preemptions", (double)s->preemptions);
  set_number(L, "steals", (double)wf_workers_steals(vm->rt));
  set_number(L, "timers", vm->timers.count);
  set_number(L, "timers_fired", (double)s->timers);
  set_number(L, "lock_waits", (double)s->lock_waits);
  set_number(L, "lock_wait_s", (double)s->lock_wait_ns / 1e9);
  set_number(L, "objects", (double)vm->objects);
  double bytes = (double)lua_gc(L, LUA_GCCOUNT, 0) * 1024 + (double)lua_gc(L, LUA_GCCOUNTB, 0);
  set_number(L, "bytes", bytes);
  push_vm_bytes(vm, L, bytes);
  lua_setfield(L, -2, "vm_bytes");
  return 1;
}

void wf_lib_open_report(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"tasks", l_tasks},
                                       {"task_stacks", l_task_stacks},
                                       {"other_tasks", l_other_tasks},
                                       {"collect", l_collect},
                                       {"leaks_now", l_leaks_now},
                                       {"pending_failures", l_pending_failures},
                                       {"stats", l_stats},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
