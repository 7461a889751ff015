// SPDX-License-Identifier: MIT
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

void *wf_mem_default(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)ud;
  (void)osize;
  if (nsize == 0) {
    free(ptr);
    return NULL;
  }
  return realloc(ptr, nsize);
}

void *wf_mem_new(wf_mem *mem, size_t size) {
  void *p = mem->fn(mem->ud, NULL, 0, size);
  if (p != NULL) memset(p, 0, size);
  return p;
}

void wf_mem_free(wf_mem *mem, void *ptr, size_t size) {
  if (ptr != NULL) (void)mem->fn(mem->ud, ptr, size, 0);
}

void *wf_mem_resize(wf_mem *mem, void *ptr, size_t osize, size_t nsize) {
  return mem->fn(mem->ud, ptr, osize, nsize);
}
