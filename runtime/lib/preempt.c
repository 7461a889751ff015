// SPDX-License-Identifier: MIT
#include "task/preempt.h"

#include "lib/arg.h"
#include "lib/lib.h"
#include "task/task.h"

// preempt(on) -> what it was; nil, why
static int l_preempt(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  if (!lua_isboolean(L, 1)) wf_arg_fail(L, 1, "preempt", "boolean", 1);
  const wf_task *task = vm->current;
  if (task == NULL) wf_raise(L, "'preempt' outside of any task: call it inside weft.run(fn)");
  bool was = (task->flags & WF_TASK_PREEMPT) != 0;
  const char *why = NULL;
  if (lua_toboolean(L, 1)) {
    why = wf_preempt_allow(vm, L);
  } else {
    wf_preempt_forbid(vm);
  }
  if (why != NULL) {
    lua_pushnil(L);
    lua_pushstring(L, why);
    return 2;
  }
  lua_pushboolean(L, was);
  return 1;
}

void wf_lib_open_preempt(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"preempt", l_preempt}, {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
