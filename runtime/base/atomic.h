// SPDX-License-Identifier: MIT
// The atomics of the runtime: C11's, behind functions, so that spec/model can put its own in their
// place and run the shipped files through every order of events (WF_ATOMIC_SHIM names its header).
//
// Each use names its order; the rooms say what it pairs with. There is no default, and of fences
// only the full one: what release and acquire fences order, ThreadSanitizer does not see.
#ifndef WF_BASE_ATOMIC_H
#define WF_BASE_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#ifdef WF_ATOMIC_SHIM
#include WF_ATOMIC_SHIM
#else

#include <stdatomic.h>

#define WF_RELAXED memory_order_relaxed
#define WF_ACQUIRE memory_order_acquire
#define WF_RELEASE memory_order_release
#define WF_ACQ_REL memory_order_acq_rel
#define WF_SEQ_CST memory_order_seq_cst  // of scripts' own atomics alone (conc/word.h)

typedef struct wf_atomic_u64 {
  _Atomic(uint64_t) value;
} wf_atomic_u64;

typedef struct wf_atomic_ptr {
  _Atomic(void *) value;
} wf_atomic_ptr;

// Before other threads know of it.
static inline void wf_u64_init(wf_atomic_u64 *a, uint64_t v) { atomic_init(&a->value, v); }
static inline void wf_ptr_init(wf_atomic_ptr *a, void *v) { atomic_init(&a->value, v); }

static inline uint64_t wf_u64_load(const wf_atomic_u64 *a, memory_order order) {
  return atomic_load_explicit(&a->value, order);
}
static inline void *wf_ptr_load(const wf_atomic_ptr *a, memory_order order) {
  return atomic_load_explicit(&a->value, order);
}

// A relaxed load whose value nobody looks at before a successful compare-and-swap of the same
// thread has shown it to be valid. Machines may do it late, so that the swap has to keep whoever
// sees it from storing there first; the model checks that.
static inline void *wf_ptr_load_early(const wf_atomic_ptr *a) {
  return atomic_load_explicit(&a->value, memory_order_relaxed);
}

static inline void wf_u64_store(wf_atomic_u64 *a, uint64_t v, memory_order order) {
  atomic_store_explicit(&a->value, v, order);
}
static inline void wf_ptr_store(wf_atomic_ptr *a, void *v, memory_order order) {
  atomic_store_explicit(&a->value, v, order);
}

// Strong. A failure is a relaxed load into *expected.
static inline bool wf_u64_cas(wf_atomic_u64 *a, uint64_t *expected, uint64_t desired,
                              memory_order order) {
  return atomic_compare_exchange_strong_explicit(&a->value, expected, desired, order,
                                                 memory_order_relaxed);
}
static inline bool wf_ptr_cas(wf_atomic_ptr *a, void **expected, void *desired,
                              memory_order order) {
  return atomic_compare_exchange_strong_explicit(&a->value, expected, desired, order,
                                                 memory_order_relaxed);
}

static inline void *wf_ptr_exchange(wf_atomic_ptr *a, void *v, memory_order order) {
  return atomic_exchange_explicit(&a->value, v, order);
}

// These return what was there before.
static inline uint64_t wf_u64_fetch_add(wf_atomic_u64 *a, uint64_t v, memory_order order) {
  return atomic_fetch_add_explicit(&a->value, v, order);
}
static inline uint64_t wf_u64_fetch_sub(wf_atomic_u64 *a, uint64_t v, memory_order order) {
  return atomic_fetch_sub_explicit(&a->value, v, order);
}
static inline uint64_t wf_u64_fetch_and(wf_atomic_u64 *a, uint64_t v, memory_order order) {
  return atomic_fetch_and_explicit(&a->value, v, order);
}

// Nobody asks what was there: machines may do these later than what comes after them, so the model
// does too.
static inline void wf_u64_add(wf_atomic_u64 *a, uint64_t v, memory_order order) {
  (void)atomic_fetch_add_explicit(&a->value, v, order);
}
static inline void wf_u64_sub(wf_atomic_u64 *a, uint64_t v, memory_order order) {
  (void)atomic_fetch_sub_explicit(&a->value, v, order);
}
static inline void wf_u64_or(wf_atomic_u64 *a, uint64_t v, memory_order order) {
  (void)atomic_fetch_or_explicit(&a->value, v, order);
}

// The full fence, between a store and a load of something else: two threads that each store, fence
// and load what the other stores cannot both miss it.
static inline void wf_fence(void) {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"  // it gives happens-before no edge, nor is one wanted
#endif
  atomic_thread_fence(memory_order_seq_cst);
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
}

static inline void wf_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

#endif
#endif
