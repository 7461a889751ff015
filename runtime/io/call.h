// SPDX-License-Identifier: MIT
// A call of the system that may block, made by a thread of the pool (loop/pool.h) while the task
// waits. What the thread works on is the wf_call: paths, data and results, in memory of its own,
// as it may outlive the runtime that asked. What the task waits on is the wf_caller.
//
// Calls that have to keep apart, of one open file, stand in line (wf_turns): one is made at a
// time, in the order in which they were asked for.
//
// A task that does not wait any more (its context has ended, the file was closed) leaves its call
// behind: one that has not begun is never made; of one that has, the results are dropped.
//
// Who owns a wf_call: its wf_caller; while it is made, the thread, but for `caller`.
// Symbols: wf_call, wf_turns
#ifndef WF_IO_CALL_H
#define WF_IO_CALL_H

#include "base/mem.h"
#include "io/event.h"
#include "loop/pool.h"

typedef struct wf_call wf_call;

typedef struct wf_call_kind {
  const char *what;  // as failures name it: "open"
  size_t size;
  // On a thread of the pool, and once more for as long as `more` says so. Sets code.
  void (*run)(wf_call *call);
  // On the VM's thread, when its turn has come. True: that was all, without waiting. May be NULL.
  bool (*at_once)(wf_call *call);
  // On the VM's thread, after a run. True: again. `awaited`: somebody still waits. May be NULL.
  bool (*more)(wf_call *call, bool awaited);
  // Pushes the results of one that has not failed; how many. Raises when memory is out.
  int (*push)(lua_State *L, wf_call *call);
  // On the VM's thread, when that is closed while the call is made: what it uses is its own from
  // now on. May be NULL.
  void (*forget)(wf_call *call);
  // Lets go of what it holds. Any thread. May be NULL.
  void (*free)(wf_call *call);
} wf_call_kind;

typedef struct wf_turns {
  wf_link queue;  // of callers; the first one's call is being made
} wf_turns;

typedef struct wf_caller {
  wf_event event;
  wf_call *call;    // NULL: its results are with the task, or nobody wants them
  wf_turns *turns;  // NULL: it need not keep apart
  wf_obj *of;       // whose turns these are; counted
  wf_link turn;
  bool begun;  // it stands in line or is made
  bool made;   // its job is the pool's
  bool done;
} wf_caller;

struct wf_call {
  wf_pool_job job;  // first
  const wf_call_kind *kind;
  wf_mem mem;
  wf_caller *caller;  // NULL: forgotten
  char *where;        // as failures name it, a path; of wf_call_keep
  int code;           // a libuv error code, or >= 0
};

static inline void wf_turns_init(wf_turns *turns) { wf_list_init(&turns->queue); }

// Pushes a caller with a call of that kind, zeroed but for what is above. Raises when memory is
// out. `turns`, of the object `of`, may be NULL.
wf_call *wf_call_new(wf_vm *vm, lua_State *L, const wf_call_kind *kind, const char *where,
                     wf_turns *turns, wf_obj *of);

// The caller at idx; NULL when it is none.
wf_caller *wf_call_at(lua_State *L, int idx);

// Makes the call at once, if that is possible without waiting: true, and it is done.
bool wf_call_at_once(wf_caller *caller);

// Has it made, as soon as its turn has come. The running task waits for it by now. False: it is
// done, and has failed.
bool wf_call_begin(wf_caller *caller);

// Its task waits no more: it is not begun any more, or told to stop.
void wf_call_leave(wf_caller *caller);

// Wakes those who stand in line with nil and "closed"; what is being made goes on.
void wf_call_close_all(wf_turns *turns);

// Pushes the results of one that is done, or its failure; how many.
int wf_call_push(lua_State *L, wf_caller *caller);

// A copy of the text in the call's memory, NULL when that is out. wf_call_drop frees it.
char *wf_call_keep(wf_call *call, const char *text, size_t length);
void wf_call_drop(wf_call *call, char *text);

#endif
