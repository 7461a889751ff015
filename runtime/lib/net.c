// SPDX-License-Identifier: MIT
// The face of io/listener and of connecting: lua/weft/net.lua. A listener in Lua is a table with
// its object at 0.
#include <string.h>
#include <sys/un.h>

#include "io/dns.h"
#include "io/hangup.h"
#include "io/listener.h"
#include "io/outlet.h"
#include "lib/arg.h"
#include "lib/lib.h"
#include "lib/stream.h"
#include "sched/runtime.h"

static const char *const networks[] = {"tcp", "tcp4", "tcp6", "unix"};

static const char *network_at(lua_State *L, int idx) {
  const char *name = lua_tostring(L, idx);
  for (size_t i = 0; i < sizeof networks / sizeof networks[0]; i++) {
    if (strcmp(name, networks[i]) == 0) return networks[i];
  }
  return networks[0];
}

// is_ip(text) -> 4 or 6, or nil
static int l_is_ip(lua_State *L) {
  wf_addr addr;
  if (!wf_addr_parse(&addr, lua_tostring(L, 1), 0)) return 0;
  lua_pushinteger(L, addr.any.sa_family == AF_INET6 ? 6 : 4);
  return 1;
}

// net_stream(network) -> the userdata of a stream that is to be connected
static int l_net_stream(lua_State *L) {
  (void)wf_stream_new(wf_door_vm(L), L, network_at(L, 1));
  return 1;
}

static int park_connect(lua_State *L, wf_stream *s, wf_ctx *ctx) {
  wf_vm *vm = s->h.obj.vm;
  wf_waiter *waiter = wf_wait_on(vm, &s->h.obj, WF_OP_EVENT);
  wf_wait_context(vm, L, ctx);
  waiter->slot = WF_STREAM_UNDER_WAY;
  return wf_door_io_park(L, s, WF_STREAM_WRITE, waiter, lua_gettop(L));
}

static int bind_local(wf_stream *s, const char *ip, int port) {
  wf_addr addr;
  if (!wf_addr_parse(&addr, ip, port)) return UV_EINVAL;
  return uv_tcp_bind(&s->h.uv->u.tcp, &addr.any, 0);
}

// net_connect(c, ip, port, local ip or nil, local port, ctx) -> true; false, code; nil, err
static int l_net_connect(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_stream *s = wf_door_stream(L, "dial");
  wf_ctx *ctx = wf_arg_context(L, 6, 4, "dial");
  wf_addr addr;
  if (!wf_addr_parse(&addr, lua_tostring(L, 2), (int)lua_tointeger(L, 3))) {
    return wf_door_io_code(L, UV_EINVAL);
  }
  if (wf_ctx_is_over(L, ctx)) return 2;
  wf_check_can_park(vm, L, "dial");
  s->peer = addr;
  int rc = wf_stream_open(s, UV_TCP);
  if (rc == 0 && !lua_isnil(L, 4)) {
    rc = bind_local(s, lua_tostring(L, 4), (int)lua_tointeger(L, 5));
  }
  if (rc == 0) rc = wf_outlet_connect_tcp(s, &addr.any);
  if (rc != 0) return wf_door_io_code(L, rc);
  return park_connect(L, s, ctx);
}

// net_connect_unix(c, path, ctx): the same
static int l_net_connect_unix(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_stream *s = wf_door_stream(L, "dial");
  const char *path = lua_tostring(L, 2);
  wf_ctx *ctx = wf_arg_context(L, 3, 4, "dial");
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (strlen(path) >= sizeof((struct sockaddr_un *)0)->sun_path) {
    return wf_door_io_code(L, UV_ENAMETOOLONG);
  }
  wf_check_can_park(vm, L, "dial");
  int rc = wf_stream_set_name(s, path) ? wf_stream_open(s, UV_NAMED_PIPE) : UV_ENOMEM;
  if (rc == 0) rc = wf_outlet_connect_unix(s, path);
  if (rc != 0) return wf_door_io_code(L, rc);
  return park_connect(L, s, ctx);
}

// net_lookup(host, family, by the system) -> userdata; nil, code
static int l_net_lookup(lua_State *L) {
  bool by_system = lua_toboolean(L, 3) != 0;
  int rc = wf_dns_start(wf_door_vm(L), L, lua_tostring(L, 1), (int)lua_tointeger(L, 2), by_system);
  if (rc == 0) return 1;
  lua_pushnil(L);
  lua_pushinteger(L, rc);
  return 2;
}

// net_found(lookup, ctx) -> list; true: it is there now; false, code; nil, err
static int l_net_found(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_dns_lookup *lookup = wf_dns_at(L, 1);
  if (lookup == NULL) wf_raise(L, "the insides of a look-up were overwritten");
  wf_ctx *ctx = wf_arg_context(L, 2, 2, "lookup");
  int code;
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (wf_dns_has_ended(lookup, &code)) {
    if (code != 0) return wf_door_io_code(L, code);
    wf_dns_push(L, lookup);
    return 1;
  }
  wf_check_can_park(vm, L, "lookup");
  wf_waiter *waiter = wf_wait_on(vm, (wf_obj *)lookup, WF_OP_EVENT);
  wf_wait_context(vm, L, ctx);
  wf_dns_wait(lookup, waiter);
  return wf_park(vm, L, WF_WAIT_IO, lua_gettop(L));
}

static int l_net_lookup_left(lua_State *L) {
  wf_dns_lookup *lookup = wf_dns_at(L, 1);
  if (lookup != NULL) wf_dns_leave(lookup);
  return 0;
}

// net_context(c, ctx) -> true; false, code: the context ends when the peer hangs up
static int l_net_context(lua_State *L) {
  wf_stream *s = wf_door_stream(L, "context");
  wf_ctx *ctx = wf_arg_context(L, 2, 1, "context");
  if (!wf_stream_is_open(s)) return wf_door_io_code(L, WF_IO_CLOSED);
  int rc = wf_hangup_add(L, s, ctx);
  if (rc != 0) return wf_door_io_code(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

// Listeners --------------------------------------------------------------------------------------

static wf_listener *listener_at(lua_State *L, const char *fname) {
  wf_listener *l = NULL;
  if (lua_istable(L, 1)) {
    lua_rawgeti(L, 1, 0);
    l = wf_listener_at(L, -1);
    lua_pop(L, 1);
  }
  if (l == NULL) wf_self_fail(L, fname, "listener", "l");
  return l;
}

static wf_listen_options options_at(lua_State *L, int first) {
  return (wf_listen_options){.backlog = (int)lua_tointeger(L, first),
                             .reuse_port = lua_toboolean(L, first + 1) != 0,
                             .max_conns = (uint32_t)lua_tointeger(L, first + 2),
                             .only_v6 = strcmp(lua_tostring(L, 1), "tcp6") == 0};
}

static int listen_result(lua_State *L, wf_listener *l, int rc) {
  if (rc == 0) return 1;
  wf_listener_close(l);
  return wf_door_io_code(L, rc);
}

// net_listen(network, ip, port, backlog, reuse_port, max_conns) -> userdata; false, code
static int l_net_listen(lua_State *L) {
  wf_addr addr;
  wf_listen_options options = options_at(L, 4);
  if (!wf_addr_parse(&addr, lua_tostring(L, 2), (int)lua_tointeger(L, 3))) {
    return wf_door_io_code(L, UV_EINVAL);
  }
  wf_listener *l = wf_listener_new(wf_door_vm(L), L, network_at(L, 1));
  return listen_result(L, l, wf_listener_tcp(l, &addr, &options));
}

// net_listen_unix("unix", path, nil, backlog, reuse_port, max_conns): the same
static int l_net_listen_unix(lua_State *L) {
  wf_listen_options options = options_at(L, 4);
  wf_listener *l = wf_listener_new(wf_door_vm(L), L, network_at(L, 1));
  return listen_result(L, l, wf_listener_unix(l, lua_tostring(L, 2), &options));
}

// net_accept(l, ctx) -> userdata; true: ask again; false, code; nil, err
static int l_net_accept(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_settop(L, 2);
  wf_listener *l = listener_at(L, "accept");
  wf_ctx *ctx = wf_arg_context(L, 2, 1, "accept");
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (l->fd < 0) return wf_door_io_code(L, WF_IO_CLOSED);
  int rc = wf_listener_accept(L, l);
  if (rc == 0) {
    if (++l->eager % WF_SIZE(64, 1) != 0 || !wf_can_park(vm, L)) return 1;
    return wf_pass(vm, L, 1);
  }
  if (rc != UV_EAGAIN) return wf_door_io_code(L, rc);
  wf_check_can_park(vm, L, "accept");
  wf_waiter *waiter = wf_wait_on(vm, &l->h.obj, WF_OP_EVENT);
  wf_wait_context(vm, L, ctx);
  rc = wf_listener_wait(l, waiter);
  if (rc != 0) {
    wf_claim(vm->current);
    return wf_door_io_code(L, rc);
  }
  return wf_park(vm, L, WF_WAIT_IO, lua_gettop(L));
}

static int l_net_accept_left(lua_State *L) {
  wf_listener_settle(listener_at(L, "accept"));
  return 0;
}

// listener_close(l) -> true; false, code
static int l_listener_close(lua_State *L) {
  wf_listener *l = listener_at(L, "close");
  if (l->fd < 0) return wf_door_io_code(L, WF_IO_CLOSED);
  wf_listener_close(l);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_listener_addr(lua_State *L) {
  lua_pushstring(L, listener_at(L, "addr")->name);
  return 1;
}

static int l_listener_where(lua_State *L) {
  const wf_listener *l = listener_at(L, "tostring");
  lua_pushfstring(L, "%s %s", l->network, l->name != NULL ? l->name : "");
  return 1;
}

void wf_lib_open_net(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"is_ip", l_is_ip},
                                       {"net_lookup", l_net_lookup},
                                       {"net_found", l_net_found},
                                       {"net_lookup_left", l_net_lookup_left},
                                       {"net_stream", l_net_stream},
                                       {"net_connect", l_net_connect},
                                       {"net_connect_unix", l_net_connect_unix},
                                       {"net_context", l_net_context},
                                       {"net_listen", l_net_listen},
                                       {"net_listen_unix", l_net_listen_unix},
                                       {"net_accept", l_net_accept},
                                       {"net_accept_left", l_net_accept_left},
                                       {"listener_close", l_listener_close},
                                       {"listener_addr", l_listener_addr},
                                       {"listener_where", l_listener_where},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
  lua_pushinteger(L, UV_EINVAL);
  lua_setfield(L, -2, "EINVAL");
}
