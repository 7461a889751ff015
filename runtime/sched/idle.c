// SPDX-License-Identifier: MIT
// No work is left lying while a worker sleeps and nobody searches
// ---------------------------------------------------------------
// A producer:  stores the item; FENCE P (notify); loads `searching`, then `sleepers`.
// A sleeper:   stores its bit in `sleepers` and takes itself out of `searching` (announce);
//              FENCE S; loads every queue; sleeps if all were empty.
// Full fences have one order. If P comes before S, the sleeper's loads see the item. If S comes
// before P, the producer sees the bit, and `searching` without the sleeper; it wakes somebody, or
// another searches, to whom the same applies. Nothing weaker does: a store and a later load of
// something else are ordered by no release or acquire, not even on x86.
//
// Because producers do nothing while somebody searches, whoever ends a search answers for them:
//   - who finds nothing: by looking again behind FENCE S. When there is something after all, it
//     may be more than it takes: it counts itself as searching again (leave), and so comes to
//     found.
//   - who finds nothing, and has something of its own to do by now (give_up): likewise. It takes
//     itself out of `searching`; FENCE S; loads every queue; and notifies if one has something.
//   - who finds something (found): when nobody is left searching, it notifies: takes itself out of
//     `searching`; FENCE P; loads `sleepers`. Let B sleep, having missed item Y, so that B's S is
//     before the fence P of Y's producer, and let that one have seen the finder in `searching`.
//     Then its P is before the finder's, so S is too, and the finder sees B's bit.
//   - who counted a searcher that it is about to wake, and then finds nobody asleep (notify):
//     likewise, it takes it back, FENCE, and looks for sleepers again.
//
// One waker for each sleep: it swaps the sleeper's bit out, together with a bit that says why. The
// sleeper's own way out (leave) takes both out at once.
//
// Quiescence: no false alarm, no missed one
// -----------------------------------------
// `active` is changed by whole read-modify-writes of one word, so it is exact, and it is 0 only
// when nobody is left who could raise it, if everybody who acts is counted:
//   - a waker counts the worker that it is about to wake *before* it takes the worker's bit. The
//     swap is a release and leave an acquire, so that the worker, which may be up for other
//     reasons and go back to being quiet at once, cannot take the count down before it was put up:
//     0 would be a false alarm, as the waker is still active.
//   - leave puts it right: a quiet sleeper that nobody woke counts itself; one that was woken and
//     had never stopped counting has one too many.
// It is not missed either: each count has one owner, who ends it by being quiet; and a worker that
// is quiet has an empty deque and a dozing inbox, so that only a waker can give it work.
// fetch_sub is acquire and release, so that who gets to 0 sees what all the others did.
//
// announce sets the bit with release and the swap has acquire besides: the waker sees what the
// sleeper did before, as that its thread has been started.
//
// A limit that shrinks
// ---------------------
// Only the first `searchers` workers are woken to search. Who finds itself beyond that limit reads
// the same variable as notify after it, and so never an older value: when it hands its search on
// (found), one within the limit is woken, and no two beyond it wake each other in turn.
//
// Everything else is relaxed: the fences order it, or nothing hangs on it.
//
// Rejected: a lock around a list of sleepers, as in Go and Tokio. It has to be taken by every
// producer that sees a sleeper; and a worker that is woken by its inbox or a timer has to find
// itself in the list.
#include "sched/idle.h"

#include "base/check.h"

enum { PER_WORD = 32 };
#define ALL_ASLEEP UINT64_C(0xffffffff)

static uint32_t words(const wf_idle *idle) { return (idle->workers + PER_WORD - 1) / PER_WORD; }

static wf_atomic_u64 *word_of(wf_idle *idle, uint32_t worker) {
  return &idle->sleepers[worker / PER_WORD];
}
static uint64_t asleep_bit(uint32_t worker) { return UINT64_C(1) << (worker % PER_WORD); }
static uint64_t search_bit(uint32_t worker) { return asleep_bit(worker) << PER_WORD; }

bool wf_idle_open(wf_idle *idle, wf_mem *mem, uint32_t workers, uint32_t searchers,
                  void (*wake)(void *ud, uint32_t worker), void *ud) {
  WF_ASSERT(searchers >= 1 && searchers <= workers);
  *idle = (wf_idle){.workers = workers, .wake = wake, .ud = ud, .mem = mem};
  idle->sleepers = wf_mem_new(mem, words(idle) * sizeof(wf_atomic_u64));
  if (idle->sleepers == NULL) return false;
  for (uint32_t i = 0; i < words(idle); i++) wf_u64_init(&idle->sleepers[i], 0);
  wf_u64_init(&idle->searchers, searchers);
  wf_u64_init(&idle->searching, 0);
  wf_u64_init(&idle->active, workers);
  return true;
}

void wf_idle_close(wf_idle *idle) {
  wf_mem_free(idle->mem, idle->sleepers, words(idle) * sizeof(wf_atomic_u64));
}

// Of the first `limit` workers those in the i-th word that sleep.
static uint64_t asleep_in(const wf_idle *idle, uint32_t i, uint32_t limit) {
  uint32_t left = limit - i * PER_WORD;
  uint64_t mask = left >= PER_WORD ? ALL_ASLEEP : ALL_ASLEEP >> (PER_WORD - left);
  return wf_u64_load(&idle->sleepers[i], WF_RELAXED) & mask;
}

static uint32_t count_asleep(const wf_idle *idle, uint32_t limit) {
  int count = 0;
  for (uint32_t i = 0; i * PER_WORD < limit; i++) {
    count += __builtin_popcountll(asleep_in(idle, i, limit));
  }
  return (uint32_t)count;
}

// The worker itself. --------------------------------------------------------------------------

bool wf_idle_search(wf_idle *idle) {
  uint64_t searching = wf_u64_load(&idle->searching, WF_RELAXED);
  uint32_t limit = wf_idle_limit(idle);
  do {
    if (2 * searching >= limit - count_asleep(idle, limit)) return false;
  } while (!wf_u64_cas(&idle->searching, &searching, searching + 1, WF_RELAXED));
  return true;
}

void wf_idle_found(wf_idle *idle) {
  if (wf_u64_fetch_sub(&idle->searching, 1, WF_RELAXED) == 1) wf_idle_notify(idle);
}

void wf_idle_give_up(wf_idle *idle) {
  wf_u64_sub(&idle->searching, 1, WF_RELAXED);
  wf_fence();
}

void wf_idle_announce(wf_idle *idle, uint32_t worker, bool searching) {
  wf_u64_or(word_of(idle, worker), asleep_bit(worker), WF_RELEASE);
  if (searching) wf_u64_sub(&idle->searching, 1, WF_RELAXED);
  wf_fence();
}

bool wf_idle_quiet(wf_idle *idle) { return wf_u64_fetch_sub(&idle->active, 1, WF_ACQ_REL) == 1; }

wf_woken wf_idle_leave(wf_idle *idle, uint32_t worker, bool quiet, bool more) {
  uint64_t asleep = asleep_bit(worker), search = search_bit(worker);
  uint64_t was = wf_u64_fetch_and(word_of(idle, worker), ~(asleep | search), WF_ACQUIRE);
  bool woken = (was & asleep) == 0;
  if (woken && !quiet) wf_u64_sub(&idle->active, 1, WF_RELAXED);
  if (!woken && quiet) wf_u64_add(&idle->active, 1, WF_RELAXED);
  if ((was & search) != 0) return WF_IDLE_TO_SEARCH;
  if (more) wf_u64_add(&idle->searching, 1, WF_RELAXED);
  return more ? WF_IDLE_TO_SEARCH : woken ? WF_IDLE_WOKEN : WF_IDLE_NOT_WOKEN;
}

// Any thread that is counted. -----------------------------------------------------------------

// Wakes the worker if it is asleep and nobody else does. `why`: 0, or its search bit.
static bool claim(wf_idle *idle, uint32_t worker, uint64_t why) {
  wf_atomic_u64 *word = word_of(idle, worker);
  uint64_t asleep = asleep_bit(worker), was = wf_u64_load(word, WF_RELAXED);
  if ((was & asleep) == 0) return false;
  wf_u64_add(&idle->active, 1, WF_RELAXED);
  do {
    if ((was & asleep) == 0) {
      wf_u64_sub(&idle->active, 1, WF_RELAXED);
      return false;
    }
  } while (!wf_u64_cas(word, &was, (was & ~asleep) | why, WF_ACQ_REL));
  idle->wake(idle->ud, worker);
  return true;
}

// The last ones first: worker 0 is the one that may have something better to do.
static bool claim_any(wf_idle *idle) {
  uint32_t limit = wf_idle_limit(idle);
  for (uint32_t i = (limit + PER_WORD - 1) / PER_WORD; i-- > 0;) {
    uint64_t bits;
    while ((bits = asleep_in(idle, i, limit)) != 0) {
      uint32_t worker = i * PER_WORD + 63 - (uint32_t)__builtin_clzll(bits);
      if (claim(idle, worker, search_bit(worker))) return true;
    }
  }
  return false;
}

void wf_idle_notify(wf_idle *idle) {
  wf_fence();
  while (wf_u64_load(&idle->searching, WF_RELAXED) == 0 &&
         count_asleep(idle, wf_idle_limit(idle)) != 0) {
    uint64_t none = 0;
    if (!wf_u64_cas(&idle->searching, &none, 1, WF_RELAXED) || claim_any(idle)) return;
    wf_u64_sub(&idle->searching, 1, WF_RELAXED);
    wf_fence();
  }
}

// Grown or shrunk: what lies there may be for others now.
void wf_idle_set_limit(wf_idle *idle, uint32_t limit) {
  WF_ASSERT(limit >= 1 && limit <= idle->workers);
  wf_u64_store(&idle->searchers, limit, WF_RELAXED);
  wf_idle_notify(idle);
}

void wf_idle_wake(wf_idle *idle, uint32_t worker) { (void)claim(idle, worker, 0); }

void wf_idle_hold(wf_idle *idle) { wf_u64_add(&idle->active, 1, WF_RELAXED); }

bool wf_idle_release(wf_idle *idle) { return wf_idle_quiet(idle); }
