// SPDX-License-Identifier: MIT
// Workers on real threads, in the loop of idle.h: tasks that spawn tasks and send messages, until
// all is over, which one of them must notice, and none too early.
#include "sched/idle.h"

#include <semaphore.h>

#include "base/check.h"
#include "base/list.h"
#include "base/rand.h"
#include "sched/deque.h"
#include "sched/inbox.h"
#include "stress.h"

enum { WORKERS = 4, ROUNDS = 300, TASKS = 500 };

typedef struct task {
  wf_inbox_node node;
  int number, ran;
} task;

typedef struct worker {
  wf_deque deque;
  wf_inbox inbox;
  sem_t sleep;
  wf_rand rand;
  int sleeps;
} worker;

static worker workers[WORKERS];
static wf_inbox injected;
static wf_idle idle;
static wf_mem memory = {.fn = wf_mem_default};
static task tasks[TASKS];
static wf_atomic_u64 made, over, finished;

static void wake(void *ud, uint32_t i) {
  (void)ud;
  (void)sem_post(&workers[i].sleep);
}

static void spawn(worker *me) {
  uint64_t n = wf_u64_load(&made, WF_RELAXED);
  do {
    if (n >= TASKS) return;
  } while (!wf_u64_cas(&made, &n, n + 1, WF_RELAXED));
  task *t = &tasks[n];
  t->number = (int)n;
  uint32_t how = wf_rand_below(&me->rand, 4);
  if (how == 0) {
    uint32_t to = wf_rand_below(&me->rand, WORKERS);
    if (wf_inbox_push(&workers[to].inbox, &t->node)) wf_idle_wake(&idle, to);
    return;
  }
  if (how == 1) {
    (void)wf_inbox_push(&injected, &t->node);
  } else {
    bool pushed = wf_deque_push(&me->deque, t);
    WF_CHECK(pushed);
  }
  wf_idle_notify(&idle);
}

static void run(worker *me, task *t) {
  t->ran++;
  wf_u64_add(&finished, 1, WF_RELAXED);
  for (uint32_t n = wf_rand_below(&me->rand, 4); n > 0; n--) spawn(me);
}

static bool run_all(worker *me, wf_inbox *inbox, bool *searching) {
  wf_inbox_node *node = wf_inbox_take(inbox), *next;
  if (node == NULL) return false;
  if (*searching) wf_idle_found(&idle);
  *searching = false;
  for (; node != NULL; node = next) {
    next = node->next;
    run(me, wf_container_of(node, task, node));
  }
  return true;
}

static bool work(worker *me, bool *searching) {
  void *item = wf_deque_pop(&me->deque);
  if (item == NULL && run_all(me, &me->inbox, searching)) return true;
  if (item == NULL && run_all(me, &injected, searching)) return true;
  for (int i = 0; item == NULL && *searching && i < 4 * WORKERS; i++) {
    worker *victim = &workers[wf_rand_below(&me->rand, WORKERS)];
    if (victim != me) (void)wf_deque_steal_half(&victim->deque, &me->deque, &item);
  }
  if (item == NULL) return false;
  if (*searching) wf_idle_found(&idle);
  *searching = false;
  run(me, item);
  return true;
}

static bool is_more(void) {
  for (int i = 0; i < WORKERS; i++) {
    if (wf_deque_size(&workers[i].deque) != 0) return true;
  }
  return !wf_inbox_empty(&injected);
}

// All is over: every task has run, and all that they have done can be seen.
static void end_of_all(void) {
  uint64_t count = wf_u64_load(&made, WF_RELAXED);
  int wrong = wf_u64_load(&finished, WF_RELAXED) != count;
  for (uint64_t i = 0; i < count; i++) wrong += tasks[i].ran != 1 || tasks[i].number != (int)i;
  if (wrong != 0) (void)fprintf(stderr, "a false alarm\n");
  wf_u64_store(&over, wrong == 0 ? 1 : 2, WF_RELEASE);
  for (uint32_t i = 0; i < WORKERS; i++) (void)sem_post(&workers[i].sleep);
}

static void *live(void *arg) {
  uint32_t number = (uint32_t)(intptr_t)arg;
  worker *me = &workers[number];
  bool searching = false;
  if (number == 0) spawn(me), spawn(me);
  while (wf_u64_load(&over, WF_ACQUIRE) == 0) {
    if (!searching) searching = wf_idle_search(&idle);
    if (work(me, &searching)) continue;
    wf_idle_announce(&idle, number, searching);
    bool more = is_more(), quiet = !more && wf_inbox_doze(&me->inbox);
    if (quiet) {
      me->sleeps++;
      if (wf_idle_quiet(&idle)) end_of_all();
      while (sem_wait(&me->sleep) != 0) {
      }
      if (wf_u64_load(&over, WF_ACQUIRE) != 0) return NULL;
    }
    searching = wf_idle_leave(&idle, number, quiet, more) == WF_IDLE_TO_SEARCH;
  }
  return NULL;
}

static void until_all_is_over(uint64_t seed) {
  memset(tasks, 0, sizeof(tasks));
  wf_u64_init(&made, 0);
  wf_u64_init(&over, 0);
  wf_u64_init(&finished, 0);
  wf_inbox_init(&injected);
  CHECK(wf_idle_open(&idle, &memory, WORKERS, WORKERS, wake, NULL));
  for (uint32_t i = 0; i < WORKERS; i++) {
    CHECK(wf_deque_open(&workers[i].deque, &memory));
    wf_inbox_init(&workers[i].inbox);
    CHECK(sem_init(&workers[i].sleep, 0, 0) == 0);
    wf_rand_seed(&workers[i].rand, seed * WORKERS + i);
  }
  stress_run(WORKERS, live);
  CHECK(wf_u64_load(&over, WF_RELAXED) == 1);
  for (int i = 0; i < WORKERS; i++) {
    wf_deque_close(&workers[i].deque);
    CHECK(sem_destroy(&workers[i].sleep) == 0);
  }
  wf_idle_close(&idle);
}

static int woken[70];
static void note(void *ud, uint32_t i) {
  (void)ud;
  woken[i]++;
}

// Alone, and with more workers than fit into a word.
static void does_what_it_says(void) {
  memory.fn = wf_mem_default;
  CHECK(wf_idle_open(&idle, &memory, 70, 70, note, NULL));
  for (int i = 0; i < 35; i++) CHECK(wf_idle_search(&idle));
  CHECK(!wf_idle_search(&idle));
  for (int i = 0; i < 35; i++) wf_idle_found(&idle);
  for (uint32_t i = 1; i < 70; i++) wf_idle_announce(&idle, i, false);
  CHECK(wf_idle_search(&idle) && !wf_idle_search(&idle));
  wf_idle_notify(&idle);  // somebody searches already
  int count = 0;
  for (int i = 0; i < 70; i++) count += woken[i];
  CHECK(count == 0);
  wf_idle_found(&idle);  // and may have more than it needs
  CHECK(woken[69] == 1 && wf_idle_leave(&idle, 69, false, false) == WF_IDLE_TO_SEARCH);
  wf_idle_wake(&idle, 1);
  wf_idle_wake(&idle, 1);
  CHECK(woken[1] == 1 && wf_idle_leave(&idle, 1, false, false) == WF_IDLE_WOKEN);
  CHECK(wf_idle_leave(&idle, 2, false, false) == WF_IDLE_NOT_WOKEN);
  wf_idle_hold(&idle);
  for (int i = 0; i < 70; i++) CHECK(!wf_idle_quiet(&idle));
  CHECK(wf_idle_release(&idle));
  wf_idle_close(&idle);
}

// Beyond the limit nobody is woken to search, and who was on its way there hands it on.
static void keeps_to_its_limit(void) {
  memset(woken, 0, sizeof woken);
  CHECK(wf_idle_open(&idle, &memory, 70, 40, note, NULL) && wf_idle_limit(&idle) == 40);
  for (uint32_t i = 1; i < 70; i++) wf_idle_announce(&idle, i, false);
  wf_idle_notify(&idle);
  CHECK(woken[39] == 1);
  wf_idle_set_limit(&idle, 3);  // somebody is on its way already
  CHECK(wf_idle_limit(&idle) == 3 && woken[2] == 0);
  CHECK(wf_idle_leave(&idle, 39, false, false) == WF_IDLE_TO_SEARCH);
  wf_idle_found(&idle);
  CHECK(woken[2] == 1 && wf_idle_leave(&idle, 2, false, false) == WF_IDLE_TO_SEARCH);
  CHECK(!wf_idle_search(&idle));  // one of two is more than enough
  wf_idle_announce(&idle, 2, true);
  wf_idle_set_limit(&idle, 70);
  CHECK(woken[69] == 1 && wf_idle_leave(&idle, 69, false, false) == WF_IDLE_TO_SEARCH);
  int count = 0;
  for (int i = 0; i < 70; i++) count += woken[i];
  CHECK(count == 3);
  wf_idle_wake(&idle, 50);
  CHECK(woken[50] == 1);
  wf_idle_close(&idle);
}

int main(void) {
  does_what_it_says();
  keeps_to_its_limit();
  for (uint64_t seed = 1; seed <= ROUNDS; seed++) until_all_is_over(seed);
  return check_done();
}
