// SPDX-License-Identifier: MIT
#include "io/event.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "base/size.h"
#include "io/handle.h"
#include "task/mark.h"
#include "task/remote.h"

// Calls in a row that need not wait, until others get their turn.
enum { IN_A_ROW = WF_SIZE(256, 1) };

void wf_event_visit(wf_obj *obj, wf_mark *m) {
  const wf_link *waiters = &((wf_event *)obj)->waiters;
  for (wf_link *l = waiters->next; l != waiters; l = l->next) {
    wf_mark_task(m, wf_container_of(l, wf_waiter, link)->task);
  }
}

void wf_event_init(wf_event *event) { wf_list_init(&event->waiters); }

void wf_event_hold(wf_event *event) { wf_obj_hold(&event->held, &event->obj); }

void wf_event_release(wf_event *event) { (void)wf_obj_release(&event->held); }

void wf_event_label(wf_event *event, const char *what, const char *where) {
  wf_mem *mem = wf_obj_mem(&event->obj);
  size_t size = strlen(what) + strlen(where) + 2;
  char *label = event->obj.label == NULL ? wf_mem_new(mem, size) : NULL;
  if (label == NULL) return;
  (void)snprintf(label, size, "%s %s", what, where);
  event->obj.label = label;
}

static void wake_all(wf_event *event, bool closed) {
  wf_obj_ref(&event->obj);  // the last waiter's claim may let go of it
  while (!wf_list_empty(&event->waiters)) {
    wf_task *task = wf_container_of(event->waiters.next, wf_waiter, link)->task;
    if (!wf_remote_win(task)) {  // its context has ended on another core
      wf_list_remove(event->waiters.next);
      continue;
    }
    wf_handle_happened(task->vm);
    wf_claim(task);
    if (closed) {
      lua_pushnil(task->at);
      wf_vm_push_ref(task->vm, task->at, WF_REF_CLOSED);
    } else {
      lua_pushboolean(task->at, 1);
    }
    wf_ready(task, closed ? 2 : 1);
  }
  wf_obj_unref(&event->obj);
}

void wf_event_wake(wf_event *event) { wake_all(event, false); }

void wf_event_close(wf_event *event) { wake_all(event, true); }

int wf_event_at_once(wf_vm *vm, lua_State *L, int nresults) {
  if (++vm->answered_at_once % IN_A_ROW != 0 || !wf_can_park(vm, L)) return nresults;
  return wf_pass(vm, L, nresults);
}

int wf_event_push_failure(lua_State *L, const char *what, const char *where, int code) {
  char words[128], name[32];
  (void)uv_strerror_r(code, words, sizeof words);
  (void)uv_err_name_r(code, name, sizeof name);
  lua_pushnil(L);
  lua_pushfstring(L, "%s %s: %s (%s)", what, where, words, name);
  lua_pushstring(L, name);
  return 3;
}
