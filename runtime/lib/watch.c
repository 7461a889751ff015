// SPDX-License-Identifier: MIT
#include "io/watch.h"

#include "lib/arg.h"
#include "lib/event.h"
#include "lib/lib.h"

static int l_watch_new(lua_State *L) {
  (void)wf_watch_new(wf_door_vm(L), L);
  return 1;
}

static wf_watch *watch_at(lua_State *L) {
  wf_watch *w = wf_watch_at(L, 1);
  if (w == NULL) wf_raise(L, "the insides of a watch were overwritten");
  return w;
}

// watch_add(watch, path) -> true; nil, err, code
static int l_watch_add(lua_State *L) {
  int rc = wf_watch_add(watch_at(L), lua_tostring(L, 2));
  if (rc != 0) return wf_event_push_failure(L, "watch", lua_tostring(L, 2), rc);
  lua_pushboolean(L, 1);
  return 1;
}

// watch_wait(watch, ctx) -> true: there may be something to take; nil, err
static int l_watch_wait(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_watch *w = watch_at(L);
  wf_ctx *ctx = wf_arg_context(L, 2, 1, "watch");
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (wf_watch_is_due(w)) {
    lua_pushboolean(L, 1);
    return 1;
  }
  wf_check_can_park(vm, L, "watch");
  wf_event_wait(vm, L, (wf_event *)w, ctx);
  return wf_event_park(vm, L);
}

// watch_take(watch) -> list, whether more has happened; nothing when it is closed
static int l_watch_take(lua_State *L) { return wf_watch_take(L, watch_at(L)) ? 2 : 0; }

static int l_watch_close(lua_State *L) {
  wf_watch_close(watch_at(L));
  return 0;
}

static int l_watch_collect(lua_State *L) {
  wf_watch_collect(watch_at(L));
  return 0;
}

void wf_lib_open_watch(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"watch_new", l_watch_new},
                                       {"watch_add", l_watch_add},
                                       {"watch_wait", l_watch_wait},
                                       {"watch_take", l_watch_take},
                                       {"watch_close", l_watch_close},
                                       {"watch_collect", l_watch_collect},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
