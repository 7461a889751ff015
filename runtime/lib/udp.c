// SPDX-License-Identifier: MIT
// The face of datagram sockets: lua/weft/internal/udp.lua. A socket in Lua is a table with its
// object at 0.
#include "io/udp.h"

#include "io/block.h"
#include "io/stream.h"
#include "lib/arg.h"
#include "lib/lib.h"
#include "lib/stream.h"
#include "sched/runtime.h"
#include "task/address.h"
#include "task/park.h"

static wf_udp *udp_at(lua_State *L, const char *fname) {
  wf_udp *u = NULL;
  if (lua_istable(L, 1)) {
    lua_rawgeti(L, 1, 0);
    u = wf_udp_at(L, -1);
    lua_pop(L, 1);
  }
  if (u == NULL) wf_self_fail(L, fname, "udp socket", "s");
  return u;
}

// udp_open(ip, port) -> userdata; false, code
static int l_udp_open(lua_State *L) {
  wf_addr addr;
  if (!wf_addr_parse(&addr, lua_tostring(L, 1), (int)lua_tointeger(L, 2))) {
    return wf_door_io_code(L, UV_EINVAL);
  }
  int rc = wf_udp_open(wf_door_vm(L), L, &addr);
  return rc == 0 ? 1 : wf_door_io_code(L, rc);
}

// udp_connect(s, ip, port) -> true; false, code
static int l_udp_connect(lua_State *L) {
  wf_udp *u = udp_at(L, "connect");
  wf_addr addr;
  int rc = UV_EINVAL;
  if (u->fd < 0) return wf_door_io_code(L, WF_IO_CLOSED);
  if (wf_addr_parse(&addr, lua_tostring(L, 2), (int)lua_tointeger(L, 3))) {
    rc = wf_udp_connect(u, &addr);
  }
  if (rc != 0) return wf_door_io_code(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

static int park(lua_State *L, wf_udp *u, bool receives, wf_ctx *ctx, const char *fname) {
  wf_vm *vm = u->h.obj.vm;
  wf_check_can_park(vm, L, fname);
  wf_waiter *waiter = wf_wait_on(vm, &u->h.obj, WF_OP_EVENT);
  wf_wait_context(vm, L, ctx);
  int rc = wf_udp_wait(u, receives, waiter);
  if (rc != 0) {
    wf_claim(vm->current);
    return wf_door_io_code(L, rc);
  }
  return wf_park(vm, L, WF_WAIT_IO, lua_gettop(L));
}

static int done(lua_State *L, wf_udp *u, int nresults) {
  wf_vm *vm = u->h.obj.vm;
  if (++u->eager % WF_SIZE(64, 1) != 0 || !wf_can_park(vm, L)) return nresults;
  return wf_pass(vm, L, nresults);
}

static int push_datagram(lua_State *L) {
  const uv_buf_t *buf = wf_address_at(L, 1);
  lua_pushlstring(L, buf->base, buf->len);
  return 1;
}

// A datagram is received whole, also where blocks are smaller (torture).
enum { DATAGRAM = 65536, IN_BLOCK = (int)WF_BLOCK_SIZE >= 65536 };

static char *take_buffer(wf_vm *vm) {
  return IN_BLOCK ? wf_block_take(vm) : wf_mem_new(&vm->rt->mem, DATAGRAM);
}

static void give_buffer(wf_vm *vm, char *buffer) {
  if (IN_BLOCK) {
    wf_block_give(vm, buffer);
  } else {
    wf_mem_free(&vm->rt->mem, buffer, DATAGRAM);
  }
}

// udp_receive(s, max, fname, ctx) -> data, address; true: ask again; false, code; nil, err
static int l_udp_receive(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  const char *fname = lua_tostring(L, 3);
  wf_udp *u = udp_at(L, fname);
  wf_ctx *ctx = wf_arg_context(L, 4, 2, fname);
  double most = lua_tonumber(L, 2);
  size_t max = most < DATAGRAM ? (size_t)most : DATAGRAM;
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (u->fd < 0) return wf_door_io_code(L, WF_IO_CLOSED);
  lua_pushcfunction(L, push_datagram);  // first: it may take memory
  char *buffer = take_buffer(vm);
  if (buffer == NULL) wf_raise(L, "not enough memory");
  wf_addr from;
  ssize_t n = wf_udp_receive(u, buffer, max, &from);
  if (n < 0) {
    give_buffer(vm, buffer);
    lua_pop(L, 1);
    return n == UV_EAGAIN ? park(L, u, true, ctx, fname) : wf_door_io_code(L, (int)n);
  }
  uv_buf_t buf = {.base = buffer, .len = (size_t)n};
  wf_address_push(L, &buf);
  int status = lua_pcall(L, 1, 1, 0);
  give_buffer(vm, buffer);
  if (status != 0) lua_error(L);
  char text[WF_ADDR_TEXT];
  wf_addr_text(&from.any, text, sizeof text);
  lua_pushstring(L, text);
  return done(L, u, 2);
}

// udp_send(s, data, fname, ip or nil, port, ctx) -> true: it has gone; 1: ask again; false, code;
// nil, err
static int l_udp_send(lua_State *L) {
  const char *fname = lua_tostring(L, 3);
  wf_udp *u = udp_at(L, fname);
  wf_ctx *ctx = wf_arg_context(L, 6, lua_isnil(L, 4) ? 2 : 3, fname);
  size_t size;
  const char *data = lua_tolstring(L, 2, &size);
  wf_addr to;
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (u->fd < 0) return wf_door_io_code(L, WF_IO_CLOSED);
  bool has_address = !lua_isnil(L, 4);
  if (has_address && !wf_addr_parse(&to, lua_tostring(L, 4), (int)lua_tointeger(L, 5))) {
    return wf_door_io_code(L, UV_EINVAL);
  }
  int rc = wf_udp_send(u, data, size, has_address ? &to : NULL);
  if (rc == UV_EAGAIN) return park(L, u, false, ctx, fname);
  if (rc != 0) return wf_door_io_code(L, rc);
  lua_pushinteger(L, 1);
  return done(L, u, 1);
}

static int l_udp_left(lua_State *L) {
  wf_udp_settle(udp_at(L, "recv"));
  return 0;
}

static int l_udp_close(lua_State *L) {
  wf_udp *u = udp_at(L, "close");
  if (u->fd < 0) return wf_door_io_code(L, WF_IO_CLOSED);
  wf_udp_close(u);
  lua_pushboolean(L, 1);
  return 1;
}

// udp_name(s) -> its address, 4 or 6
static int l_udp_name(lua_State *L) {
  const wf_udp *u = udp_at(L, "addr");
  lua_pushstring(L, u->name);
  lua_pushinteger(L, u->family == AF_INET6 ? 6 : 4);
  return 2;
}

void wf_lib_open_udp(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {
      {"udp_open", l_udp_open},       {"udp_connect", l_udp_connect},
      {"udp_receive", l_udp_receive}, {"udp_send", l_udp_send},
      {"udp_left", l_udp_left},       {"udp_close", l_udp_close},
      {"udp_name", l_udp_name},       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
