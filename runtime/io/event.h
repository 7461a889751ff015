// SPDX-License-Identifier: MIT
// What tasks wait on when they wait for the system: the base of the objects of this floor. A task
// wakes with `true` when what it waits for has come about (a Lua frame then asks for the results),
// with nil and "closed" when the object is closed under it, or with nil and the error of its
// context. An object that the system is busy with is held: it lives and acts by itself.
#ifndef WF_IO_EVENT_H
#define WF_IO_EVENT_H

#include "task/obj.h"
#include "task/park.h"

typedef struct wf_event {
  wf_obj obj;
  wf_link waiters;
  wf_held held;
} wf_event;

// wf_kind.visit of all of them.
void wf_event_visit(wf_obj *obj, struct wf_mark *m);

// Sets up a new object's part.
void wf_event_init(wf_event *event);

static inline bool wf_event_is_awaited(const wf_event *event) {
  return !wf_list_empty(&event->waiters);
}

// Holds it, or lets go of it: to be done last, as it may be freed.
void wf_event_hold(wf_event *event);
void wf_event_release(wf_event *event);

// Says in reports what is waited for: "<what> <where>". Without memory they say nothing.
void wf_event_label(wf_event *event, const char *what, const char *where);

// Wakes all who wait: with true, or with nil and "closed".
void wf_event_wake(wf_event *event);
void wf_event_close(wf_event *event);

// For a call that the system has answered at once, with its results on the stack: returns them,
// after letting others run now and then.
int wf_event_at_once(wf_vm *vm, lua_State *L, int nresults);

// Pushes nil, "<what> <where>: <system's words> (ECODE)" and "ECODE" for a libuv error code.
int wf_event_push_failure(lua_State *L, const char *what, const char *where, int code);

#endif
