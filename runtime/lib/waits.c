// SPDX-License-Identifier: MIT
#include "lib/waits.h"

static const wf_wait_kind kinds[] = {{"lock", "lock", WF_WAIT_MUTEX, false},
                                     {"group", "wait", WF_WAIT_WAITGROUP, false},
                                     {"await", "await", WF_WAIT_AWAIT, false},
                                     {"require", "require", WF_WAIT_AWAIT, false},
                                     {"blocking", "blocking", WF_WAIT_BLOCKING, false},
                                     {"relock", "wait", WF_WAIT_MUTEX, true},
                                     {"rlock", "rlock", WF_WAIT_RWMUTEX, false},
                                     {"wlock", "lock", WF_WAIT_RWMUTEX, false},
                                     {"acquire", "acquire", WF_WAIT_SEMAPHORE, false},
                                     {"cond", "wait", WF_WAIT_COND, false},
                                     {"once", "call", WF_WAIT_ONCE, false}};

const wf_wait_kind *wf_wait_kind_at(lua_State *L, int idx) {
  return &kinds[lua_tointeger(L, idx) - 1];
}

void wf_wait_kind_push_all(lua_State *L) {
  int n = (int)(sizeof kinds / sizeof kinds[0]);
  lua_createtable(L, 0, n);
  for (int i = 0; i < n; i++) {
    lua_pushinteger(L, i + 1);
    lua_setfield(L, -2, kinds[i].name);
  }
}
