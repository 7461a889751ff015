// SPDX-License-Identifier: MIT
// Mutexes with ranks, so that no two threads can wait for each other: whoever holds one takes only
// higher ranks, and of the same rank only locks at higher addresses. Debug builds check that, and
// that who releases a lock holds it. A function whose name ends in _locked is called with the lock
// held that its room names. HACKING.md lists what each lock covers.
#ifndef WF_BASE_LOCK_H
#define WF_BASE_LOCK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

// From the outermost to the innermost.
typedef enum wf_rank {
  WF_RANK_RUNTIME,  // what all workers have in common; rarely held
  WF_RANK_OBJECT,   // a shared channel or sync object; two of a select in the order of addresses
  WF_RANK_LEAF,     // held for a few instructions that take no other lock
} wf_rank;

typedef struct wf_lock {
  pthread_mutex_t mutex;
  wf_rank rank;
} wf_lock;

void wf_lock_init(wf_lock *lock, wf_rank rank);

// Nobody holds it.
void wf_lock_close(wf_lock *lock);

void wf_lock_acquire(wf_lock *lock);

void wf_lock_release(wf_lock *lock);

// Ends the program in a debug build when this thread does not hold it.
void wf_lock_assert_held(const wf_lock *lock);

// A condition that is waited for with wf_lock_deadline's moment.
void wf_lock_cond_init(pthread_cond_t *cond);

// So long from now, for pthread_cond_timedwait.
struct timespec wf_lock_deadline(uint64_t ns);

#endif
