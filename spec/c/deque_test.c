// SPDX-License-Identifier: MIT
// The deque with real threads: conservation, growing, stealing half, no memory. What no machine
// here would show is in spec/model/deque_model.c. `--bench` prints costs.
#include "sched/deque.h"

#include "base/rand.h"
#include "stress.h"

enum { THIEVES = 3, ITEMS = 200000 };

static wf_deque deques[THIEVES + 1];  // 0: the owner's
static unsigned char taken[ITEMS];    // plain: that an item is one thread's is what is tested
static wf_atomic_u64 count, pushed_all;
static uint64_t numbers[ITEMS];
static bool by_half;
static int allocations;

static void *limited(void *ud, void *p, size_t osize, size_t nsize) {
  if (nsize > 0 && allocations-- <= 0) return NULL;
  return wf_mem_default(ud, p, osize, nsize);
}
static wf_mem memory = {.fn = limited};

static void took(const void *item) {
  taken[*(const uint64_t *)item]++;
  wf_u64_add(&count, 1, WF_RELAXED);
}

static void push_and_pop(wf_deque *deque) {
  wf_rand rand;
  wf_rand_seed(&rand, 7);
  for (uint64_t i = 0; i < ITEMS;) {
    for (uint32_t n = wf_rand_below(&rand, 40); n > 0 && i < ITEMS; n--, i++) {
      numbers[i] = i;
      if (!wf_deque_push(deque, &numbers[i])) took(&numbers[i]);
    }
    const void *item;
    for (uint32_t n = wf_rand_below(&rand, 30); n > 0; n--) {
      if ((item = wf_deque_pop(deque)) != NULL) took(item);
    }
  }
  wf_u64_store(&pushed_all, 1, WF_RELEASE);
}

static void *work(void *arg) {
  int me = (int)(intptr_t)arg;
  if (me == 0) {
    push_and_pop(&deques[0]);
    return NULL;
  }
  while (wf_u64_load(&pushed_all, WF_ACQUIRE) == 0 || wf_u64_load(&count, WF_RELAXED) < ITEMS) {
    void *item = NULL;
    wf_deque *victim = &deques[(uint32_t)me % 2 == 0 ? 0 : (me + 1) % (THIEVES + 1)];
    wf_steal result =
        by_half ? wf_deque_steal_half(victim, &deques[me], &item) : wf_deque_steal(victim, &item);
    if (result == WF_STEAL_GOT) took(item);
    while ((item = wf_deque_pop(&deques[me])) != NULL) took(item);
    if (wf_deque_steal(&deques[0], &item) == WF_STEAL_GOT) took(item);
  }
  return NULL;
}

// `rings`: how many can be made.
static void conserves(bool half, int rings) {
  by_half = half;
  allocations = rings;
  memset(taken, 0, sizeof(taken));
  wf_u64_init(&count, 0);
  wf_u64_init(&pushed_all, 0);
  for (int i = 0; i <= THIEVES; i++) CHECK(wf_deque_open(&deques[i], &memory));
  stress_run(THIEVES + 1, work);
  int wrong = 0;
  for (int i = 0; i < ITEMS; i++) wrong += taken[i] != 1;
  CHECK(wrong == 0);
  for (int i = 0; i <= THIEVES; i++) {
    CHECK(wf_deque_size(&deques[i]) == 0);
    wf_deque_close(&deques[i]);
  }
}

// Alone, so that it is clear what each call must do.
static void does_what_it_says(void) {
  wf_deque a, b;
  void *item = NULL;
  allocations = 0;
  CHECK(!wf_deque_open(&a, &memory));
  allocations = 2;
  CHECK(wf_deque_open(&a, &memory) && wf_deque_open(&b, &memory));
  CHECK(wf_deque_pop(&a) == NULL && wf_deque_steal(&a, &item) == WF_STEAL_EMPTY);
  CHECK(wf_deque_steal_half(&a, &b, &item) == WF_STEAL_EMPTY);
  uint64_t capacity = 0;
  while (wf_deque_push(&a, &numbers[capacity])) capacity++;
  CHECK(capacity == wf_deque_size(&a) && capacity >= 2);
  // The oldest goes to the thief, then half of the others; the newest stays.
  CHECK(wf_deque_steal_half(&a, &b, &item) == WF_STEAL_GOT && item == &numbers[0]);
  CHECK(wf_deque_size(&b) == (capacity - 1) / 2);
  CHECK(wf_deque_size(&a) == capacity - 1 - (capacity - 1) / 2);
  CHECK(wf_deque_pop(&a) == &numbers[capacity - 1]);
  // No room and no memory: what cannot be kept is not taken.
  while (wf_deque_pop(&a) != NULL) {
  }
  for (uint64_t i = 0; i < capacity; i++) CHECK(wf_deque_push(&a, &numbers[i]));
  uint64_t room = 0;
  while (wf_deque_push(&b, &numbers[room])) room++;
  CHECK(wf_deque_steal_half(&a, &b, &item) == WF_STEAL_GOT && item == &numbers[0]);
  CHECK(wf_deque_size(&a) == capacity - 1 && wf_deque_size(&b) == capacity);
  // One's own: the oldest, and nothing is moved.
  CHECK(wf_deque_steal_half(&a, &a, &item) == WF_STEAL_GOT && item == &numbers[1]);
  CHECK(wf_deque_size(&a) == capacity - 2);
  while (wf_deque_pop(&a) != NULL || wf_deque_pop(&b) != NULL) {
  }
  wf_deque_close(&a);
  wf_deque_close(&b);
}

static void bench(void) {
  wf_deque d, own;
  void *item;
  enum { ROUNDS = 20000, STOLEN = 5000, BATCH = 1000 };
  allocations = 100;
  CHECK(wf_deque_open(&d, &memory) && wf_deque_open(&own, &memory));
  double start = stress_seconds();
  for (int i = 0; i < ROUNDS * BATCH; i++) {
    (void)wf_deque_push(&d, &numbers[0]);
    (void)wf_deque_pop(&d);
  }
  stress_report("owner: push and pop of the only item", start, ROUNDS * BATCH);
  start = stress_seconds();
  for (int i = 0; i < ROUNDS; i++) {
    for (int j = 0; j < BATCH; j++) (void)wf_deque_push(&d, &numbers[j]);
    for (int j = 0; j < BATCH; j++) (void)wf_deque_pop(&d);
  }
  stress_report("owner: push and pop, 1000 deep", start, ROUNDS * BATCH);
  double pushing = 0, since = stress_seconds();
  for (int i = 0; i < STOLEN; i++) {
    start = stress_seconds();
    for (int j = 0; j < BATCH; j++) (void)wf_deque_push(&d, &numbers[j]);
    pushing += stress_seconds() - start;
    while (wf_deque_steal(&d, &item) == WF_STEAL_GOT) {
    }
  }
  stress_report("thief: steal, nobody else there", since + pushing, (double)STOLEN * BATCH);
  wf_deque_close(&d);
  wf_deque_close(&own);
}

int main(int argc, char **argv) {
  if (stress_wants_bench(argc, argv)) {
    bench();
    return 0;
  }
  does_what_it_says();
  conserves(false, 1000);
  conserves(true, 1000);
  conserves(true, THIEVES + 1);
  return check_done();
}
