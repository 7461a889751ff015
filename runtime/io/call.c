// SPDX-License-Identifier: MIT
#include "io/call.h"

#include <lauxlib.h>
#include <string.h>

#include "base/check.h"
#include "sched/runtime.h"
#include "task/site.h"

static void free_call(wf_call *call) {
  if (call == NULL) return;
  if (call->kind->free != NULL) call->kind->free(call);
  wf_call_drop(call, call->where);
  wf_mem mem = call->mem;
  wf_mem_free(&mem, call, call->kind->size);
}

static void leave_line(wf_caller *caller) {
  if (wf_link_in_list(&caller->turn)) wf_list_remove(&caller->turn);
}

static void destroy(wf_obj *obj) {
  wf_caller *caller = (wf_caller *)obj;
  free_call(caller->call);
  if (caller->of != NULL) wf_obj_unref(caller->of);
}

// The VM is about to be closed.
static void let_go(wf_obj *obj) {
  wf_caller *caller = (wf_caller *)obj;
  leave_line(caller);
  if (caller->made) {
    caller->made = false;
    wf_call *call = caller->call;
    caller->call = NULL;
    call->caller = NULL;
    if (call->kind->forget != NULL) call->kind->forget(call);
    wf_pool_forget(&call->job);
  }
  wf_event_release(&caller->event);
}

static const wf_kind kind = {.name = "call",
                             .size = sizeof(wf_caller),
                             .destroy = destroy,
                             .let_go = let_go,
                             .visit = wf_event_visit};
static const char tag_caller;

static void drop(wf_pool_job *job) { free_call((wf_call *)job); }

static void run(wf_pool_job *job) {
  wf_call *call = (wf_call *)job;
  call->kind->run(call);
}

static bool make(wf_caller *caller) {
  wf_loop *loop = &caller->event.obj.vm->worker->loop;
  int rc = wf_pool_start(loop, &caller->call->job);
  if (rc != 0) caller->call->code = rc;
  return caller->made = rc == 0;
}

// Its results are there: they are for the task that waits, or else for nobody.
static void finish(wf_caller *caller) {
  caller->done = true;
  if (!wf_event_is_awaited(&caller->event)) {
    free_call(caller->call);
    caller->call = NULL;
  }
  wf_event_wake(&caller->event);
  wf_event_release(&caller->event);
}

// Whoever is first in line now is served, without waiting as long as that is possible.
static void serve(wf_turns *turns) {
  while (!wf_list_empty(&turns->queue)) {
    wf_caller *caller = wf_container_of(turns->queue.next, wf_caller, turn);
    wf_call *call = caller->call;
    if (wf_event_is_awaited(&caller->event)) {
      bool at_once = call->kind->at_once != NULL && call->kind->at_once(call);
      if (!at_once && make(caller)) return;
    }
    wf_list_remove(&caller->turn);
    finish(caller);
  }
}

static void has_run(wf_pool_job *job) {
  wf_call *call = (wf_call *)job;
  wf_caller *caller = call->caller;
  wf_turns *turns = caller->turns;
  caller->made = false;
  bool awaited = wf_event_is_awaited(&caller->event);
  if (call->kind->more != NULL && call->kind->more(call, awaited) && make(caller)) return;
  wf_obj *of = caller->of;
  if (of != NULL) wf_obj_ref(of);
  leave_line(caller);
  finish(caller);
  if (of == NULL) return;
  serve(turns);
  wf_obj_unref(of);
}

wf_call *wf_call_new(wf_vm *vm, lua_State *L, const wf_call_kind *of_kind, const char *where,
                     wf_turns *turns, wf_obj *of) {
  wf_caller *caller = (wf_caller *)wf_obj_new(vm, L, &kind, &tag_caller);
  wf_event_init(&caller->event);
  wf_mem *mem = &vm->rt->mem;
  wf_call *call = wf_mem_new(mem, of_kind->size);
  if (call == NULL) wf_site_raise(L, "not enough memory");
  call->kind = of_kind;
  call->mem = *mem;
  call->job.run = run;
  call->job.done = has_run;
  call->job.drop = drop;
  call->caller = caller;
  call->where = wf_call_keep(call, where, strlen(where));
  if (call->where == NULL) {
    // Not by its kind, which takes descriptors that are 0 for its own.
    wf_mem_free(mem, call, of_kind->size);
    wf_site_raise(L, "not enough memory");
  }
  caller->call = call;
  caller->turns = turns;
  caller->of = of;
  if (of != NULL) wf_obj_ref(of);
  return call;
}

wf_caller *wf_call_at(lua_State *L, int idx) {
  return (wf_caller *)wf_obj_at(L, idx, &tag_caller);
}

bool wf_call_at_once(wf_caller *caller) {
  wf_call *call = caller->call;
  if (call->kind->at_once == NULL) return false;
  if (caller->turns != NULL && !wf_list_empty(&caller->turns->queue)) return false;
  caller->done = call->kind->at_once(call);
  return caller->done;
}

bool wf_call_begin(wf_caller *caller) {
  wf_event_label(&caller->event, caller->call->kind->what, caller->call->where);
  bool first = true;
  if (caller->turns != NULL) {
    first = wf_list_empty(&caller->turns->queue);
    wf_list_push(&caller->turns->queue, &caller->turn);
  }
  if (first && !make(caller)) {
    leave_line(caller);
    caller->done = true;
    return false;
  }
  wf_event_hold(&caller->event);
  return true;
}

void wf_call_leave(wf_caller *caller) {
  wf_call *call = caller->call;
  if (!caller->begun || caller->done || call == NULL) return;
  if (caller->turns != NULL) {
    // The object may have been closed meanwhile, and `more` sees to that.
    wf_u64_store(&call->job.stop, 1, WF_RELAXED);
  } else if (wf_pool_cancel(&call->job)) {
    caller->made = false;
    finish(caller);
  }
}

void wf_call_close_all(wf_turns *turns) {
  for (wf_link *l = turns->queue.next, *next; l != &turns->queue; l = next) {
    next = l->next;
    wf_event_close(&wf_container_of(l, wf_caller, turn)->event);
  }
}

int wf_call_push(lua_State *L, wf_caller *caller) {
  wf_call *call = caller->call;
  if (call == NULL || !caller->done) return 0;
  if (call->code < 0) return wf_event_push_failure(L, call->kind->what, call->where, call->code);
  int n = call->kind->push(L, call);
  caller->call = NULL;
  free_call(call);
  return n;
}

char *wf_call_keep(wf_call *call, const char *text, size_t length) {
  char *copy = call->mem.fn(call->mem.ud, NULL, 0, length + 1);
  if (copy == NULL) return NULL;
  memcpy(copy, text, length);
  copy[length] = '\0';
  return copy;
}

void wf_call_drop(wf_call *call, char *text) {
  if (text != NULL) wf_mem_free(&call->mem, text, strlen(text) + 1);
}
