// SPDX-License-Identifier: MIT
// Orders: as of a core's count (task/core.c).
#include "conc/box.h"

#include <string.h>

#include "task/scalar.h"

wf_box *wf_box_new(const wf_mem *mem, const wf_message *m) {
  wf_mem own = *mem;
  wf_box *box = wf_mem_new(&own, sizeof *box);
  if (box == NULL) return NULL;
  wf_u64_init(&box->refs, 1);
  box->mem = own;
  box->message = *m;
  return box;
}

void wf_box_ref(wf_box *box) { wf_u64_add(&box->refs, 1, WF_RELAXED); }

void wf_box_unref(wf_box *box) {
  if (box == NULL || wf_u64_fetch_sub(&box->refs, 1, WF_ACQ_REL) != 1) return;
  if (box->message.parcel != NULL) wf_message_free(&box->message);
  wf_mem mem = box->mem;
  wf_mem_free(&mem, box, sizeof *box);
}

static bool same_parcels(const wf_parcel *a, const wf_parcel *b) {
  if (a == NULL || b == NULL) return a == b;
  if (a->ncores != b->ncores || a->ncodes + b->ncodes != 0 || a->nblobs != b->nblobs) return false;
  for (uint32_t i = 0; i < a->ncores; i++) {
    if (a->cores[i] != b->cores[i]) return false;
  }
  for (uint32_t i = 0; i < a->nblobs; i++) {
    const wf_blob *x = &a->blobs[i], *y = &b->blobs[i];
    if (x->size != y->size || memcmp(x->data, y->data, x->size) != 0) return false;
  }
  return true;
}

bool wf_box_equal(const wf_box *a, const wf_box *b) {
  const wf_message *x = &a->message, *y = &b->message;
  double v, w;
  if (wf_scalar_unpack(x, &v) && wf_scalar_unpack(y, &w)) return v == w;
  return x->size == y->size && x->count == y->count && same_parcels(x->parcel, y->parcel) &&
         memcmp(wf_message_bytes(x), wf_message_bytes(y), x->size) == 0;
}

void wf_box_each(const wf_box *box, void (*fn)(wf_core *held, void *arg), void *arg) {
  if (!wf_box_has_cores(box)) return;
  const wf_parcel *parcel = box->message.parcel;
  for (uint32_t i = 0; i < parcel->ncores; i++) fn(parcel->cores[i], arg);
}
