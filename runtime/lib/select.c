// SPDX-License-Identifier: MIT
#include "conc/select.h"

#include "base/check.h"
#include "conc/scope.h"
#include "lib/arg.h"
#include "lib/lib.h"

// MAX_OPEN: what internal/select.lua takes apart; two values each fit into LUA_MINSTACK.
enum { MAX_CASES = 3000, MAX_OPEN = 9 };

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

static _Noreturn void refuse_case(wf_vm *vm, lua_State *L, int self, int index) {
  if (is_default(vm, L, self)) wf_raise(L, "'select': weft.default must be the last case");
  wf_arg_fail(L, index, "select", "channel, ch:sending(v), nil or weft.default", self);
}

// Finds the channel of a case that is not simply one.
static wf_case read_open(wf_vm *vm, lua_State *L, wf_case c) {
  if (c.value == 0 && lua_isnil(L, c.self)) return c;
  if (c.value == 0 && has_type(L, c.self, vm->view_type)) {
    lua_rawgeti(L, c.self, 0);
    lua_replace(L, c.self);
  }
  c.ch = wf_chan_at(L, c.self);
  if (c.ch == NULL || (c.value != 0 && c.ch->system)) refuse_case(vm, L, c.self, c.index);
  return c;
}

// Understands the argument at `i`. Of a send case channel and value are pushed, and stay.
static wf_case read_case(wf_vm *vm, lua_State *L, int i) {
  wf_case c = {.index = i, .self = i};
  if (has_type(L, i, vm->case_type)) {
    lua_rawgeti(L, i, 1);
    c.self = lua_gettop(L);
    lua_rawgeti(L, i, 2);
    c.value = c.self + 1;
    if (lua_isnil(L, c.value)) refuse_case(vm, L, i, i);
  }
  return read_open(vm, L, c);
}

static int run(wf_vm *vm, lua_State *L, const wf_case *cases, int n, bool has_default) {
  int nresults = 0;
  wf_ctx *own = wf_scope_node(vm);
  if (!has_default) (void)wf_ctx_is_over(L, own);
  do {
    if (wf_select_try(vm, L, cases, n, &nresults)) return nresults;
    if (has_default) {
      lua_pushinteger(L, n + 1);
      return wf_poll_missed(vm, L, 1);
    }
    wf_check_can_park(vm, L, "select");
    nresults = wf_select_park(vm, L, cases, n, own);
  } while (WF_UNLIKELY(nresults == 0));
  return nresults;
}

// select(case…): index, value, err; index, true; false when a send case met a closed channel (the
// caller in Lua raises).
static int l_select(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  int n = lua_gettop(L);
  if (n > MAX_CASES) wf_raise(L, "'select': at most %d cases", MAX_CASES);
  luaL_checkstack(L, 2 * n + 8, "too many cases");
  bool has_default = n > 0 && is_default(vm, L, n);
  if (has_default) n--;
  wf_case *cases = lua_newuserdata(L, (size_t)(n + 1) * sizeof *cases);
  for (int i = 1; i <= n; i++) cases[i - 1] = read_case(vm, L, i);
  return run(vm, L, cases, n, has_default);
}

// select_open(channel, value, …): the same for up to MAX_OPEN cases that Lua has taken apart: the
// value of a receive is nil.
static int l_select_open(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  int n = lua_gettop(L) / 2;
  wf_case cases[MAX_OPEN];
  bool has_default = false;
  for (int i = 0; i < n; i++) {
    int self = 2 * i + 1;
    wf_chan *ch = (wf_chan *)wf_obj_at(L, self, &wf_tag_chan);
    wf_case *c = &cases[i];
    *c = (wf_case){.ch = ch, .index = i + 1, .self = self};
    if (!lua_isnil(L, self + 1)) c->value = self + 1;
    if (WF_LIKELY(ch != NULL && (ch->direct || c->value == 0))) continue;
    if (i == n - 1 && is_default(vm, L, self)) {
      has_default = true;
      n--;
      break;
    }
    *c = read_open(vm, L, *c);
  }
  return run(vm, L, cases, n, has_default);
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
  static const luaL_Reg functions[] = {{"select", l_select},
                                       {"select_open", l_select_open},
                                       {"is_case", l_is_case},
                                       {"set_default", l_set_default},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
  wf_lib_add_address(L, "would_wait_address", (void (*)(void))wf_select_would_wait);
  wf_lib_add_address(L, "poll_is_free_address", (void (*)(void))wf_poll_is_free);
}
