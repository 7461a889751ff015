// SPDX-License-Identifier: MIT
#include "op.h"

#include <stdio.h>
#include <string.h>

uint64_t op_updated(model_rmw rmw, uint64_t old, uint64_t v) {
  switch (rmw) {
    case MODEL_EXCHANGE: return v;
    case MODEL_ADD: return old + v;
    case MODEL_SUB: return old - v;
    case MODEL_AND: return old & v;
    case MODEL_OR: return old | v;
  }
  return 0;
}

void op_trace(const op *o, int thread, const char *what, uint64_t from, uint64_t to) {
  static const char *const names[] = {"load",  "store", "fetch", "cas",
                                      "fence", "sleep", "wake",  ""};
  static const char *const orders[] = {"relaxed", "acquire", "release", "acq_rel"};
  const char *place = strrchr(o->where, '/');
  (void)fprintf(stderr, "  T%d %s%s %s (%s): %llx -> %llx\n", thread, what, names[o->kind],
                place != NULL ? place + 1 : o->where, orders[o->order], (unsigned long long)from,
                (unsigned long long)to);
}
