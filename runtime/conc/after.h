// SPDX-License-Identifier: MIT
// What waits for the end of a context: functions of scripts (after_func), and calls of C. A
// function starts in the VM where it was given; whoever has its stop function, in any VM, can keep
// it from that, until it has started.
#ifndef WF_CONC_AFTER_H
#define WF_CONC_AFTER_H

#include "conc/context.h"

// What C has to do, in the context's VM. It takes no memory: who must not be missed there.
typedef struct wf_after_call {
  wf_link link;  // in ctx->afters while it waits
  wf_ctx *ctx;   // counted, likewise
  // The context and all below it have ended. Raises nothing, and frees nothing of the context's.
  void (*fn)(struct wf_after_call *call);
} wf_after_call;

// Waits for the end, or is called at once.
void wf_after_wait(wf_after_call *call, wf_ctx *ctx);

// Waits no more, if it did.
void wf_after_leave(wf_after_call *call);

// Pushes a userdata that waits for nothing yet. Raises when memory is out.
void wf_after_new(wf_vm *vm, lua_State *L);

// The userdata at idx starts the function on top of L's stack (popped) in a task when the context
// ends, or at once. Raises when memory is out, and then it does not.
void wf_after_begin(lua_State *L, int idx, wf_ctx *ctx);

// Whether the value at idx is such a userdata.
bool wf_after_is(lua_State *L, int idx);

// Keeps the function of the userdata at idx from starting; true when that was in time.
bool wf_after_stop(lua_State *L, int idx);

// The context has ended.
void wf_after_start_all(wf_ctx *ctx);

// What the functions can bring about.
void wf_after_mark_all(const wf_ctx *ctx, struct wf_mark *m);

#endif
