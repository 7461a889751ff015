// SPDX-License-Identifier: MIT
#include "io/gate.h"

#include "io/listener.h"

wf_gate *wf_gate_new(struct wf_listener *listener, wf_mem *mem, uint32_t max) {
  wf_gate *gate = wf_mem_new(mem, sizeof *gate);
  if (gate == NULL) return NULL;
  *gate = (wf_gate){.listener = listener, .max = max, .refs = 1, .mem = *mem};
  return gate;
}

static void unref(wf_gate *gate) {
  if (--gate->refs != 0) return;
  wf_mem mem = gate->mem;
  wf_mem_free(&mem, gate, sizeof *gate);
}

void wf_gate_enter(wf_gate *gate, wf_stream *s) {
  if (gate == NULL) return;
  gate->refs++;
  gate->open++;
  s->gate = gate;
}

void wf_gate_leave(wf_stream *s) {
  wf_gate *gate = s->gate;
  if (gate == NULL) return;
  s->gate = NULL;
  gate->open--;
  if (gate->listener != NULL) wf_listener_has_room(gate->listener);
  unref(gate);
}

void wf_gate_forget(wf_gate *gate) {
  if (gate == NULL) return;
  gate->listener = NULL;
  unref(gate);
}
