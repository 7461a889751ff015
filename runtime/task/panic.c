// SPDX-License-Identifier: MIT
// Everything here that allocates runs protected on the scheduler's own state; when memory is out
// the report shrinks to what needs none, but the task still ends and the runtime still stops.
#include "task/panic.h"

#include <lauxlib.h>
#include <string.h>

#include "sched/runtime.h"
#include "task/park.h"
#include "task/site.h"
#include "task/trace.h"

typedef struct failure {
  wf_vm *vm;
  wf_task *task;  // NULL: an orphan
  bool after_defers;
} failure;

// Pushes the "created by" line, or "".
static void push_creator(lua_State *L, const wf_task *task) {
  if (task == NULL || task->creator == 0) {
    lua_pushliteral(L, "");
    return;
  }
  lua_pushfstring(L, "\ncreated by task %d at %s", (int)task->creator,
                  wf_site_text(task->vm, task->site));
}

// The panic of an isolated task, on its way to the main VM.
typedef struct far_panic {
  wf_mail mail;
  wf_runtime *rt;
  uint64_t task;
  size_t trace;  // where the traceback begins in the text, after the error's words
  size_t size;
  char text[];
} far_panic;

static int receive(lua_State *L) {
  far_panic *far = lua_touserdata(L, 1);
  wf_vm *vm = &far->rt->vm;
  wf_vm_push_ref(vm, L, WF_REF_ON_PANIC);
  bool handled = vm->refs[WF_REF_ON_PANIC] != LUA_NOREF && lua_isfunction(L, -1);
  lua_pushstring(L, far->text);
  lua_pushstring(L, far->text + far->trace);
  if (handled) {
    lua_pushnumber(L, (lua_Number)far->task);
    wf_task_go(vm, L, 2)->flags |= WF_TASK_HANDLER;
    return 0;
  }
  lua_pushfstring(L, "panic: %s\n%s\n", lua_tostring(L, -2), lua_tostring(L, -1));
  wf_runtime_end(vm, L, WF_END_PANIC);
  return 0;
}

static void open_far_panic(wf_mail *mail) {
  far_panic *far = wf_container_of(mail, far_panic, mail);
  wf_runtime *rt = far->rt;
  if (wf_vm_call_protected(&rt->vm, receive, far) != 0) wf_runtime_fail(&rt->vm);
  wf_mem_free(&rt->mem, far, sizeof *far + far->size);
}

// The values at err and trace (strings) go to the main VM: its weft.on_panic, or the end.
static void send_home(lua_State *L, wf_vm *vm, uint64_t task, int err, int trace) {
  wf_trace_push_error_text(L, err);
  size_t words = strlen(lua_tostring(L, -1)) + 1, more = strlen(lua_tostring(L, trace)) + 1;
  far_panic *far = wf_mem_new(&vm->rt->mem, sizeof *far + words + more);
  if (far == NULL) luaL_error(L, "not enough memory");
  *far = (far_panic){.mail.open = open_far_panic, .rt = vm->rt, .task = task};
  far->trace = words;
  far->size = words + more;
  memcpy(far->text, lua_tostring(L, -1), words);
  memcpy(far->text + words, lua_tostring(L, trace), more);
  wf_worker_post(&vm->rt->worker, &far->mail);
}

static bool ends_with(const char *text, size_t size, lua_State *L, int idx) {
  size_t n;
  const char *end = lua_tolstring(L, idx, &n);
  return n <= size && memcmp(text + (size - n), end, n) == 0;
}

bool wf_panic_is_stop(const wf_task *task, lua_State *L, int idx) {
  if (task == NULL || (task->flags & WF_TASK_STOPPED) == 0) return false;
  if (task->own == NULL || lua_type(L, idx) != LUA_TSTRING) return false;
  size_t size;
  const char *text = lua_tolstring(L, idx, &size);
  wf_vm_push_ref(task->vm, L, WF_REF_CANCELED);
  wf_vm_push_ref(task->vm, L, WF_REF_DEADLINE);
  bool is = ends_with(text, size, L, -2) || ends_with(text, size, L, -1);
  lua_pop(L, 2);
  return is;
}

// L: error, traceback (with creator). Starts on_panic's function in a task, or ends the runtime.
static void deliver(lua_State *L, const failure *f) {
  wf_vm *vm = f->vm;
  int err = lua_gettop(L) - 1, trace = err + 1;
  if (wf_panic_is_stop(f->task, L, err)) return;
  bool handled = vm->refs[WF_REF_ON_PANIC] != LUA_NOREF;
  if (handled && (f->task == NULL || (f->task->flags & WF_TASK_HANDLER) == 0)) {
    wf_vm_push_ref(vm, L, WF_REF_ON_PANIC);
    if (lua_isfunction(L, -1)) {
      lua_pushvalue(L, err);
      lua_pushvalue(L, trace);
      lua_pushnumber(L, f->task != NULL ? (lua_Number)f->task->id : 0);
      wf_task_go(vm, L, trace + 1)->flags |= WF_TASK_HANDLER;
      if (f->task != NULL && f->task->flags & WF_TASK_MAIN) vm->main_failed = true;
      return;
    }
    lua_pop(L, 1);
  }
  if (vm != &vm->rt->vm) {
    send_home(L, vm, f->task != NULL ? f->task->id : 0, err, trace);
    return;
  }
  lua_pushliteral(L, "panic: ");
  wf_trace_push_error_text(L, err);
  lua_pushliteral(L, "\n");
  lua_pushvalue(L, trace);
  lua_pushliteral(L, "\n");
  lua_concat(L, 5);
  wf_runtime_end(vm, L, WF_END_PANIC);
}

// Protected: gives the failed task a new coroutine that runs its deferred calls and then returns
// error and traceback, which lie on L. Until then these are also kept in the list of the calls:
// they must not get lost when the calls never end.
static void run_defers_of_failed(lua_State *L, wf_task *task) {
  int err = lua_gettop(L) - 1;
  wf_vm_push_anchor(task->vm, L, task->defers);
  lua_pushvalue(L, err);
  lua_setfield(L, -2, "err");
  lua_pushvalue(L, err + 1);
  lua_setfield(L, -2, "trace");
  lua_State *co = lua_newthread(L);
  wf_vm_push_ref(task->vm, co, WF_REF_RUN_DEFERS);
  wf_vm_push_anchor(task->vm, co, task->defers);
  lua_pushvalue(L, err);
  lua_pushvalue(L, err + 1);
  lua_xmove(L, co, 2);
  wf_task_renew(L, task);
  task->flags |= WF_TASK_FAILED | WF_TASK_DEFERRING;
  wf_ready(task, 3);
}

static int report(lua_State *L) {
  failure *f = lua_touserdata(L, 1);
  wf_task *task = f->task;
  lua_State *co = task->co;
  luaL_checkstack(L, 10, NULL);
  if (f->after_defers) {
    wf_vm_push_anchor(task->vm, L, task->defers);
    lua_getfield(L, -1, "future");
    if (!lua_isnil(L, -1)) return 0;  // a Future has it
    lua_getfield(L, -2, "err");
    lua_getfield(L, -3, "trace");
  } else {
    lua_pushvalue(co, -1);
    lua_xmove(co, L, 1);
    wf_trace_push_error_path(f->vm, L, co);
    wf_trace_push_failed(L, co, lua_gettop(L) - 1);
    push_creator(L, task);
    lua_concat(L, 3);
    if (task->defers != LUA_NOREF) {
      run_defers_of_failed(L, task);
      return 0;
    }
  }
  deliver(L, f);
  return 0;
}

static void run_report(failure *f) {
  wf_vm *vm = f->vm;
  wf_task *task = f->task;
  if (wf_vm_call_protected(vm, report, f) != 0) {
    wf_runtime_fail(vm);
  } else if (task->state == WF_READY) {
    return;  // its deferred calls come first
  }
  wf_task_end_failed(vm, task);
}

void wf_panic_task(wf_vm *vm, wf_task *task) {
  if (task->flags & WF_TASK_FAILED) {  // memory ran out under its deferred calls
    wf_panic_overdue(vm, task);
    wf_task_end_failed(vm, task);
    return;
  }
  failure f = {.vm = vm, .task = task};
  run_report(&f);
}

void wf_panic_after_defers(wf_vm *vm, wf_task *task) {
  failure f = {.vm = vm, .task = task, .after_defers = true};
  run_report(&f);
}

void wf_panic_stray_yield(wf_vm *vm, wf_task *task) {
  wf_vm_push_ref(vm, task->co, WF_REF_STRAY_YIELD);
  task->state = WF_RUN;
  wf_panic_task(vm, task);
}

typedef struct overdue_call {
  wf_vm *vm;
  wf_task *task;
} overdue_call;

// task.overdue(list) hands the failure to its Future, or returns error and traceback.
static int overdue(lua_State *L) {
  overdue_call *call = lua_touserdata(L, 1);
  wf_vm_push_ref(call->vm, L, WF_REF_OVERDUE);
  wf_vm_push_anchor(call->vm, L, call->task->defers);
  lua_call(L, 1, 2);
  if (lua_isnil(L, -1)) return 0;
  failure f = {.vm = call->vm, .task = call->task};
  deliver(L, &f);
  return 0;
}

void wf_panic_overdue(wf_vm *vm, wf_task *task) {
  overdue_call call = {.vm = vm, .task = task};
  if (wf_vm_call_protected(vm, overdue, &call) != 0) wf_runtime_fail(vm);
}

void wf_panic_orphan(wf_vm *vm, lua_State *L) {
  failure f = {.vm = vm};
  deliver(L, &f);
}
