// SPDX-License-Identifier: MIT
#include "conc/sync.h"

#include <lauxlib.h>
#include <string.h>

#include "conc/sync_share.h"
#include "sched/runtime.h"
#include "task/codec.h"
#include "task/site.h"

static const wf_kind kinds[] = {
#define KIND(type, called)             \
  [(type)] = {.name = (called),        \
              .size = sizeof(wf_sync), \
              .visit = wf_queue_visit, \
              .share = &wf_sync_share}
    KIND(WF_SYNC_MUTEX, "mutex"),
    KIND(WF_SYNC_RWMUTEX, "rwmutex"),
    KIND(WF_SYNC_SEMAPHORE, "semaphore"),
    KIND(WF_SYNC_WAITGROUP, "waitgroup"),
    KIND(WF_SYNC_COND, "cond"),
    KIND(WF_SYNC_ONCE, "once"),
    KIND(WF_SYNC_INT, "int"),
    KIND(WF_SYNC_BOOL, "bool"),
    KIND(WF_SYNC_VALUE, "value"),
    KIND(WF_SYNC_MAP, "map"),
#undef KIND
};

wf_sync_type wf_sync_named(const char *name) {
  int type = 0;
  while (type < WF_SYNC_TYPES && strcmp(kinds[type].name, name) != 0) type++;
  return (wf_sync_type)type;
}

const char *wf_sync_name(wf_sync_type type) { return kinds[type].name; }

wf_sync *wf_sync_new(wf_vm *vm, lua_State *L, wf_sync_type type) {
  wf_sync *sync = (wf_sync *)wf_obj_new(vm, L, &kinds[type], &wf_tag_queue);
  wf_queue_init(&sync->queue);
  sync->type = type;
  return sync;
}

const wf_sync *wf_sync_of(const wf_obj *obj) {
  return obj->kind >= kinds && obj->kind < kinds + WF_SYNC_TYPES ? (const wf_sync *)obj : NULL;
}

wf_sync *wf_sync_at(lua_State *L, int idx) {
  wf_obj *obj = wf_obj_in_table(L, idx, &wf_tag_queue);
  return obj != NULL && wf_sync_of(obj) != NULL ? (wf_sync *)obj : NULL;
}

bool wf_sync_find_holder(const wf_obj *on, wf_lock_holder *holder) {
  const wf_sync *sync = on != NULL ? wf_sync_of(on) : NULL;
  if (sync == NULL || sync->type == WF_SYNC_MAP) return false;
  const wf_queue *queue = &sync->queue;
  if (on->shared) {
    *holder = wf_latch_holder(wf_sync_latch(sync));
  } else {
    *holder = (wf_lock_holder){.task = queue->holder, .is_first = queue->is_first};
    if (queue->site != 0) holder->site = wf_site_text(on->vm, queue->site);
  }
  return holder->task != 0;
}

bool wf_sync_key(lua_State *L, int idx, wf_dict_key *key) {
  *key = (wf_dict_key){.kind = WF_DICT_NUMBER};
  switch (lua_type(L, idx)) {
    case LUA_TBOOLEAN:
      key->kind = WF_DICT_BOOLEAN;
      key->number = lua_toboolean(L, idx);
      return true;
    case LUA_TNUMBER: key->number = lua_tonumber(L, idx); return key->number == key->number;
    case LUA_TSTRING:
      key->kind = WF_DICT_STRING;
      key->data = lua_tolstring(L, idx, &key->size);
      return true;
    default: return false;
  }
}

// Boxes ---------------------------------------------------------------------------------------

static const char mark, tag_box;

void wf_sync_push_boxed_mark(lua_State *L) { lua_pushlightuserdata(L, (void *)(uintptr_t)&mark); }

typedef struct held_box {
  wf_obj obj;
  wf_box *box;
} held_box;

static void destroy_box(wf_obj *obj) { wf_box_unref(((held_box *)obj)->box); }

static const wf_kind box_kind = {
    .name = "boxed value", .size = sizeof(held_box), .destroy = destroy_box};

wf_box *wf_sync_new_box(wf_vm *vm, lua_State *L, int idx, const char *what) {
  wf_message m;
  if (!wf_codec_pack(vm, L, idx, 1, WF_PACK_VALUES, &m)) {
    lua_pushfstring(L, "'%s': %s", what, lua_tostring(L, -1));
    wf_site_raise(L, lua_tostring(L, -1));
  }
  wf_box *box = wf_box_new(&vm->rt->mem, &m);
  if (box != NULL) return box;
  wf_message_free(&m);
  wf_site_raise(L, "not enough memory");
}

void wf_sync_push_box(wf_vm *vm, lua_State *L, int idx, const char *what) {
  held_box *held = (held_box *)wf_obj_new(vm, L, &box_kind, &tag_box);
  held->box = wf_sync_new_box(vm, L, idx, what);
}

wf_box *wf_sync_box_at(lua_State *L, int idx) {
  const held_box *held = (const held_box *)wf_obj_at(L, idx, &tag_box);
  return held != NULL ? held->box : NULL;
}

void wf_sync_push_values(wf_vm *vm, lua_State *L, const wf_box *box) {
  luaL_checkstack(L, box->message.count + LUA_MINSTACK, "too many values");
  if (!wf_codec_unpack(vm, L, &box->message)) lua_error(L);
}
