// SPDX-License-Identifier: MIT
// Values as messages that several have at once: a box is counted and never changes. Any thread.
#ifndef WF_CONC_BOX_H
#define WF_CONC_BOX_H

#include <stdbool.h>

#include "base/atomic.h"
#include "task/core.h"
#include "task/message.h"

typedef struct wf_box {
  wf_atomic_u64 refs;
  wf_mem mem;  // by value, as in a parcel
  wf_message message;
} wf_box;

// With one reference; the message is its own. NULL: memory is out, and the message still the
// caller's.
wf_box *wf_box_new(const wf_mem *mem, const wf_message *m);

void wf_box_ref(wf_box *box);

// NULL is let be. The caller holds no lock of an object: what lies in the message may go.
void wf_box_unref(wf_box *box);

// Whether both have the same number, string, boolean, nil or object; numbers as Lua compares them.
bool wf_box_equal(const wf_box *a, const wf_box *b);

// wf_core_kind.each for one.
void wf_box_each(const wf_box *box, void (*fn)(wf_core *held, void *arg), void *arg);

static inline bool wf_box_has_cores(const wf_box *box) {
  return box->message.parcel != NULL && box->message.parcel->ncores > 0;
}

#endif
