// SPDX-License-Identifier: MIT
#include "task/park.h"

#include <lauxlib.h>
#include <string.h>

#include "base/check.h"
#include "base/size.h"
#include "sched/runtime.h"
#include "task/obj.h"
#include "task/remote.h"
#include "task/site.h"
#include "task/task.h"

enum { POLL_SLICE_NS = WF_SIZE(10000000, 0), POLLS_WITHOUT_ANSWER = 100 };

// Pushes the name that the function on top of the stack (popped) has in a loaded module: "sort" of
// table; false when it has none.
static bool push_library_name(lua_State *L) {
  int fn = lua_gettop(L);
  lua_getfield(L, LUA_REGISTRYINDEX, "_LOADED");
  for (lua_pushnil(L); lua_istable(L, fn + 1) && lua_next(L, fn + 1) != 0; lua_pop(L, 1)) {
    if (!lua_istable(L, -1)) continue;
    for (lua_pushnil(L); lua_next(L, -2) != 0; lua_pop(L, 1)) {
      if (lua_rawequal(L, -1, fn) == 0 || lua_type(L, -2) != LUA_TSTRING) continue;
      lua_pushvalue(L, -2);
      lua_replace(L, fn);
      lua_settop(L, fn);
      return true;
    }
  }
  lua_settop(L, fn - 1);
  return false;
}

// Pushes the name of the innermost C function on the stack of `of` that is neither the blocking
// call itself nor one that yields pass through; false when there is none that has a name.
static bool push_boundary_name(lua_State *L, lua_State *of) {
  lua_Debug ar;
  luaL_checkstack(L, 10, NULL);
  for (int level = of == L ? 1 : 0; lua_getstack(of, level, &ar) != 0; level++) {
    if (lua_getinfo(of, "Sf", &ar) == 0) return false;
    lua_xmove(of, L, 1);
    if (strcmp(ar.what, "C") != 0) {
      lua_pop(L, 1);
    } else if (push_library_name(L)) {
      const char *name = lua_tostring(L, -1);
      if (strcmp(name, "pcall") != 0 && strcmp(name, "xpcall") != 0) return true;
      lua_pop(L, 1);
    }
  }
  return false;
}

void wf_park_refuse(wf_vm *vm, lua_State *L, const char *call) {
  wf_site_push_where(L);
  if (vm->current == NULL) {
    lua_pushfstring(L, "'%s' would block outside of any task: call it inside weft.run(fn)", call);
  } else {
    bool found = push_boundary_name(L, L);
    if (!found && !vm->chain_ok && vm->broken_at != NULL && vm->broken_at != L) {
      found = push_boundary_name(L, vm->broken_at);
    }
    const char *name = found ? lua_tostring(L, -1) : NULL;
    lua_pushfstring(L, "'%s' cannot block across a C-call boundary (%s%s%s)", call,
                    name != NULL ? "inside '" : "a C function that calls back",
                    name != NULL ? name : "", name != NULL ? "'" : "");
    if (found) lua_remove(L, -2);
  }
  lua_concat(L, 2);
  lua_error(L);
}

static size_t waits_size(uint32_t capacity) {
  return sizeof(wf_waits) + capacity * sizeof(wf_waiter);
}

// Blocks are kept in the VM by size size_class: a select costs no malloc after the first.
bool wf_wait_extend(wf_task *task, uint32_t count) {
  wf_vm *vm = task->vm;
  WF_ASSERT(task->extra == NULL);
  uint32_t size_class = 0;
  while ((1U << size_class) < count) size_class++;
  wf_waits *waits = NULL;
  if (size_class < WF_WAIT_CLASSES && vm->free_waits[size_class] != NULL) {
    waits = vm->free_waits[size_class];
    vm->free_waits[size_class] = *(wf_waits **)(void *)waits->waiters;
  } else {
    waits = vm->rt->mem.fn(vm->rt->mem.ud, NULL, 0, waits_size(1U << size_class));
    if (waits == NULL) return false;
    waits->capacity = 1U << size_class;
  }
  waits->count = count;
  waits->remote = NULL;
  for (uint32_t i = 0; i < count; i++) {
    wf_waiter *waiter = &waits->waiters[i];
    waiter->link.next = NULL;
    waiter->task = task;
    waiter->index = 0;
    waiter->again = false;
  }
  task->extra = waits;
  return true;
}

wf_waits *wf_wait_more(wf_vm *vm, lua_State *L, uint32_t count) {
  if (!wf_wait_extend(vm->current, count)) wf_site_raise(L, "not enough memory");
  return vm->current->extra;
}

static void free_waits(wf_vm *vm, wf_waits *waits) {
  uint32_t size_class = (uint32_t)__builtin_ctz(waits->capacity);
  if (size_class < WF_WAIT_CLASSES) {
    *(wf_waits **)(void *)waits->waiters = vm->free_waits[size_class];
    vm->free_waits[size_class] = waits;
  } else {
    wf_mem_free(&vm->rt->mem, waits, waits_size(waits->capacity));
  }
}

void wf_waits_free_all(wf_vm *vm) {
  for (uint32_t size_class = 0; size_class < WF_WAIT_CLASSES; size_class++) {
    while (vm->free_waits[size_class] != NULL) {
      wf_waits *waits = vm->free_waits[size_class];
      vm->free_waits[size_class] = *(wf_waits **)(void *)waits->waiters;
      wf_mem_free(&vm->rt->mem, waits, waits_size(waits->capacity));
    }
  }
}

static void timer_fired(wf_timer *timer) {
  wf_task *task = wf_container_of(timer, wf_task, wait.timer);
  wf_claim(task);
  lua_pushboolean(task->at, 1);
  wf_ready(task, 1);
}

void wf_wait_until(wf_vm *vm, lua_State *L, uint64_t when) {
  wf_task *task = vm->current;
  task->wait.timer = (wf_timer){.fire = timer_fired};
  task->timed = true;
  if (when == WF_NEVER) return;  // nothing to wait for but a cancel
  if (!wf_timer_arm(&vm->timers, &task->wait.timer, when)) {
    wf_claim(task);
    wf_site_raise(L, "not enough memory");
  }
}

void wf_wait_hold_all(wf_task *task) {
  if (!task->timed && task->wait.waiter.on != NULL) wf_obj_ref(task->wait.waiter.on);
  const wf_waits *extra = task->extra;
  for (uint32_t i = 0; extra != NULL && i < extra->count; i++) wf_obj_ref(extra->waiters[i].on);
}

void wf_claim_all(wf_task *task) {
  wf_waits *extra = task->extra;
  for (uint32_t i = 0; extra != NULL && i < extra->count; i++) {
    if (wf_link_in_list(&extra->waiters[i].link)) wf_list_remove(&extra->waiters[i].link);
  }
  bool held = task->state == WF_PARKED;
  bool remote = extra != NULL && extra->remote != NULL;
  if (remote) wf_remote_leave(extra->remote);
  if (task->timed) {
    (void)wf_timer_stop(&task->vm->timers, &task->wait.timer);
    task->timed = false;
    task->wait.waiter.link.next = NULL;
  } else if (wf_link_in_list(&task->wait.waiter.link)) {
    wf_list_remove(&task->wait.waiter.link);
    if (held) wf_obj_unref(task->wait.waiter.on);
  } else if (remote && held && task->wait.waiter.on != NULL) {
    wf_obj_unref(task->wait.waiter.on);
  }
  if (extra == NULL) return;
  task->extra = NULL;
  for (uint32_t i = 0; held && i < extra->count; i++) wf_obj_unref(extra->waiters[i].on);
  free_waits(task->vm, extra);
}

int wf_pass(wf_vm *vm, lua_State *L, int nresults) {
  wf_task *task = vm->current;
  task->at = L;
  wf_ready(task, nresults);
  return lua_yield(L, nresults);
}

// Whether the running task has held the VM for 10 ms since the first fruitless poll of its slice.
static bool held_long_enough(wf_vm *vm) {
  wf_polls *polls = &vm->polls;
  uint64_t now = wf_clock_coarse_ns();
  if (polls->slice != vm->stats.switches) {
    polls->slice = vm->stats.switches;
    polls->start_ns = now;
    if (polls->slice != polls->passed + 1) polls->slices = polls->count = 0;
  }
  polls->count++;
  return now >= polls->start_ns + POLL_SLICE_NS;
}

// A virtual clock stands still while a task is ready. When all that are ready do nothing but poll
// it moves as if they were waiting: they may well poll for a deadline. All do when slice after
// slice has ended by a fruitless poll, so that nobody has left the queue of those that are ready,
// and none has come to it, for as long as it takes for each to have its turn. There must have been
// a hundred polls for each by then: who looks now and then while it computes is busy. (In the
// torture build, which takes who is ready at random, these also give everybody a turn.)
static void move_time_for_polls(wf_vm *vm) {
  wf_polls *polls = &vm->polls;
  uint32_t others = wf_vm_ready(vm);
  if (polls->ready != others) polls->slices = polls->count = 0;
  polls->passed = vm->stats.switches;
  polls->ready = others;
  polls->slices++;
  if (polls->slices <= others || polls->count / POLLS_WITHOUT_ANSWER <= others) return;
  polls->slices = polls->count = 0;
  if (vm->worker->jumps) (void)wf_worker_jump(vm->worker);
}

bool wf_poll_is_free(void) {
#ifdef WEFT_TORTURE
  return false;
#else
  wf_vm *vm = wf_vm_here;
  if (vm == NULL || held_long_enough(vm)) return false;
  vm->stats.polls++;
  return true;
#endif
}

int wf_poll_missed(wf_vm *vm, lua_State *L, int nresults) {
  vm->stats.polls++;
  if (vm->current == NULL) return nresults;
  bool due = held_long_enough(vm);
  if (!due || !wf_can_park(vm, L)) return nresults;
  move_time_for_polls(vm);
  return wf_pass(vm, L, nresults);
}
