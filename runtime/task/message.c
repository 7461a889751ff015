// SPDX-License-Identifier: MIT
#include "task/message.h"

#include <string.h>

#include "task/closure.h"
#include "task/core.h"

wf_parcel *wf_message_parcel(const wf_mem *mem, size_t size, size_t ncores, size_t ncodes,
                             size_t nblobs) {
  size_t lists =
      ncores * sizeof(wf_core *) + ncodes * sizeof(wf_code *) + nblobs * sizeof(wf_blob);
  size_t block = sizeof(wf_parcel) + lists + size;
  wf_parcel *parcel = mem->fn(mem->ud, NULL, 0, block);
  if (parcel == NULL) return NULL;
  *parcel = (wf_parcel){.mem = *mem,
                        .block = block,
                        .ncores = (uint32_t)ncores,
                        .ncodes = (uint32_t)ncodes,
                        .nblobs = (uint32_t)nblobs};
  parcel->cores = (wf_core **)(parcel + 1);
  parcel->codes = (wf_code **)(parcel->cores + ncores);
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
  for (uint32_t i = 0; i < parcel->ncores; i++) wf_core_unref(parcel->cores[i]);
  for (uint32_t i = 0; i < parcel->ncodes; i++) wf_code_unref(parcel->codes[i]);
  for (uint32_t i = 0; i < parcel->nblobs; i++) {
    wf_mem_free(&parcel->mem, parcel->blobs[i].data, parcel->blobs[i].size);
  }
  wf_mem mem = parcel->mem;
  wf_mem_free(&mem, parcel, parcel->block);
}
