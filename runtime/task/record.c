// SPDX-License-Identifier: MIT
#include "task/record.h"

#include <pthread.h>
#include <string.h>

#include "base/atomic.h"
#include "base/check.h"
#include "task/wire.h"

enum { HEAD = 3 };  // tag, and the shape's number in two bytes

_Static_assert(HEAD + WF_RECORD_FIELDS * sizeof(double) <= WF_MESSAGE_INLINE, "a record fits");

static wf_record_shape shapes[WF_RECORD_SHAPES];
static wf_atomic_u64 count;  // released after the shape is there
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t find(const wf_record_shape *shape, uint64_t from, uint64_t to) {
  for (uint64_t i = from; i < to; i++) {
    if (memcmp(&shapes[i], shape, sizeof *shape) == 0) return (uint32_t)i + 1;
  }
  return 0;
}

uint32_t wf_record_number(const wf_record_shape *shape) {
  uint64_t seen = wf_u64_load(&count, WF_ACQUIRE);
  uint32_t number = find(shape, 0, seen);
  if (number != 0) return number;
  pthread_mutex_lock(&lock);
  uint64_t n = wf_u64_load(&count, WF_RELAXED);
  number = find(shape, seen, n);
  if (number == 0 && n < WF_RECORD_SHAPES) {
    shapes[n] = *shape;
    wf_u64_store(&count, n + 1, WF_RELEASE);
    number = (uint32_t)n + 1;
  }
  pthread_mutex_unlock(&lock);
  return number;
}

const wf_record_shape *wf_record_shape_at(uint32_t number) {
  uint64_t n = wf_u64_load(&count, WF_ACQUIRE);
  return number - 1 < n ? &shapes[number - 1] : NULL;
}

void wf_record_pack(wf_message *m, uint32_t number, const double *values) {
  size_t size = shapes[number - 1].fields * sizeof *values;
  m->parcel = NULL;
  m->size = (uint32_t)(HEAD + size);
  m->count = 1;
  m->plain = true;
  m->bytes[0] = WF_WIRE_RECORD;
  m->bytes[1] = (uint8_t)number;
  m->bytes[2] = (uint8_t)(number >> 8);
  memcpy(m->bytes + HEAD, values, size);
}

uint32_t wf_record_unpack(const wf_message *m, double values[WF_RECORD_FIELDS]) {
  if (m->parcel != NULL || m->size < HEAD || m->bytes[0] != WF_WIRE_RECORD) return 0;
  uint32_t number = m->bytes[1] | (uint32_t)m->bytes[2] << 8;
  const wf_record_shape *shape = wf_record_shape_at(number);
  if (shape == NULL || m->size != HEAD + shape->fields * sizeof *values) return 0;
  memcpy(values, m->bytes + HEAD, shape->fields * sizeof *values);
  return number;
}
