// SPDX-License-Identifier: MIT
// The inbox with real threads: nothing lost or doubled, each sender's order kept, no sleep without
// a wake-up. `--bench` prints costs.
#include "sched/inbox.h"

#include <semaphore.h>

#include "stress.h"

enum { PRODUCERS = 3, NODES = 100000 };

typedef struct item {
  wf_inbox_node node;  // first
  int producer, number;
} item;

static wf_inbox inbox;
static item items[PRODUCERS][NODES];
static sem_t woken;
static int wrong, sleeps;

static void consume(void) {
  int next[PRODUCERS] = {0}, left = PRODUCERS * NODES;
  while (left > 0) {
    wf_inbox_node *node = wf_inbox_take(&inbox), *after;
    if (node == NULL && wf_inbox_doze(&inbox)) {
      sleeps++;
      while (sem_wait(&woken) != 0) {
      }
    }
    for (; node != NULL; node = after, left--) {
      const item *it = (const item *)node;
      after = node->next;
      wrong += it->number != next[it->producer]++;
    }
  }
}

static void *work(void *arg) {
  int me = (int)(intptr_t)arg;
  if (me == PRODUCERS) {
    consume();
    return NULL;
  }
  for (int i = 0; i < NODES; i++) {
    item *it = &items[me][i];
    it->producer = me;
    it->number = i;
    if (wf_inbox_push(&inbox, &it->node)) (void)sem_post(&woken);
  }
  return NULL;
}

static void bench(void) {
  enum { ROUNDS = 100 };
  double start = stress_seconds();
  for (int i = 0; i < ROUNDS; i++) {
    for (int j = 0; j < NODES; j++) (void)wf_inbox_push(&inbox, &items[0][j].node);
    (void)wf_inbox_take(&inbox);
  }
  stress_report("push, and its part of taking all", start, (double)ROUNDS * NODES);
  start = stress_seconds();
  for (int i = 0; i < ROUNDS * NODES; i++) {
    (void)wf_inbox_push(&inbox, &items[0][0].node);
    (void)wf_inbox_take(&inbox);
  }
  stress_report("push and take, one by one", start, (double)ROUNDS * NODES);
}

int main(int argc, char **argv) {
  wf_inbox_init(&inbox);
  if (stress_wants_bench(argc, argv)) {
    bench();
    return 0;
  }
  CHECK(wf_inbox_empty(&inbox) && wf_inbox_take(&inbox) == NULL);
  CHECK(wf_inbox_doze(&inbox) && wf_inbox_empty(&inbox) && wf_inbox_take(&inbox) == NULL);
  CHECK(!wf_inbox_push(&inbox, &items[0][0].node) && !wf_inbox_doze(&inbox));
  CHECK(wf_inbox_take(&inbox) == &items[0][0].node && wf_inbox_doze(&inbox));
  CHECK(wf_inbox_push(&inbox, &items[0][0].node) && !wf_inbox_empty(&inbox));
  CHECK(!wf_inbox_push(&inbox, &items[0][1].node));
  CHECK(wf_inbox_take(&inbox) == &items[0][0].node && items[0][0].node.next == &items[0][1].node);
  CHECK(sem_init(&woken, 0, 0) == 0);
  stress_run(PRODUCERS + 1, work);
  CHECK(wrong == 0 && wf_inbox_take(&inbox) == NULL);
  CHECK(sem_destroy(&woken) == 0);
  return check_done();
}
