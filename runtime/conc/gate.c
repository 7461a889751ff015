// SPDX-License-Identifier: MIT
#include "conc/gate.h"

#include "base/check.h"
#include "task/task.h"

wf_gate *wf_gate_new(const wf_mem *mem, const wf_core_kind *kind, wf_sync_type type) {
  wf_gate *gate = (wf_gate *)wf_core_new(mem, kind);
  if (gate == NULL) return NULL;
  gate->type = type;
  wf_list_init(&gate->queue);
  wf_u64_init(&gate->word, 0);
  return gate;
}

static wf_remote_place *place_at(wf_link *link) {
  return wf_container_of(link, wf_remote_place, link);
}

// Nobody waits on what is not referred to, but for one that was to become shared.
void wf_gate_empty(wf_core *core) {
  wf_gate *gate = (wf_gate *)core;
  wf_link *link;
  while ((link = wf_list_pop(&gate->queue)) != NULL) {
    wf_remote_place_free(place_at(link)->wait->vm, place_at(link));
  }
  wf_box *box = gate->box;
  gate->box = NULL;
  wf_box_unref(box);
}

void wf_gate_each(wf_core *core, void (*fn)(wf_core *held, void *arg), void *arg) {
  const wf_gate *gate = (const wf_gate *)core;
  if (gate->box != NULL) wf_box_each(gate->box, fn, arg);
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
static wf_remote_place *claim_first(wf_gate *gate) {
  wf_remote_place *place = place_at(gate->queue.next);
  bool mine = wf_claim_one(&place->wait->claim, place->wait->ticket);
  wf_list_remove(&place->link);
  return mine ? place : NULL;
}

static void wake(wf_remote_place *place, woken *list) {
  wf_remote *wait = wf_remote_settle(place, WF_REMOTE_DONE);
  *list->end = wait;
  list->end = &wait->next;
}

static void wake_up_to(wf_gate *gate, uint32_t max, woken *list) {
  while (max > 0 && !wf_list_empty(&gate->queue)) {
    wf_remote_place *place = claim_first(gate);
    if (place == NULL) continue;
    wake(place, list);
    max--;
  }
}

static void hold(wf_gate *gate, int64_t units, uint64_t task) {
  gate->state += units;
  gate->holder = gate->state == gate->total && units == gate->total ? task : 0;
}

// Until its wait has been posted a task that was claimed here stays parked, and its struct there.
static void grant(wf_gate *gate, woken *list) {
  while (!wf_list_empty(&gate->queue)) {
    int64_t units = place_at(gate->queue.next)->units;
    if (units > gate->total - gate->state) return;
    wf_remote_place *place = claim_first(gate);
    if (place == NULL) continue;
    hold(gate, units, place->wait->task->id);
    wake(place, list);
  }
}

static bool take(wf_gate *gate, int64_t units, uint64_t task) {
  if (!wf_list_empty(&gate->queue) || units > gate->total - gate->state) return false;
  hold(gate, units, task);
  return true;
}

// Whether one has to wait for the gate to open.
static bool is_closed(const wf_gate *gate) {
  switch (gate->type) {
    case WF_SYNC_WAITGROUP: return gate->state != 0;
    case WF_SYNC_ONCE: return gate->state != WF_GATE_FINISHED;
    default: return true;
  }
}

// Locks ---------------------------------------------------------------------------------------

bool wf_gate_take(wf_gate *gate, int64_t units, uint64_t task) {
  wf_lock_acquire(&gate->core.lock);
  bool taken = take(gate, units, task);
  wf_lock_release(&gate->core.lock);
  return taken;
}

bool wf_gate_take_or_queue(wf_gate *gate, uint64_t task, wf_remote *wait, wf_remote_place *place) {
  wf_lock_acquire(&gate->core.lock);
  bool taken = take(gate, place->units, task);
  if (!taken) wf_remote_queue(wait, place, &gate->queue);
  wf_lock_release(&gate->core.lock);
  return taken;
}

bool wf_gate_give(wf_gate *gate, int64_t units) {
  woken list;
  begin(&list);
  wf_lock_acquire(&gate->core.lock);
  // A rwmutex that is held for writing is not held by readers.
  bool mixed = gate->type == WF_SYNC_RWMUTEX && units < gate->total && gate->state == gate->total;
  bool held = units <= gate->state && !mixed;
  if (held) {
    gate->state -= units;
    gate->holder = 0;
    grant(gate, &list);
  }
  wf_lock_release(&gate->core.lock);
  post_all(&list);
  return held;
}

void wf_gate_settle(wf_gate *gate) {
  woken list;
  begin(&list);
  wf_lock_acquire(&gate->core.lock);
  grant(gate, &list);
  wf_lock_release(&gate->core.lock);
  post_all(&list);
}

int64_t wf_gate_held(wf_gate *gate) {
  wf_lock_acquire(&gate->core.lock);
  int64_t held = gate->state;
  wf_lock_release(&gate->core.lock);
  return held;
}

uint64_t wf_gate_holder(wf_gate *gate) {
  wf_lock_acquire(&gate->core.lock);
  uint64_t holder = gate->holder;
  wf_lock_release(&gate->core.lock);
  return holder;
}

// The others ----------------------------------------------------------------------------------

bool wf_gate_add(wf_gate *gate, int64_t n) {
  woken list;
  begin(&list);
  wf_lock_acquire(&gate->core.lock);
  bool ok = gate->state + n >= 0;
  if (ok) {
    gate->state += n;
    if (gate->state == 0) wake_up_to(gate, UINT32_MAX, &list);
  }
  wf_lock_release(&gate->core.lock);
  post_all(&list);
  return ok;
}

bool wf_gate_queue(wf_gate *gate, wf_remote *wait, wf_remote_place *place) {
  wf_lock_acquire(&gate->core.lock);
  bool queued = is_closed(gate);
  if (queued) wf_remote_queue(wait, place, &gate->queue);
  wf_lock_release(&gate->core.lock);
  return queued;
}

void wf_gate_wake(wf_gate *gate, uint32_t max) {
  woken list;
  begin(&list);
  wf_lock_acquire(&gate->core.lock);
  wake_up_to(gate, max, &list);
  wf_lock_release(&gate->core.lock);
  post_all(&list);
}

wf_gate_once wf_gate_enter(wf_gate *gate, uint64_t task, uint64_t *runner) {
  wf_lock_acquire(&gate->core.lock);
  wf_gate_once state = (wf_gate_once)gate->state;
  *runner = gate->holder;
  if (state == WF_GATE_NEW) {
    gate->state = WF_GATE_RUNNING;
    gate->holder = task;
  }
  wf_lock_release(&gate->core.lock);
  return state;
}

void wf_gate_leave(wf_gate *gate, wf_box *box) {
  woken list;
  begin(&list);
  wf_lock_acquire(&gate->core.lock);
  gate->state = WF_GATE_FINISHED;
  gate->holder = 0;
  gate->box = box;
  wake_up_to(gate, UINT32_MAX, &list);
  wf_lock_release(&gate->core.lock);
  post_all(&list);
}

// Who has a box of the gate may take out of it what it holds: a use (task/cycles.h).
wf_box *wf_gate_box(wf_gate *gate) {
  wf_lock_acquire(&gate->core.lock);
  wf_box *box = gate->box;
  if (box != NULL) {
    wf_box_ref(box);
    if (wf_box_has_cores(box)) wf_core_use(&gate->core);
  }
  wf_lock_release(&gate->core.lock);
  return box;
}

static wf_box *swap(wf_gate *gate, wf_box *box) {
  wf_box *before = gate->box;
  gate->box = box;
  if (before != NULL && wf_box_has_cores(before)) wf_core_use(&gate->core);
  return before;
}

wf_box *wf_gate_swap(wf_gate *gate, wf_box *box) {
  wf_lock_acquire(&gate->core.lock);
  wf_box *before = swap(gate, box);
  wf_lock_release(&gate->core.lock);
  return before;
}

bool wf_gate_compare_and_swap(wf_gate *gate, const wf_box *old, wf_box *box) {
  wf_box *before = NULL;
  wf_lock_acquire(&gate->core.lock);
  bool same = old == NULL || gate->box == NULL ? old == gate->box : wf_box_equal(gate->box, old);
  if (same) before = swap(gate, box);
  wf_lock_release(&gate->core.lock);
  wf_box_unref(before);
  return same;
}
