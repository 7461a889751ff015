// SPDX-License-Identifier: MIT
#include "task/message.h"

#include <string.h>

#include "task/closure.h"
#include "task/obj.h"

wf_parcel *wf_message_parcel(wf_mem *mem, size_t size, size_t nobjs, size_t ncodes,
                             size_t nblobs) {
  size_t lists = nobjs * sizeof(wf_obj *) + ncodes * sizeof(wf_code *) + nblobs * sizeof(wf_blob);
  size_t block = sizeof(wf_parcel) + lists + size;
  wf_parcel *parcel = mem->fn(mem->ud, NULL, 0, block);
  if (parcel == NULL) return NULL;
  *parcel = (wf_parcel){.mem = mem,
                        .block = block,
                        .nobjs = (uint32_t)nobjs,
                        .ncodes = (uint32_t)ncodes,
                        .nblobs = (uint32_t)nblobs};
  parcel->objs = (wf_obj **)(parcel + 1);
  parcel->codes = (wf_code **)(parcel->objs + nobjs);
  parcel->blobs = (wf_blob *)(parcel->codes + ncodes);
  parcel->bytes = (uint8_t *)(parcel->blobs + nblobs);
  return parcel;
}

size_t wf_message_weight(const wf_message *m) {
  size_t sum = m->size;
  if (m->parcel == NULL) return sum;
  for (uint32_t i = 0; i < m->parcel->nblobs; i++) sum += m->parcel->blobs[i].size;
  for (uint32_t i = 0; i < m->parcel->ncodes; i++) sum += m->parcel->codes[i]->size;
  return sum;
}

void wf_message_free(wf_message *m) {
  wf_parcel *parcel = m->parcel;
  m->parcel = NULL;
  m->size = m->count = 0;
  if (parcel == NULL) return;
  for (uint32_t i = 0; i < parcel->nobjs; i++) wf_obj_unref(parcel->objs[i]);
  for (uint32_t i = 0; i < parcel->ncodes; i++) wf_code_unref(parcel->codes[i]);
  for (uint32_t i = 0; i < parcel->nblobs; i++) {
    wf_mem_free(parcel->mem, parcel->blobs[i].data, parcel->blobs[i].size);
  }
  wf_mem_free(parcel->mem, parcel, parcel->block);
}
