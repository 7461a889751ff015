// SPDX-License-Identifier: MIT
// Cores: what a shareable object has in common with itself in other VMs. An object (task/obj.h)
// belongs to one VM; when it first crosses it gets a core, and from then on is a stub of it. Where
// the core arrives another stub is made, at most one that scripts can see in each VM.
//
// A core lives by its count, which threads change as they like: each stub has one reference, each
// message that carries it one. What it holds is under its lock, but for what its kind says.
#ifndef WF_TASK_CORE_H
#define WF_TASK_CORE_H

#include <lua.h>
#include <stdbool.h>

#include "base/atomic.h"
#include "base/list.h"
#include "base/lock.h"
#include "base/mem.h"
#include "sched/vm.h"

struct wf_obj;
typedef struct wf_core wf_core;

typedef struct wf_core_kind {
  size_t size;
  // Lets go of all that it holds. Any thread; nobody else can come to the core any more.
  void (*empty)(wf_core *core);
  // Under the lock: calls fn for each reference to a core that lies in this one, in a message.
  // NULL: there are none.
  void (*each)(wf_core *core, void (*fn)(wf_core *held, void *arg), void *arg);
  // Pushes the proxy of a new stub in `vm`, which has a reference of its own. Raises when memory
  // is out.
  void (*push)(wf_vm *vm, lua_State *L, wf_core *core);
} wf_core_kind;

struct wf_core {
  const wf_core_kind *kind;
  wf_atomic_u64 refs;
  wf_lock lock;
  wf_mem mem;            // by value: it may outlive the runtime that it was made in
  char *label;           // weft.name, or NULL
  struct wf_core *next;  // of the dead that are still to be freed
  wf_link all;           // of task/cycles.c
  wf_atomic_u64 uses;    // likewise: see wf_core_use
};

// With one reference and nothing else in it, known to nobody; NULL when memory is out.
wf_core *wf_core_new(const wf_mem *mem, const wf_core_kind *kind);

void wf_core_ref(wf_core *core);

// False: its end has begun. For who is not sure to have one.
bool wf_core_ref_living(wf_core *core);

// The caller has made a stub of it, or taken a message out of it that holds cores.
static inline void wf_core_use(wf_core *core) { wf_u64_add(&core->uses, 1, WF_ACQ_REL); }

// Any thread, which holds no lock of an object: the last reference may take others with it.
void wf_core_unref(wf_core *core);

// Whether the caller has the only reference.
static inline bool wf_core_is_alone(const wf_core *core) {
  return wf_u64_load(&core->refs, WF_ACQUIRE) == 1;
}

// Labels it with a copy of the text (NULL: none); false when memory is out.
bool wf_core_set_label(wf_core *core, const char *label);

// Gives the stub the label that its core has now. False when memory is out.
bool wf_core_copy_label(wf_core *core, struct wf_obj *stub);

// Pushes the proxy of a stub of the core: the one that is known in the VM, or a new one. Raises
// when memory is out.
void wf_core_push(wf_vm *vm, lua_State *L, wf_core *core);

// Pushes what one of weft's own modules keeps under `ref`; loads the module when this VM has not
// used it yet. Raises what that raises.
void wf_core_push_ref_of(wf_vm *vm, lua_State *L, wf_vm_ref ref, const char *module);

// Makes what stands at idx the known proxy in the VM, as long as it lives. Raises when memory is
// out.
void wf_core_remember(wf_vm *vm, lua_State *L, const wf_core *core, int idx);

// Whether what stands at idx, a proxy of the core, is the known one. Allocates nothing.
bool wf_core_is_known(wf_vm *vm, lua_State *L, const wf_core *core, int idx);

// Pushes the known proxy, or nil. Allocates nothing.
void wf_core_push_known(wf_vm *vm, lua_State *L, const wf_core *core);

// The core's address is about to be somebody else's. Allocates nothing.
void wf_core_forget(wf_vm *vm, lua_State *L, const wf_core *core);

#endif
