// SPDX-License-Identifier: MIT
// The kinds of waits that weft's Lua modules name by number: raw.waits has the numbers.
// Symbols: wf_wait_kind
#ifndef WF_LIB_WAITS_H
#define WF_LIB_WAITS_H

#include <lua.h>
#include <stdbool.h>

#include "task/wait.h"

typedef struct wf_wait_kind {
  const char *name, *call;
  wf_reason reason;
  bool whatever;  // no context ends it: what it waits for has to come before the call can return
} wf_wait_kind;

// The kind whose number is at idx.
const wf_wait_kind *wf_wait_kind_at(lua_State *L, int idx);

// Pushes a table: name -> number.
void wf_wait_kind_push_all(lua_State *L);

#endif
