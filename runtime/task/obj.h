// SPDX-License-Identifier: MIT
// Shareable objects: C structs that live by a count, each behind a small proxy in the VM. A proxy
// is a userdata that holds a wf_proxy, or, for what has a fast path in Lua, a table with such a
// userdata at index 0. Scripts can take tables apart, so C believes nothing that it reads there.
#ifndef WF_TASK_OBJ_H
#define WF_TASK_OBJ_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "sched/vm.h"

typedef struct wf_obj wf_obj;
struct wf_mark;
struct wf_share;
struct wf_core;

typedef struct wf_kind {
  const char *name;  // as errors and reports call it: "channel"
  size_t size;
  void (*destroy)(wf_obj *obj);  // before the memory goes; may be NULL
  void (*let_go)(wf_obj *obj);   // of a held object: ends what it waits for
  // Marks what whoever has the object can bring about: tasks that wake, functions that start
  // (task/mark.h). NULL: nothing.
  void (*visit)(wf_obj *obj, struct wf_mark *m);
  // What `task` (NULL: anybody) waits for on it, where it has no label: at most `size` bytes.
  void (*describe)(const wf_obj *obj, const struct wf_task *task, char *buf, size_t size);
  // How they come to be shared with other VMs (task/promote.h). NULL: they do not cross.
  const struct wf_share *share;
} wf_kind;

// A place in the VM's list of objects that wait for something and so must live though nobody may
// refer to them.
typedef struct wf_held {
  wf_link link;
  wf_obj *obj;
} wf_held;

struct wf_obj {
  const wf_kind *kind;
  wf_vm *vm;
  char *label;           // weft.name, or NULL
  struct wf_core *core;  // counted; NULL: it is known in this VM alone
  uint32_t refs;
  bool shared;  // it is a stub of its core, and all that it was is there (task/promote.h)
};

typedef struct wf_proxy {
  const void *tag;  // one of the wf_tag_*
  wf_obj *obj;      // NULL once collected
} wf_proxy;

// What a userdata is. Tags tell a proxy that stands for itself from one that only counts inside
// its table.
extern const char wf_tag_chan, wf_tag_buffer, wf_tag_context, wf_tag_queue, wf_tag_handle,
    wf_tag_after;

// Pushes a userdata proxy for a new object of `kind`, which it owns. Raises when memory is out.
wf_obj *wf_obj_new(wf_vm *vm, lua_State *L, const wf_kind *kind, const void *tag);

static inline void wf_obj_ref(wf_obj *obj) { obj->refs++; }

// The last reference has gone.
void wf_obj_destroy(wf_obj *obj);

static inline void wf_obj_unref(wf_obj *obj) {
  if (WF_UNLIKELY(--obj->refs == 0)) wf_obj_destroy(obj);
}

// Counts one more reference to obj, until wf_obj_release.
void wf_obj_hold(wf_held *held, wf_obj *obj);

// False when it was not held.
bool wf_obj_release(wf_held *held);

// The VM is about to be closed: lets go of all that is held.
void wf_obj_release_all(wf_vm *vm);

// Whether a userdata is a proxy at all has to be asked of LuaJIT (lua_objlen: 25 instructions), so
// each VM remembers the proxies that passed lately; the finaliser of a proxy makes it forgotten.
static inline const void **wf_obj_recent(wf_vm *vm, const wf_proxy *proxy) {
  return &vm->recent[((uintptr_t)proxy >> 4) % WF_VM_RECENT];
}

static inline bool wf_obj_is_known(wf_vm *vm, const wf_proxy *proxy) {
  return vm != NULL && proxy != NULL && *wf_obj_recent(vm, proxy) == proxy;
}

// For compiled code, which can ask nothing of LuaJIT: the object behind a userdata with that tag.
// NULL also when it is not known just now.
static inline wf_obj *wf_obj_if_known(const void *proxy, const void *tag) {
  const wf_proxy *p = proxy;
  return wf_obj_is_known(wf_vm_here, p) && p->tag == tag ? p->obj : NULL;
}

// wf_obj_at for a userdata that is not known yet.
wf_obj *wf_obj_meet(lua_State *L, int idx, const void *tag);

// The object behind the userdata at idx when it has that tag, else NULL.
static inline wf_obj *wf_obj_at(lua_State *L, int idx, const void *tag) {
  wf_proxy *proxy = lua_touserdata(L, idx);
  if (WF_LIKELY(wf_obj_is_known(wf_vm_here, proxy))) {
    return WF_LIKELY(proxy->tag == tag) ? proxy->obj : NULL;
  }
  return wf_obj_meet(L, idx, tag);
}

// The same for a table with the userdata at index 0.
wf_obj *wf_obj_in_table(lua_State *L, int idx, const void *tag);

// The object behind whatever proxy stands at idx, of any kind; NULL when it is none.
wf_obj *wf_obj_any(lua_State *L, int idx);

wf_mem *wf_obj_mem(const wf_obj *obj);

// __gc of every proxy.
int wf_obj_gc(lua_State *L);

#endif
