// SPDX-License-Identifier: MIT
// The allocator of a runtime: every byte that weft takes, in C and in Lua, comes through one
// function of the embedder's choice, so that a test can make each allocation fail in turn.
#ifndef WF_BASE_MEM_H
#define WF_BASE_MEM_H

#include <stddef.h>

// As lua_Alloc: frees when nsize is 0, may return NULL otherwise.
typedef void *(*wf_mem_fn)(void *ud, void *ptr, size_t osize, size_t nsize);

typedef struct wf_mem {
  wf_mem_fn fn;
  void *ud;
} wf_mem;

// realloc and free.
void *wf_mem_default(void *ud, void *ptr, size_t osize, size_t nsize);

// Zeroed memory, or NULL.
void *wf_mem_new(wf_mem *mem, size_t size);

void wf_mem_free(wf_mem *mem, void *ptr, size_t size);

// A grown or shrunk copy, or NULL, and then the old block stays as it is.
void *wf_mem_resize(wf_mem *mem, void *ptr, size_t osize, size_t nsize);

#endif
