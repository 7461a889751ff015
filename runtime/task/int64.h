// SPDX-License-Identifier: MIT
// int64_t and uint64_t of LuaJIT's ffi, which Lua's C API does not know.
#ifndef WF_TASK_INT64_H
#define WF_TASK_INT64_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "sched/vm.h"

enum { WF_TYPE_CDATA = 10 };  // lua_type of cdata, after LUA_TTHREAD

typedef enum wf_int64_type {
  WF_INT64_NONE,
  WF_INT64_SIGNED,
  WF_INT64_UNSIGNED,
  WF_INT64_NO_MEMORY,
} wf_int64_type;

// What the cdata on top of the stack is; its value. The stack stays as it is.
wf_int64_type wf_int64_read(wf_vm *vm, lua_State *L, uint64_t *value);

// Pushes a new one. Raises when memory is out, or where there is no ffi.
void wf_int64_push(wf_vm *vm, lua_State *L, wf_int64_type type, uint64_t value);

#endif
