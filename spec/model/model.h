// SPDX-License-Identifier: MIT
// Runs small programs over the shipped rooms through everything that can happen: every order of
// their atomic operations, and every value that memory.h's memory lets each of them read.
//
// A depth-first search that begins anew for each path. Two ways to the same state are one: a state
// is known by what each thread has read and each cell's modification order, and is visited once
// (by a 64-bit hash: with ten million states the odds that any is overlooked are 1 in 400,000).
// Cells that only one thread uses, or nobody writes after setup, give nobody a reason to switch.
// No other bound than those that a scenario states: no limit on preemptions, none on delays.
#ifndef SPEC_MODEL_MODEL_H
#define SPEC_MODEL_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/mem.h"
#include "memory.h"
#include "shim.h"

typedef struct model_scenario {
  const char *name;
  const void *plan;     // for model_plan
  void (*setup)(void);  // before the threads
  void (*run)(int thread);
  void (*finish)(void);  // when all have returned, or sleep and nothing can wake them
  int threads;           // at most 4
  int behind;            // how many messages a load may be behind the newest; 0: any
  int switches;          // how often a thread that can go on is interrupted; 0: any
  bool prompt;           // updates are never late
  bool is_long;          // only when WEFT_LONG is set
} model_scenario;

// Explores it and prints a line; false, with the path that leads there, when something is wrong.
bool model_explore(const model_scenario *scenario);

// Explores all and prints `N passed, N failed`; the status of the program.
int model_main(const model_scenario *scenarios, int count);

// In setup, run and finish: --------------------------------------------------------------------

// Ends the exploration: this must not happen.
_Noreturn void model_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
#define MODEL_CHECK(cond) ((cond) ? (void)0 : model_fail("%s does not hold", #cond))

// What the scenario's functions are to do, if they serve several.
const void *model_plan(void);

// The thread that runs.
int model_self(void);

// Memory for the rooms, and how many more allocations succeed.
extern wf_mem model_mem;
extern int model_allocations;

// Of a thread: sleeps until somebody wakes it, or has since it last did.
void model_sleep(void);
void model_wake(int other);
// At the top of a thread's loop: all its variables are a function of `variables`, so that the same
// there again, with the same knowledge of memory, is the same state.
void model_forget(uint64_t variables);
// In setup: the cell is a lock, 0 while it is free. To find it taken tells a thread nothing else.
void model_is_lock(const model_cell *lock);
// Of a thread that has just found one taken: it waits, and its next compare-and-swap, on the same
// one, comes when that is free. Who waits in the end waits for ever, which fails.
void model_wait_for_lock(void);
// In finish: whether it sleeps for good.
bool model_asleep(int t);

// Accesses to plain data, which must not race.
void model_read(memory_plain *plain);
void model_write(memory_plain *plain);

#endif
