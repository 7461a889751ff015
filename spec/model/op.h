// SPDX-License-Identifier: MIT
// What a thread of the model does at a time.
#ifndef SPEC_MODEL_OP_H
#define SPEC_MODEL_OP_H

#include <stdbool.h>
#include <stdint.h>

#include "shim.h"

typedef enum op_kind { LOAD, STORE, FETCH, CAS, FENCE, SLEEP, WAKE, DONE } op_kind;

typedef struct op {
  op_kind kind;
  model_rmw rmw;
  int order;
  bool early, done, waits;
  uint32_t cell;
  uint64_t value, expected;
  const char *where;
} op;

// What a read-modify-write makes of `old`.
uint64_t op_updated(model_rmw rmw, uint64_t old, uint64_t v);

// Prints it.
void op_trace(const op *o, int thread, const char *what, uint64_t from, uint64_t to);

#endif
