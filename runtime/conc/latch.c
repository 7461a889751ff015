// SPDX-License-Identifier: MIT
#include "conc/latch.h"

#include "base/check.h"
#include "task/task.h"

wf_latch *wf_latch_new(const wf_mem *mem, const wf_core_kind *kind, wf_sync_type type) {
  wf_latch *latch = (wf_latch *)wf_core_new(mem, kind);
  if (latch == NULL) return NULL;
  latch->type = type;
  wf_list_init(&latch->queue);
  wf_u64_init(&latch->word, 0);
  return latch;
}

static wf_remote_place *place_at(wf_link *link) {
  return wf_container_of(link, wf_remote_place, link);
}

// Nobody waits on what is not referred to, but for one that was to become shared.
void wf_latch_empty(wf_core *core) {
  wf_latch *latch = (wf_latch *)core;
  wf_link *link;
  while ((link = wf_list_pop(&latch->queue)) != NULL) {
    wf_remote_place_free(place_at(link)->wait->vm, place_at(link));
  }
  wf_box *box = latch->box;
  latch->box = NULL;
  wf_box_unref(box);
}

void wf_latch_each(wf_core *core, void (*fn)(wf_core *held, void *arg), void *arg) {
  const wf_latch *latch = (const wf_latch *)core;
  if (latch->box != NULL) wf_box_each(latch->box, fn, arg);
}

// Waits that have been claimed, in the order in which they are to be posted.
typedef struct woken {
  wf_remote *first, **end;
} woken;

static void begin(woken *list) {
  list->first = NULL;
  list->end = &list->first;
}

static void post_all(woken *list) {
  wf_remote *wait = list->first;
  while (wait != NULL) {
    wf_remote *next = wait->next;
    wait->next = NULL;
    wf_remote_post(wait);
    wait = next;
  }
}

// Under the lock ------------------------------------------------------------------------------

// Takes the first wait out of the queue; NULL when somebody else had claimed it.
static wf_remote_place *claim_first(wf_latch *latch) {
  wf_remote_place *place = place_at(latch->queue.next);
  bool mine = wf_claim_one(&place->wait->claim, place->wait->ticket);
  wf_list_remove(&place->link);
  return mine ? place : NULL;
}

static void wake(wf_remote_place *place, woken *list) {
  wf_remote *wait = wf_remote_settle(place, WF_REMOTE_DONE);
  *list->end = wait;
  list->end = &wait->next;
}

static void wake_up_to(wf_latch *latch, uint32_t max, woken *list) {
  while (max > 0 && !wf_list_empty(&latch->queue)) {
    wf_remote_place *place = claim_first(latch);
    if (place == NULL) continue;
    wake(place, list);
    max--;
  }
}

static void hold(wf_latch *latch, int64_t units, uint64_t task, const char *site) {
  latch->state += units;
  latch->holder = latch->state == latch->total && units == latch->total ? task : 0;
  latch->site = site;
}

// Until its wait has been posted a task that was claimed here stays parked, and its struct there.
static void grant(wf_latch *latch, woken *list) {
  while (!wf_list_empty(&latch->queue)) {
    int64_t units = place_at(latch->queue.next)->units;
    const char *site = place_at(latch->queue.next)->site;
    if (units > latch->total - latch->state) return;
    wf_remote_place *place = claim_first(latch);
    if (place == NULL) continue;
    hold(latch, units, place->wait->task->id, site);
    wake(place, list);
  }
}

static bool take(wf_latch *latch, int64_t units, uint64_t task) {
  if (!wf_list_empty(&latch->queue) || units > latch->total - latch->state) return false;
  // Where, it would cost more than the lock to say each time.
  hold(latch, units, task, NULL);
  return true;
}

// Whether one has to wait for the latch to open.
static bool is_closed(const wf_latch *latch) {
  switch (latch->type) {
    case WF_SYNC_WAITGROUP: return latch->state != 0;
    case WF_SYNC_ONCE: return latch->state != WF_LATCH_FINISHED;
    default: return true;
  }
}

// Locks ---------------------------------------------------------------------------------------

bool wf_latch_take(wf_latch *latch, int64_t units, uint64_t task) {
  wf_lock_acquire(&latch->core.lock);
  bool taken = take(latch, units, task);
  wf_lock_release(&latch->core.lock);
  return taken;
}

bool wf_latch_take_or_queue(wf_latch *latch, uint64_t task, wf_remote *wait,
                            wf_remote_place *place) {
  wf_lock_acquire(&latch->core.lock);
  bool taken = take(latch, place->units, task);
  if (!taken) wf_remote_queue(wait, place, &latch->queue);
  wf_lock_release(&latch->core.lock);
  return taken;
}

bool wf_latch_give(wf_latch *latch, int64_t units) {
  woken list;
  begin(&list);
  wf_lock_acquire(&latch->core.lock);
  // A rwmutex that is held for writing is not held by readers.
  bool mixed =
      latch->type == WF_SYNC_RWMUTEX && units < latch->total && latch->state == latch->total;
  bool held = units <= latch->state && !mixed;
  if (held) {
    latch->state -= units;
    latch->holder = 0;
    grant(latch, &list);
  }
  wf_lock_release(&latch->core.lock);
  post_all(&list);
  return held;
}

void wf_latch_settle(wf_latch *latch) {
  woken list;
  begin(&list);
  wf_lock_acquire(&latch->core.lock);
  grant(latch, &list);
  wf_lock_release(&latch->core.lock);
  post_all(&list);
}

int64_t wf_latch_held(wf_latch *latch) {
  wf_lock_acquire(&latch->core.lock);
  int64_t held = latch->state;
  wf_lock_release(&latch->core.lock);
  return held;
}

void wf_latch_note_first(wf_latch *latch, const char *site) {
  wf_lock_acquire(&latch->core.lock);
  if (latch->first == NULL) latch->first = site;
  wf_lock_release(&latch->core.lock);
}

wf_lock_holder wf_latch_holder(wf_latch *latch) {
  wf_lock_acquire(&latch->core.lock);
  wf_lock_holder holder = {.task = latch->holder,
                           .site = latch->site != NULL ? latch->site : latch->first,
                           .is_first = latch->site == NULL};
  wf_lock_release(&latch->core.lock);
  return holder;
}

// The others ----------------------------------------------------------------------------------

bool wf_latch_add(wf_latch *latch, int64_t n) {
  woken list;
  begin(&list);
  wf_lock_acquire(&latch->core.lock);
  bool ok = latch->state + n >= 0;
  if (ok) {
    latch->state += n;
    if (latch->state == 0) wake_up_to(latch, UINT32_MAX, &list);
  }
  wf_lock_release(&latch->core.lock);
  post_all(&list);
  return ok;
}

bool wf_latch_queue(wf_latch *latch, wf_remote *wait, wf_remote_place *place) {
  wf_lock_acquire(&latch->core.lock);
  bool queued = is_closed(latch);
  if (queued) wf_remote_queue(wait, place, &latch->queue);
  wf_lock_release(&latch->core.lock);
  return queued;
}

void wf_latch_wake(wf_latch *latch, uint32_t max) {
  woken list;
  begin(&list);
  wf_lock_acquire(&latch->core.lock);
  wake_up_to(latch, max, &list);
  wf_lock_release(&latch->core.lock);
  post_all(&list);
}

wf_latch_once wf_latch_enter(wf_latch *latch, uint64_t task, uint64_t *runner) {
  wf_lock_acquire(&latch->core.lock);
  wf_latch_once state = (wf_latch_once)latch->state;
  *runner = latch->holder;
  if (state == WF_LATCH_NEW) {
    latch->state = WF_LATCH_RUNNING;
    latch->holder = task;
  }
  wf_lock_release(&latch->core.lock);
  return state;
}

void wf_latch_leave(wf_latch *latch, wf_box *box) {
  woken list;
  begin(&list);
  wf_lock_acquire(&latch->core.lock);
  latch->state = WF_LATCH_FINISHED;
  latch->holder = 0;
  latch->box = box;
  wake_up_to(latch, UINT32_MAX, &list);
  wf_lock_release(&latch->core.lock);
  post_all(&list);
}

// Who has a box of the latch may take out of it what it holds: a use (task/cycles.h).
wf_box *wf_latch_box(wf_latch *latch) {
  wf_lock_acquire(&latch->core.lock);
  wf_box *box = latch->box;
  if (box != NULL) {
    wf_box_ref(box);
    if (wf_box_has_cores(box)) wf_core_use(&latch->core);
  }
  wf_lock_release(&latch->core.lock);
  return box;
}

static wf_box *swap(wf_latch *latch, wf_box *box) {
  wf_box *before = latch->box;
  latch->box = box;
  if (before != NULL && wf_box_has_cores(before)) wf_core_use(&latch->core);
  return before;
}

wf_box *wf_latch_swap(wf_latch *latch, wf_box *box) {
  wf_lock_acquire(&latch->core.lock);
  wf_box *before = swap(latch, box);
  wf_lock_release(&latch->core.lock);
  return before;
}

bool wf_latch_compare_and_swap(wf_latch *latch, const wf_box *old, wf_box *box) {
  wf_box *before = NULL;
  wf_lock_acquire(&latch->core.lock);
  bool same =
      old == NULL || latch->box == NULL ? old == latch->box : wf_box_equal(latch->box, old);
  if (same) before = swap(latch, box);
  wf_lock_release(&latch->core.lock);
  wf_box_unref(before);
  return same;
}
