// SPDX-License-Identifier: MIT
// The model itself, on the well-known small programs: the outcomes that it finds are those that
// C11 (RC11) allows, no more and no fewer.
// Subject: spec/model/memory.c
#include "model.h"
#include "shim.h"
#include "watch.h"

#include <stdio.h>

static wf_atomic_u64 x, y;
static wf_atomic_ptr z;
static uint64_t r[4];
static memory_plain plain;
static uint64_t *data;
static bool fenced;
static int load_order, store_order;
static bool outcomes[256];
static bool locked, same_order, astray;

static void setup(void) {
  wf_u64_init(&x, 0);
  wf_u64_init(&y, 0);
  if (locked) {
    model_is_lock(&x.cell);
    model_is_lock(&y.cell);
    data = wf_mem_new(&model_mem, 2 * sizeof(*data));
  }
  wf_ptr_init(&z, NULL);
  plain = (memory_plain){.read = {0}};
  for (int i = 0; i < 4; i++) r[i] = 0;
}

static void note(void) { outcomes[(r[0] << 6) + (r[1] << 4) + (r[2] << 2) + r[3]] = true; }
static void nothing(void) {}

static void store_buffering(int t) {
  wf_u64_store(t == 0 ? &x : &y, 1, WF_RELAXED);
  if (fenced) wf_fence();
  r[t] = wf_u64_load(t == 0 ? &y : &x, WF_RELAXED);
}

static void message_passing(int t) {
  if (t == 0) {
    wf_u64_store(&x, 1, WF_RELAXED);
    wf_u64_store(&y, 1, store_order);
  } else {
    r[0] = wf_u64_load(&y, load_order);
    r[1] = wf_u64_load(&x, WF_RELAXED);
  }
}

static void independent_reads(int t) {
  if (t == 0) wf_u64_store(&x, 1, WF_RELEASE);
  if (t == 1) wf_u64_store(&y, 1, WF_RELEASE);
  if (t < 2) return;
  int first = t == 2 ? 0 : 2;
  r[first] = wf_u64_load(t == 2 ? &x : &y, WF_ACQUIRE);
  if (fenced) wf_fence();
  r[first + 1] = wf_u64_load(t == 2 ? &y : &x, WF_ACQUIRE);
}

static void coherence(int t) {
  if (t == 0) {
    wf_u64_store(&x, 1, WF_RELAXED);
    wf_u64_store(&x, 2, WF_RELAXED);
  } else {
    r[0] = wf_u64_load(&x, WF_RELAXED);
    r[1] = wf_u64_load(&x, WF_RELAXED);
  }
}

static void two_writers(int t) {
  wf_u64_store(t == 0 ? &x : &y, 1, WF_RELAXED);
  wf_u64_store(t == 0 ? &y : &x, 2, WF_RELAXED);
}
static void note_both(void) {
  r[0] = wf_u64_load(&x, WF_RELAXED);
  r[1] = wf_u64_load(&y, WF_RELAXED);
  note();
}

static void load_buffering(int t) {
  r[t] = wf_u64_load(t == 0 ? &x : &y, WF_RELAXED);
  wf_u64_store(t == 0 ? &y : &x, 1, WF_RELAXED);
}

// T1 sees y and with it not yet x, to which nobody asks what was added before.
static void late_update(int t) {
  if (t == 0) {
    wf_u64_add(&x, 1, WF_RELAXED);
    wf_u64_store(&y, 1, store_order);
  } else if (wf_u64_load(&y, WF_RELAXED) == 1) {
    r[0] = 1;
    r[1] = wf_u64_fetch_sub(&x, 1, WF_RELAXED) & 3;
  }
}

static void updates(int t) { r[t] = wf_u64_fetch_sub(&x, 1, WF_RELAXED) & 3; }

// A release, then something else to the same cell: by the same thread, or by another's update.
static bool by_update;
static void release_sequence(int t) {
  if (t == 0) {
    model_write(&plain);
    wf_u64_store(&x, 1, WF_RELEASE);
    if (!by_update) wf_u64_store(&x, 2, WF_RELAXED);
  } else if (t == 1) {
    uint64_t one = 1;
    if (by_update) (void)wf_u64_cas(&x, &one, 2, WF_RELAXED);
  } else if (wf_u64_load(&x, WF_ACQUIRE) == 2) {
    model_read(&plain);
  }
}

static void race(int t) {
  if (t == 0) {
    model_write(&plain);
    wf_u64_store(&x, 1, store_order);
  } else if (wf_u64_load(&x, load_order) == 1) {
    model_write(&plain);
  }
}

// A slot that is read early and then shown to be valid, as in a deque: T1 stores there again.
static void early(int t) {
  if (t == 0) {
    uint64_t zero = 0;
    (void)wf_ptr_load_early(&z);
    (void)wf_u64_cas(&x, &zero, 1, store_order);
  } else if (wf_u64_load(&x, load_order) == 1) {
    wf_ptr_store(&z, &z, WF_RELAXED);
  }
}

static void sleepers(int t) {
  if (t == 0) {
    model_write(&plain);
    model_wake(1);
  } else {
    model_sleep();
    model_read(&plain);
  }
}

static void acquire(wf_atomic_u64 *lock) {
  uint64_t free = 0;
  if (wf_u64_cas(lock, &free, 1, WF_ACQUIRE)) return;
  model_wait_for_lock();
  free = 0;
  MODEL_CHECK(wf_u64_cas(lock, &free, 1, WF_ACQUIRE));
}

static void two_locks(int t) {
  wf_atomic_u64 *first = same_order || t == 0 ? &x : &y, *second = first == &x ? &y : &x;
  acquire(first);
  acquire(second);
  watch_write(data, sizeof(*data));
  ++*data;
  wf_u64_store(second, 0, WF_RELEASE);
  wf_u64_store(first, 0, WF_RELEASE);
  if (astray) watch_read(data, sizeof(*data));
}

static void for_ever(int t) {
  do {
    model_forget((uint64_t)t);
    wf_fence();
  } while (wf_u64_load(&x, WF_RELAXED) == 0);
}

static void check_data(void) {
  MODEL_CHECK(*data == 2);
  wf_mem_free(&model_mem, data, 2 * sizeof(*data));
}

static int passed, failed;
static void expect(const char *what, bool is_so) {
  if (is_so) {
    passed++;
  } else {
    failed++;
    (void)printf("not so: %s\n", what);
  }
}

static bool explore(const char *name, int threads, void (*run)(int), void (*finish)(void)) {
  for (int i = 0; i < 256; i++) outcomes[i] = false;
  model_scenario s = {.name = name, .threads = threads, .run = run, .finish = finish};
  s.setup = setup;
  return model_explore(&s);
}

static int count(void) {
  int n = 0;
  for (int i = 0; i < 256; i++) n += outcomes[i];
  return n;
}
static bool seen(unsigned a, unsigned b, unsigned c, unsigned d) {
  return outcomes[(a << 6) + (b << 4) + (c << 2) + d];
}

static void outcomes_are_right(void) {
  fenced = false;
  expect("SB", explore("SB", 2, store_buffering, note) && count() == 4 && seen(0, 0, 0, 0));
  expect("IRIW", explore("IRIW", 4, independent_reads, note) && count() == 16);
  fenced = true;
  expect("SB+F", explore("SB+F", 2, store_buffering, note) && count() == 3 && !seen(0, 0, 0, 0));
  expect("IRIW+F", explore("IRIW+F", 4, independent_reads, note) && count() == 15);
  expect("IRIW+F forbids", !seen(1, 0, 1, 0));
  for (int i = 0; i < 4; i++) {
    store_order = i & 1 ? WF_RELEASE : WF_RELAXED;
    load_order = i & 2 ? WF_ACQUIRE : WF_RELAXED;
    expect("MP", explore("MP", 2, message_passing, note) && count() == (i == 3 ? 3 : 4));
    expect("MP stale", seen(1, 0, 0, 0) == (i != 3));
  }
  expect("CoRR", explore("CoRR", 2, coherence, note) && count() == 6 && !seen(2, 1, 0, 0));
  expect("2+2W", explore("2+2W", 2, two_writers, note_both) && count() == 4 && seen(1, 1, 0, 0));
  expect("LB", explore("LB", 2, load_buffering, note) && count() == 3);
  expect("updates", explore("updates", 2, updates, note) && count() == 2 && !seen(0, 0, 0, 0));
  store_order = WF_RELAXED;
  expect("late", explore("late", 2, late_update, note) && seen(1, 0, 0, 0) && seen(1, 1, 0, 0));
  store_order = WF_RELEASE;
  expect("not late", explore("not late", 2, late_update, note) && !seen(1, 0, 0, 0));
}

// These print what they find, as if it were news.
static void races_are_found(void) {
  for (int i = 0; i < 4; i++) {
    store_order = i & 1 ? WF_RELEASE : WF_RELAXED;
    load_order = i & 2 ? WF_ACQUIRE : WF_RELAXED;
    expect("race", explore("race", 2, race, nothing) == (i == 3));
    expect("early", explore("early", 2, early, nothing) == (i == 3));
  }
  by_update = true;
  expect("updates hand on a release", explore("RS", 3, release_sequence, nothing));
  by_update = false;
  expect("stores do not", !explore("RS", 3, release_sequence, nothing));
  expect("sleep and wake", explore("sleep", 2, sleepers, nothing));
  expect("an end is missed", !explore("no end", 2, for_ever, nothing));
}

static void locks_are_waited_for(void) {
  locked = true;
  for (int i = 0; i < 4; i++) {
    same_order = (i & 1) != 0;
    astray = (i & 2) != 0;
    expect("locks", explore("locks", 2, two_locks, check_data) == (i == 1));
  }
}

int main(void) {
  outcomes_are_right();
  races_are_found();
  locks_are_waited_for();
  (void)printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
