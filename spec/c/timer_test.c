// SPDX-License-Identifier: MIT
// The heap of timers: order, equal deadlines, stopping, arming while others fire, no memory.
#include "loop/timer.h"

#include <stdlib.h>

#include "../embed/check.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/rand.h"
#include "loop/clock.h"

enum { COUNT = 2000, LATEST = 500 };

typedef struct probe {
  wf_timer timer;
  uint64_t due, order;
  bool again;
} probe;

static wf_timers timers;
static probe probes[COUNT];
static uint64_t now, armed, fired;
static const probe *last;  // the one that fired last
static int wrong;          // in a round of many
static bool memory_is_out;

static void *limited(void *ud, void *ptr, size_t osize, size_t nsize) {
  return memory_is_out && nsize > osize ? NULL : wf_mem_default(ud, ptr, osize, nsize);
}

static bool arm(probe *p, uint64_t due) {
  p->due = due;
  p->order = armed++;
  return wf_timer_arm(&timers, &p->timer, due);
}

static void fire(wf_timer *timer) {
  probe *p = wf_container_of(timer, probe, timer);
  wrong += wf_timer_armed(timer) || timer->when != p->due || p->due > now;
  wrong += last != NULL && (last->due > p->due || (last->due == p->due && last->order > p->order));
  last = p;
  fired++;
  if (p->again) (void)arm(p, p->due);
}

static void start(wf_mem *mem) {
  wf_timers_init(&timers, mem);
  now = armed = fired = 0;
  wrong = 0;
  last = NULL;
  for (int i = 0; i < COUNT; i++) probes[i] = (probe){.timer = {.fire = fire}};
}

// Arms, moves and stops at random, then lets time go by.
static void random_order(wf_mem *mem, uint64_t seed) {
  wf_rand rand;
  wf_rand_seed(&rand, seed);
  start(mem);
  uint64_t count = 0;
  for (int i = 0; i < 5 * COUNT; i++) {
    probe *p = &probes[wf_rand_below(&rand, COUNT)];
    bool was = wf_timer_armed(&p->timer);
    wrong += wf_timer_stop(&timers, &p->timer) != was;
    wrong += wf_timer_stop(&timers, &p->timer);
    count -= was;
    if (wf_rand_below(&rand, 3) == 0) continue;
    wrong += !arm(p, wf_rand_below(&rand, LATEST));
    count++;
  }
  CHECK(count > COUNT / 4 && timers.count == count);
  while (timers.count != 0 && now <= LATEST) {
    uint64_t next = wf_timers_next(&timers), before = fired;
    uint32_t n = wf_timers_fire(&timers, now);
    wrong += n != fired - before || (n != 0) != (next <= now);
    wrong += wf_timers_next(&timers) <= now;
    now += wf_rand_below(&rand, 3);
  }
  CHECK(fired == count && wf_timers_next(&timers) == WF_NEVER);
  CHECK(wrong == 0);
  wf_timers_free(&timers);
}

// A timer that is armed by one that fires waits for the next call.
static void again(wf_mem *mem) {
  start(mem);
  now = 10;
  probes[0].again = true;
  CHECK(arm(&probes[0], 5) && arm(&probes[1], 3));
  CHECK(wf_timers_fire(&timers, now) == 2);
  last = NULL;
  CHECK(wf_timers_fire(&timers, now) == 1);
  CHECK(wf_timer_stop(&timers, &probes[0].timer) && timers.count == 0);
  wf_timers_free(&timers);
}

static void no_memory(wf_mem *mem) {
  start(mem);
  int i = 0;
  while (i < COUNT && (memory_is_out = i >= 16, arm(&probes[i], (uint64_t)i))) i++;
  memory_is_out = false;
  CHECK(i >= 16 && i < COUNT && !wf_timer_armed(&probes[i].timer));
  CHECK(timers.count == (uint32_t)i);
  now = COUNT;
  CHECK(wf_timers_fire(&timers, now) == (uint32_t)i && wrong == 0);
  wf_timers_free(&timers);
}

int main(void) {
  wf_mem mem = {.fn = limited};
  for (uint64_t seed = 1; seed <= 20; seed++) random_order(&mem, seed);
  again(&mem);
  no_memory(&mem);
  return check_done();
}
