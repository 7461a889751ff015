// SPDX-License-Identifier: MIT
// What the objects of weft.sync do once they have crossed, but for values and maps (lib/value.c).
// The Lua modules have checked their arguments.
#include "conc/sync.h"

#include "conc/stub.h"
#include "conc/word.h"
#include "lib/arg.h"
#include "lib/lib.h"
#include "lib/waits.h"
#include "sched/runtime.h"
#include "task/site.h"

static wf_sync_type type_at(lua_State *L, int idx) { return wf_sync_named(lua_tostring(L, idx)); }

// sync(type) -> the userdata of a new object
static int l_sync(lua_State *L) {
  (void)wf_sync_new(wf_door_vm(L), L, type_at(L, 1));
  return 1;
}

// sync_type(type, metatable): of those that have crossed
static int l_sync_type(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  if (vm->refs[WF_REF_SYNC_TYPES] == LUA_NOREF) {
    lua_createtable(L, WF_SYNC_TYPES, 0);
    wf_vm_set_ref(vm, L, WF_REF_SYNC_TYPES);
  }
  wf_vm_push_ref(vm, L, WF_REF_SYNC_TYPES);
  lua_pushvalue(L, 2);
  lua_rawseti(L, -2, (int)type_at(L, 1) + 1);
  return 0;
}

static wf_sync *self_sync(lua_State *L) {
  wf_sync *sync = wf_sync_at(L, 1);
  if (sync == NULL || !sync->queue.obj.shared || sync->type == WF_SYNC_MAP) {
    wf_raise(L, "the insides of a sync object were overwritten");
  }
  return sync;
}

static wf_latch *self_latch(lua_State *L) { return wf_sync_latch(self_sync(L)); }

static uint64_t task_id(const wf_vm *vm) { return vm->current != NULL ? vm->current->id : 0; }

// The place of the running task, which is about to wait for the object.
static wf_remote_place *prepare(wf_vm *vm, lua_State *L, wf_sync *sync, const wf_wait_kind *kind,
                                const wf_ctx *ctx) {
  wf_check_can_park(vm, L, kind->call);
  wf_remote_place *place = wf_stub_prepare(vm, &sync->queue.obj, WF_OP_EVENT, ctx);
  if (place == NULL) wf_raise(L, "not enough memory");
  return place;
}

static int done(lua_State *L) {
  lua_pushboolean(L, 1);
  return 1;
}

// latch_take(self, units, kind, ctx) -> true; nil, err
static int l_latch_take(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_sync *sync = self_sync(L);
  wf_latch *latch = wf_sync_latch(sync);
  const wf_wait_kind *kind = wf_wait_kind_at(L, 3);
  wf_ctx *ctx = kind->whatever ? NULL : wf_arg_context(L, 4, 1, kind->call);
  if (wf_ctx_is_over(L, ctx)) return 2;
  int64_t units = (int64_t)lua_tonumber(L, 2);
  uint64_t id = task_id(vm);
  if (wf_latch_take(latch, units, id)) return done(L);
  bool is_lock = wf_queue_is_lock(kind->reason);
  const char *site = is_lock ? wf_site_kept(vm, wf_site_here(vm, L)) : NULL;
  wf_remote_place *place = prepare(vm, L, sync, kind, ctx);
  place->units = units;
  place->site = site;
  if (wf_latch_take_or_queue(latch, id, vm->current->extra->remote, place)) {
    wf_stub_give_up(vm, place);
    return done(L);
  }
  vm->stats.lock_waits += is_lock;
  return wf_stub_park(vm, L, ctx, kind->reason);
}

// latch_try(self, units) -> boolean
static int l_latch_try(lua_State *L) {
  int64_t units = (int64_t)lua_tonumber(L, 2);
  lua_pushboolean(L, wf_latch_take(self_latch(L), units, task_id(wf_door_vm(L))));
  return 1;
}

// latch_first(self, site): where a mutex is locked for the first time, as far as its VM knows
static int l_latch_first(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  const char *site = wf_site_kept(vm, wf_site_at(vm, L, 2));
  if (site != NULL) wf_latch_note_first(self_latch(L), site);
  return 0;
}

// latch_give(self, units) -> false: so many are not held
static int l_latch_give(lua_State *L) {
  lua_pushboolean(L, wf_latch_give(self_latch(L), (int64_t)lua_tonumber(L, 2)));
  return 1;
}

static int l_latch_settle(lua_State *L) {
  wf_latch_settle(self_latch(L));
  return 0;
}

static int l_latch_held(lua_State *L) {
  lua_pushnumber(L, (double)wf_latch_held(self_latch(L)));
  return 1;
}

static int l_latch_total(lua_State *L) {
  lua_pushnumber(L, (double)self_latch(L)->total);
  return 1;
}

// latch_add(self, n) -> false: the counter would be negative
static int l_latch_add(lua_State *L) {
  lua_pushboolean(L, wf_latch_add(self_latch(L), (int64_t)lua_tonumber(L, 2)));
  return 1;
}

// latch_wait(self, kind, ctx) -> true; nil, err
static int l_latch_wait(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_sync *sync = self_sync(L);
  wf_latch *latch = wf_sync_latch(sync);
  const wf_wait_kind *kind = wf_wait_kind_at(L, 2);
  wf_ctx *ctx = wf_arg_context(L, 3, 1, kind->call);
  if (wf_ctx_is_over(L, ctx)) return 2;
  if (latch->type == WF_SYNC_WAITGROUP && wf_latch_held(latch) == 0) return done(L);
  wf_remote_place *place = prepare(vm, L, sync, kind, ctx);
  if (!wf_latch_queue(latch, vm->current->extra->remote, place)) {
    wf_stub_give_up(vm, place);
    return done(L);
  }
  return wf_stub_park(vm, L, ctx, kind->reason);
}

// latch_wake(self, max)
static int l_latch_wake(lua_State *L) {
  double max = lua_tonumber(L, 2);
  wf_latch_wake(self_latch(L), max < 4e9 ? (uint32_t)max : UINT32_MAX);
  return 0;
}

// cond_wait(self, kind, ctx, mutex) -> true; nil, err. It stands in the queue before it unlocks
// the mutex, so that no signal of who locks it next is missed.
static int l_cond_wait(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_sync *sync = self_sync(L);
  const wf_wait_kind *kind = wf_wait_kind_at(L, 2);
  wf_ctx *ctx = wf_arg_context(L, 3, 1, kind->call);
  const wf_sync *mutex = wf_sync_at(L, 4);
  if (mutex == NULL || !mutex->queue.obj.shared || mutex->type != WF_SYNC_MUTEX) {
    wf_raise(L, "the insides of a cond were overwritten");
  }
  wf_remote_place *place = prepare(vm, L, sync, kind, ctx);
  (void)wf_latch_queue(wf_sync_latch(sync), vm->current->extra->remote, place);
  (void)wf_latch_give(wf_sync_latch(mutex), 1);
  return wf_stub_park(vm, L, ctx, kind->reason);
}

// once_enter(self, task) -> state: 0: the caller is to run it; who runs it
static int l_once_enter(lua_State *L) {
  uint64_t runner;
  wf_latch_once state = wf_latch_enter(self_latch(L), (uint64_t)lua_tonumber(L, 2), &runner);
  lua_pushinteger(L, state);
  lua_pushnumber(L, (double)runner);
  return 2;
}

// int and bool --------------------------------------------------------------------------------

static int l_word_load(lua_State *L) {
  lua_pushnumber(L, (double)wf_word_load(self_latch(L)));
  return 1;
}

static int l_word_swap(lua_State *L) {
  lua_pushnumber(L, (double)wf_word_swap(self_latch(L), (int64_t)lua_tonumber(L, 2)));
  return 1;
}

// word_add(self, n) -> sum, or nil: it is too far off
static int l_word_add(lua_State *L) {
  int64_t sum;
  if (!wf_word_add(self_latch(L), (int64_t)lua_tonumber(L, 2), &sum)) return 0;
  lua_pushnumber(L, (double)sum);
  return 1;
}

static int l_word_cas(lua_State *L) {
  int64_t old = (int64_t)lua_tonumber(L, 2), new = (int64_t)lua_tonumber(L, 3);
  lua_pushboolean(L, wf_word_compare_and_swap(self_latch(L), old, new));
  return 1;
}

void wf_lib_open_sync(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"sync", l_sync},
                                       {"sync_type", l_sync_type},
                                       {"latch_take", l_latch_take},
                                       {"latch_try", l_latch_try},
                                       {"latch_first", l_latch_first},
                                       {"latch_give", l_latch_give},
                                       {"latch_settle", l_latch_settle},
                                       {"latch_held", l_latch_held},
                                       {"latch_total", l_latch_total},
                                       {"latch_add", l_latch_add},
                                       {"latch_wait", l_latch_wait},
                                       {"latch_wake", l_latch_wake},
                                       {"cond_wait", l_cond_wait},
                                       {"once_enter", l_once_enter},
                                       {"word_load", l_word_load},
                                       {"word_swap", l_word_swap},
                                       {"word_add", l_word_add},
                                       {"word_cas", l_word_cas},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
}
