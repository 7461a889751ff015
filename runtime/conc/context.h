// SPDX-License-Identifier: MIT
// The cancel tree of contexts. A context in Lua is a table (lua/weft/context.lua) with its node of
// this tree at index 0; values, causes and the way up are in Lua, what has to happen when no Lua
// runs is here. A child refers to its parent and not the other way round: a context that nobody
// uses is collected while its parent lives.
// Symbols: wf_ctx
#ifndef WF_CONC_CONTEXT_H
#define WF_CONC_CONTEXT_H

#include "conc/chan.h"
#include "task/obj.h"
#include "task/park.h"

typedef enum wf_ctx_state { WF_CTX_LIVE, WF_CTX_CANCELED, WF_CTX_DEADLINE } wf_ctx_state;

typedef struct wf_ctx {
  wf_obj obj;
  struct wf_ctx *parent;  // counted; NULL at the root
  wf_link sibling;        // in parent->children while live
  wf_link children;
  wf_link waiters;           // tasks whose call takes this context
  wf_link afters;            // what is done then (conc/after.h)
  wf_chan *done;             // counted; NULL until somebody asks for it
  struct wf_ctx_link *link;  // of a stub (conc/ctx_core.h): its place in the core
  wf_timer timer;
  uint64_t deadline_ns;  // the earliest of its own and its parents', WF_NEVER
  uint8_t state;
  bool own_end;  // ended by its own cancel or timer, not by its parent's
  bool watched;  // it or one above it is shared with other VMs: its end may have come there
  bool raises;   // a task's own (conc/scope.h): its calls raise its error
  bool follows;  // it carries a value: nobody has a cancel function of its own
} wf_ctx;

// Pushes the userdata of a node under `parent` (NULL: a root). One under an ended parent has ended
// as well. Raises when memory is out.
wf_ctx *wf_ctx_new(wf_vm *vm, lua_State *L, wf_ctx *parent);

// The node at idx: of a context's table; NULL when it is none.
wf_ctx *wf_ctx_at(lua_State *L, int idx);

// Gives the node a deadline of its own; ends it at once when that has passed. Raises when memory
// is out.
void wf_ctx_set_deadline(lua_State *L, wf_ctx *ctx, uint64_t when_ns);

// Ends the node and all below it. `L` must be able to take a few pushes.
void wf_ctx_end(lua_State *L, wf_ctx *ctx, wf_ctx_state state);

// Links a waiter of the running task, which wakes with nil and the error when the context ends; of
// one that raises wf_ctx_ended comes third, for the Lua frame around the call.
void wf_ctx_queue(wf_ctx *ctx, wf_waiter *waiter);
extern void *const wf_ctx_ended;

// Ends it now when a deadline has passed that its timer has not seen yet, or another core has
// ended it.
void wf_ctx_look(lua_State *L, wf_ctx *ctx);

// It has become shared: what is below is watched from now on.
void wf_ctx_watch(wf_ctx *ctx);

// Whether the timer is the deadline of a context whose end nobody waits for: no call, no receiver
// of its channel, no function, neither of itself nor of a context below.
bool wf_ctx_idle(const wf_timer *timer);

// Pushes its error, or nil while it lives. Allocates nothing.
void wf_ctx_push_error(lua_State *L, const wf_ctx *ctx);

#endif
