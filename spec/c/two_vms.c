// SPDX-License-Identifier: MIT
#include "two_vms.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "task/cycles.h"

weft *two_vms_open(const weft_config *config) {
  weft_config c = config != NULL ? *config : (weft_config){0};
  c.clock = WEFT_CLOCK_VIRTUAL;
  weft *w = NULL;
  if (weft_open(&c, &w) != WEFT_OK) {
    (void)fprintf(stderr, "no runtime\n");
    exit(1);
  }
  return w;
}

static weft *upvalue_of(lua_State *L, int i) { return lua_touserdata(L, lua_upvalueindex(i)); }

// Moves the values from `first` on from one VM to the stack of the other; raises on `L`.
static void move(weft *from, lua_State *A, int first, weft *to, lua_State *B, wf_pack_as as,
                 lua_State *L) {
  wf_message m;
  int n = lua_gettop(A) - first + 1;
  if (!wf_codec_pack(two_vms_vm(from), A, first, n, as, &m)) {
    lua_pushstring(L, lua_tostring(A, -1));
    lua_error(L);
  }
  bool ok = wf_codec_unpack(two_vms_vm(to), B, &m);
  wf_message_free(&m);
  if (ok) return;
  lua_pushfstring(L, "there: %s", lua_tostring(B, -1));
  if (B != L) lua_settop(B, 0);
  lua_error(L);
}

static int cross(lua_State *L, wf_pack_as as, bool call) {
  weft *here = upvalue_of(L, 1), *there = upvalue_of(L, 2);
  lua_State *B = weft_lua(there);
  wf_vm *running = wf_vm_here;
  int top = lua_gettop(B);
  move(here, L, 1, there, B, as, L);
  wf_vm_here = NULL;
  int status = call ? lua_pcall(B, lua_gettop(B) - top - 1, LUA_MULTRET, 0) : 0;
  wf_vm_here = running;
  lua_settop(L, 0);
  if (status != 0) {
    lua_pushfstring(L, "there: %s", lua_tostring(B, -1));
    lua_settop(B, top);
    return lua_error(L);
  }
  move(there, B, top + 1, here, L, WF_PACK_RESULTS, L);
  lua_settop(B, top);
  return lua_gettop(L);
}

static int l_there(lua_State *L) { return cross(L, WF_PACK_CALL, true); }
static int l_there_unchecked(lua_State *L) { return cross(L, WF_PACK_VALUES, true); }
static int l_pass(lua_State *L) { return cross(L, WF_PACK_VALUES, false); }

static int l_refused(lua_State *L) {
  wf_message m;
  weft *here = upvalue_of(L, 1);
  if (!wf_codec_pack(two_vms_vm(here), L, 1, lua_gettop(L), WF_PACK_CALL, &m)) return 1;
  wf_message_free(&m);
  return 0;
}

static int l_weigh(lua_State *L) {
  wf_message m;
  weft *here = upvalue_of(L, 1);
  if (!wf_codec_pack(two_vms_vm(here), L, 1, lua_gettop(L), WF_PACK_VALUES, &m)) {
    return lua_error(L);
  }
  lua_pushinteger(L, (lua_Integer)m.size);
  lua_pushinteger(L, m.parcel != NULL ? (lua_Integer)m.parcel->nblobs : 0);
  lua_pushinteger(L, m.parcel != NULL ? (lua_Integer)m.parcel->ncores : 0);
  lua_pushinteger(L, m.parcel != NULL ? (lua_Integer)m.parcel->ncodes : 0);
  lua_pushboolean(L, m.parcel != NULL);
  wf_message_free(&m);
  return 5;
}

// step(): runs the tasks of the other VM that are ready
static int l_step(lua_State *L) {
  wf_vm *running = wf_vm_here;
  wf_vm_here = NULL;
  weft_status status = weft_step(upvalue_of(L, 2), 0, -1, NULL);
  wf_vm_here = running;
  return status == WEFT_OK ? 0 : luaL_error(L, "there: %s", weft_error(upvalue_of(L, 2)));
}

// cores(): how many there are, after those that only hold each other have gone
static int l_cores(lua_State *L) {
  wf_cycles_collect();
  lua_pushinteger(L, (lua_Integer)wf_cycles_count());
  return 1;
}

// listed(): how many there are as it is
static int l_listed(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)wf_cycles_count());
  return 1;
}

// plain(yes): whether `there` loads each function anew
static int l_plain(lua_State *L) {
  weft *there = upvalue_of(L, 2);
  wf_codec_open(two_vms_vm(there), weft_lua(there))->closures.plain = lua_toboolean(L, 1);
  return 0;
}

void two_vms_connect(weft *from, weft *to) {
  static const luaL_Reg functions[] = {
      {"there", l_there},   {"there_unchecked", l_there_unchecked},
      {"pass", l_pass},     {"refused", l_refused},
      {"weigh", l_weigh},   {"plain", l_plain},
      {"step", l_step},     {"cores", l_cores},
      {"listed", l_listed}, {NULL, NULL}};
  lua_State *L = weft_lua(from);
  for (const luaL_Reg *f = functions; f->name != NULL; f++) {
    lua_pushlightuserdata(L, from);
    lua_pushlightuserdata(L, to);
    lua_pushcclosure(L, f->func, 2);
    lua_setglobal(L, f->name);
  }
}
