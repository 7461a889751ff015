// SPDX-License-Identifier: MIT
// A task is a coroutine with a small struct: a place in the ready queue, what it waits for, and
// where it came from. It lives and dies in one VM. This room holds the only lua_resume of a task.
//
// Who owns a task, by state:
//   FREE     the pool (a warm one keeps its coroutine for the next `go`)
//   READY    the VM's ready queue
//   RUNNING  the worker; vm->current
//   PARKED   what it waits on, through its waiters or its timer
//   DONE     whoever asked to keep it (wf_task_keep), until wf_task_release
#ifndef WF_TASK_TASK_H
#define WF_TASK_TASK_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "loop/timer.h"
#include "sched/vm.h"
#include "task/wait.h"

typedef enum wf_state { WF_FREE, WF_READY, WF_RUN, WF_PARKED, WF_DONE } wf_state;

typedef enum wf_task_flag {
  WF_TASK_KEEP = 1,        // stays after its end, for its results
  WF_TASK_HANDED_OUT = 2,  // a script has seen its coroutine: it is not used again
  WF_TASK_DEFERRING = 4,   // runs its deferred calls; its own function has ended
  WF_TASK_FAILED = 8,      // ended by an error, which is on top of the stack of `co`
  WF_TASK_PREEMPT = 16,    // may be interrupted (task/preempt.h)
  WF_TASK_MAIN = 32,       // its end is the end of the run
  WF_TASK_HANDLER = 64,    // runs weft.on_panic's function: its own panic ends the runtime
  WF_TASK_STOPPED = 128,   // its own context has raised in it (conc/scope.h)
} wf_task_flag;

typedef struct wf_task {
  wf_runnable run;  // first: a runnable is a task
  lua_State *co;    // the task's own coroutine
  lua_State *at;    // the innermost coroutine, when parked inside user coroutines; else co
  wf_vm *vm;
  union {  // what a waiting task needs
    wf_waiter waiter;
    wf_timer timer;
  } wait;
  wf_waits *extra;     // more waiters than the one above (select, a context), or NULL
  struct wf_obj *own;  // counted: the context for all of its calls (conc/scope.h), or NULL
  uint64_t id;         // 1 is main
  uint64_t creator;    // id of the task that started this one, 0: none
  uint64_t since_ns;   // when it came into its state, on the VM's clock as of the last turn
  uint32_t site;       // where it was created (task/site.h)
  int32_t defers;      // wf_vm_anchor of the list of deferred calls, or LUA_NOREF
  uint16_t nresults;   // values for the next resume that lie on top of the stack of `at`
  uint8_t slot;        // place in its slab
  uint8_t state, reason, flags;
  bool timed;  // wait.timer is in use, not wait.waiter
} wf_task;

// Makes a task of the function at `fn` of L's stack and the values above it, and makes it ready;
// pops them all. L must be in the universe of `vm`. Raises on L when memory is out, and then there
// is no task. The task is created by the one that runs now.
wf_task *wf_task_go(wf_vm *vm, lua_State *L, int fn);

// A number that no task of the process has had.
uint64_t wf_task_next_id(wf_vm *vm);

// Starts an anchored function (wf_vm_anchor), from where no Lua runs. When memory is out the
// runtime ends with a report of that: nobody is there to get an error. `creator` and `site` say
// who asked for it, and where; `own` (or NULL) is its context.
void wf_task_go_anchor(wf_vm *vm, int fn, uint64_t creator, uint32_t site, struct wf_obj *own);

bool wf_task_reserve_more(lua_State *co, int n);

// Makes room for n more values on a coroutine that does not run; false when memory is out. (That
// cannot be left to lua_checkstack, which may raise, and on `co`.)
static inline bool wf_task_reserve(lua_State *co, int n) {
  return n <= LUA_MINSTACK - 4 || wf_task_reserve_more(co, n);
}

// Whether tasks can be run from where L is: not inside a finaliser or a debug hook.
bool wf_task_can_run_from(lua_State *L);

// Runs up to `max` ready tasks (wf_hooks.run_batch).
void wf_task_run_batch(wf_vm *vm, uint32_t max);

// Main has returned: runs the deferred calls of tasks that have failed by then, and what
// weft.on_panic has still to see, but nobody else, and not for ever; failures whose deferred calls
// do not come to an end are reported without them. No panic is lost.
void wf_task_run_last(wf_vm *vm);

// The end of a task that does not go on: one that failed and whose failure has been reported, or
// one that waits no more and has nothing to run.
void wf_task_end_failed(wf_vm *vm, wf_task *task);

// Replaces the coroutine of a failed task by the one on top of L's stack, and pops that.
void wf_task_renew(lua_State *L, wf_task *task);

// A kept task that is done goes back to the pool.
void wf_task_release(wf_task *task);

// The VM is about to be closed: no task waits for anything any more, or will ever run.
void wf_tasks_abandon(wf_vm *vm);

// Gives back all task memory of the VM.
void wf_tasks_free(wf_vm *vm);

// Calls fn for every live task, in order of their slots.
void wf_tasks_each(wf_vm *vm, void (*fn)(wf_task *task, void *arg), void *arg);

// The same for tasks that are done and kept.
void wf_tasks_each_done(wf_vm *vm, void (*fn)(wf_task *task, void *arg), void *arg);

// Pushes the task's coroutine. Allocates nothing.
void wf_task_push_coroutine(lua_State *L, wf_task *task);

// Whether `co` is the coroutine of a live task.
wf_task *wf_task_of_coroutine(wf_vm *vm, lua_State *co);

const char *wf_task_state_name(const wf_task *task);

#endif
