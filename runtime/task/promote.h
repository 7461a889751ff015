// SPDX-License-Identifier: MIT
// How objects become shared. While a message is packed, each object in it that has not crossed yet
// gets a core, still empty; when the message is complete, the cores are filled, and what they hold
// is packed as well, which may find further objects. Only when all of that has been done are the
// objects made stubs, which cannot fail. Else everything is as it was before.
//
// All of it in one call of the VM's thread, in which no Lua code runs. Symbols: wf_promotion
#ifndef WF_TASK_PROMOTE_H
#define WF_TASK_PROMOTE_H

#include <lua.h>

#include "base/vec.h"
#include "task/core.h"
#include "task/message.h"
#include "task/obj.h"

typedef struct wf_promotion {
  wf_vm *vm;
  wf_vec objs;           // wf_obj *, whose proxies are known in the VM (wf_core_remember)
  const wf_obj *filled;  // the one whose core is being filled
  bool refused;          // of a failure: the words on the stack say what cannot cross
} wf_promotion;

// What a kind of object does about it. `self` is the stack index of the proxy.
typedef struct wf_share {
  // Why this one cannot cross, or NULL.
  const char *(*refuse)(const wf_obj *obj);
  // A core for it; NULL when memory is out.
  wf_core *(*make)(const wf_obj *obj);
  // Puts into the core what the object holds, with wf_promotion_pack. Raises what is in the way;
  // the core may be half filled then.
  void (*fill)(wf_promotion *p, lua_State *L, wf_obj *obj, int self);
  // The object is a stub of its core from now on. Allocates nothing.
  void (*commit)(lua_State *L, wf_obj *obj, int self);
  // Each time that it crosses it gets a new core, and what is left behind has nothing any more.
  bool moves;
} wf_share;

// The object, which has no core, gets one. False when memory is out.
bool wf_promotion_add(wf_promotion *p, wf_obj *obj);

// Packs the value at idx of L's stack, as part of an object. Raises when it cannot cross: `what`
// says what it is to the object.
void wf_promotion_pack(wf_promotion *p, lua_State *L, int idx, const char *what, wf_message *m);

// Fills all cores, and makes stubs of the objects when `commit`. False, and then the error is on
// top of L's stack: nothing has changed. Without `commit` nothing changes in any case.
bool wf_promotion_finish(wf_promotion *p, lua_State *L, bool commit);

// Takes back what has been done so far.
void wf_promotion_undo(wf_promotion *p, lua_State *L);

#endif
