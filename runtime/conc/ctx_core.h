// SPDX-License-Identifier: MIT
// The core of a context that has crossed to another VM: whether it has ended, and why. Each VM
// that knows the context has a stub, a node of its own tree (conc/context.h), with stubs of all
// contexts above it. So an end has to reach the stubs of one core alone, and each VM's tree does
// the rest.
//
// Who ends a context writes it down here first, under the lock: the first one counts, whether it
// cancels, completes or is late. Then it posts mail to the other VMs with a stub. Until that is
// opened they see the end all the same, as who asks looks at the cores on the way up
// (wf_ctx_look): when `cancel` has returned, every core says so. A deadline is a timer of each
// VM, on that VM's clock: where one goes by game time (weft.step) it is due as much later there as
// that lags behind, and whoever comes to it first ends the context for all.
//
// Nothing here knows of Lua, and everything may be called by any thread that has a reference.
// Orders: the state is stored with release after the cause, and read with acquire.
// Symbols: wf_ctx_core, wf_ctx_link
#ifndef WF_CONC_CTX_CORE_H
#define WF_CONC_CTX_CORE_H

#include "conc/context.h"
#include "sched/worker.h"
#include "task/core.h"
#include "task/message.h"

// What a core has of a stub.
typedef struct wf_ctx_link {
  wf_mail mail;  // first
  wf_link link;  // in core->links
  wf_mem mem;
  wf_worker *worker;
  struct wf_ctx *node;       // NULL: it has gone. Changes under the lock, on the stub's thread
  struct wf_ctx_link *next;  // of those who are to be posted
  bool posted;               // under the lock: the mail is on its way
} wf_ctx_link;

typedef enum wf_ctx_root {
  WF_CTX_NO_ROOT,
  WF_CTX_BACKGROUND,  // every VM has its own
  WF_CTX_TODO,
} wf_ctx_root;

typedef struct wf_ctx_core {
  wf_core core;
  // Written before others know of it; parent and messages under the lock.
  wf_core *parent;       // counted: the context that it was derived from; NULL: it is a root
  uint64_t deadline_ns;  // as in the node, on the clock that all VMs have in common
  double at;             // the deadline as scripts see it, likewise,
  bool has_at;           // if it has one of its own
  bool cut;              // it does not end with its parent
  bool has_value, has_deadline_cause;
  uint8_t root;
  wf_message key, value, deadline_cause;
  wf_ctx_link *first;  // of the VM where it comes from, until it is a stub
  // Under the lock.
  wf_link links;
  wf_atomic_u64 state;  // also read without it
  bool has_cause;
  wf_message cause;  // never changes once it has ended
} wf_ctx_core;

typedef struct wf_ctx_end_state {
  wf_ctx_state state;
  bool own;  // it was ended itself, and not with one above it
} wf_ctx_end_state;

// NULL when memory is out.
wf_ctx_core *wf_ctx_core_new(const wf_mem *mem, const wf_core_kind *kind, wf_ctx_end_state end);

// wf_core_kind.empty, and each
void wf_ctx_core_empty(wf_core *core);
void wf_ctx_core_each(wf_core *core, void (*fn)(wf_core *held, void *arg), void *arg);

wf_ctx_end_state wf_ctx_core_state(const wf_ctx_core *core);

// Ends it, unless it has ended: true, and then the cause (or NULL) is the core's. The VMs of all
// other stubs than `self` are told when it was ended itself.
bool wf_ctx_core_end(wf_ctx_core *core, wf_ctx_end_state end, wf_message *cause,
                     const wf_ctx *self);

// A place for a stub, which stands nowhere yet; NULL when memory is out.
wf_ctx_link *wf_ctx_link_new(const wf_mem *mem, void (*open)(wf_mail *mail));
void wf_ctx_link_free(wf_ctx_link *link);

// The stub of this thread comes to the core, and leaves it.
void wf_ctx_link_join(wf_ctx_link *link, wf_ctx_core *core, wf_ctx *node);
void wf_ctx_link_leave(wf_ctx_link *link, wf_ctx_core *core);

// The mail has been opened: the stub, NULL when it has gone.
wf_ctx *wf_ctx_link_opened(wf_ctx_link *link);

#endif
