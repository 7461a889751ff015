// SPDX-License-Identifier: MIT
// Marking: what of a VM can have a hand in what happens from now on, when it starts from what can
// run. It follows everything by which Lua code can come to a value:
//   tables, weak ones too (whoever has the table can read them), metatables, environments,
//   upvalues, userdata, and coroutines with every slot of every frame;
// and what objects in C do for whoever has them (wf_kind.visit). It asks the public interface of
// Lua alone, with the collector at rest, and works off a list: nothing here recurses.
//
// Not seen, and taken for absent: the environment of a userdata that is garbage but still has to
// be finalised (its __gc is seen: newproxy remembers every metatable), the metatables that a
// string.buffer was made with, the environment of io's default files, and values that a C library
// keeps neither in the registry nor on a stack. What can be seen to be hidden makes `blind` true.
#ifndef WF_TASK_MARK_H
#define WF_TASK_MARK_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wf_vm;
struct wf_obj;
struct wf_task;

typedef struct wf_mark {
  struct wf_vm *vm;
  lua_State *L;     // where it works
  int todo, ntodo;  // stack index of the table of values that are still to be looked into
  uintptr_t *seen;  // what has been marked: open addressing, 0 is free
  size_t nseen, slots;
  bool blind;  // there was something that cannot be looked into
} wf_mark;

// `L` is the VM's own state, in a protected call (wf_vm_call_protected): all functions below raise
// there when memory is out. Leaves a value on its stack. wf_mark_free is due in any case.
void wf_mark_start(wf_mark *m, struct wf_vm *vm, lua_State *L);
void wf_mark_free(wf_mark *m);

// Marks the value on top of the stack of L, any coroutine of the VM, and pops it.
void wf_mark_top(wf_mark *m, lua_State *L);

// Marks everything that the registry refers to, but for what weft keeps there on behalf of tasks
// and objects.
void wf_mark_registry(wf_mark *m);

// The metatables of the types that have one for all values.
void wf_mark_type_metatables(wf_mark *m);

void wf_mark_thread(wf_mark *m, lua_State *co);

// A task that will run.
void wf_mark_task(wf_mark *m, struct wf_task *task);
bool wf_mark_has_task(const wf_mark *m, const struct wf_task *task);

// An object that somebody has, or that acts by itself.
void wf_mark_obj(wf_mark *m, struct wf_obj *obj);

// The same for one that is visited as a part of another: false when it was marked already.
bool wf_mark_part(wf_mark *m, struct wf_obj *obj);

// What wf_vm_anchor keeps.
void wf_mark_anchor(wf_mark *m, int anchor);

// Marks what all of these lead to, to the end.
void wf_mark_run(wf_mark *m);

#endif
