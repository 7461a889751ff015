// SPDX-License-Identifier: MIT
#include "lib/arg.h"

#include <lauxlib.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "conc/scope.h"
#include "task/site.h"

_Noreturn void wf_raise_top(lua_State *L) {
  wf_site_push_where(L);
  lua_insert(L, -2);
  lua_concat(L, 2);
  lua_error(L);
  __builtin_unreachable();
}

_Noreturn void wf_raise(lua_State *L, const char *fmt, ...) {
  va_list args;
  va_start(args, fmt);
  lua_pushvfstring(L, fmt, args);
  va_end(args);
  wf_raise_top(L);
}

// What came instead: a number where another number was expected, else the type.
static void push_got(lua_State *L, const char *expected, int idx) {
  bool numeric = strstr(expected, "integer") != NULL || strstr(expected, "number") != NULL;
  if (lua_type(L, idx) == LUA_TNUMBER && numeric) {
    lua_pushvalue(L, idx);
  } else {
    lua_pushstring(L, luaL_typename(L, idx));
  }
}

_Noreturn void wf_arg_fail(lua_State *L, int arg, const char *fname, const char *expected,
                           int idx) {
  push_got(L, expected, idx);
  wf_raise(L, "bad argument #%d to '%s' (%s expected, got %s)", arg, fname, expected,
           lua_tostring(L, -1));
}

_Noreturn void wf_self_fail(lua_State *L, const char *fname, const char *type, const char *var) {
  push_got(L, type, 1);
  wf_raise(L, "calling '%s' on bad self (%s expected, got %s; use %s:%s(...), not %s.%s(...))",
           fname, type, lua_tostring(L, -1), var, fname, var, fname);
}

double wf_arg_seconds(lua_State *L, int idx, int arg, const char *fname) {
  if (lua_type(L, idx) != LUA_TNUMBER) wf_arg_fail(L, arg, fname, "number of seconds", idx);
  double s = lua_tonumber(L, idx);
  if (isnan(s)) wf_arg_fail(L, arg, fname, "number of seconds", idx);
  return s;
}

void wf_arg_function(lua_State *L, int idx, int arg, const char *fname) {
  if (!lua_isfunction(L, idx)) wf_arg_fail(L, arg, fname, "function", idx);
}

wf_ctx *wf_arg_context(lua_State *L, int idx, int arg, const char *fname) {
  if (lua_isnoneornil(L, idx)) return wf_scope_node(wf_vm_here);
  wf_ctx *ctx = wf_ctx_at(L, idx);
  if (ctx == NULL) wf_arg_fail(L, arg, fname, "context", idx);
  return ctx;
}

bool wf_ctx_is_over(lua_State *L, wf_ctx *ctx) {
  if (ctx == NULL) return false;
  wf_ctx_look(L, ctx);
  if (ctx->state == WF_CTX_LIVE) return false;
  if (ctx->raises) wf_scope_raise(L, ctx);
  lua_pushnil(L);
  wf_ctx_push_error(L, ctx);
  return true;
}

void wf_wait_context(wf_vm *vm, lua_State *L, wf_ctx *ctx) {
  if (ctx != NULL) wf_ctx_queue(ctx, wf_wait_more(vm, L, 1)->waiters);
}
