// SPDX-License-Identifier: MIT
// The arguments of a call that is still to be made lie right below the function that is called for
// the last of them: those are read, and not the locals that they came from, which compiled code
// need not keep.
#include "task/unwind.h"

#include <lauxlib.h>
#include <stdbool.h>

#include "sched/vm.h"
#include "task/task.h"
#include "task/trace.h"

typedef struct unwind {
  lua_State *L;
  const wf_task *task;
  int landings;  // index: function -> { handler, how many values }; true: `protect`
  int run;       // index of run_defers
  int lists[2];  // indices of the two lists, or of nil
  int outside;   // which of them is being filled
  bool guard;    // the frame before was of `protect` or run_defers
} unwind;

// Moves the function of the frame to u->L.
static bool push_function(const unwind *u, lua_State *co, lua_Debug *ar) {
  if (lua_getinfo(co, "f", ar) == 0) return false;
  lua_xmove(co, u->L, 1);
  return true;
}

static int count_slots(lua_State *co, const lua_Debug *ar) {
  int n = 0;
  while (lua_getlocal(co, ar, n + 1) != NULL) {
    lua_pop(co, 1);
    n++;
  }
  return n;
}

// Appends the call; what is on top of the stack is { handler, how many values }.
static void add(const unwind *u, lua_State *co, const lua_Debug *ar) {
  lua_State *L = u->L;
  int place = u->lists[u->outside];
  if (lua_isnil(L, place)) {
    lua_newtable(L);
    lua_replace(L, place);
  }
  lua_rawgeti(L, -1, 2);
  int n = (int)lua_tointeger(L, -1), slots = count_slots(co, ar);
  lua_pop(L, 1);
  if (slots < n) return;
  lua_createtable(L, n + 1, 1);
  lua_rawgeti(L, -2, 1);
  lua_rawseti(L, -2, 1);
  for (int i = 1; i <= n; i++) {
    (void)lua_getlocal(co, ar, slots - n + i);
    lua_xmove(co, L, 1);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushinteger(L, n + 1);
  lua_setfield(L, -2, "n");
  lua_rawseti(L, place, (int)lua_objlen(L, place) + 1);
}

static void look_at_frame(unwind *u, lua_State *co, lua_Debug *ar) {
  lua_State *L = u->L;
  int top = lua_gettop(L);
  if (!push_function(u, co, ar)) return;
  bool runs = lua_rawequal(L, -1, u->run) != 0;
  lua_rawget(L, u->landings);
  if (u->guard && lua_istable(L, -1)) add(u, co, ar);
  u->guard = lua_isboolean(L, top + 1) || runs;
  if (runs) u->outside = 1;
  lua_settop(L, top);
}

static void look_at_coroutine(unwind *u, lua_State *co) {
  lua_Debug ar;
  u->guard = false;
  for (int level = 0; lua_getstack(co, level, &ar) != 0; level++) look_at_frame(u, co, &ar);
}

static lua_State *resumed_by(const unwind *u, lua_State *co) {
  return co != u->task->at ? wf_trace_resumed_by(co) : NULL;
}

// The innermost first. LuaJIT lets at most 200 coroutines resume each other.
static void look_at_all(unwind *u) {
  uint32_t depth = 0;
  for (lua_State *co = u->task->co; co != NULL; co = resumed_by(u, co)) depth++;
  while (depth-- > 0) {
    lua_State *co = u->task->co;
    for (uint32_t i = 0; i < depth; i++) co = resumed_by(u, co);
    look_at_coroutine(u, co);
  }
}

void wf_unwind_push(lua_State *L, const wf_task *task) {
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  int base = lua_gettop(L);
  lua_pushnil(L);
  lua_pushnil(L);
  wf_vm_push_ref(task->vm, L, WF_REF_LANDINGS);
  wf_vm_push_ref(task->vm, L, WF_REF_RUN_DEFERS);
  unwind u = {.L = L, .task = task, .landings = base + 3, .run = base + 4};
  u.lists[0] = base + 1;
  u.lists[1] = base + 2;
  look_at_all(&u);
  lua_settop(L, base + 2);
}
