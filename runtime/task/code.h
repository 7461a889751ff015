// SPDX-License-Identifier: MIT
// The code of a Lua function: its dump, with what has been found in it (task/effects.h). Never
// changes once it is made: VMs share it, by count.
//
// What no function of LuaJIT's tells is read where LuaJIT 2.1 keeps it, with frames of two slots
// (GC64), provided that what the dump says is found around it.
#ifndef WF_TASK_CODE_H
#define WF_TASK_CODE_H

#include <lua.h>
#include <stdbool.h>

#include "base/atomic.h"
#include "task/effects.h"

typedef struct wf_code {
  wf_mem mem;  // by value: the code may outlive the runtime that it was made in
  size_t block;
  wf_atomic_u64 refs;  // from every thread that has a message or a VM with it
  uint32_t hash;
  size_t size;  // of the dump
  uint8_t nupvalues;
  bool known;  // the dump has been taken apart
  bool no_jit;
  uint32_t neffects, nglobals;
  wf_effect *effects;
  wf_variable *globals;
  char *dump;
} wf_code;

static inline void wf_code_ref(wf_code *code) { wf_u64_add(&code->refs, 1, WF_RELAXED); }
void wf_code_unref(wf_code *code);

uint32_t wf_code_hash(const char *data, size_t size);

// Where the bytecode of a Lua function (lua_topointer) begins; only with wf_code_is_found.
const uint8_t *wf_code_bytecode(const void *function);

// Whether the prototype of the function with that dump is where it is looked for.
bool wf_code_is_found(const wf_dump *d, const void *function);

// Whether jit.off was called for it.
bool wf_code_is_jit_off(const void *function);

// What is needed on the way from a function to its code; zeroed, but for mem.
typedef struct wf_code_digest {
  wf_mem *mem;
  wf_vec bytes, effects, globals;
  wf_dump dump;
} wf_code_digest;

void wf_code_free_digest(wf_code_digest *g);

// The dump of the function on top of the stack and, if *known, its structure. False when memory is
// out.
bool wf_code_take_dump(wf_code_digest *g, lua_State *L, bool *known);

// NULL when memory is out.
wf_code *wf_code_make(wf_code_digest *g, uint32_t hash, bool known, bool no_jit);

#endif
