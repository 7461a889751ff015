// SPDX-License-Identifier: MIT
// The buffer of channels that have crossed: no message is lost, doubled or out of order, none is
// read before it is written or written over before it is read, and who has both locks is alone.
// Who finds a lock taken lets this one be: what waits for a lock does nothing that matters here.
#include "conc/ring.h"

#include <string.h>

#include "model.h"

enum { FIRST_SIZE = 2, SIZE = 4, MOST_THREADS = 3 };

// What each thread does: + put, - take, g take both locks and make it larger.
typedef struct plan {
  const char *threads[MOST_THREADS];
} plan;

static wf_ring ring;
static memory_plain slots[SIZE], sides[2];
static int put, taken;

static void setup(void) {
  wf_ring_init(&ring);
  MODEL_CHECK(wf_ring_resize(&ring, &model_mem, FIRST_SIZE));
  memset(slots, 0, sizeof slots);
  memset(sides, 0, sizeof sides);
  put = taken = 0;
}

static memory_plain *plain_of(const wf_message *m) { return &slots[m - ring.slots]; }

// With the lock of the side. Numbers go up, whoever puts them.
static void put_one(void) {
  model_write(&sides[0]);
  wf_message *m = wf_ring_room(&ring);
  if (m == NULL) return;
  model_write(plain_of(m));
  m->size = (uint32_t)put++;
  wf_ring_put(&ring);
}

static bool take_one(void) {
  model_write(&sides[1]);
  const wf_message *m = wf_ring_first(&ring);
  if (m == NULL) return false;
  model_read(plain_of(m));
  if (m->size != (uint32_t)taken) model_fail("%u comes in the place of %d", m->size, taken);
  taken++;
  wf_ring_drop(&ring);
  return true;
}

// Alone: all slots are its own.
static void grow(void) {
  for (int i = 0; i < 2; i++) model_write(&sides[i]);
  for (int i = 0; i < SIZE; i++) model_write(&slots[i]);
  int n = put - taken;
  MODEL_CHECK(wf_ring_count(&ring) == (uint32_t)n);
  if (ring.size < SIZE) MODEL_CHECK(wf_ring_resize(&ring, &model_mem, SIZE));
  for (int i = 0; i < n; i++) {
    MODEL_CHECK(wf_ring_slot(&ring, (uint32_t)i)->size == (uint32_t)(taken + i));
  }
}

static void grow_with_both(void) {
  if (!wf_brief_try(&ring.take.lock)) return;
  if (wf_brief_try(&ring.put.lock)) {
    grow();
    wf_brief_release(&ring.put.lock);
  }
  wf_brief_release(&ring.take.lock);
}

static void run(int thread) {
  const plan *p = model_plan();
  for (const char *what = p->threads[thread]; *what != '\0'; what++) {
    wf_ring_side *side = *what == '+' ? &ring.put : &ring.take;
    if (*what == 'g') {
      grow_with_both();
    } else if (wf_brief_try(&side->lock)) {
      if (*what == '+') {
        put_one();
      } else {
        (void)take_one();
      }
      wf_brief_release(&side->lock);
    }
  }
}

static void finish(void) {
  MODEL_CHECK(wf_ring_count(&ring) == (uint32_t)(put - taken));
  while (take_one()) continue;
  if (taken != put) model_fail("%d of %d have come out", taken, put);
  wf_ring_free(&ring, &model_mem);
}

#define SCENARIO(n, is_long_, ...)                                                   \
  {                                                                                  \
    .name = "ring: threads " #__VA_ARGS__, .threads = n, .setup = setup, .run = run, \
    .finish = finish, .is_long = (is_long_), .plan = &(const plan) {                 \
      .threads = { __VA_ARGS__ }                                                     \
    }                                                                                \
  }

static const model_scenario scenarios[] = {
    SCENARIO(2, false, "++++", "----"),     SCENARIO(3, false, "++", "+", "--"),
    SCENARIO(3, false, "+++", "--", "-"),   SCENARIO(3, false, "++", "--", "g"),
    SCENARIO(2, false, "++++++", "------"), SCENARIO(3, true, "+++", "---", "g-"),
    SCENARIO(3, true, "+++", "++", "---"),
};

int main(void) { return model_main(scenarios, (int)(sizeof(scenarios) / sizeof(*scenarios))); }
