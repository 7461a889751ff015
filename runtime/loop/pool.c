// SPDX-License-Identifier: MIT
// Threads that wait for work are woken one for each job, as long as fewer work than may. When
// these are busy one of the waiting watches over them instead: that something begins every 20 ms.
#include "loop/pool.h"

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "base/lock.h"
#include "base/thread.h"

enum { MAX_THREADS = 64, LEAST = 4, MOST = 16, STACK_BYTES = 256 * 1024 };

#define STALL_NS UINT64_C(20000000)
#define LINGER_NS UINT64_C(5000000000)

static struct {
  pthread_once_t once;
  wf_lock lock;
  pthread_cond_t work;
  wf_link queue;     // of jobs that have not begun
  uint32_t base;     // so many work at a time,
  uint32_t hung;     // beside those that hang: the ones with numbers
  uint64_t hung_to;  // up to this one
  uint32_t threads;  // in all
  uint32_t active;   // that run a job
  uint32_t waiting;  // for one
  uint32_t woken;    // of the waiting: on their way
  uint64_t begun;    // jobs, ever
  bool watched;      // one of the waiting looks whether jobs begin
} pool = {.once = PTHREAD_ONCE_INIT};

static void open_pool(void) {
  wf_lock_init(&pool.lock, WF_RANK_LEAF);
  wf_lock_cond_init(&pool.work);
  wf_list_init(&pool.queue);
  uint32_t cores = uv_available_parallelism();
  pool.base = cores < LEAST ? LEAST : cores > MOST ? MOST : cores;
}

static bool may_work_locked(uint32_t more) { return pool.active + more < pool.base + pool.hung; }

// True: the time is over.
static bool wait_locked(uint64_t ns) {
  struct timespec end = wf_lock_deadline(ns);
  int rc = pthread_cond_timedwait(&pool.work, &pool.lock.mutex, &end);
  if (pool.woken > 0) pool.woken--;
  return rc == ETIMEDOUT;
}

static void finish_locked(wf_pool_job *job) {
  job->state = WF_POOL_HAS_RUN;
  wf_loop *loop = job->loop;
  if (loop == NULL) {
    wf_lock_release(&pool.lock);
    job->drop(job);
    wf_lock_acquire(&pool.lock);
    return;
  }
  bool first = wf_list_empty(&loop->finished);
  wf_list_push(&loop->finished, &job->link);
  // Under the lock: the loop is there as long as one of its jobs is.
  if (first) (void)uv_async_send(&loop->jobs_done);
}

static void run_next_locked(void) {
  wf_link *next = wf_list_pop(&pool.queue);
  WF_ASSUME(next != NULL);
  wf_pool_job *job = wf_container_of(next, wf_pool_job, link);
  pool.active++;
  job->number = ++pool.begun;
  job->state = WF_POOL_RUNS;
  wf_lock_release(&pool.lock);
  job->run(job);
  wf_lock_acquire(&pool.lock);
  pool.active--;
  if (job->number <= pool.hung_to) pool.hung--;
  finish_locked(job);
}

// All who may work do.
static void watch_locked(void) {
  uint64_t before = pool.begun;
  pool.watched = true;
  bool late = wait_locked(STALL_NS);
  pool.watched = false;
  if (!late || pool.begun != before || may_work_locked(0)) return;
  pool.hung = pool.active;
  pool.hung_to = pool.begun;
}

static int add_thread_locked(void);

static void *thread_main(void *arg) {
  (void)arg;
  wf_lock_acquire(&pool.lock);
  for (;;) {
    bool any = !wf_list_empty(&pool.queue);
    if (any && may_work_locked(0)) {
      // Somebody is left for the rest, or to watch and to go on if all of them hang.
      bool more = pool.queue.next != pool.queue.prev || !may_work_locked(1);
      if (more && pool.waiting == 0) (void)add_thread_locked();
      run_next_locked();
      continue;
    }
    pool.waiting++;
    bool late = false;
    if (any && !pool.watched) {
      watch_locked();
    } else {
      late = wait_locked(LINGER_NS);
    }
    pool.waiting--;
    if (late && wf_list_empty(&pool.queue)) break;
  }
  pool.threads--;
  wf_lock_release(&pool.lock);
  return NULL;
}

// 0 or an errno.
static int add_thread_locked(void) {
  if (pool.threads > pool.base + pool.hung || pool.threads >= MAX_THREADS) return 0;
  pthread_t thread;
  int rc = wf_thread_start(&thread, STACK_BYTES, thread_main, NULL);
  if (rc == 0) pool.threads++;
  return rc;
}

// Sees to it that somebody runs, or watches over, what has been queued.
static int wake_locked(void) {
  bool room = may_work_locked(pool.woken);
  if (pool.waiting > pool.woken) {
    if (room || !pool.watched) {
      pool.woken++;
      (void)pthread_cond_signal(&pool.work);
    }
    return 0;
  }
  if (!room && pool.waiting > 0) return 0;
  int rc = add_thread_locked();
  return pool.threads > 0 ? 0 : rc;
}

static void uncount(wf_loop *loop) {
  if (--loop->jobs == 0) uv_unref((uv_handle_t *)&loop->jobs_done);
}

// In the order of their ends. What they start in their turn comes with the next turn of the loop.
static void jobs_done(uv_async_t *async) {
  wf_loop *loop = wf_container_of(async, wf_loop, jobs_done);
  wf_link list, *link;
  wf_list_init(&list);
  wf_lock_acquire(&pool.lock);
  wf_list_splice(&list, &loop->finished);
  wf_lock_release(&pool.lock);
  while ((link = wf_list_pop(&list)) != NULL) {
    wf_pool_job *job = wf_container_of(link, wf_pool_job, link);
    uncount(loop);
    job->done(job);
  }
}

static int open_loop(wf_loop *loop) {
  (void)pthread_once(&pool.once, open_pool);
  wf_list_init(&loop->finished);
  int rc = uv_async_init(&loop->uv, &loop->jobs_done, jobs_done);
  if (rc != 0) return rc;
  uv_unref((uv_handle_t *)&loop->jobs_done);
  loop->has_jobs_done = true;
  return 0;
}

int wf_pool_start(wf_loop *loop, wf_pool_job *job) {
  if (!loop->has_jobs_done) {
    int rc = open_loop(loop);
    if (rc != 0) return rc;
  }
  job->loop = loop;
  job->state = WF_POOL_QUEUED;
  wf_u64_init(&job->stop, 0);
  wf_lock_acquire(&pool.lock);
  wf_list_push(&pool.queue, &job->link);
  int rc = wake_locked();
  if (rc != 0) wf_list_remove(&job->link);
  wf_lock_release(&pool.lock);
  if (rc != 0) return uv_translate_sys_error(rc);
  if (loop->jobs++ == 0) uv_ref((uv_handle_t *)&loop->jobs_done);
  return 0;
}

bool wf_pool_cancel(wf_pool_job *job) {
  wf_u64_store(&job->stop, 1, WF_RELAXED);
  wf_lock_acquire(&pool.lock);
  bool queued = job->state == WF_POOL_QUEUED;
  if (queued) wf_list_remove(&job->link);
  wf_lock_release(&pool.lock);
  if (queued) uncount(job->loop);
  return queued;
}

void wf_pool_forget(wf_pool_job *job) {
  wf_loop *loop = job->loop;
  wf_u64_store(&job->stop, 1, WF_RELAXED);
  wf_lock_acquire(&pool.lock);
  bool runs = job->state == WF_POOL_RUNS;
  if (runs) {
    job->loop = NULL;
  } else {
    wf_list_remove(&job->link);
  }
  wf_lock_release(&pool.lock);
  uncount(loop);
  if (!runs) job->drop(job);
}
