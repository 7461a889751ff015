// SPDX-License-Identifier: MIT
// A message: Lua values on their way from one VM to another, as bytes that belong to neither
// (task/codec.h makes and reads them). One cache line; what is small enough is inside and needs no
// allocation. It is moved by plain assignment and has one owner, who frees it; between threads it
// may go as it is.
//
// What does not go as bytes is in the parcel: counted references to cores and to the code of
// functions, and long strings, each in a block of its own so that it is copied once.
#ifndef WF_TASK_MESSAGE_H
#define WF_TASK_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"

struct wf_core;
struct wf_code;

enum { WF_MESSAGE_INLINE = 49 };

typedef struct wf_blob {
  char *data;
  size_t size;
} wf_blob;

// One block: the struct, the three lists, the bytes.
typedef struct wf_parcel {
  wf_mem mem;  // by value: it may outlive the runtime that it was made in
  size_t block;
  uint32_t ncores, ncodes, nblobs;
  struct wf_core **cores;
  struct wf_code **codes;
  wf_blob *blobs;
  uint8_t *bytes;
} wf_parcel;

typedef struct wf_message {
  wf_parcel *parcel;  // NULL: the bytes are below, and there is nothing to free
  uint32_t size;      // bytes
  uint16_t count;     // values
  bool plain;         // no functions, objects, names: nothing but memory can fail when it is read
  uint8_t bytes[WF_MESSAGE_INLINE];
} wf_message;

_Static_assert(sizeof(wf_message) == 64, "a message fills a cache line");

static inline const uint8_t *wf_message_bytes(const wf_message *m) {
  return m->parcel != NULL ? m->parcel->bytes : m->bytes;
}

// A parcel with room for all of that, its lists unfilled; NULL when memory is out.
wf_parcel *wf_message_parcel(const wf_mem *mem, size_t size, size_t ncores, size_t ncodes,
                             size_t nblobs);

// How much it is: bytes, long strings and the code of functions.
size_t wf_message_weight(const wf_message *m);

// Lets go of all that the message refers to. It is empty afterwards.
void wf_message_free(wf_message *m);

#endif
