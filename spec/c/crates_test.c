// SPDX-License-Identifier: MIT
// Crates with real threads: what is in one stays until it is given back, nobody gets one that
// another has, and all memory comes back.
#include "sched/crates.h"

#include <sched.h>

#include "stress.h"

enum { TAKERS = 2, WORDS = 12, ROUNDS = 20000, MANY = 3 * WF_CRATES_KEPT };

static long allocated, blocks;

static void *count_memory(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)ud;
  __atomic_fetch_add(&allocated, (long)nsize - (ptr != NULL ? (long)osize : 0), __ATOMIC_RELAXED);
  __atomic_fetch_add(&blocks, nsize != 0 && ptr == NULL, __ATOMIC_RELAXED);
  return wf_mem_default(NULL, ptr, osize, nsize);
}

// From the owner to the others, one at a time each.
static wf_atomic_ptr slots[TAKERS];
static int wrong;

static void fill(uint64_t *crate, uint64_t with) {
  for (int i = 0; i < WORDS; i++) crate[i] = with + (uint64_t)i;
}

static bool is_filled(const uint64_t *crate, uint64_t with) {
  for (int i = 0; i < WORDS; i++) {
    if (crate[i] != with + (uint64_t)i) return false;
  }
  return true;
}

// What is in the slot once it is, or is not, empty. There may be fewer cores than threads.
static uint64_t *await(const wf_atomic_ptr *slot, bool empty) {
  uint64_t *crate;
  while (((crate = wf_ptr_load(slot, WF_ACQUIRE)) == NULL) != empty) (void)sched_yield();
  return crate;
}

static void own(void) {
  wf_mem mem = {.fn = count_memory};
  wf_crates crates;
  wf_crates_init(&crates, &mem, WORDS * sizeof(uint64_t));
  for (uint64_t n = 0; n < (uint64_t)ROUNDS * TAKERS; n++) {
    wf_atomic_ptr *slot = &slots[n % TAKERS];
    (void)await(slot, true);
    uint64_t *crate = wf_crates_take(&crates);
    if (crate == NULL || (uintptr_t)crate % _Alignof(max_align_t) != 0) abort();
    fill(crate, n << 8);
    wf_ptr_store(slot, crate, WF_RELEASE);
  }
  for (int i = 0; i < TAKERS; i++) (void)await(&slots[i], true);
  wf_crates_close(&crates);
}

static void *work(void *arg) {
  int me = (int)(intptr_t)arg;
  if (me == TAKERS) {
    own();
    return NULL;
  }
  for (uint64_t i = 0; i < ROUNDS; i++) {
    uint64_t *crate = await(&slots[me], false);
    if (!is_filled(crate, (i * TAKERS + (uint64_t)me) << 8)) {
      __atomic_fetch_add(&wrong, 1, __ATOMIC_RELAXED);
    }
    wf_crates_give(crate);
    wf_ptr_store(&slots[me], NULL, WF_RELEASE);
  }
  return NULL;
}

// Beyond what is kept they go back to the allocator at once; what is kept is used again.
static void test_bound(void) {
  static void *taken[MANY];
  wf_mem mem = {.fn = count_memory};
  wf_crates crates;
  wf_crates_init(&crates, &mem, 100);
  for (int i = 0; i < MANY; i++) taken[i] = wf_crates_take(&crates);
  long all = allocated;
  for (int i = 0; i < MANY; i++) wf_crates_give(taken[i]);
  CHECK(allocated * 3 == all);
  long before = blocks;
  for (int i = 0; i < WF_CRATES_KEPT; i++) taken[i] = wf_crates_take(&crates);
  CHECK(blocks == before);
  for (int i = 0; i < WF_CRATES_KEPT; i++) wf_crates_give(taken[i]);
  wf_crates_close(&crates);
  CHECK(allocated == 0);
}

static void *none(void *ud, void *ptr, size_t osize, size_t nsize) {
  (void)ud, (void)ptr, (void)osize, (void)nsize;
  return NULL;
}

static void test_no_memory(void) {
  wf_mem mem = {.fn = none};
  wf_crates crates;
  wf_crates_init(&crates, &mem, 100);
  CHECK(wf_crates_take(&crates) == NULL);
  wf_crates_close(&crates);
}

int main(void) {
  test_bound();
  test_no_memory();
  stress_run(TAKERS + 1, work);
  CHECK(wrong == 0);
  CHECK(allocated == 0);
  return check_done();
}
