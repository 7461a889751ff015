// SPDX-License-Identifier: MIT
// How a context becomes shared, with all those above it, and how it arrives in another VM: as a
// table like any other, whose node is a stub.
// Symbols: wf_ctx_share
#ifndef WF_CONC_CTX_SHARE_H
#define WF_CONC_CTX_SHARE_H

#include "conc/ctx_core.h"
#include "task/promote.h"

extern const wf_share wf_ctx_share;

static inline wf_ctx_core *wf_ctx_share_core(const wf_ctx *ctx) {
  return (wf_ctx_core *)ctx->obj.core;
}

// Of contexts that have arrived: pushes key and value of with_value, and the cause that it has
// ended with, or nil. Raises what is in the way.
void wf_ctx_share_push_value(lua_State *L, const wf_ctx *ctx);
void wf_ctx_share_push_cause(lua_State *L, const wf_ctx *ctx);

#endif
