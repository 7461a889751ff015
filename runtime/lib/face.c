// SPDX-License-Identifier: MIT
#include "task/face.h"

#include "conc/after.h"
#include "conc/ctx_share.h"
#include "lib/arg.h"
#include "lib/lib.h"
#include "sched/runtime.h"
#include "task/address.h"
#include "task/codec.h"
#include "task/guard.h"

static void set_cause(lua_State *L, int cause) {
  lua_pushliteral(L, "cause_value");
  if (cause != 0) {
    lua_pushvalue(L, cause);
  } else {
    lua_pushnil(L);
  }
  lua_rawset(L, lua_upvalueindex(2));
}

// Ends a context that others know with the cause at 1. What is in the way raises before that.
static void cancel_shared(wf_vm *vm, lua_State *L, wf_ctx *ctx) {
  wf_message m;
  if (!wf_codec_pack(vm, L, 1, 1, WF_PACK_VALUES, &m)) {
    set_cause(L, 0);
    wf_raise(L, "'cancel' of a context that has crossed: cause: %s", lua_tostring(L, -1));
  }
  wf_ctx_end_state end = {.state = WF_CTX_CANCELED, .own = true};
  if (wf_ctx_core_end(wf_ctx_share_core(ctx), end, &m, ctx)) return;
  if (m.parcel != NULL) wf_message_free(&m);
  set_cause(L, 0);
}

// cancel([cause]); upvalues: the VM, the context
static int l_cancel(lua_State *L) {
  wf_ctx *ctx = wf_ctx_at(L, lua_upvalueindex(2));
  if (ctx == NULL) wf_raise(L, "the insides of a context were overwritten");
  wf_ctx_look(L, ctx);
  if (ctx->state != WF_CTX_LIVE) return 0;
  lua_settop(L, 1);
  if (!lua_isnil(L, 1)) {
    set_cause(L, 1);  // first: it may take memory
    if (ctx->obj.shared) cancel_shared(ctx->obj.vm, L, ctx);
  }
  wf_ctx_end(L, ctx, WF_CTX_CANCELED);
  return 0;
}

// stop() -> whether it was in time; upvalues: the VM, what after_func has made
static int l_stop(lua_State *L) {
  lua_pushboolean(L, wf_after_stop(L, lua_upvalueindex(2)));
  return 1;
}

static void push_closure(wf_vm *vm, lua_State *L, int idx, lua_CFunction fn) {
  lua_pushlightuserdata(L, vm);
  lua_pushvalue(L, idx);
  lua_pushcclosure(L, fn, 2);
}

// canceller(ctx) -> a function that ends it
static int l_canceller(lua_State *L) {
  push_closure(wf_door_vm(L), L, 1, l_cancel);
  return 1;
}

// ctx_after(ctx, fn) -> a function that keeps fn from starting
static int l_ctx_after(lua_State *L) {
  wf_ctx *ctx = wf_ctx_at(L, 1);
  lua_settop(L, 2);
  if (ctx == NULL) wf_self_fail(L, "after_func", "context", "ctx");
  wf_ctx_look(L, ctx);
  wf_after_new(ctx->obj.vm, L);
  push_closure(ctx->obj.vm, L, 3, l_stop);  // first: it may take memory
  lua_pushvalue(L, 2);
  wf_after_begin(L, 3, ctx);
  return 1;
}

void wf_lib_open_face(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {
      {"canceller", l_canceller}, {"ctx_after", l_ctx_after}, {NULL, NULL}};
  wf_lib_add(vm, L, functions);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  wf_vm_set_ref(vm, L, WF_REF_FACES);
}

// What the function at idx is a face of: pushes that.
static wf_face face_of(lua_State *L, int idx) {
  lua_CFunction fn = lua_tocfunction(L, idx);
  if (fn != l_cancel && fn != l_stop) return WF_FACE_NONE;
  (void)lua_getupvalue(L, idx, 2);
  return fn == l_cancel ? WF_FACE_CANCEL : WF_FACE_STOP;
}

// Remembers the function at 2 as the face of the object, which is addressed by `ud`.
static int remember(lua_State *L, void *ud) {
  wf_vm_push_ref(((const wf_obj *)ud)->vm, L, WF_REF_FACES);
  wf_address_push(L, ud);
  lua_pushvalue(L, 2);
  lua_rawset(L, -3);
  return 0;
}

static wf_face push_whole(wf_vm *vm, lua_State *L, int idx) {
  wf_face face = WF_FACE_NONE;
  if (lua_isuserdata(L, idx)) {
    const wf_chan *ch = (const wf_chan *)wf_obj_at(L, idx, &wf_tag_chan);
    if (ch == NULL || !ch->of_context) return WF_FACE_NONE;
    lua_getfenv(L, idx);
    lua_rawgeti(L, -1, 1);
    lua_replace(L, -2);
    return WF_FACE_DONE;
  }
  face = face_of(L, idx);
  if (face == WF_FACE_NONE) return face;
  wf_obj *obj = wf_obj_any(L, lua_gettop(L));
  if (obj == NULL) {
    lua_pop(L, 1);
    return WF_FACE_NONE;
  }
  // When there is no memory for it another function comes back in its place.
  lua_pushvalue(L, idx);
  if (wf_guard_at_rest(vm, L, remember, obj, 1, 0) != 0) lua_pop(L, 1);
  return face;
}

// Pushes the function that is known as a face of the object, or nil.
static bool push_known(wf_vm *vm, lua_State *L, wf_obj *obj, wf_face face) {
  wf_vm_push_ref(vm, L, WF_REF_FACES);
  wf_address_push(L, obj);
  lua_rawget(L, -2);
  lua_remove(L, -2);
  // The address may have been another object's before.
  if (!lua_isnil(L, -1) && face_of(L, lua_gettop(L)) == face) {
    bool same = wf_obj_any(L, lua_gettop(L)) == obj;
    lua_pop(L, 1);
    if (same) return true;
  }
  lua_pop(L, 1);
  return false;
}

// A view of the channel at idx, which lets only one thing be done with it.
static void push_view(wf_vm *vm, lua_State *L, int idx, bool sends) {
  lua_createtable(L, 0, 1);
  lua_pushvalue(L, idx);
  lua_rawseti(L, -2, 0);
  wf_vm_push_ref(vm, L, sends ? WF_REF_SEND_VIEW_MT : WF_REF_VIEW_MT);
  lua_setmetatable(L, -2);
}

static void push(wf_vm *vm, lua_State *L, wf_face face) {
  int top = lua_gettop(L);
  wf_obj *obj = wf_obj_any(L, top);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  if (face <= WF_FACE_SEND) {
    push_view(vm, L, top, face == WF_FACE_SEND);
  } else if (face == WF_FACE_DONE && wf_ctx_at(L, top) != NULL) {
    lua_getfield(L, top, "done");
    lua_pushvalue(L, top);
    lua_call(L, 1, 1);
  } else if (face == WF_FACE_CANCEL ? wf_ctx_at(L, top) != NULL : wf_after_is(L, top)) {
    if (!push_known(vm, L, obj, face)) {
      push_closure(vm, L, top, face == WF_FACE_CANCEL ? l_cancel : l_stop);
      wf_vm_push_ref(vm, L, WF_REF_FACES);
      wf_address_push(L, obj);
      lua_pushvalue(L, -3);
      lua_rawset(L, -3);
      lua_pop(L, 1);
    }
  } else {
    luaL_error(L, "a message with a wrong value");
  }
  lua_replace(L, top);
}

const wf_faces wf_lib_faces = {.push_whole = push_whole, .push = push};
