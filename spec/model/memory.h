// SPDX-License-Identifier: MIT
// The memory that the model explores: C11's, as repaired by RC11 (Lahav et al., PLDI 2017), in the
// form of a machine (Kang et al., A Promising Semantics for Relaxed-Memory Concurrency, POPL 2017,
// without promises). It allows everything that x86's store buffers do, and much more:
//
// A cell is a list of messages, its values in modification order. A thread has seen each cell up
// to some message, and may load that one or *any* newer; a store goes anywhere behind it; a
// read-modify-write stands directly behind what it read, and nothing ever comes between. A store
// that the others do not see yet, because it is in a store buffer or its line not yet invalid, is
// their reading of an older message. A release puts what its thread has seen and done into the
// message, an acquire takes it over. A later store of the releasing thread hands nothing on
// (C++20); read-modify-writes do. Full fences stand in one order, and each has seen what those
// before it had.
//
// Happens-before is kept beside that, as vector clocks, so that plain accesses (model_read,
// model_write), making and freeing race when they are not ordered, in whatever order they ran.
//
// RC11 lets no load see a store that its own thread makes possible later (load buffering).
// Machines do, and of that the model has two forms, because the rooms depend on them: an update
// whose result nobody asks for (wf_u64_add, …) may come later than what follows it; and a load
// that is only made valid by a later swap (wf_ptr_load_early) may come after the swap: it is an
// error when a store that could then be seen does not happen after the load. Not explored: other
// loads that come late; weak swaps that fail for no reason (the rooms have none).
#ifndef SPEC_MODEL_MEMORY_H
#define SPEC_MODEL_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CELLS = 64, MESSAGES = 72, THREADS = 5, MAIN = THREADS - 1 };

typedef struct knowledge {
  uint8_t seen[CELLS];     // cell -> message
  uint16_t past[THREADS];  // thread -> what it did before it told others something that often
} knowledge;

// Nothing is there; MAIN knows all. No load is further behind the newest message than `behind`.
void memory_reset(int behind);

// From here on `thread` knows what MAIN knows; MAIN knows what `thread` knows.
void memory_begin(int thread);
void memory_end(int thread);

// Cells are numbered from 1. What follows fails (model_fail) when there is no such cell, or its
// making or other threads' use of it do not happen before.
uint32_t memory_new_cell(int thread, uint64_t value);
uint32_t memory_cells(void);
void memory_free_cell(int thread, uint32_t id);

// Positions in modification order that a load may read, from the oldest to the newest.
int memory_oldest(int thread, uint32_t id);
int memory_newest(uint32_t id);
uint64_t memory_value(uint32_t id, int position);
// Whether a read-modify-write may read this one; whether a store may go behind it.
bool memory_open(uint32_t id, int position);

// `early`: see above. `order` as in shim.h.
uint64_t memory_load(int thread, uint32_t id, int position, int order, bool early);
void memory_store(int thread, uint32_t id, int position, uint64_t value, int order);
// `late`: other events of the thread have come before it that should not have.
void memory_update(int thread, uint32_t id, int position, uint64_t value, int order, bool late);
// A successful compare-and-swap has made the thread's early loads valid.
void memory_validate(int thread);
void memory_fence(int thread);

// Something else that orders threads: knows what those do that have reached it.
typedef struct memory_gate {
  knowledge known;
} memory_gate;
void memory_reach(int thread, memory_gate *gate);
void memory_pass(int thread, const memory_gate *gate);

// Plain data: who read and wrote it last. Fails on a race.
typedef struct memory_plain {
  uint16_t read[THREADS], written[THREADS];
  bool enrolled;
} memory_plain;
void memory_plain_read(int thread, memory_plain *plain);
void memory_plain_write(int thread, memory_plain *plain);

// What a thread has read, so that states can be told apart: mixes `what` in, or replaces it.
void memory_remember(int thread, uint64_t what);
void memory_forget(int thread, uint64_t variables);

// A thread has found a lock taken, which tells it nothing else; it waits for it, as if it had not
// looked.
void memory_find_taken(int thread);
void memory_wait_instead(int thread);

// Of all that can still make a difference to the threads named (a bit each). The same
// key: the same can happen from here on.
uint64_t memory_key(unsigned threads, const memory_gate *const *gates, int gate_count);
uint64_t memory_mix(uint64_t a, uint64_t b);

#endif
