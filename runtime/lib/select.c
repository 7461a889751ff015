// SPDX-License-Identifier: MIT
#include "conc/select.h"

#include "base/check.h"
#include "lib/arg.h"
#include "lib/lib.h"

// Up to so many cases there is room for what read_case pushes (LUA_MINSTACK).
enum { MAX_CASES = 3000, FEW = 4, ON_STACK = 16 };

// Whether the table at idx has that metatable.
static bool has_type(lua_State *L, int idx, const void *metatable) {
  if (!lua_istable(L, idx) || lua_getmetatable(L, idx) == 0) return false;
  bool same = lua_topointer(L, -1) == metatable;
  lua_pop(L, 1);
  return same;
}

static bool is_default(const wf_vm *vm, lua_State *L, int idx) {
  return lua_topointer(L, idx) == vm->default_case;
}

_Noreturn static void refuse_case(wf_vm *vm, lua_State *L, int i) {
  if (is_default(vm, L, i)) wf_raise(L, "'select': weft.default must be the last case");
  wf_arg_fail(L, i, "select", "channel, ch:sending(v), nil or weft.default", i);
}

// Understands the argument at `i`, which is not the channel itself. What stands for it, channel
// and value, is pushed and stays on the stack.
static wf_case read_case(wf_vm *vm, lua_State *L, int i) {
  wf_case c = {.index = i, .self = i};
  if (lua_isnil(L, i)) return c;
  if (has_type(L, i, vm->case_type)) {
    lua_rawgeti(L, i, 2);
    c.value = lua_gettop(L);
    bool has_value = !lua_isnil(L, c.value);
    lua_rawgeti(L, i, 1);
    c.self = c.value + 1;
    c.ch = wf_chan_at(L, c.self);
    if (!has_value || c.ch == NULL || c.ch->system) refuse_case(vm, L, i);
    return c;
  }
  if (has_type(L, i, vm->view_type)) {
    lua_rawgeti(L, i, 0);
    c.self = lua_gettop(L);
  }
  c.ch = wf_chan_at(L, c.self);
  if (c.ch == NULL) refuse_case(vm, L, i);
  return c;
}

// select(case…): index, value, err; index, true; false when a send case met a closed channel (the
// caller in Lua raises).
static int l_select(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  int n = lua_gettop(L);
  if (n > MAX_CASES) wf_raise(L, "'select': at most %d cases", MAX_CASES);
  if (n > FEW) luaL_checkstack(L, 2 * n + 8, "too many cases");
  bool has_default = n > 0 && is_default(vm, L, n);
  if (has_default) n--;
  wf_case few[ON_STACK];
  wf_case *cases = few;
  if (n > ON_STACK) cases = lua_newuserdata(L, (size_t)n * sizeof *cases);
  for (int i = 1; i <= n; i++) {
    wf_chan *ch = (wf_chan *)wf_obj_at(L, i, &wf_tag_chan);
    cases[i - 1] = WF_LIKELY(ch != NULL) ? (wf_case){.ch = ch, .index = i, .self = i}
                                         : read_case(vm, L, i);
  }
  int nresults = 0;
  if (wf_select_try(vm, L, cases, n, &nresults)) return nresults;
  if (has_default) {
    lua_pushinteger(L, n + 1);
    return wf_poll_missed(vm, L, 1);
  }
  wf_check_can_park(vm, L, "select");
  return wf_select_park(vm, L, cases, n);
}

// is_case(v): whether it may stand in a select by name
static int l_is_case(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  bool is = wf_chan_at(L, 1) != NULL || has_type(L, 1, vm->case_type);
  lua_pushboolean(L, is || has_type(L, 1, vm->view_type));
  return 1;
}

static int l_set_default(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  lua_settop(L, 1);
  vm->default_case = lua_topointer(L, 1);
  wf_vm_set_ref(vm, L, WF_REF_DEFAULT);
  return 0;
}

void wf_lib_open_select(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {
      {"select", l_select}, {"is_case", l_is_case}, {"set_default", l_set_default}, {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
