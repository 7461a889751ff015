// SPDX-License-Identifier: MIT
#include "io/signal.h"

#include "conc/chan.h"
#include "io/event.h"
#include "lib/arg.h"
#include "lib/lib.h"

// signal_number(name) -> number, 0: there is none that can be subscribed to
static int l_signal_number(lua_State *L) {
  lua_pushinteger(L, wf_signal_number(lua_tostring(L, 1)));
  return 1;
}

// signal_chan(v) -> the channel that v is, or is a sending view of; nothing: it is none that
// scripts send on
static int l_signal_chan(lua_State *L) {
  lua_settop(L, 1);
  if (lua_istable(L, 1) && wf_chan_at(L, 1) == NULL) {
    lua_rawgeti(L, 1, 0);
    if (lua_getmetatable(L, 1) == 0) return 0;
    wf_vm_push_ref(wf_door_vm(L), L, WF_REF_SEND_VIEW_MT);
    if (lua_rawequal(L, -1, -2) == 0) return 0;
    lua_settop(L, 2);
  }
  const wf_chan *ch = wf_chan_at(L, -1);
  return ch != NULL && !ch->system ? 1 : 0;
}

// signal_start(number, channel or function, name) -> subscription; nil, err, code
static int l_signal_start(lua_State *L) {
  const char *name = lua_tostring(L, 3);
  lua_pushvalue(L, 2);
  int rc = wf_signal_new(wf_door_vm(L), L, (int)lua_tointeger(L, 1));
  return rc == 0 ? 1 : wf_event_push_failure(L, "notify", name, rc);
}

static int l_signal_stop(lua_State *L) {
  wf_signal *s = wf_signal_at(L, 1);
  if (s != NULL) wf_signal_stop(s);
  return 0;
}

void wf_lib_open_signal(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"signal_number", l_signal_number},
                                       {"signal_chan", l_signal_chan},
                                       {"signal_start", l_signal_start},
                                       {"signal_stop", l_signal_stop},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
