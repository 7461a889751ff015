// SPDX-License-Identifier: MIT
// What base/atomic.h offers, over the model's memory. The shipped rooms are compiled with it.
#ifndef SPEC_MODEL_SHIM_H
#define SPEC_MODEL_SHIM_H

#include <stdbool.h>
#include <stdint.h>

// Also as the bits that they stand for.
enum { WF_RELAXED = 0, WF_ACQUIRE = 1, WF_RELEASE = 2, WF_ACQ_REL = 3 };

// Where its messages are (memory.h); nothing before init.
typedef struct model_cell {
  uint32_t id;
} model_cell;

typedef struct wf_atomic_u64 {
  model_cell cell;
} wf_atomic_u64;
typedef struct wf_atomic_ptr {
  model_cell cell;
} wf_atomic_ptr;

typedef enum model_rmw { MODEL_EXCHANGE, MODEL_ADD, MODEL_SUB, MODEL_AND, MODEL_OR } model_rmw;

void model_init(model_cell *cell, uint64_t v, const char *at);
uint64_t model_load(const model_cell *cell, int order, bool early, const char *at);
void model_store(model_cell *cell, uint64_t v, int order, const char *at);
uint64_t model_fetch(model_cell *cell, model_rmw rmw, uint64_t v, int order, const char *at);
void model_update(model_cell *cell, model_rmw rmw, uint64_t v, int order, const char *at);
bool model_cas(model_cell *cell, uint64_t *expected, uint64_t v, int order, const char *at);
void model_fence(const char *at);

#define MODEL_LINE2(line) #line
#define MODEL_LINE(line) MODEL_LINE2(line)
#define MODEL_AT(a) (__FILE__ ":" MODEL_LINE(__LINE__) ": " #a)
#define MODEL_BITS(p) ((uint64_t)(uintptr_t)(p))
#define MODEL_POINTER(v) ((void *)(uintptr_t)(v))

static inline bool model_cas_ptr(model_cell *cell, void **expected, void *v, int order,
                                 const char *at) {
  uint64_t bits = MODEL_BITS(*expected);
  bool done = model_cas(cell, &bits, MODEL_BITS(v), order, at);
  *expected = MODEL_POINTER(bits);
  return done;
}

#define wf_u64_init(a, v) model_init(&(a)->cell, v, MODEL_AT(a))
#define wf_ptr_init(a, v) model_init(&(a)->cell, MODEL_BITS(v), MODEL_AT(a))
#define wf_u64_load(a, order) model_load(&(a)->cell, order, false, MODEL_AT(a))
#define wf_ptr_load(a, order) MODEL_POINTER(model_load(&(a)->cell, order, false, MODEL_AT(a)))
#define wf_ptr_load_early(a) MODEL_POINTER(model_load(&(a)->cell, WF_RELAXED, true, MODEL_AT(a)))
#define wf_u64_store(a, v, order) model_store(&(a)->cell, v, order, MODEL_AT(a))
#define wf_ptr_store(a, v, order) model_store(&(a)->cell, MODEL_BITS(v), order, MODEL_AT(a))
#define wf_u64_cas(a, expected, v, order) model_cas(&(a)->cell, expected, v, order, MODEL_AT(a))
#define wf_ptr_cas(a, expected, v, order) \
  model_cas_ptr(&(a)->cell, expected, v, order, MODEL_AT(a))
#define wf_ptr_exchange(a, v, order) \
  MODEL_POINTER(model_fetch(&(a)->cell, MODEL_EXCHANGE, MODEL_BITS(v), order, MODEL_AT(a)))
#define wf_u64_fetch_sub(a, v, order) model_fetch(&(a)->cell, MODEL_SUB, v, order, MODEL_AT(a))
#define wf_u64_fetch_and(a, v, order) model_fetch(&(a)->cell, MODEL_AND, v, order, MODEL_AT(a))
#define wf_u64_add(a, v, order) model_update(&(a)->cell, MODEL_ADD, v, order, MODEL_AT(a))
#define wf_u64_sub(a, v, order) model_update(&(a)->cell, MODEL_SUB, v, order, MODEL_AT(a))
#define wf_u64_or(a, v, order) model_update(&(a)->cell, MODEL_OR, v, order, MODEL_AT(a))
#define wf_fence() model_fence(MODEL_AT(fence))
#define wf_pause() ((void)0)  // in faults

#endif
