// SPDX-License-Identifier: MIT
#include "conc/chan.h"

#include <math.h>

#include "base/check.h"
#include "conc/stub.h"
#include "lib/arg.h"
#include "lib/lib.h"

static wf_chan *self_chan(lua_State *L, const char *fname) {
  wf_chan *ch = wf_chan_at(L, 1);
  if (ch == NULL) wf_self_fail(L, fname, "channel", "ch");
  return ch;
}

static void refuse_send(lua_State *L, const char *fname) {
  wf_raise(L, "'%s' on a channel that only weft sends on", fname);
}

// chan([capacity])
static int l_chan(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  double capacity = 0;
  if (!lua_isnoneornil(L, 1)) {
    capacity = lua_type(L, 1) == LUA_TNUMBER ? lua_tonumber(L, 1) : -1;
    if (!(capacity >= 0 && capacity == floor(capacity))) {
      wf_arg_fail(L, 1, "chan", "integer >= 0", 1);
    }
    if (capacity > WF_CHAN_MAX) wf_arg_fail(L, 1, "chan", "integer up to 1e8", 1);
  }
  (void)wf_chan_new(vm, L, (uint32_t)capacity);
  wf_vm_push_ref(vm, L, capacity > 0 ? WF_REF_BUFFER_MT : WF_REF_CHAN_MT);
  lua_setmetatable(L, -2);
  return 1;
}

static int send_any(lua_State *L) {
  wf_chan *ch = self_chan(L, "send");
  wf_vm *vm = ch->obj.vm;
  if (lua_isnoneornil(L, 2)) wf_arg_fail(L, 1, "send", "a value other than nil", 2);
  if (ch->system) refuse_send(L, "send");
  int top = lua_gettop(L);
  wf_ctx *ctx = wf_arg_context(L, 3, 2, "send");
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (WF_UNLIKELY(top > 2)) {
    lua_settop(L, top = 3);
    lua_insert(L, 2);  // the value on top, where the receiver takes it
  }
  if (ch->obj.shared) return wf_stub_send(vm, L, ch, top, ctx);
  wf_chan_result result = wf_chan_try_send(L, ch, 1);
  if (result != WF_CHAN_BLOCK) {
    lua_pushboolean(L, result == WF_CHAN_DONE);
    return 1;
  }
  wf_check_can_park(vm, L, "send");
  wf_waiter *waiter = wf_wait_on(vm, &ch->obj, WF_OP_SEND);
  if (ctx != NULL) wf_wait_context(vm, L, ctx);
  wf_chan_queue(L, ch, 1, waiter);
  return wf_park(vm, L, WF_WAIT_CHAN_SEND, top);
}

// send(ch, v[, ctx]) -> true; false when closed (the caller in Lua raises); nil, err
static int l_send(lua_State *L) {
  wf_vm *vm = wf_vm_here;
  wf_chan *ch = (wf_chan *)wf_obj_at(L, 1, &wf_tag_chan);
  if (WF_UNLIKELY(vm == NULL || vm->own != NULL || ch == NULL || !ch->direct ||
                  lua_gettop(L) != 2 || lua_isnil(L, 2))) {
    return send_any(L);
  }
  wf_waiter *receiver = wf_chan_first(&ch->recvq);
  if (receiver != NULL) {
    wf_chan_hand_to(L, receiver);
    lua_pushboolean(L, 1);
    return 1;
  }
  if (WF_UNLIKELY(!wf_list_empty(&ch->recvq) || !wf_can_park(vm, L))) {
    return send_any(L);
  }
  wf_list_push(&ch->sendq, &wf_wait_on(vm, &ch->obj, WF_OP_SEND)->link);
  return wf_park(vm, L, WF_WAIT_CHAN_SEND, 2);
}

static int recv_any(lua_State *L) {
  wf_chan *ch = self_chan(L, "recv");
  wf_vm *vm = ch->obj.vm;
  int top = lua_gettop(L);
  wf_ctx *ctx = wf_arg_context(L, 2, 1, "recv");
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (ch->obj.shared) return wf_stub_recv(vm, L, ch, ctx);
  switch (wf_chan_try_recv(L, ch, 1)) {
    case WF_CHAN_DONE: return 1;
    case WF_CHAN_CLOSED:
      lua_pushnil(L);
      wf_chan_push_error(L, ch, 1);
      return 2;
    case WF_CHAN_BLOCK: break;
  }
  wf_check_can_park(vm, L, "recv");
  wf_waiter *waiter = wf_wait_on(vm, &ch->obj, WF_OP_RECV);
  if (ctx != NULL) wf_wait_context(vm, L, ctx);
  wf_chan_queue(L, ch, 1, waiter);
  return wf_park(vm, L, WF_WAIT_CHAN_RECV, top);
}

// recv(ch[, ctx]) -> v; nil, err
static int l_recv(lua_State *L) {
  wf_vm *vm = wf_vm_here;
  wf_chan *ch = (wf_chan *)wf_obj_at(L, 1, &wf_tag_chan);
  if (WF_UNLIKELY(vm == NULL || vm->own != NULL || ch == NULL || !ch->direct ||
                  lua_gettop(L) != 1)) {
    return recv_any(L);
  }
  wf_waiter *sender = wf_chan_first(&ch->sendq);
  if (sender != NULL) {
    wf_chan_take_from(L, sender);
    return 1;
  }
  if (WF_UNLIKELY(!wf_list_empty(&ch->sendq) || !wf_can_park(vm, L))) {
    return recv_any(L);
  }
  wf_list_push(&ch->recvq, &wf_wait_on(vm, &ch->obj, WF_OP_RECV)->link);
  return wf_park(vm, L, WF_WAIT_CHAN_RECV, 1);
}

static wf_chan_result try_send(lua_State *L, wf_chan *ch) {
  return ch->obj.shared ? wf_stub_try_send(ch->obj.vm, L, ch, 2) : wf_chan_try_send(L, ch, 1);
}

static wf_chan_result try_recv(lua_State *L, wf_chan *ch) {
  return ch->obj.shared ? wf_stub_try_recv(ch->obj.vm, L, ch) : wf_chan_try_recv(L, ch, 1);
}

static void push_error(lua_State *L, wf_chan *ch) {
  if (ch->obj.shared) {
    wf_stub_push_error(ch->obj.vm, L, ch);
  } else {
    wf_chan_push_error(L, ch, 1);
  }
}

static bool is_closed(lua_State *L, wf_chan *ch) {
  return ch->obj.shared ? wf_shared_is_closed(wf_stub_core(ch)) : wf_chan_is_closed(L, ch);
}

// False: it was closed.
static bool close_chan(lua_State *L, wf_chan *ch, int err) {
  if (ch->obj.shared) return wf_stub_close(ch->obj.vm, L, ch, err);
  if (ch->closed) return false;
  wf_chan_close(L, ch, 1, err);
  return true;
}

// try_send(ch, v) -> true; false, "full"; nil when closed (the caller in Lua raises)
static int l_try_send(lua_State *L) {
  wf_chan *ch = self_chan(L, "try_send");
  if (lua_isnoneornil(L, 2)) wf_arg_fail(L, 1, "try_send", "a value other than nil", 2);
  if (ch->system) refuse_send(L, "try_send");
  lua_settop(L, 2);
  switch (try_send(L, ch)) {
    case WF_CHAN_DONE: lua_pushboolean(L, 1); return 1;
    case WF_CHAN_CLOSED: lua_pushnil(L); return 1;
    case WF_CHAN_BLOCK: break;
  }
  lua_pushboolean(L, 0);
  lua_pushliteral(L, "full");
  return wf_poll_missed(ch->obj.vm, L, 2);
}

// try_recv(ch) -> v; nil, "empty"; nil, err
static int l_try_recv(lua_State *L) {
  wf_chan *ch = self_chan(L, "try_recv");
  switch (try_recv(L, ch)) {
    case WF_CHAN_DONE: return 1;
    case WF_CHAN_CLOSED:
      lua_pushnil(L);
      push_error(L, ch);
      return 2;
    case WF_CHAN_BLOCK: break;
  }
  lua_pushnil(L);
  lua_pushliteral(L, "empty");
  return wf_poll_missed(ch->obj.vm, L, 2);
}

// close(ch[, err])
static int l_close(lua_State *L) {
  wf_chan *ch = self_chan(L, "close");
  if (ch->system) wf_raise(L, "close of a channel that weft closes itself");
  if (!close_chan(L, ch, lua_isnoneornil(L, 2) ? 0 : 2)) wf_raise(L, "close of closed channel");
  return 0;
}

static int l_len(lua_State *L) {
  wf_chan *ch = self_chan(L, "len");
  uint32_t n = ch->obj.shared ? wf_shared_len(wf_stub_core(ch)) : wf_chan_len(L, ch, 1);
  lua_pushinteger(L, (lua_Integer)n);
  return 1;
}

static int l_cap(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)self_chan(L, "cap")->capacity);
  return 1;
}

static int l_is_closed(lua_State *L) {
  lua_pushboolean(L, is_closed(L, self_chan(L, "is_closed")));
  return 1;
}

// chan_system(ch) -> ch, which from now on only close_system(ch) closes
static int l_chan_system(lua_State *L) {
  wf_chan_make_system(L, self_chan(L, "close"), 1);
  lua_settop(L, 1);
  return 1;
}

static int l_close_system(lua_State *L) {
  wf_chan *ch = self_chan(L, "close");
  (void)close_chan(L, ch, 0);
  return 0;
}

// closed_plainly(ch): whether it was closed without an error.
static int l_closed_plainly(lua_State *L) {
  wf_chan *ch = wf_chan_at(L, 1);
  bool plainly = ch != NULL && is_closed(L, ch) &&
                 (ch->obj.shared ? wf_shared_error(wf_stub_core(ch)) == NULL : !ch->has_error);
  lua_pushboolean(L, plainly);
  return 1;
}

// Whether the value is a channel, not a view of one.
static int l_is_chan(lua_State *L) {
  lua_pushboolean(L, wf_chan_at(L, 1) != NULL);
  return 1;
}

// chan_types(unbuffered, buffered, weft's own, shared, receiving view, sending view, send case):
// the metatables, made in Lua.
static int l_chan_types(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_settop(L, 7);
  for (int i = 1; i <= 4; i++) {
    if (i == 2) continue;  // a table's has none
    lua_pushcfunction(L, wf_obj_gc);
    lua_setfield(L, i, "__gc");
  }
  vm->case_type = lua_topointer(L, 7);
  vm->send_view_type = lua_topointer(L, 6);
  vm->view_type = lua_topointer(L, 5);
  wf_vm_set_ref(vm, L, WF_REF_CASE_MT);
  wf_vm_set_ref(vm, L, WF_REF_SEND_VIEW_MT);
  wf_vm_set_ref(vm, L, WF_REF_VIEW_MT);
  wf_vm_set_ref(vm, L, WF_REF_SHARED_MT);
  wf_vm_set_ref(vm, L, WF_REF_SYSTEM_MT);
  wf_vm_set_ref(vm, L, WF_REF_BUFFER_MT);
  wf_vm_set_ref(vm, L, WF_REF_CHAN_MT);
  return 0;
}

// check_sendable(ch): raises for a channel that only weft sends on
static int l_check_sendable(lua_State *L) {
  if (self_chan(L, "sending")->system) refuse_send(L, "sending");
  return 0;
}

// raise(msg): with the position of the script's innermost frame.
static int l_raise(lua_State *L) {
  lua_settop(L, 1);
  wf_raise_top(L);
}

// bad_arg(arg, fname, expected, got), bad_self(self, fname, type, var)
static int l_bad_arg(lua_State *L) {
  wf_arg_fail(L, (int)lua_tointeger(L, 1), lua_tostring(L, 2), lua_tostring(L, 3), 4);
}

static int l_bad_self(lua_State *L) {
  wf_self_fail(L, lua_tostring(L, 2), lua_tostring(L, 3), lua_tostring(L, 4));
}

void wf_lib_open_chan(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"chan", l_chan},
                                       {"send", l_send},
                                       {"recv", l_recv},
                                       {"try_send", l_try_send},
                                       {"try_recv", l_try_recv},
                                       {"close", l_close},
                                       {"len", l_len},
                                       {"cap", l_cap},
                                       {"is_closed", l_is_closed},
                                       {"closed_plainly", l_closed_plainly},
                                       {"is_chan", l_is_chan},
                                       {"chan_types", l_chan_types},
                                       {"chan_system", l_chan_system},
                                       {"close_system", l_close_system},
                                       {"check_sendable", l_check_sendable},
                                       {"raise", l_raise},
                                       {"bad_arg", l_bad_arg},
                                       {"bad_self", l_bad_self},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
  wf_lib_add_address(L, "send_number_address", (void (*)(void))wf_stub_send_number);
  wf_lib_add_address(L, "send_record_address", (void (*)(void))wf_stub_send_record);
  wf_lib_add_address(L, "recv_plain_address", (void (*)(void))wf_stub_recv_plain);
}
