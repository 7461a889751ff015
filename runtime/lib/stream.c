// SPDX-License-Identifier: MIT
// The face of streams: lua/weft/internal/conn.lua. A connection in Lua is a table with its stream
// at 0; what is done often is given the stream itself. What waits leaves its stack as it is for
// io/intake and io/outlet, with the time at which it gives up on top.
#include "io/stream.h"

#include <math.h>
#include <stdio.h>

#include "conc/scope.h"
#include "io/addr.h"
#include "io/intake.h"
#include "io/outlet.h"
#include "io/stdio.h"
#include "lib/arg.h"
#include "lib/lib.h"
#include "lib/stream.h"
#include "sched/runtime.h"
#include "task/site.h"

wf_stream *wf_door_stream(lua_State *L, const char *fname) {
  wf_stream *s = wf_stream_at(L, 1);
  if (WF_UNLIKELY(s == NULL) && lua_istable(L, 1)) {
    lua_rawgeti(L, 1, 0);
    s = wf_stream_at(L, -1);
    lua_pop(L, 1);
  }
  if (s == NULL) wf_self_fail(L, fname, "connection", "c");
  return s;
}

int wf_door_io_code(lua_State *L, int code) {
  lua_pushboolean(L, 0);
  lua_pushinteger(L, code);
  return 2;
}

int wf_door_io_park(lua_State *L, wf_stream *s, int direction, wf_waiter *waiter, int nkeep) {
  double expiry = wf_stream_expiry(s);
  lua_pushnumber(L, expiry);
  if (!wf_stream_wait(s, direction, waiter, expiry)) {
    wf_claim(s->h.obj.vm->current);
    wf_raise(L, "not enough memory");
  }
  return wf_park(s->h.obj.vm, L, WF_WAIT_IO, nkeep + 1);
}

static const char *const read_names[] = {"read",      "read_exactly", "read_until",
                                         "read_line", "read_all",     "read_into"};

// stream_read(c, mode, n, sep, ctx) -> string; true: stream_take (or stream_take_into) has it;
// false, code; nil, err
static int l_stream_read(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_settop(L, 5);
  wf_want want = wf_intake_want(L, 2);
  const char *fname = read_names[want.mode];
  wf_stream *s = wf_door_stream(L, fname);
  bool third = want.mode == WF_READ_UNTIL || want.mode == WF_READ_INTO;
  wf_ctx *ctx = wf_arg_context(L, 5, third ? 3 : 2, fname);
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (!wf_stream_is_open(s)) return wf_door_io_code(L, WF_IO_CLOSED);
  if (wf_stream_is_late(s)) return wf_door_io_code(L, WF_IO_TIMEOUT);
  int code = 0;
  switch (wf_intake_try(L, s, &want, &code)) {
    case WF_INTAKE_BYTES:
      if (!wf_stream_has_had_much(s) || !wf_can_park(vm, L)) return 1;
      return wf_pass(vm, L, 1);
    case WF_INTAKE_CODE: return wf_door_io_code(L, code);
    case WF_INTAKE_WAIT: break;
  }
  wf_check_can_park(vm, L, fname);
  int rc = wf_intake_start(s);
  if (rc != 0) return wf_door_io_code(L, rc);
  wf_waiter *waiter = wf_wait_on(vm, &s->h.obj, WF_OP_EVENT);
  wf_wait_context(vm, L, ctx);
  wf_intake_expect(s, vm->current, &want);
  return wf_door_io_park(L, s, WF_STREAM_READ, waiter, 5);
}

// stream_take(c, mode, n, sep) -> string; true: there is nothing after all; false, code
static int l_stream_take(lua_State *L) {
  wf_stream *s = wf_door_stream(L, "read");
  int code = 0;
  switch (wf_intake_take(L, s, &code)) {
    case WF_INTAKE_BYTES: return 1;
    case WF_INTAKE_WAIT: lua_pushboolean(L, 1); return 1;
    default: return wf_door_io_code(L, code);
  }
}

// What is behind a pointer of the FFI's.
static char *pointer_at(lua_State *L, int idx) {
  char *const *cdata = lua_topointer(L, idx);
  return cdata != NULL ? *cdata : NULL;
}

// stream_take_into(c, pointer, room) -> bytes; true: there is nothing after all; false, code.
// With nil: it is for the next one who reads.
static int l_stream_take_into(lua_State *L) {
  wf_stream *s = wf_door_stream(L, "read_into");
  int code = 0;
  size_t bytes = 0, room = (size_t)lua_tonumber(L, 3);
  switch (wf_intake_take_into(s, pointer_at(L, 2), room, &bytes, &code)) {
    case WF_INTAKE_BYTES: lua_pushnumber(L, (lua_Number)bytes); return 1;
    case WF_INTAKE_WAIT: lua_pushboolean(L, 1); return 1;
    default: return wf_door_io_code(L, code);
  }
}

// Checks what is to be written; numbers become strings. The context that comes last, which is no
// part of what is written; else the task's own, or NULL.
static wf_ctx *check_strings(lua_State *L, int *last) {
  wf_ctx *ctx = *last > 1 && lua_istable(L, *last) ? wf_ctx_at(L, *last) : NULL;
  if (ctx != NULL) (*last)--;
  for (int i = 2; i <= *last; i++) {
    if (lua_isstring(L, i) == 0) wf_arg_fail(L, i - 1, "write", "string or number", i);
    (void)lua_tolstring(L, i, NULL);
  }
  return ctx != NULL ? ctx : wf_scope_node(wf_vm_here);
}

// stream_write(c, …[, ctx]) -> true; false, code; nil, err
static int l_stream_write(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_stream *s = wf_door_stream(L, "write");
  int top = lua_gettop(L), last = top;
  wf_ctx *ctx = check_strings(L, &last);
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (!wf_stream_is_open(s) || s->shut) return wf_door_io_code(L, WF_IO_CLOSED);
  if (wf_stream_is_late(s)) return wf_door_io_code(L, WF_IO_TIMEOUT);
  bool can_park = wf_can_park(vm, L);
  if (!can_park) wf_check_can_park(vm, L, "write");
  if (WF_UNLIKELY(s->standard > 1)) wf_stdio_flush(s);
  int16_t slot;
  int rc = wf_outlet_write(L, s, 2, last, &slot);
  if (rc < 0) return wf_door_io_code(L, rc);
  if (rc > 0) {
    lua_pushboolean(L, 1);
    return wf_stream_has_had_much(s) ? wf_pass(vm, L, 1) : 1;
  }
  wf_waiter *waiter = wf_wait_on(vm, &s->h.obj, WF_OP_EVENT);
  wf_wait_context(vm, L, ctx);
  waiter->slot = slot;
  if (s->begun_of == vm->current->id) s->begun_of = 0;
  return wf_door_io_park(L, s, WF_STREAM_WRITE, waiter, top);
}

// stream_write_from(c, pointer, size, ctx) -> true, whether stream_flush is to follow; false, code
// (0: others write first); nil, err. After true the bytes are not needed any more.
static int l_stream_write_from(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_settop(L, 4);
  wf_stream *s = wf_door_stream(L, "write_from");
  wf_ctx *ctx = wf_arg_context(L, 4, 2, "write_from");
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (!wf_stream_is_open(s) || s->shut) return wf_door_io_code(L, WF_IO_CLOSED);
  if (wf_stream_is_late(s)) return wf_door_io_code(L, WF_IO_TIMEOUT);
  wf_check_can_park(vm, L, "write_from");
  if (WF_UNLIKELY(s->standard > 1)) wf_stdio_flush(s);
  int16_t slot;
  int rc = wf_outlet_write_from(s, pointer_at(L, 2), (size_t)lua_tonumber(L, 3), &slot);
  if (rc < 0 || (rc == 0 && slot == 0)) return wf_door_io_code(L, rc);
  lua_pushboolean(L, 1);
  lua_pushboolean(L, rc == 0 || wf_stream_has_had_much(s));
  return 2;
}

// stream_begun(c) -> whether the caller's last write began, of those that had to wait for others
static int l_stream_begun(lua_State *L) {
  const wf_stream *s = wf_door_stream(L, "write_from");
  lua_pushboolean(L, s->begun_of == s->h.obj.vm->current->id);
  return 1;
}

// stream_flush(c, ctx) -> true, when what stream_write_from has begun has gone out, and others
// have had their turn; false, code; nil, err
static int l_stream_flush(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_settop(L, 2);
  wf_stream *s = wf_door_stream(L, "write_from");
  if (s->out == NULL) {
    lua_pushboolean(L, 1);
    return wf_pass(vm, L, 1);
  }
  wf_waiter *waiter = wf_wait_on(vm, &s->h.obj, WF_OP_EVENT);
  wf_wait_context(vm, L, wf_arg_context(L, 2, 2, "write_from"));
  waiter->slot = WF_STREAM_UNDER_WAY;
  return wf_door_io_park(L, s, WF_STREAM_WRITE, waiter, 2);
}

// stream_shut(c, ctx) -> true; false, code; nil, err
static int l_stream_shut(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_settop(L, 2);
  wf_stream *s = wf_door_stream(L, "close_write");
  wf_ctx *ctx = wf_arg_context(L, 2, 1, "close_write");
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (!wf_stream_is_open(s) || s->shut) return wf_door_io_code(L, WF_IO_CLOSED);
  int16_t slot;
  int rc = wf_outlet_shut(s, &slot);
  if (rc < 0) return wf_door_io_code(L, rc);
  if (rc > 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  wf_check_can_park(vm, L, "close_write");
  wf_waiter *waiter = wf_wait_on(vm, &s->h.obj, WF_OP_EVENT);
  wf_wait_context(vm, L, ctx);
  lua_pushboolean(L, 0);  // what io/outlet knows it by
  lua_replace(L, 1);
  return wf_door_io_park(L, s, WF_STREAM_WRITE, waiter, 2);
}

// stream_left(c): a wait on it has ended by a context
static int l_stream_left(lua_State *L) {
  wf_stream *s = wf_door_stream(L, "read");
  wf_obj_ref(&s->h.obj);
  if (s->h.uv != NULL) {
    wf_intake_serve(s);
    wf_outlet_serve(s);
  }
  wf_obj_unref(&s->h.obj);
  return 0;
}

// stream_close(c) -> true; false, code
static int l_stream_close(lua_State *L) {
  wf_stream *s = wf_door_stream(L, "close");
  if (!wf_stream_is_open(s)) return wf_door_io_code(L, WF_IO_CLOSED);
  wf_stdio_flush(s);
  wf_stream_close(s);
  if (s->standard > 0) wf_stdio_give_up(s->standard - 1);
  lua_pushboolean(L, 1);
  return 1;
}

// stream_standard(number) -> userdata; false, code
static int l_stream_standard(lua_State *L) {
  int rc = wf_stdio_open(wf_door_vm(L), L, (int)lua_tointeger(L, 1));
  return rc == 0 ? 1 : wf_door_io_code(L, rc);
}

static int l_stream_is_open(lua_State *L) {
  lua_pushboolean(L, wf_stream_is_open(wf_door_stream(L, "close")));
  return 1;
}

// stream_timeout(c, seconds or nil)
static int l_stream_timeout(lua_State *L) {
  wf_stream *s = wf_door_stream(L, "set_timeout");
  s->timeout_ns = WF_NEVER;
  if (!lua_isnoneornil(L, 2)) s->timeout_ns = wf_clock_after(0, lua_tonumber(L, 2));
  return 0;
}

// stream_deadline(c, seconds from now or nil)
static int l_stream_deadline(lua_State *L) {
  wf_stream *s = wf_door_stream(L, "set_deadline");
  uint64_t when = WF_NEVER;
  if (!lua_isnoneornil(L, 2)) {
    when = wf_clock_after(wf_clock_now(&s->h.obj.vm->clock), lua_tonumber(L, 2));
  }
  if (!wf_stream_set_deadline(s, when)) wf_raise(L, "not enough memory");
  return 0;
}

// stream_addr(c, of the peer) -> text; false, code
static int l_stream_addr(lua_State *L) {
  bool peer = lua_toboolean(L, 2) != 0;
  wf_stream *s = wf_door_stream(L, peer ? "remote_addr" : "local_addr");
  char text[WF_ADDR_TEXT];
  if (!wf_stream_is_open(s)) return wf_door_io_code(L, WF_IO_CLOSED);
  int rc = wf_addr_of_socket(wf_stream_fd(s), peer, text, sizeof text);
  if (rc != 0) return wf_door_io_code(L, rc);
  lua_pushstring(L, text);
  return 1;
}

// stream_nodelay(c, on), stream_keepalive(c, seconds or nil) -> true; false, code
static int l_stream_nodelay(lua_State *L) {
  wf_stream *s = wf_door_stream(L, "nodelay");
  if (!wf_stream_is_open(s)) return wf_door_io_code(L, WF_IO_CLOSED);
  if (s->h.uv == NULL || s->h.uv->u.handle.type != UV_TCP) return wf_door_io_code(L, UV_ENOTSUP);
  int rc = uv_tcp_nodelay(&s->h.uv->u.tcp, lua_toboolean(L, 2));
  if (rc != 0) return wf_door_io_code(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

static int l_stream_keepalive(lua_State *L) {
  wf_stream *s = wf_door_stream(L, "keepalive");
  if (!wf_stream_is_open(s)) return wf_door_io_code(L, WF_IO_CLOSED);
  if (s->h.uv == NULL || s->h.uv->u.handle.type != UV_TCP) return wf_door_io_code(L, UV_ENOTSUP);
  bool on = !lua_isnoneornil(L, 2);
  int rc = uv_tcp_keepalive(&s->h.uv->u.tcp, on, on ? (unsigned)lua_tonumber(L, 2) : 0);
  if (rc != 0) return wf_door_io_code(L, rc);
  lua_pushboolean(L, 1);
  return 1;
}

// stream_where(c) -> "tcp 127.0.0.1:80"
static int l_stream_where(lua_State *L) {
  wf_stream *s = wf_door_stream(L, "tostring");
  char text[256];
  s->h.obj.kind->describe(&s->h.obj, NULL, text, sizeof text);
  lua_pushstring(L, text);
  return 1;
}

// io_words(what, where, code) -> nil, words[, name of the code]
static int l_io_words(lua_State *L) {
  int code = (int)lua_tointeger(L, 3);
  char words[128], name[32];
  lua_pushnil(L);
  switch (code) {
    case UV_EOF: lua_pushliteral(L, "eof"); return 2;
    case WF_IO_CLOSED: lua_pushliteral(L, "closed"); return 2;
    case WF_IO_TIMEOUT: lua_pushliteral(L, "timeout"); return 2;
    default: break;
  }
  (void)uv_err_name_r(code, name, sizeof name);
  lua_pushfstring(L, "%s %s: %s (%s)", lua_tostring(L, 1), lua_tostring(L, 2),
                  wf_handle_words(code, words, sizeof words), name);
  lua_pushstring(L, name);
  return 3;
}

void wf_lib_open_stream(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"stream_read", l_stream_read},
                                       {"stream_take", l_stream_take},
                                       {"stream_take_into", l_stream_take_into},
                                       {"stream_write", l_stream_write},
                                       {"stream_write_from", l_stream_write_from},
                                       {"stream_flush", l_stream_flush},
                                       {"stream_begun", l_stream_begun},
                                       {"stream_shut", l_stream_shut},
                                       {"stream_left", l_stream_left},
                                       {"stream_close", l_stream_close},
                                       {"stream_is_open", l_stream_is_open},
                                       {"stream_timeout", l_stream_timeout},
                                       {"stream_deadline", l_stream_deadline},
                                       {"stream_addr", l_stream_addr},
                                       {"stream_nodelay", l_stream_nodelay},
                                       {"stream_keepalive", l_stream_keepalive},
                                       {"stream_where", l_stream_where},
                                       {"stream_standard", l_stream_standard},
                                       {"io_words", l_io_words},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
