// SPDX-License-Identifier: MIT
// How many connections of a listener are open, where it allows only so many (max_conns). It
// outlives the listener, as they do.
#ifndef WF_IO_GATE_H
#define WF_IO_GATE_H

#include "io/stream.h"

struct wf_listener;

typedef struct wf_gate {
  struct wf_listener *listener;  // NULL: closed
  uint32_t open, max, refs;
  wf_mem mem;
} wf_gate;

// NULL when memory is out.
wf_gate *wf_gate_new(struct wf_listener *listener, wf_mem *mem, uint32_t max);

static inline bool wf_gate_is_shut(const wf_gate *gate) {
  return gate != NULL && gate->open >= gate->max;
}

// The stream is one of those (gate may be NULL); it is no more.
void wf_gate_enter(wf_gate *gate, wf_stream *s);
void wf_gate_leave(wf_stream *s);

// The listener has been closed.
void wf_gate_forget(wf_gate *gate);

#endif
