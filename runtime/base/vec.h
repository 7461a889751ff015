// SPDX-License-Identifier: MIT
// A block of bytes that grows: for lists that are collected and then copied to where they belong.
#ifndef WF_BASE_VEC_H
#define WF_BASE_VEC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/mem.h"

typedef struct wf_vec {
  uint8_t *data;
  size_t size, capacity;
} wf_vec;

// Makes room for n more bytes. False when memory is out: nothing has changed.
static inline bool wf_vec_grow(wf_mem *mem, wf_vec *v, size_t n) {
  size_t capacity = v->capacity < 64 ? 64 : v->capacity;
  while (capacity - v->size < n) {
    if (capacity > SIZE_MAX / 2) return false;
    capacity *= 2;
  }
  uint8_t *data = wf_mem_resize(mem, v->data, v->capacity, capacity);
  if (data == NULL) return false;
  v->data = data;
  v->capacity = capacity;
  return true;
}

// The place of n new bytes at the end, valid until the next one; NULL when memory is out.
static inline void *wf_vec_add(wf_mem *mem, wf_vec *v, size_t n) {
  if (WF_UNLIKELY(v->capacity - v->size < n) && !wf_vec_grow(mem, v, n)) return NULL;
  void *place = v->data + v->size;
  v->size += n;
  return place;
}

static inline void wf_vec_free(wf_mem *mem, wf_vec *v) {
  wf_mem_free(mem, v->data, v->capacity);
  *v = (wf_vec){0};
}

#endif
