// SPDX-License-Identifier: MIT
// The pool of threads: jobs run elsewhere and end at home, each in its own loop; what is taken
// back never runs, what is forgotten is dropped, once; and those that hang keep nobody from
// running.
#include "loop/pool.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "../embed/check.h"
#include "loop/clock.h"

enum { THREADS = 64, MANY = 300 };  // as many as there may be

typedef struct probe {
  wf_pool_job job;
  pthread_t ran_on;
  int runs, again;  // `again`: started so many times more when it is done
  int order;        // in which it was done
  bool done;
  wf_atomic_u64 begun, dropped, saw_stop;
  pthread_mutex_t *gate;  // it waits for that while it runs
} probe;

static wf_loop home;
static pthread_t here;
static int ended;

static void run(wf_pool_job *job) {
  probe *p = wf_container_of(job, probe, job);
  p->ran_on = pthread_self();
  p->runs++;
  wf_u64_store(&p->begun, 1, WF_RELEASE);
  if (p->gate != NULL) {
    (void)pthread_mutex_lock(p->gate);
    (void)pthread_mutex_unlock(p->gate);
  }
  wf_u64_store(&p->saw_stop, wf_u64_load(&job->stop, WF_RELAXED), WF_RELAXED);
}

static void done(wf_pool_job *job) {
  probe *p = wf_container_of(job, probe, job);
  CHECK(pthread_equal(pthread_self(), here) != 0);
  p->done = true;
  p->order = ended++;
  if (p->again-- > 0) CHECK(wf_pool_start(&home, job) == 0);
}

static void drop(wf_pool_job *job) {
  wf_u64_add(&wf_container_of(job, probe, job)->dropped, 1, WF_ACQ_REL);
}

static probe fresh(pthread_mutex_t *gate) {
  return (probe){.job = {.run = run, .done = done, .drop = drop}, .gate = gate};
}

// Until it has come about, or for ten seconds.
#define UNTIL(cond)                                                   \
  do {                                                                \
    for (int i_ = 0; i_ < 10000 && !(cond); i_++) (void)usleep(1000); \
    CHECK(cond);                                                      \
  } while (0)

static bool is_set(wf_atomic_u64 *a) { return wf_u64_load(a, WF_ACQUIRE) != 0; }

static void run_home(void) {
  while (wf_loop_pending(&home)) wf_loop_wait(&home, WF_NEVER);
}

static void runs_elsewhere_and_ends_at_home(void) {
  probe p = fresh(NULL);
  p.again = 2;
  CHECK(!wf_loop_pending(&home));
  CHECK(wf_pool_start(&home, &p.job) == 0);
  CHECK(wf_loop_pending(&home) && home.jobs == 1);
  run_home();
  CHECK(p.runs == 3 && p.done && home.jobs == 0);
  CHECK(pthread_equal(p.ran_on, here) == 0);
  CHECK(!is_set(&p.saw_stop) && !is_set(&p.dropped));
}

static void many_run(void) {
  static probe many[MANY];
  for (int i = 0; i < MANY; i++) {
    many[i] = fresh(NULL);
    CHECK(wf_pool_start(&home, &many[i].job) == 0);
  }
  CHECK(home.jobs == MANY);
  run_home();
  int wrong = 0;
  for (int i = 0; i < MANY; i++) wrong += many[i].runs != 1 || !many[i].done;
  CHECK(wrong == 0);
}

// Each in its own loop, whoever ends first.
static uint32_t one_core(void) { return 1; }

static void ends_in_its_own_loop(void) {
  wf_loop other = {.jobs = 0};
  probe a = fresh(NULL), b = fresh(NULL);
  CHECK(wf_loop_init(&other, one_core) == 0);
  CHECK(wf_pool_start(&home, &a.job) == 0 && wf_pool_start(&other, &b.job) == 0);
  run_home();
  CHECK(a.done && !b.done && other.jobs == 1);
  while (wf_loop_pending(&other)) wf_loop_wait(&other, WF_NEVER);
  CHECK(b.done);
  wf_loop_close(&other);
}

// All threads that there may be hang, so what comes after them waits; and before that those that
// hang have kept nobody from beginning.
static void takes_back_and_forgets(void) {
  static probe hanging[THREADS];
  probe queued = fresh(NULL), taken = fresh(NULL), forgotten = fresh(NULL);
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  (void)pthread_mutex_lock(&gate);
  for (int i = 0; i < THREADS; i++) {
    hanging[i] = fresh(&gate);
    CHECK(wf_pool_start(&home, &hanging[i].job) == 0);
  }
  for (int i = 0; i < THREADS; i++) UNTIL(is_set(&hanging[i].begun));
  CHECK(wf_pool_start(&home, &taken.job) == 0);
  CHECK(wf_pool_start(&home, &queued.job) == 0);
  CHECK(wf_pool_start(&home, &forgotten.job) == 0);
  CHECK(home.jobs == THREADS + 3);
  CHECK(wf_pool_cancel(&taken.job));
  wf_pool_forget(&forgotten.job);
  CHECK(is_set(&forgotten.dropped));
  // Those that run: one is told to stop, and is done all the same; the other is dropped.
  CHECK(!wf_pool_cancel(&hanging[0].job));
  wf_pool_forget(&hanging[1].job);
  CHECK(!is_set(&hanging[1].dropped) && home.jobs == THREADS);
  (void)pthread_mutex_unlock(&gate);
  run_home();
  CHECK(taken.runs == 0 && !taken.done && !is_set(&taken.dropped));
  CHECK(forgotten.runs == 0 && !forgotten.done);
  CHECK(queued.runs == 1 && queued.done && queued.order > 0);
  CHECK(hanging[0].done && is_set(&hanging[0].saw_stop) && !is_set(&hanging[0].dropped));
  UNTIL(is_set(&hanging[1].dropped));
  CHECK(!hanging[1].done && is_set(&hanging[1].saw_stop));
  for (int i = 2; i < THREADS; i++) CHECK(hanging[i].done && !is_set(&hanging[i].dropped));
}

// One that has run, but its loop has not heard of it yet.
static void forgets_what_has_run(void) {
  probe p = fresh(NULL);
  CHECK(wf_pool_start(&home, &p.job) == 0);
  struct pollfd news = {.fd = uv_backend_fd(&home.uv), .events = POLLIN};
  CHECK(poll(&news, 1, 10000) == 1);
  wf_pool_forget(&p.job);
  CHECK(wf_u64_load(&p.dropped, WF_ACQUIRE) == 1 && home.jobs == 0);
  wf_loop_turn(&home);
  CHECK(p.runs == 1 && !p.done);
}

// What a thread of the pool does when the loop has gone that it was asked by.
static void outlives_its_loop(void) {
  wf_loop gone = {.jobs = 0};
  pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
  probe p = fresh(&gate);
  (void)pthread_mutex_lock(&gate);
  CHECK(wf_loop_init(&gone, one_core) == 0);
  CHECK(wf_pool_start(&gone, &p.job) == 0);
  UNTIL(is_set(&p.begun));
  wf_pool_forget(&p.job);
  wf_loop_close(&gone);
  (void)pthread_mutex_unlock(&gate);
  UNTIL(is_set(&p.dropped));
  CHECK(!p.done);
}

int main(void) {
  (void)alarm(120);
  here = pthread_self();
  CHECK(wf_loop_init(&home, one_core) == 0);
  runs_elsewhere_and_ends_at_home();
  many_run();
  ends_in_its_own_loop();
  takes_back_and_forgets();
  forgets_what_has_run();
  outlives_its_loop();
  wf_loop_close(&home);
  return check_done();
}
