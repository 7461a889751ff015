// SPDX-License-Identifier: MIT
// Locks exclude; a debug build ends the program where ranks are taken in the wrong order.
#include "base/lock.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../embed/check.h"

enum { THREADS = 4, ROUNDS = 20000 };

static wf_lock runtime, objects[2], leaf;
static int counter;

static void *count(void *arg) {
  for (int i = 0; i < ROUNDS; i++) {
    wf_lock_acquire(&leaf);
    wf_lock_assert_held(&leaf);
    counter++;
    wf_lock_release(&leaf);
  }
  return arg;
}

static void excludes(void) {
  pthread_t threads[THREADS];
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, count, NULL) == 0);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  CHECK(counter == THREADS * ROUNDS);
}

static void in_order(void) {
  wf_lock_acquire(&runtime);
  wf_lock_acquire(&objects[0]);
  wf_lock_acquire(&objects[1]);
  wf_lock_acquire(&leaf);
  wf_lock_release(&objects[0]);  // in any order
  wf_lock_release(&leaf);
  wf_lock_release(&objects[1]);
  wf_lock_release(&runtime);
}

static void leaf_then_object(void) {
  wf_lock_acquire(&leaf);
  wf_lock_acquire(&objects[0]);
}
static void object_then_runtime(void) {
  wf_lock_acquire(&objects[0]);
  wf_lock_acquire(&runtime);
}
static void objects_downwards(void) {
  wf_lock_acquire(&objects[1]);
  wf_lock_acquire(&objects[0]);
}
static void not_held(void) { wf_lock_assert_held(&leaf); }
static void released_twice(void) {
  wf_lock_acquire(&leaf);
  wf_lock_release(&leaf);
  wf_lock_release(&leaf);
}

// Whether a process of its own is ended by it: always in a debug build, where it is checked.
static bool is_caught(void (*wrong)(void)) {
  (void)fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    (void)freopen("/dev/null", "w", stderr);
    wrong();
    _exit(0);
  }
  int status = 0;
  CHECK(child > 0 && waitpid(child, &status, 0) == child);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

int main(void) {
  wf_lock_init(&runtime, WF_RANK_RUNTIME);
  wf_lock_init(&objects[0], WF_RANK_OBJECT);
  wf_lock_init(&objects[1], WF_RANK_OBJECT);
  wf_lock_init(&leaf, WF_RANK_LEAF);
  in_order();
  excludes();
#ifdef WEFT_DEBUG
  CHECK(is_caught(leaf_then_object));
  CHECK(is_caught(object_then_runtime));
  CHECK(is_caught(objects_downwards));
  CHECK(is_caught(not_held));
  CHECK(is_caught(released_twice));
#else
  CHECK(!is_caught(leaf_then_object));
  (void)object_then_runtime, (void)objects_downwards, (void)not_held, (void)released_twice;
#endif
  wf_lock_close(&leaf);
  wf_lock_close(&objects[1]);
  wf_lock_close(&objects[0]);
  wf_lock_close(&runtime);
  return check_done();
}
