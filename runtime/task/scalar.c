// SPDX-License-Identifier: MIT
#include "task/scalar.h"

#include <math.h>
#include <string.h>

#include "base/check.h"
#include "task/wire.h"

uint8_t *wf_scalar_put(uint8_t *at, double v) {
  // Not of NaN and infinities, of which a conversion is undefined; and -0 is no integer.
  if (v > -1e15 && v < 1e15) {
    int64_t i = (int64_t)v;
    if ((double)i == v && (i != 0 || !signbit(v))) {
      if (i >= WF_WIRE_SMALL_MIN && i <= WF_WIRE_SMALL_MAX) {
        *at++ = (uint8_t)(WF_WIRE_SMALL + i - WF_WIRE_SMALL_MIN);
        return at;
      }
      *at++ = WF_WIRE_INTEGER;
      uint64_t n = (uint64_t)i << 1 ^ (uint64_t)(i >> 63);
      for (; n >= 0x80; n >>= 7) *at++ = (uint8_t)(n | 0x80);
      *at++ = (uint8_t)n;
      return at;
    }
  }
  float f = (float)v;
  if ((double)f == v) {
    *at++ = WF_WIRE_FLOAT;
    memcpy(at, &f, sizeof f);
    return at + sizeof f;
  }
  *at++ = WF_WIRE_NUMBER;
  memcpy(at, &v, sizeof v);
  return at + sizeof v;
}

bool wf_scalar_is_tag(uint8_t tag) {
  return tag >= WF_WIRE_SMALL || tag == WF_WIRE_INTEGER || tag == WF_WIRE_FLOAT ||
         tag == WF_WIRE_NUMBER;
}

static const uint8_t *get_integer(const uint8_t *at, const uint8_t *end, double *v) {
  uint64_t n = 0;
  for (uint32_t shift = 0; shift < 64 && at < end; shift += 7) {
    uint8_t b = *at++;
    n |= (uint64_t)(b & 0x7f) << shift;
    if (b >= 0x80) continue;
    *v = (double)((int64_t)(n >> 1) ^ -(int64_t)(n & 1));
    return at;
  }
  return NULL;
}

const uint8_t *wf_scalar_get(uint8_t tag, const uint8_t *at, const uint8_t *end, double *v) {
  if (tag >= WF_WIRE_SMALL) {
    *v = (double)((int)tag - WF_WIRE_SMALL + WF_WIRE_SMALL_MIN);
    return at;
  }
  if (tag == WF_WIRE_INTEGER) return get_integer(at, end, v);
  size_t size = tag == WF_WIRE_FLOAT ? sizeof(float) : sizeof(double);
  if ((size_t)(end - at) < size) return NULL;
  float f;
  if (tag == WF_WIRE_FLOAT) {
    memcpy(&f, at, sizeof f);
    *v = (double)f;
  } else {
    memcpy(v, at, sizeof *v);
  }
  // Only one NaN is one for LuaJIT: others are its own tags.
  if (*v != *v) *v = (double)__builtin_nan("");
  return at + size;
}

void wf_scalar_pack(wf_message *m, double v) {
  m->parcel = NULL;
  m->size = (uint32_t)(wf_scalar_put(m->bytes, v) - m->bytes);
  m->count = 1;
  m->plain = true;
}

bool wf_scalar_unpack(const wf_message *m, double *v) {
  if (m->parcel != NULL || m->count != 1 || m->size == 0 || !wf_scalar_is_tag(m->bytes[0])) {
    return false;
  }
  const uint8_t *end = m->bytes + m->size;
  return wf_scalar_get(m->bytes[0], m->bytes + 1, end, v) == end;
}
