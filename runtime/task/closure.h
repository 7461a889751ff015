// SPDX-License-Identifier: MIT
// Functions that are made again in another VM.
//
// A function's code is its dump, with what has been found in it. Where it arrives, the dump is
// spliced, once, into a factory as its inner function:
//
//     local a1, a2, … = ...   return function() return a1, a2, … end
//
// with the descriptors of its upvalues pointing at the factory's locals. Each call of the factory
// makes a closure with upvalues of its own and the same prototype, so that traces which are
// compiled once serve every instance. The upvalues are nil at first and are set before the first
// call, which closes cycles; an instance is never used for another one. jit.off is not in a dump:
// the code says so, where the place in LuaJIT's prototype that says it is known.
//
// Functions of one message that share upvalues are instances of a second factory, and their
// upvalues are made by one and the same function. LuaJIT's compiler takes upvalues for different
// ones when their hashes differ, and the hash says where in which function the variable stood: a
// store in an instance of one factory would not be seen by a load in an instance of another, in a
// trace that was made for instances that shared nothing.
//
// What cannot be spliced (another format of dumps, a splice that does not load) is loaded anew for
// each instance; of a dump in another format globals and effects are not known either.
//
// Measured (release, one core): an instance with 3 upvalues 0.2 µs, where loading its dump anew
// takes 20; the first one 30.
//
// The dump of an instance is not that of the function it was made of (the descriptors differ): one
// that goes on to a third VM is another entry there, and from then on the same.
//
// Each VM has a cache, by content: whole dumps are compared. It is bounded by count and by bytes;
// the closure that was not used for the longest time goes first. An entry costs about 1.4 KB.
#ifndef WF_TASK_CLOSURE_H
#define WF_TASK_CLOSURE_H

#include <lua.h>
#include <stdbool.h>

#include "base/list.h"
#include "sched/vm.h"
#include "task/code.h"

enum { WF_CLOSURE_BUCKETS = 256, WF_CLOSURE_MAX = 512, WF_CLOSURE_BYTES = 8 << 20 };

typedef struct wf_closure {
  wf_link used;  // in wf_closures.used, the latest last
  struct wf_closure *next;
  wf_code *code;  // counted
  int slot;       // in the tables of factories and of names; the second factory is at -slot
  bool has_factory[2], has_names;
} wf_closure;

typedef struct wf_closures {
  wf_closure *buckets[WF_CLOSURE_BUCKETS];
  wf_link used;
  uint32_t count;
  int slots;  // that were ever used
  size_t bytes;
  int nfree, free_slots[WF_CLOSURE_MAX];
  bool plain;     // splices nothing
  bool by_proto;  // prototypes are where they are looked for (closure.c)
} wf_closures;

// The VM's tables for it. Raises when memory is out.
void wf_closure_open(wf_vm *vm, lua_State *L);

void wf_closure_init(wf_closures *closures);
void wf_closure_free(wf_vm *vm, wf_closures *closures);

// The code of the Lua function at idx, when it or another with the same prototype was asked for
// before, else NULL.
wf_code *wf_closure_known(wf_vm *vm, const wf_closures *closures, lua_State *L, int idx);

// The same for any; NULL when memory is out. No Lua code runs meanwhile.
wf_code *wf_closure_code(wf_vm *vm, wf_closures *closures, lua_State *L, int idx);

// Pushes the names of the globals that it reads, as an array of strings. False when memory is out:
// one value is on the stack all the same. No Lua code runs meanwhile.
bool wf_closure_push_names(wf_vm *vm, wf_closures *closures, lua_State *L, wf_code *code);

// Pushes a new instance whose upvalues are nil; `shares`: some of them will be those of others.
// Raises when memory is out.
void wf_closure_push(wf_vm *vm, wf_closures *closures, lua_State *L, wf_code *code, bool shares);

#endif
