// SPDX-License-Identifier: MIT
// Values that weft.sync keeps: boxes, and what `value`, `map` and `once` do once they have
// crossed. Values are packed before anything is locked, and unpacked after.
#include "conc/sync.h"

#include "lib/arg.h"
#include "lib/lib.h"
#include "sched/runtime.h"
#include "task/codec.h"
#include "task/guard.h"
#include "task/promote.h"
#include "task/scalar.h"

static wf_latch *self_latch(lua_State *L) {
  wf_sync *sync = wf_sync_at(L, 1);
  bool fits = sync != NULL && sync->queue.obj.shared && sync->type != WF_SYNC_MAP;
  if (!fits) wf_raise(L, "the insides of a sync object were overwritten");
  return wf_sync_latch(sync);
}

static wf_dict *self_dict(lua_State *L) {
  wf_sync *sync = wf_sync_at(L, 1);
  bool fits = sync != NULL && sync->queue.obj.shared && sync->type == WF_SYNC_MAP;
  if (!fits) wf_raise(L, "the insides of a map were overwritten");
  return wf_sync_dict(sync);
}

// box(v, fname) -> a box, for unbox
static int l_box(lua_State *L) {
  wf_sync_push_box(wf_door_vm(L), L, 1, lua_tostring(L, 2));
  return 1;
}

static int l_unbox(lua_State *L) {
  const wf_box *box = wf_sync_box_at(L, 1);
  if (box == NULL) wf_raise(L, "the insides of a sync object were overwritten");
  wf_sync_push_values(wf_door_vm(L), L, box);
  return 1;
}

// is_shareable(v): whether it is an object that crosses by reference
static int l_is_shareable(lua_State *L) {
  const wf_obj *obj = wf_obj_any(L, 1);
  lua_pushboolean(
      L, obj != NULL && obj->kind->share != NULL && obj->kind->share->refuse(obj) == NULL);
  return 1;
}

typedef struct give_job {
  wf_vm *vm;
  const wf_box *box;
} give_job;

static int push_values(lua_State *L, void *ud) {
  const give_job *job = ud;
  int top = lua_gettop(L);
  wf_sync_push_values(job->vm, L, job->box);
  return lua_gettop(L) - top;
}

// Returns the values in the box, which is the caller's; nil for NULL. What raises must not lose
// the box: small values are copied out of it first, others unpacked in a protected call.
static int give(wf_vm *vm, lua_State *L, wf_box *box) {
  int top = lua_gettop(L);
  if (box == NULL) {
    lua_pushnil(L);
    return 1;
  }
  if (box->message.parcel == NULL) {
    wf_message m = box->message;
    double v;
    wf_box_unref(box);
    if (wf_scalar_unpack(&m, &v)) {
      lua_pushnumber(L, v);
    } else if (!wf_codec_unpack(vm, L, &m)) {
      lua_error(L);
    }
    return lua_gettop(L) - top;
  }
  give_job job = {.vm = vm, .box = box};
  int status = wf_guard(vm, L, push_values, &job, 0, LUA_MULTRET);
  wf_box_unref(box);
  if (status != 0) lua_error(L);
  return lua_gettop(L) - top;
}

static _Noreturn void no_memory(lua_State *L, wf_box *box) {
  wf_box_unref(box);
  wf_raise(L, "not enough memory");
}

// value ---------------------------------------------------------------------------------------

static int l_value_load(lua_State *L) {
  return give(wf_door_vm(L), L, wf_latch_box(self_latch(L)));
}

static int l_value_store(lua_State *L) {
  wf_latch *latch = self_latch(L);
  wf_box_unref(wf_latch_swap(latch, wf_sync_new_box(wf_door_vm(L), L, 2, "store")));
  return 0;
}

static int l_value_swap(lua_State *L) {
  wf_latch *latch = self_latch(L);
  wf_vm *vm = wf_door_vm(L);
  return give(vm, L, wf_latch_swap(latch, wf_sync_new_box(vm, L, 2, "swap")));
}

static int l_value_cas(lua_State *L) {
  wf_latch *latch = self_latch(L);
  wf_vm *vm = wf_door_vm(L);
  lua_settop(L, 3);
  wf_sync_push_box(vm, L, 2, "compare_and_swap");
  wf_box *box = wf_sync_new_box(vm, L, 3, "compare_and_swap");
  bool done = wf_latch_compare_and_swap(latch, wf_sync_box_at(L, 4), box);
  if (!done) wf_box_unref(box);
  lua_pushboolean(L, done);
  return 1;
}

// once ----------------------------------------------------------------------------------------

// once_leave(self, outcome) -> true; false, why it cannot cross. The outcome, {n =, ok, …}, goes
// into the box; nil: there is none.
static int l_once_leave(lua_State *L) {
  wf_latch *latch = self_latch(L);
  wf_vm *vm = wf_door_vm(L);
  wf_message m;
  wf_box *box = NULL;
  if (lua_istable(L, 2)) {
    if (!wf_codec_pack(vm, L, 2, 1, WF_PACK_RESULTS, &m)) {
      lua_pushboolean(L, 0);
      lua_insert(L, -2);
      return 2;
    }
    box = wf_box_new(&vm->rt->mem, &m);
    if (box == NULL) wf_message_free(&m);
  }
  wf_latch_leave(latch, box);
  lua_pushboolean(L, 1);
  return 1;
}

// once_outcome(self) -> the outcome; nil: memory was out when it was to be kept
static int l_once_outcome(lua_State *L) {
  return give(wf_door_vm(L), L, wf_latch_box(self_latch(L)));
}

// map -----------------------------------------------------------------------------------------

static wf_dict_key key_at(lua_State *L, int idx) {
  wf_dict_key key;
  (void)wf_sync_key(L, idx, &key);
  return key;
}

static int l_dict_load(lua_State *L) {
  wf_dict_key key = key_at(L, 2);
  return give(wf_door_vm(L), L, wf_dict_load(self_dict(L), &key));
}

// What was there before the value at 3, which takes its place; nil: nothing does.
static wf_box *exchange(wf_vm *vm, lua_State *L, const char *what) {
  wf_dict *dict = self_dict(L);
  wf_dict_key key = key_at(L, 2);
  if (lua_isnoneornil(L, 3)) return wf_dict_delete(dict, &key);
  wf_box *box = wf_sync_new_box(vm, L, 3, what), *before;
  if (!wf_dict_swap(dict, &key, box, &before)) no_memory(L, box);
  return before;
}

// dict_store(self, k, v)
static int l_dict_store(lua_State *L) {
  wf_box_unref(exchange(wf_door_vm(L), L, "store"));
  return 0;
}

// dict_swap(self, k, v, fname) -> what was there
static int l_dict_swap(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  return give(vm, L, exchange(vm, L, lua_tostring(L, 4)));
}

// dict_load_or_store(self, k, v) -> actual, loaded
static int l_dict_load_or_store(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_dict *dict = self_dict(L);
  wf_dict_key key = key_at(L, 2);
  wf_box *box = wf_sync_new_box(vm, L, 3, "load_or_store"), *actual;
  wf_box_ref(box);
  wf_dict_result result = wf_dict_add(dict, &key, box, &actual);
  if (result == WF_DICT_YES) {
    actual = box;
  } else {
    wf_box_unref(box);
    if (result == WF_DICT_NO_MEMORY) no_memory(L, box);
    wf_box_unref(box);
  }
  (void)give(vm, L, actual);
  lua_pushboolean(L, result == WF_DICT_NO);
  return 2;
}

// dict_cas(self, k, old, new) -> boolean
static int l_dict_cas(lua_State *L) {
  wf_vm *vm = wf_door_vm(L);
  wf_dict *dict = self_dict(L);
  wf_dict_key key = key_at(L, 2);
  wf_sync_push_box(vm, L, 3, "compare_and_swap");
  const wf_box *old = lua_isnil(L, 3) ? NULL : wf_sync_box_at(L, 5);
  wf_box *box = wf_sync_new_box(vm, L, 4, "compare_and_swap");
  wf_dict_result result = wf_dict_compare_and_swap(dict, &key, old, box);
  if (result == WF_DICT_NO_MEMORY) no_memory(L, box);
  if (result == WF_DICT_NO) wf_box_unref(box);
  lua_pushboolean(L, result == WF_DICT_YES);
  return 1;
}

static int l_dict_len(lua_State *L) {
  lua_pushnumber(L, (double)wf_dict_len(self_dict(L)));
  return 1;
}

// dict_keys(self) -> array of all keys
static int l_dict_keys(lua_State *L) {
  wf_dict *dict = self_dict(L);
  size_t nkeys = 0, nbytes = 0, n = 0;
  wf_dict_key *keys = NULL;
  // Others may add some between the two.
  while (!wf_dict_keys(dict, keys, &nkeys, (char *)(keys + nkeys), &nbytes, &n)) {
    lua_settop(L, 1);
    nkeys += nkeys / 8;
    nbytes += nbytes / 8;
    keys = lua_newuserdata(L, nkeys * sizeof *keys + nbytes);
  }
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; keys != NULL && i < n; i++) {
    switch (keys[i].kind) {
      case WF_DICT_BOOLEAN: lua_pushboolean(L, keys[i].number != 0); break;
      case WF_DICT_NUMBER: lua_pushnumber(L, keys[i].number); break;
      case WF_DICT_STRING: lua_pushlstring(L, keys[i].data, keys[i].size); break;
    }
    lua_rawseti(L, -2, (int)i + 1);
  }
  return 1;
}

void wf_lib_open_value(wf_vm *vm, lua_State *L) {
  static const luaL_Reg functions[] = {{"box", l_box},
                                       {"unbox", l_unbox},
                                       {"is_shareable", l_is_shareable},
                                       {"value_load", l_value_load},
                                       {"value_store", l_value_store},
                                       {"value_swap", l_value_swap},
                                       {"value_cas", l_value_cas},
                                       {"once_leave", l_once_leave},
                                       {"once_outcome", l_once_outcome},
                                       {"dict_load", l_dict_load},
                                       {"dict_store", l_dict_store},
                                       {"dict_swap", l_dict_swap},
                                       {"dict_load_or_store", l_dict_load_or_store},
                                       {"dict_cas", l_dict_cas},
                                       {"dict_len", l_dict_len},
                                       {"dict_keys", l_dict_keys},
                                       {NULL, NULL}};
  wf_lib_add(vm, L, functions);
  wf_sync_push_boxed_mark(L);
  lua_setfield(L, -2, "boxed_mark");
}
