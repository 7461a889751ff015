// SPDX-License-Identifier: MIT
// The deque: no item is lost or taken twice, none is taken before it can be read, rings are not
// used after they are freed, and without memory all stays as it is. Its first capacity is 2 here.
#include "sched/deque.h"

#include <string.h>

#include "model.h"

enum { ITEMS = 8, MOST_THIEVES = 3 };

// What the owner does: + push, - pop, s steal from itself (the oldest). What each thief does: s
// steal, h steal half into a deque of its own, - pop there, S steal from the first thief's.
typedef struct plan {
  const char *owner, *thieves[MOST_THIEVES];
  int allocations;  // for rings, beside the first ones; 0: any
} plan;

static wf_deque deque, own[MOST_THIEVES];
static memory_plain payload[ITEMS];
static int pushed, taken[ITEMS];

static bool has_own(int thief) {
  const plan *p = model_plan();
  return p->thieves[thief] != NULL && strchr(p->thieves[thief], 'h') != NULL;
}

static void setup(void) {
  const plan *p = model_plan();
  pushed = 0;
  for (int i = 0; i < ITEMS; i++) {
    taken[i] = 0;
    payload[i] = (memory_plain){.read = {0}};
  }
  MODEL_CHECK(wf_deque_open(&deque, &model_mem));
  for (int i = 0; i < MOST_THIEVES; i++) {
    if (has_own(i)) MODEL_CHECK(wf_deque_open(&own[i], &model_mem));
  }
  if (p->allocations != 0) model_allocations = p->allocations - 1;
}

static void took(const void *item) {
  int i = (int)((const memory_plain *)item - payload);
  MODEL_CHECK(i >= 0 && i < ITEMS);
  model_write(&payload[i]);
  if (++taken[i] != 1) model_fail("item %d is taken twice", i);
}

static void push(void) {
  memory_plain *item = &payload[pushed];
  model_write(item);
  if (wf_deque_push(&deque, item)) {
    pushed++;
  } else {
    memset(item, 0, sizeof(*item));  // still ours
  }
}

static void steal_from(wf_deque *victim) {
  void *item = NULL;
  if (wf_deque_steal(victim, &item) == WF_STEAL_GOT) took(item);
}

static void owner(const char *what) {
  for (; *what != '\0'; what++) {
    void *item = NULL;
    if (*what == '+') push();
    if (*what == '-' && (item = wf_deque_pop(&deque)) != NULL) took(item);
    if (*what == 's') steal_from(&deque);
  }
}

static void thief(const char *what, wf_deque *mine) {
  for (; *what != '\0'; what++) {
    void *item = NULL;
    if (*what == 's') steal_from(&deque);
    if (*what == 'S') steal_from(&own[0]);
    if (*what == 'h' && wf_deque_steal_half(&deque, mine, &item) == WF_STEAL_GOT) took(item);
    if (*what == '-' && (item = wf_deque_pop(mine)) != NULL) took(item);
  }
}

static void run(int thread) {
  const plan *p = model_plan();
  if (thread == 0) {
    owner(p->owner);
  } else {
    thief(p->thieves[thread - 1], &own[thread - 1]);
  }
}

static void drain(wf_deque *d) {
  void *item;
  while ((item = wf_deque_pop(d)) != NULL) took(item);
  wf_deque_close(d);
}

static void finish(void) {
  drain(&deque);
  for (int i = 0; i < MOST_THIEVES; i++) {
    if (has_own(i)) drain(&own[i]);
  }
  for (int i = 0; i < pushed; i++) {
    if (taken[i] != 1) model_fail("item %d of %d is lost", i, pushed);
  }
  const plan *p = model_plan();
  if (p->allocations == 1) MODEL_CHECK(pushed >= 2);
}

#define SCENARIO(n, o, allocs, is_long_, ...)                                          \
  {                                                                                    \
    .name = "deque: owner " o ", thieves " #__VA_ARGS__, .threads = n, .setup = setup, \
    .run = run, .finish = finish, .is_long = (is_long_), .plan = &(const plan) {       \
      .owner = (o), .thieves = {__VA_ARGS__}, .allocations = (allocs)                  \
    }                                                                                  \
  }

static const model_scenario scenarios[] = {
    SCENARIO(2, "+-+-", 0, false, "ss"),       SCENARIO(2, "++--", 0, false, "ss"),
    SCENARIO(3, "++-", 0, false, "s", "s"),    SCENARIO(3, "+-+", 0, false, "s", "s"),
    SCENARIO(2, "+++-", 0, false, "ss"),       SCENARIO(2, "++++-", 1, false, "ss"),
    SCENARIO(2, "++s-", 0, false, "ss"),       SCENARIO(2, "+++-", 0, false, "h-"),
    SCENARIO(3, "+++", 0, false, "h", "S"),    SCENARIO(3, "++--", 0, true, "ss", "s"),
    SCENARIO(3, "+++-+-", 0, true, "ss", "s"), SCENARIO(3, "+++-", 0, true, "h-", "Ss"),
};

int main(void) { return model_main(scenarios, (int)(sizeof(scenarios) / sizeof(*scenarios))); }
