// SPDX-License-Identifier: MIT
// The core of an object of weft.sync that has crossed to another VM (all but maps: conc/dict.h): a
// state, and a queue of waits, first in, first out. Nothing here knows of Lua, and everything may
// be called by any thread that has a reference.
//
// A lock has so many units: a mutex one; of a rwmutex a reader takes one and a writer all; of a
// semaphore each what it asks for. Units that become free are given to those who wait, from the
// front on, under the lock, so that nobody overtakes them and nobody is woken in vain. Who waits
// for more than there is holds back those behind it; when it gives up somebody has to look whether
// these can go on (wf_latch_settle).
//
// Waits in the queue may have been claimed already, by a context that has ended: they count for
// nothing once somebody comes to them.
#ifndef WF_CONC_LATCH_H
#define WF_CONC_LATCH_H

#include "conc/box.h"
#include "task/core.h"
#include "task/remote.h"

typedef enum wf_sync_type {
  WF_SYNC_MUTEX,
  WF_SYNC_RWMUTEX,
  WF_SYNC_SEMAPHORE,
  WF_SYNC_WAITGROUP,
  WF_SYNC_COND,
  WF_SYNC_ONCE,
  WF_SYNC_INT,
  WF_SYNC_BOOL,
  WF_SYNC_VALUE,
  WF_SYNC_MAP,
  WF_SYNC_TYPES,
} wf_sync_type;

typedef enum wf_latch_once { WF_LATCH_NEW, WF_LATCH_RUNNING, WF_LATCH_FINISHED } wf_latch_once;

typedef struct wf_latch {
  wf_core core;
  wf_sync_type type;
  int64_t total;       // units of a lock; never changes
  wf_atomic_u64 word;  // int, bool: the number, as an int64_t; without the lock
  // Under the lock:
  wf_link queue;      // wf_remote_place
  int64_t state;      // units held; the count of a waitgroup; wf_latch_once
  uint64_t holder;    // the task that has locked it all, or runs the function; 0: not known
  const char *site;   // where the holder began to wait for it (wf_site_kept); NULL: it did not
  const char *first;  // where a mutex was locked first; NULL: not known
  wf_box *box;  // the value; what came of a once; a cond's mutex, which never changes. Or NULL
} wf_latch;

// NULL when memory is out.
wf_latch *wf_latch_new(const wf_mem *mem, const wf_core_kind *kind, wf_sync_type type);

// wf_core_kind.empty, and each
void wf_latch_empty(wf_core *core);
void wf_latch_each(wf_core *core, void (*fn)(wf_core *held, void *arg), void *arg);

// Locks ---------------------------------------------------------------------------------------

// Takes the units for the task if nobody waits and they are free. With `place`, which is set up,
// the wait is queued otherwise; it is woken when it has got them.
bool wf_latch_take(wf_latch *latch, int64_t units, uint64_t task);
bool wf_latch_take_or_queue(wf_latch *latch, uint64_t task, wf_remote *wait,
                            wf_remote_place *place);

// Gives them back. False: that many are not held, or not that way.
bool wf_latch_give(wf_latch *latch, int64_t units);

// One that waited has given up: gives what is free to those who wait.
void wf_latch_settle(wf_latch *latch);

int64_t wf_latch_held(wf_latch *latch);

// Where the mutex is locked for the first time, unless that is known already.
void wf_latch_note_first(wf_latch *latch, const char *site);

// Who has locked all of something.
typedef struct wf_lock_holder {
  uint64_t task;     // 0: nobody, or it is not known
  const char *site;  // where it did; NULL: not known. Of one VM: until the next place is seen
  bool is_first;     // it is not known where this time: that is where it was locked first
} wf_lock_holder;

wf_lock_holder wf_latch_holder(wf_latch *latch);

// The others ----------------------------------------------------------------------------------

// A waitgroup. False: the counter would be negative.
bool wf_latch_add(wf_latch *latch, int64_t n);

// Queues the wait, unless the waitgroup is at zero or the once has been done: false.
bool wf_latch_queue(wf_latch *latch, wf_remote *wait, wf_remote_place *place);

// Wakes up to `max` of those who wait on a cond.
void wf_latch_wake(wf_latch *latch, uint32_t max);

// A once: its state, RUNNING by that task from now on when it was NEW; else by whom.
wf_latch_once wf_latch_enter(wf_latch *latch, uint64_t task, uint64_t *runner);

// It has been done, and the box, which may be NULL, says what came of it. The box is the latch's.
void wf_latch_leave(wf_latch *latch, wf_box *box);

// Values. A reference to the box that is there; NULL: nil.
wf_box *wf_latch_box(wf_latch *latch);

// Puts the box in its place; the one before is the caller's.
wf_box *wf_latch_swap(wf_latch *latch, wf_box *box);

// The same if what is there is equal to `old`; whether it was. The box is the caller's otherwise.
bool wf_latch_compare_and_swap(wf_latch *latch, const wf_box *old, wf_box *box);

#endif
