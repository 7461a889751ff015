// SPDX-License-Identifier: MIT
#include "base/lock.h"

#include <stddef.h>
#include <stdint.h>

#include "base/check.h"
#include "base/size.h"
#include "base/spin.h"

#ifdef WEFT_DEBUG

enum { MOST_HELD = 64 };

// What this thread holds, in the order in which it was taken.
static _Thread_local const wf_lock *held[MOST_HELD];
static _Thread_local int held_count;

static int place_of(const wf_lock *lock) {
  int i = held_count;
  while (--i >= 0 && held[i] != lock) {
  }
  return i;
}

static bool may_follow(const wf_lock *lock, const wf_lock *before) {
  if (lock->rank != before->rank) return lock->rank > before->rank;
  return (uintptr_t)lock > (uintptr_t)before && lock->rank != WF_RANK_LEAF;
}

static void check_order(const wf_lock *lock) {
  for (int i = 0; i < held_count; i++) {
    bool ranks_go_up = may_follow(lock, held[i]);
    WF_CHECK(ranks_go_up);
  }
}

static void add_held(const wf_lock *lock) {
  WF_CHECK(held_count < MOST_HELD);
  held[held_count++] = lock;
}

static void drop_held(const wf_lock *lock) {
  int i = place_of(lock);
  WF_CHECK(i >= 0);
  for (held_count--; i < held_count; i++) held[i] = held[i + 1];
}

void wf_lock_assert_held(const wf_lock *lock) { WF_CHECK(place_of(lock) >= 0); }

#else

static void check_order(const wf_lock *lock) { (void)lock; }
static void add_held(const wf_lock *lock) { (void)lock; }
static void drop_held(const wf_lock *lock) { (void)lock; }
void wf_lock_assert_held(const wf_lock *lock) { (void)lock; }

#endif

void wf_lock_init(wf_lock *lock, wf_rank rank) {
  lock->rank = rank;
  int rc = pthread_mutex_init(&lock->mutex, NULL);
  WF_CHECK(rc == 0);  // with default attributes it allocates nothing
}

void wf_lock_close(wf_lock *lock) {
  int rc = pthread_mutex_destroy(&lock->mutex);
  WF_CHECK(rc == 0);
}

// What most locks cover takes less than a tenth of a microsecond, far less than a sleep. Who finds
// one taken stays away for a while, so that the other can take it several times more without its
// cache line going back and forth: a channel whose buffer was under such a lock took 180 ns for
// a number to another core that way, and 470 without (scripts/bench cores-numbers).
enum { FIRST_NS = 400, MOST_NS = 1600, TRIES = WF_SIZE(8, 1) };

static bool take_soon(pthread_mutex_t *mutex) {
  uint32_t ns = FIRST_NS;
  for (int i = 0; i < TRIES; i++) {
    wf_spin(ns);
    if (pthread_mutex_trylock(mutex) == 0) return true;
    if (ns < MOST_NS) ns *= 2;
  }
  return false;
}

void wf_lock_acquire(wf_lock *lock) {
  check_order(lock);
  int rc = pthread_mutex_trylock(&lock->mutex);
  if (WF_UNLIKELY(rc != 0)) rc = take_soon(&lock->mutex) ? 0 : pthread_mutex_lock(&lock->mutex);
  WF_CHECK(rc == 0);
  add_held(lock);
}

void wf_lock_release(wf_lock *lock) {
  drop_held(lock);
  int rc = pthread_mutex_unlock(&lock->mutex);
  WF_CHECK(rc == 0);
}

// On the monotonic clock.
void wf_lock_cond_init(pthread_cond_t *cond) {
  pthread_condattr_t attr;
  int rc = pthread_condattr_init(&attr);
  WF_CHECK(rc == 0);
#ifndef __APPLE__
  (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
#endif
  rc = pthread_cond_init(cond, &attr);
  WF_CHECK(rc == 0);
  (void)pthread_condattr_destroy(&attr);
}

struct timespec wf_lock_deadline(uint64_t ns) {
  struct timespec end;
#ifdef __APPLE__
  (void)clock_gettime(CLOCK_REALTIME, &end);
#else
  (void)clock_gettime(CLOCK_MONOTONIC, &end);
#endif
  uint64_t rest = (uint64_t)end.tv_nsec + ns % 1000000000;
  end.tv_sec += (time_t)(ns / 1000000000 + rest / 1000000000);
  end.tv_nsec = (long)(rest % 1000000000);
  return end;
}
