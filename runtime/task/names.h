// SPDX-License-Identifier: MIT
// What crosses by name: the standard library, modules and what is in them, weft's own functions,
// io.stdin and its like, weft.default; and the metatables that weft.register was given.
//
// A name begins with a letter that says where to look on the other side:
//   S  in the VM as it was at its start: "Sstring.rep", "Sprint", "Sio.stdout"
//   M  a module, required there if need be: "Mcjson"
//   F  a function that is a field of a module: "Fcjson\0decode"
//   R  in the table of C functions that weft's Lua modules are built on: "Rsend"
// Functions written in Lua go by name only where they are modules themselves, or weft's own.
#ifndef WF_TASK_NAMES_H
#define WF_TASK_NAMES_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "sched/vm.h"

// A value that is not in here is surely none with a name.
typedef struct wf_names {
  uint64_t bits[64];
} wf_names;

static inline bool wf_names_may_have(const wf_names *names, const void *address) {
  uint64_t h = (uint64_t)(uintptr_t)address * 0x9e3779b97f4a7c15U >> 52;
  return (names->bits[h / 64] >> h % 64 & 1) != 0;
}

// Makes the tables. Raises when memory is out.
void wf_names_open(wf_vm *vm, wf_names *names, lua_State *L);

// Learns which modules are loaded now: true when there is a new one. Raises when memory is out.
bool wf_names_refresh(wf_vm *vm, wf_names *names, lua_State *L);

// Whether the value at idx has a name, which is pushed then; else nothing is. Allocates nothing.
bool wf_names_push(wf_vm *vm, const wf_names *names, lua_State *L, int idx);

// Looks for a function that is a field of a module. Raises when memory is out.
bool wf_names_search(wf_vm *vm, wf_names *names, lua_State *L, int idx);

// Pushes the value of a name, requiring what it is in. Raises when there is none.
void wf_names_resolve(wf_vm *vm, lua_State *L, const char *name, size_t length);

// Binds name and metatable (at index `mt`); `module`, a string or nil, is at the next index.
// False, and nothing has changed: another metatable has that name. Raises when memory is out.
bool wf_names_register(wf_vm *vm, lua_State *L, const char *name, int mt);

// Pushes name and module (or nil) of the metatable at idx. False: it is not registered, and
// nothing is pushed.
bool wf_names_push_type(wf_vm *vm, lua_State *L, int idx);

// Pushes the metatable of that name; requires the module (NULL: none) where it is unknown. Raises
// when there is none.
void wf_names_resolve_type(wf_vm *vm, lua_State *L, const char *name, const char *module);

#endif
