// SPDX-License-Identifier: MIT
// What packing a message needs while it goes on: the bytes so far, lists for the parcel, and which
// tables, functions and long strings have been seen. A VM keeps one for the next message.
#ifndef WF_TASK_SCRATCH_H
#define WF_TASK_SCRATCH_H

#include "base/vec.h"
#include "task/message.h"

// What an address was seen as.
typedef enum wf_seen_as {
  WF_SEEN_VALUE,    // its number
  WF_SEEN_CORE,     // its number in the parcel
  WF_SEEN_CODE,     // likewise
  WF_SEEN_TYPE,     // the number of the metatable
  WF_SEEN_ENV,      // the number of the environment
  WF_SEEN_UPVALUE,  // the number of the function, and of its upvalue in the low byte
  WF_SEEN_GLOBAL,   // + the number of the environment: that name's value is under way
} wf_seen_as;

typedef struct wf_seen {
  const void *address;
  uint32_t as, epoch;  // of another epoch: the slot is free
  uint64_t value;
} wf_seen;

typedef struct wf_scratch {
  wf_mem *mem;
  wf_vec bytes;
  wf_vec places;   // where the tag of each numbered value stands: size_t
  wf_vec cores;    // wf_core *, which their objects or the promotion keep alive
  wf_vec codes;    // wf_code *, counted
  wf_vec blobs;    // strings that the values keep alive: wf_blob
  wf_vec pending;  // numbers of what comes later: uint32_t
  wf_seen *seen;
  uint32_t slots, used, epoch;
  uint32_t ntypes, nenvs;
} wf_scratch;

// NULL when memory is out.
wf_scratch *wf_scratch_new(wf_mem *mem);
void wf_scratch_free(wf_scratch *s);

// Empties it for another message.
void wf_scratch_reset(wf_scratch *s);

// Gives back what only a large message needs.
void wf_scratch_trim(wf_scratch *s);

// The entry of the address; a new one has `value` UINT64_MAX. NULL when memory is out.
wf_seen *wf_scratch_see(wf_scratch *s, const void *address, uint32_t as);

// Makes the message of it, with references to what it lists; its parcel is `mem`'s. False when
// memory is out.
bool wf_scratch_finish(wf_scratch *s, const wf_mem *mem, uint32_t count, bool plain,
                       wf_message *m);

static inline bool wf_scratch_put(wf_scratch *s, uint8_t byte) {
  uint8_t *place = wf_vec_add(s->mem, &s->bytes, 1);
  if (WF_UNLIKELY(place == NULL)) return false;
  *place = byte;
  return true;
}

#endif
