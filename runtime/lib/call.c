// SPDX-License-Identifier: MIT
#include "io/call.h"

#include "lib/arg.h"
#include "lib/event.h"
#include "lib/lib.h"

static wf_caller *caller_at(lua_State *L) {
  wf_caller *caller = wf_call_at(L, 1);
  if (caller == NULL) wf_raise(L, "the insides of a call were overwritten");
  return caller;
}

// call_wait(caller, fname, ctx, arg[, data]) -> true: the results are there; nil, err. `data` is
// what the call reads from while it is made.
static int l_call_wait(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_caller *caller = caller_at(L);
  const char *fname = lua_tostring(L, 2);
  wf_ctx *ctx = wf_arg_context(L, 3, (int)lua_tointeger(L, 4), fname);
  if (wf_ctx_is_over(L, ctx)) return 2;
  wf_check_can_park(vm, L, fname);
  if (caller->begun) wf_raise(L, "the insides of a call were overwritten");
  caller->begun = true;
  if (wf_call_at_once(caller)) {
    lua_pushboolean(L, 1);
    return wf_event_at_once(vm, L, 1);
  }
  wf_event_wait(vm, L, &caller->event, ctx);
  if (wf_call_begin(caller)) return wf_event_park(vm, L);
  wf_claim(vm->current);
  lua_pushboolean(L, 1);
  return 1;
}

// call_left(caller): the wait has ended without it
static int l_call_left(lua_State *L) {
  wf_call_leave(caller_at(L));
  return 0;
}

// call_results(caller) -> what the call has given; nil, err, code
static int l_call_results(lua_State *L) { return wf_call_push(L, caller_at(L)); }

void wf_lib_open_call(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"call_wait", l_call_wait},
                                       {"call_left", l_call_left},
                                       {"call_results", l_call_results},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
