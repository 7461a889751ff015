// SPDX-License-Identifier: MIT
// Stacks to switch between, for the threads of the model. A fiber may be left for good anywhere.
#ifndef SPEC_MODEL_FIBER_H
#define SPEC_MODEL_FIBER_H

#if defined(__x86_64__)
typedef struct fiber {
  void *sp;
} fiber;
#else
#include <ucontext.h>
typedef struct fiber {
  ucontext_t context;
} fiber;
#endif

// `body` must never return.
void fiber_make(fiber *f, char *stack, unsigned long size, void (*body)(void));

void fiber_switch(fiber *from, fiber *to);

#endif
