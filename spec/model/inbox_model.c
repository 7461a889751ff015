// SPDX-License-Identifier: MIT
// The inbox: nothing is lost, doubled or out of its sender's order; who sleeps is woken; and as an
// injection queue, with several who take.
#include "sched/inbox.h"

#include "model.h"

enum { MOST = 8, CONSUMERS = 2 };

// What each producer does: + push. Consumers: how many, and how often they take, when several.
typedef struct plan {
  const char *producers[3];
  int consumers, takes;
} plan;

typedef struct item {
  wf_inbox_node node;
  memory_plain payload;
  int producer, number, taken;
} item;

static wf_inbox inbox;
static item items[MOST];
static memory_plain state;  // the consumer's, while it is awake
static int total, taken, last[3];
static uint64_t which;  // the one consumer has taken

static void setup(void) {
  const plan *p = model_plan();
  wf_inbox_init(&inbox);
  total = taken = 0;
  which = 0;
  state = (memory_plain){.read = {0}};
  for (int i = 0; i < 3; i++) {
    last[i] = -1;
    for (const char *s = p->producers[i]; s != NULL && *s != '\0'; s++, total++) {
      items[total] = (item){.producer = i, .number = total};
    }
  }
}

// Of one taking, oldest first. With several who take, what one takes may be older than what
// another has taken meanwhile.
static void take(bool in_order) {
  for (wf_inbox_node *node = wf_inbox_take(&inbox), *next; node != NULL; node = next) {
    item *it = (item *)node;
    next = node->next;
    model_write(&it->payload);
    taken++;
    if (in_order) which |= UINT64_C(1) << it->number;
    if (++it->taken != 1) model_fail("item %d is taken twice", it->number);
    if (in_order && it->number < last[it->producer]) model_fail("out of order");
    last[it->producer] = it->number;
  }
}

static void consume(void) {
  model_write(&state);
  for (take(true); taken < total; take(true)) {
    model_forget(which);
    if (!wf_inbox_doze(&inbox)) continue;
    model_sleep();
    model_write(&state);
  }
}

static void produce(int producer) {
  for (int i = 0; i < total; i++) {
    if (items[i].producer != producer) continue;
    model_write(&items[i].payload);
    if (wf_inbox_push(&inbox, &items[i].node)) {
      model_read(&state);
      model_wake(0);
    }
  }
}

static void run(int thread) {
  const plan *p = model_plan();
  if (thread >= p->consumers) {
    produce(thread - p->consumers);
  } else if (p->consumers == 1) {
    consume();
  } else {
    for (int i = 0; i < p->takes; i++) take(false);
  }
}

static void finish(void) {
  const plan *p = model_plan();
  if (p->consumers == 1) {
    if (model_asleep(0)) model_fail("the consumer sleeps, and %d items are there", total - taken);
    MODEL_CHECK(wf_inbox_empty(&inbox));
  }
  take(p->consumers == 1);
  MODEL_CHECK(taken == total);
}

#define SCENARIO(n, consumers_, takes_, is_long_, ...)                                            \
  {                                                                                               \
    .name = "inbox: " #consumers_ " take, producers " #__VA_ARGS__, .threads = n, .setup = setup, \
    .run = run, .finish = finish, .is_long = (is_long_), .plan = &(const plan) {                  \
      .producers = {__VA_ARGS__}, .consumers = (consumers_), .takes = (takes_)                    \
    }                                                                                             \
  }

static const model_scenario scenarios[] = {
    SCENARIO(2, 1, 0, false, "+++"),     SCENARIO(3, 1, 0, false, "+", "+"),
    SCENARIO(3, 1, 0, false, "++", "+"), SCENARIO(4, 2, 2, false, "++", "+"),
    SCENARIO(3, 1, 0, true, "++", "++"), SCENARIO(4, 1, 0, true, "+", "+", "+"),
};

int main(void) { return model_main(scenarios, (int)(sizeof(scenarios) / sizeof(*scenarios))); }
