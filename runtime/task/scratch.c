// SPDX-License-Identifier: MIT
#include "task/scratch.h"

#include <string.h>

#include "task/closure.h"
#include "task/core.h"

enum { FIRST_SLOTS = 64, KEPT_SLOTS = 4096, KEPT_BYTES = 65536 };

wf_scratch *wf_scratch_new(wf_mem *mem) {
  wf_scratch *s = wf_mem_new(mem, sizeof *s);
  if (s == NULL) return NULL;
  s->mem = mem;
  s->epoch = 1;
  return s;
}

static void free_seen(wf_scratch *s) {
  wf_mem_free(s->mem, s->seen, s->slots * sizeof *s->seen);
  s->seen = NULL;
  s->slots = 0;
}

// A code that falls out of the cache meanwhile has to stay.
static void drop_codes(wf_scratch *s) {
  wf_code *const *codes = (wf_code *const *)(const void *)s->codes.data;
  for (size_t i = 0; i < s->codes.size / sizeof *codes; i++) wf_code_unref(codes[i]);
  s->codes.size = 0;
}

void wf_scratch_free(wf_scratch *s) {
  if (s == NULL) return;
  drop_codes(s);
  free_seen(s);
  wf_vec *vecs[] = {&s->bytes, &s->places, &s->cores, &s->codes, &s->blobs, &s->pending};
  for (size_t i = 0; i < sizeof vecs / sizeof vecs[0]; i++) wf_vec_free(s->mem, vecs[i]);
  wf_mem_free(s->mem, s, sizeof *s);
}

void wf_scratch_reset(wf_scratch *s) {
  if (s->codes.size > 0) drop_codes(s);
  s->bytes.size = s->places.size = s->cores.size = s->blobs.size = s->pending.size = 0;
  s->used = s->ntypes = s->nenvs = 0;
  if (++s->epoch != 0) return;
  if (s->seen != NULL) memset(s->seen, 0, s->slots * sizeof *s->seen);
  s->epoch = 1;
}

static void trim(wf_scratch *s, wf_vec *v) {
  if (WF_UNLIKELY(v->capacity > KEPT_BYTES)) wf_vec_free(s->mem, v);
}

void wf_scratch_trim(wf_scratch *s) {
  if (WF_UNLIKELY(s->slots > KEPT_SLOTS)) free_seen(s);
  trim(s, &s->bytes);
  trim(s, &s->places);
  trim(s, &s->cores);
  trim(s, &s->codes);
  trim(s, &s->blobs);
  trim(s, &s->pending);
}

static wf_seen *slot_of(wf_seen *seen, uint32_t slots, uint32_t epoch, const void *address,
                        uint32_t as) {
  uint64_t h = ((uint64_t)(uintptr_t)address + as) * 0x9e3779b97f4a7c15U;
  uint32_t i = (uint32_t)(h >> 32);
  for (;; i++) {
    wf_seen *e = &seen[i & (slots - 1)];
    if (e->epoch != epoch || (e->address == address && e->as == as)) return e;
  }
}

static bool grow(wf_scratch *s) {
  uint32_t slots = s->slots != 0 ? s->slots * 2 : FIRST_SLOTS;
  wf_seen *seen = wf_mem_new(s->mem, slots * sizeof *seen);
  if (seen == NULL) return false;
  for (uint32_t i = 0; i < s->slots; i++) {
    const wf_seen *e = &s->seen[i];
    if (e->epoch == s->epoch) *slot_of(seen, slots, s->epoch, e->address, e->as) = *e;
  }
  free_seen(s);
  s->seen = seen;
  s->slots = slots;
  return true;
}

wf_seen *wf_scratch_see(wf_scratch *s, const void *address, uint32_t as) {
  if (s->used >= s->slots / 2 && !grow(s)) return NULL;
  wf_seen *e = slot_of(s->seen, s->slots, s->epoch, address, as);
  if (e->epoch == s->epoch) return e;
  *e = (wf_seen){.address = address, .as = as, .epoch = s->epoch, .value = UINT64_MAX};
  s->used++;
  return e;
}

static bool copy_blobs(wf_parcel *parcel, const wf_vec *blobs) {
  const wf_blob *from = (const wf_blob *)(const void *)blobs->data;
  for (uint32_t i = 0; i < parcel->nblobs; i++) {
    parcel->blobs[i] = (wf_blob){.data = parcel->mem.fn(parcel->mem.ud, NULL, 0, from[i].size),
                                 .size = from[i].size};
    if (parcel->blobs[i].data == NULL) {
      parcel->nblobs = i;
      return false;
    }
    memcpy(parcel->blobs[i].data, from[i].data, from[i].size);
  }
  return true;
}

static void copy_list(void *to, const wf_vec *from) {
  if (from->size > 0) memcpy(to, from->data, from->size);
}

bool wf_scratch_finish(wf_scratch *s, const wf_mem *mem, uint32_t count, bool plain,
                       wf_message *m) {
  size_t lists = s->cores.size + s->codes.size + s->blobs.size;
  if (s->bytes.size > UINT32_MAX) return false;
  m->parcel = NULL;
  m->size = (uint32_t)s->bytes.size;
  m->count = (uint16_t)count;
  m->plain = plain;
  if (lists == 0 && s->bytes.size <= WF_MESSAGE_INLINE) {
    copy_list(m->bytes, &s->bytes);
    return true;
  }
  wf_parcel *parcel =
      wf_message_parcel(mem, s->bytes.size, s->cores.size / sizeof(wf_core *),
                        s->codes.size / sizeof(wf_code *), s->blobs.size / sizeof(wf_blob));
  if (parcel == NULL) return false;
  copy_list(parcel->bytes, &s->bytes);
  copy_list(parcel->cores, &s->cores);
  copy_list(parcel->codes, &s->codes);
  for (uint32_t i = 0; i < parcel->ncores; i++) wf_core_ref(parcel->cores[i]);
  for (uint32_t i = 0; i < parcel->ncodes; i++) wf_code_ref(parcel->codes[i]);
  m->parcel = parcel;
  if (copy_blobs(parcel, &s->blobs)) return true;
  wf_message_free(m);
  return false;
}
