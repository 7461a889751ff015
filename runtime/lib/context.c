// SPDX-License-Identifier: MIT
#include "conc/ctx_share.h"
#include "lib/arg.h"
#include "lib/lib.h"
#include "task/park.h"

// The node in the table at 1. The Lua side has checked that it is a context.
static wf_ctx *node(lua_State *L, const char *fname) {
  wf_ctx *ctx = wf_ctx_at(L, 1);
  if (ctx == NULL) wf_self_fail(L, fname, "context", "ctx");
  return ctx;
}

// ctx_node([parent[, follows]]) -> the userdata of a new node, under that context
static int l_ctx_node(lua_State *L) {
  wf_ctx *parent = lua_isnoneornil(L, 1) ? NULL : node(L, "context");
  wf_ctx_new(wf_door_vm(L), L, parent)->follows = lua_toboolean(L, 2);
  return 1;
}

static int l_is_ctx(lua_State *L) {
  lua_pushboolean(L, wf_ctx_at(L, 1) != NULL);
  return 1;
}

// ctx_deadline(ctx, seconds from now)
static int l_ctx_deadline(lua_State *L) {
  wf_ctx *ctx = node(L, "with_deadline");
  uint64_t now = wf_clock_now(&ctx->obj.vm->clock);
  wf_ctx_set_deadline(L, ctx, wf_clock_after(now, lua_tonumber(L, 2)));
  return 0;
}

// ctx_err(ctx) -> nil or its error; a poll
static int l_ctx_err(lua_State *L) {
  wf_ctx *ctx = node(L, "err");
  wf_ctx_look(L, ctx);
  wf_ctx_push_error(L, ctx);
  return ctx->state == WF_CTX_LIVE ? wf_poll_missed(ctx->obj.vm, L, 1) : 1;
}

// ctx_ended(ctx) -> nil, or its error and whether it ended by itself rather than with its parent
static int l_ctx_ended(lua_State *L) {
  wf_ctx *ctx = node(L, "cause");
  wf_ctx_look(L, ctx);
  wf_ctx_push_error(L, ctx);
  lua_pushboolean(L, ctx->own_end);
  return 2;
}

// ctx_done(ctx) -> a new channel that closes when it ends
static int l_ctx_done(lua_State *L) {
  wf_ctx *ctx = node(L, "done");
  lua_settop(L, 1);
  lua_rawgeti(L, 1, 0);
  if (ctx->done != NULL) {  // whoever asked for it had no memory left to keep it
    lua_getfenv(L, 2);
    lua_rawgeti(L, -1, 2);
    return 1;
  }
  wf_chan *ch = wf_chan_new(ctx->obj.vm, L, 0);
  wf_chan_make_system(L, ch, -1);
  ch->of_context = true;
  // Whoever holds the channel holds the context, whose deadline has to close it; and the other way
  // round, for the next who asks.
  lua_createtable(L, 2, 0);
  lua_pushvalue(L, 1);
  lua_rawseti(L, -2, 1);
  lua_pushvalue(L, -2);
  lua_rawseti(L, -2, 2);
  lua_pushvalue(L, -1);
  lua_setfenv(L, 2);
  lua_setfenv(L, -2);
  if (ctx->state != WF_CTX_LIVE) {
    ch->closed = true;
  } else if (ctx->done == NULL) {
    ctx->done = ch;
    ch->context = ctx;
    wf_obj_ref(&ch->obj);
  }
  return 1;
}

// ctx_value(ctx) -> key and value of one that has arrived from another VM
static int l_ctx_value(lua_State *L) {
  wf_ctx_share_push_value(L, node(L, "value"));
  return 2;
}

// ctx_cause(ctx) -> the cause that it has ended with on another core, or nil
static int l_ctx_cause(lua_State *L) {
  const wf_ctx *ctx = node(L, "cause");
  if (!ctx->obj.shared) return 0;
  wf_ctx_share_push_cause(L, ctx);
  return 1;
}

// ctx_types(metatable, background, todo)
static int l_ctx_types(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_settop(L, 3);
  wf_vm_set_ref(vm, L, WF_REF_TODO);
  wf_vm_set_ref(vm, L, WF_REF_BACKGROUND);
  wf_vm_set_ref(vm, L, WF_REF_CONTEXT_MT);
  return 0;
}

void wf_lib_open_context(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {
      {"ctx_node", l_ctx_node},         {"is_ctx", l_is_ctx},
      {"ctx_deadline", l_ctx_deadline}, {"ctx_err", l_ctx_err},
      {"ctx_ended", l_ctx_ended},       {"ctx_done", l_ctx_done},
      {"ctx_value", l_ctx_value},       {"ctx_cause", l_ctx_cause},
      {"ctx_types", l_ctx_types},       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
