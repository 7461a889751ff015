// SPDX-License-Identifier: MIT
// What is in an object's table while it is local is told by its file in lua/weft/internal/sync.
#include "conc/sync_share.h"

#include <lauxlib.h>
#include <math.h>

#include "conc/share.h"
#include "conc/sync.h"
#include "sched/runtime.h"
#include "task/codec.h"
#include "task/guard.h"
#include "task/site.h"

static const int64_t MOST = INT64_C(1) << 53;  // what a Lua number counts exactly

static _Noreturn void no_memory(lua_State *L) { wf_site_raise(L, "not enough memory"); }

static const char *refuse(const wf_obj *obj) {
  (void)obj;
  return NULL;
}

// A stub in another VM ------------------------------------------------------------------------

// Pushes the table of the metatables of what has crossed, by type; weft.sync, which fills it, has
// perhaps not been loaded in this VM.
static void push_types(wf_vm *vm, lua_State *L) {
  wf_core_push_ref_of(vm, L, WF_REF_SYNC_TYPES, "weft.sync");
}

static wf_sync_type type_of(const wf_core *core);

static void push(wf_vm *vm, lua_State *L, wf_core *core) {
  wf_sync_type type = type_of(core);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  lua_createtable(L, 3, 0);
  wf_sync *sync = wf_sync_new(vm, L, type);
  wf_core_ref(core);
  wf_core_use(core);
  sync->queue.obj.core = core;
  sync->queue.obj.shared = true;
  lua_rawseti(L, -2, 0);
  if (!wf_core_copy_label(core, &sync->queue.obj)) no_memory(L);
  if (type == WF_SYNC_COND) {
    wf_core_push(vm, L, wf_sync_latch(sync)->box->message.parcel->cores[0]);
    lua_rawseti(L, -2, 1);
  }
  push_types(vm, L);
  lua_rawgeti(L, -1, (int)type + 1);
  lua_setmetatable(L, -3);
  lua_pop(L, 1);
}

static const wf_core_kind latch_kind = {
    .size = sizeof(wf_latch), .empty = wf_latch_empty, .each = wf_latch_each, .push = push};
static const wf_core_kind map_kind = {
    .size = sizeof(wf_dict), .empty = wf_dict_empty, .each = wf_dict_each, .push = push};

static wf_sync_type type_of(const wf_core *core) {
  return core->kind == &map_kind ? WF_SYNC_MAP : ((const wf_latch *)core)->type;
}

static wf_core *make(const wf_obj *obj) {
  wf_sync_type type = ((const wf_sync *)obj)->type;
  const wf_mem *mem = wf_obj_mem(obj);
  if (type == WF_SYNC_MAP) return (wf_core *)wf_dict_new(mem, &map_kind);
  return (wf_core *)wf_latch_new(mem, &latch_kind, type);
}

// Filling -------------------------------------------------------------------------------------

static _Noreturn void overwritten(lua_State *L) {
  wf_site_raise(L, "the insides of a sync object were overwritten");
}

// The integer at self[field], which has to lie between these.
static int64_t get_integer(lua_State *L, int self, int field, int64_t min, int64_t max) {
  lua_rawgeti(L, self, field);
  double v = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : NAN;
  lua_pop(L, 1);
  if (!(v >= (double)min && v <= (double)max)) overwritten(L);
  return (int64_t)v;
}

// Boxes the value on top of the stack, which is popped.
static wf_box *box_top(wf_promotion *p, lua_State *L, const char *what) {
  wf_message m;
  wf_promotion_pack(p, L, lua_gettop(L), what, &m);
  lua_pop(L, 1);
  wf_box *box = wf_box_new(&p->vm->rt->mem, &m);
  if (box != NULL) return box;
  wf_message_free(&m);
  no_memory(L);
}

// Messages are not copied, and the box stays the object's until all is well: the value in the box
// on top of the stack is made, to be packed once more.
static void push_unboxed(wf_promotion *p, lua_State *L) {
  const wf_box *box = wf_sync_box_at(L, lua_gettop(L));
  if (box == NULL) overwritten(L);
  wf_sync_push_values(p->vm, L, box);
}

static void fill_value(wf_promotion *p, lua_State *L, wf_latch *latch, int self) {
  lua_rawgeti(L, self, 2);
  bool boxed = lua_toboolean(L, -1) != 0;
  lua_rawgeti(L, self, 1);
  if (boxed) push_unboxed(p, L);
  latch->box = box_top(p, L, "value");
}

static void fill_once(wf_promotion *p, lua_State *L, wf_latch *latch, int self) {
  latch->state = get_integer(L, self, 1, WF_LATCH_NEW, WF_LATCH_FINISHED);
  if (latch->state == WF_LATCH_RUNNING) {
    latch->holder = (uint64_t)get_integer(L, self, 2, 0, MOST);
  }
  lua_rawgeti(L, self, 3);
  if (lua_istable(L, -1)) latch->box = box_top(p, L, "result");
}

static void fill_entry(wf_promotion *p, lua_State *L, wf_dict *dict, int self) {
  wf_dict_key key;
  if (!wf_sync_key(L, -2, &key)) overwritten(L);
  wf_sync_push_boxed_mark(L);
  if (lua_rawequal(L, -1, -2) != 0) {
    lua_rawgeti(L, self, 2);
    lua_pushvalue(L, -4);
    lua_rawget(L, -2);
    push_unboxed(p, L);
  } else {
    lua_pushvalue(L, -2);
  }
  wf_box *box = box_top(p, L, "value"), *before;
  if (!wf_dict_swap(dict, &key, box, &before)) {
    wf_box_unref(box);
    no_memory(L);
  }
}

static void fill_map(wf_promotion *p, lua_State *L, wf_dict *dict, int self) {
  lua_rawgeti(L, self, 2);
  lua_rawgeti(L, self, 1);
  int values = lua_gettop(L);
  if (!lua_istable(L, values) || !lua_istable(L, values - 1)) overwritten(L);
  for (lua_pushnil(L); lua_next(L, values) != 0;) {
    fill_entry(p, L, dict, self);
    lua_settop(L, values + 1);
  }
}

// Who has it is in the table, or, when it was handed over, in the queue (lib/queue.c).
static void fill_mutex(lua_State *L, const wf_queue *queue, wf_latch *latch, int self) {
  wf_vm *vm = queue->obj.vm;
  latch->total = 1;
  latch->state = get_integer(L, self, 1, 0, 2) != 0;
  lua_rawgeti(L, self, 3);
  latch->first = wf_site_kept(vm, wf_site_at(vm, L, -1));
  lua_rawgeti(L, self, 2);
  if (latch->state != 0) {
    bool in_table = lua_isnumber(L, -1) != 0;
    latch->holder = in_table ? (uint64_t)get_integer(L, self, 2, 0, MOST) : queue->holder;
    if (!in_table && !queue->is_first) latch->site = wf_site_kept(vm, queue->site);
  }
  lua_pop(L, 2);
}

static void fill_state(wf_promotion *p, lua_State *L, const wf_queue *queue, wf_latch *latch,
                       int self) {
  const int64_t readers = INT64_C(1) << 31;
  switch (latch->type) {
    case WF_SYNC_MUTEX: fill_mutex(L, queue, latch, self); break;
    case WF_SYNC_RWMUTEX:
      latch->total = readers;
      latch->state = get_integer(L, self, 1, 0, readers);
      break;
    case WF_SYNC_SEMAPHORE:
      latch->total = get_integer(L, self, 3, 1, MOST);
      latch->state = get_integer(L, self, 1, 0, latch->total);
      break;
    case WF_SYNC_WAITGROUP: latch->state = get_integer(L, self, 1, 0, MOST); break;
    case WF_SYNC_INT:
      wf_u64_init(&latch->word, (uint64_t)get_integer(L, self, 1, -MOST, MOST));
      break;
    case WF_SYNC_BOOL:
      lua_rawgeti(L, self, 1);
      wf_u64_init(&latch->word, lua_toboolean(L, -1) != 0);
      break;
    case WF_SYNC_COND:
      lua_rawgeti(L, self, 1);
      if (wf_sync_at(L, lua_gettop(L)) == NULL) overwritten(L);
      latch->box = box_top(p, L, "mutex");
      break;
    case WF_SYNC_ONCE: fill_once(p, L, latch, self); break;
    case WF_SYNC_VALUE: fill_value(p, L, latch, self); break;
    default: break;
  }
}

// What each of those who wait has asked for lies on top of its stack; of a mutex, where.
static void note_units(wf_latch *latch) {
  for (wf_link *l = latch->queue.next; l != &latch->queue; l = l->next) {
    wf_remote_place *place = wf_container_of(l, wf_remote_place, link);
    bool one = latch->type == WF_SYNC_MUTEX;
    const wf_task *task = place->instead_of->task;
    double top = lua_tonumber(task->at, -1);
    place->units = one ? 1 : (int64_t)top;
    place->site = one ? wf_site_kept(task->vm, (uint32_t)top) : NULL;
  }
}

static void fill(wf_promotion *p, lua_State *L, wf_obj *obj, int self) {
  wf_sync *sync = (wf_sync *)obj;
  if (!lua_istable(L, self)) overwritten(L);
  if (sync->type == WF_SYNC_MAP) {
    fill_map(p, L, wf_sync_dict(sync), self);
    return;
  }
  wf_latch *latch = wf_sync_latch(sync);
  fill_state(p, L, &sync->queue, latch, self);
  wf_share_fill_queue(p, L, &sync->queue.waiters, &latch->core, &latch->queue);
  note_units(latch);
}

// The end -------------------------------------------------------------------------------------

static int retire(lua_State *L, void *ud) {
  const wf_sync *sync = ud;
  push_types(sync->queue.obj.vm, L);
  lua_rawgeti(L, -1, (int)sync->type + 1);
  lua_setmetatable(L, 2);
  for (int i = sync->type == WF_SYNC_COND ? 2 : 1; i <= 3; i++) {
    lua_pushnil(L);
    lua_rawseti(L, 2, i);
  }
  return 0;
}

static void commit(lua_State *L, wf_obj *obj, int self) {
  wf_sync *sync = (wf_sync *)obj;
  if (sync->type != WF_SYNC_MAP) wf_share_requeue(&wf_sync_latch(sync)->queue);
  lua_pushvalue(L, self);
  // What a script has taken apart is left as it is.
  if (wf_guard_at_rest(obj->vm, L, retire, sync, 1, 0) != 0) lua_pop(L, 1);
}

const wf_share wf_sync_share = {.refuse = refuse, .make = make, .fill = fill, .commit = commit};
