// SPDX-License-Identifier: MIT
// The objects of weft.sync, as scripts have them: a table with a userdata at 0. While an object is
// known in one VM alone its state is in the table (lua/weft/internal/sync), and here is the queue
// of those who wait. When it crosses, state and queue go into a core (conc/latch.h, conc/dict.h);
// the table gets another metatable, and what is here is a stub of the core.
//
// Scripts can write into the table: what is read there is checked when the object crosses.
#ifndef WF_CONC_SYNC_H
#define WF_CONC_SYNC_H

#include "conc/dict.h"
#include "conc/latch.h"
#include "conc/queue.h"

typedef struct wf_sync {
  wf_queue queue;  // first
  wf_sync_type type;
} wf_sync;

// The type with this name; WF_SYNC_TYPES: there is none.
wf_sync_type wf_sync_named(const char *name);

const char *wf_sync_name(wf_sync_type type);

// Pushes the userdata of a new object. Raises when memory is out.
wf_sync *wf_sync_new(wf_vm *vm, lua_State *L, wf_sync_type type);

// The object of the table at idx, whatever its type; NULL: it is none.
wf_sync *wf_sync_at(lua_State *L, int idx);

// The same of an object; NULL: it is another one.
const wf_sync *wf_sync_of(const wf_obj *obj);

// Of one that has crossed.
static inline wf_latch *wf_sync_latch(const wf_sync *sync) {
  return (wf_latch *)sync->queue.obj.core;
}
static inline wf_dict *wf_sync_dict(const wf_sync *sync) {
  return (wf_dict *)sync->queue.obj.core;
}

// The holder of an object that a task waits on (may be NULL); false: it is none that has one, or
// that is not known.
bool wf_sync_find_holder(const wf_obj *on, wf_lock_holder *holder);

// Reads the key at idx, whose string stays there; false: it can be none.
bool wf_sync_key(lua_State *L, int idx, wf_dict_key *key);

// What stands in a map's table for a value that is in a box.
void wf_sync_push_boxed_mark(lua_State *L);

// A box with the value at idx, the caller's. Raises when it cannot cross or memory is out; `what`
// begins the error.
wf_box *wf_sync_new_box(wf_vm *vm, lua_State *L, int idx, const char *what);

// The same as a userdata.
void wf_sync_push_box(wf_vm *vm, lua_State *L, int idx, const char *what);

// The box at idx, or NULL.
wf_box *wf_sync_box_at(lua_State *L, int idx);

// Pushes the values in the box. Raises what is in the way.
void wf_sync_push_values(wf_vm *vm, lua_State *L, const wf_box *box);

#endif
