// SPDX-License-Identifier: MIT
#include "conc/shared.h"

#include "base/check.h"
#include "base/size.h"
#include "base/spin.h"
#include "task/record.h"
#include "task/scalar.h"

// A ring begins with so many slots and grows up to the limit.
enum { FIRST_SLOTS = WF_SIZE(1024, 2) };

// Lingering: a look every LOOK_NS, until half of the capacity, and at most ENOUGH, can be handled
// at a stroke, or some and no more have come since the last look. At a stroke, since to find the
// buffer empty or full costs much more than a value does.
enum { LOOK_NS = 500, MOST_LOOKS = WF_SIZE(10, 1), ENOUGH = 64 };

static bool has_cores(const wf_message *m) { return m->parcel != NULL && m->parcel->ncores > 0; }

// There is one.
static void pop(wf_shared *ch, wf_message *m) {
  const wf_message *slot = wf_ring_first(&ch->ring);
  WF_ASSUME(slot != NULL);
  *m = *slot;
  wf_ring_drop(&ch->ring);
  if (WF_UNLIKELY(has_cores(m))) {
    ch->carriers--;
    wf_core_use(&ch->core);
  }
}

// There is room for it.
static void push(wf_shared *ch, const wf_message *m) {
  wf_message *slot = wf_ring_room(&ch->ring);
  WF_ASSUME(slot != NULL);
  *slot = *m;
  wf_ring_put(&ch->ring);
  if (WF_UNLIKELY(has_cores(m))) ch->carriers++;
}

static void free_messages(wf_shared *ch) {
  wf_message m;
  while (wf_ring_count(&ch->ring) > 0) {
    pop(ch, &m);
    if (m.parcel != NULL) wf_message_free(&m);
  }
}

static void each_of(const wf_message *m, void (*fn)(wf_core *held, void *arg), void *arg) {
  if (m->parcel == NULL) return;
  for (uint32_t i = 0; i < m->parcel->ncores; i++) fn(m->parcel->cores[i], arg);
}

void wf_shared_each(wf_core *core, void (*fn)(wf_core *held, void *arg), void *arg) {
  const wf_shared *ch = (const wf_shared *)core;
  if (ch->has_error) each_of(&ch->error, fn, arg);
  if (ch->carriers == 0) return;  // it may be calm
  uint32_t n = wf_ring_count(&ch->ring);
  for (uint32_t i = 0; i < n; i++) each_of(wf_ring_slot(&ch->ring, i), fn, arg);
}

// Nobody waits on a channel that is not referred to, but for one that was to become shared.
static void drop_places(wf_link *queue) {
  wf_link *link;
  while ((link = wf_list_pop(queue)) != NULL) {
    wf_remote_place *place = wf_container_of(link, wf_remote_place, link);
    wf_remote_place_free(place->wait->vm, place);
  }
}

void wf_shared_empty(wf_core *core) {
  wf_shared *ch = (wf_shared *)core;
  free_messages(ch);
  wf_ring_free(&ch->ring, &ch->core.mem);
  if (ch->has_error) wf_message_free(&ch->error);
  ch->has_error = false;
  drop_places(&ch->recvq);
  drop_places(&ch->sendq);
}

wf_shared *wf_shared_new(const wf_mem *mem, const wf_core_kind *kind, uint32_t capacity,
                         uint32_t limit) {
  wf_shared *ch = (wf_shared *)wf_core_new(mem, kind);
  if (ch == NULL) return NULL;
  wf_list_init(&ch->recvq);
  wf_list_init(&ch->sendq);
  ch->capacity = capacity;
  ch->limit = limit;
  wf_rand_seed(&ch->rand, (uint64_t)(uintptr_t)ch);
  wf_ring_init(&ch->ring);
  if (limit == 0) return ch;
  uint32_t slots = limit < FIRST_SLOTS ? limit : FIRST_SLOTS;
  if (wf_ring_resize(&ch->ring, &ch->core.mem, slots)) return ch;
  wf_core_unref(&ch->core);
  return NULL;
}

// Room for one more value, of which there may be that many.
static bool reserve(wf_shared *ch) {
  uint32_t slots = ch->ring.size;
  if (WF_LIKELY(wf_ring_count(&ch->ring) < slots)) return true;
  return wf_ring_resize(&ch->ring, &ch->core.mem, slots > ch->limit / 2 ? ch->limit : 2 * slots);
}

bool wf_shared_fill(wf_shared *ch, const wf_message *m) {
  WF_ASSERT(wf_ring_count(&ch->ring) < ch->limit);
  if (!reserve(ch)) return false;
  push(ch, m);
  return true;
}

// Under all locks -----------------------------------------------------------------------------

void wf_shared_stop_locked(wf_shared *ch) {
  wf_lock_assert_held(&ch->core.lock);
  wf_brief_acquire(&ch->ring.take.lock);
  wf_brief_acquire(&ch->ring.put.lock);
}

void wf_shared_go_on_locked(wf_shared *ch) {
  ch->calm = wf_list_empty(&ch->recvq) && wf_list_empty(&ch->sendq) && ch->carriers == 0;
  wf_brief_release(&ch->ring.put.lock);
  wf_brief_release(&ch->ring.take.lock);
}

static void acquire(wf_shared *ch) {
  wf_lock_acquire(&ch->core.lock);
  wf_shared_stop_locked(ch);
}

static void release(wf_shared *ch) {
  wf_shared_go_on_locked(ch);
  wf_lock_release(&ch->core.lock);
}

static inline wf_remote_place *first(wf_shared *ch, wf_link *queue) {
  if (WF_LIKELY(wf_list_empty(queue))) return NULL;
  return wf_remote_claim_first(queue, &ch->rand);
}

static wf_shared_result give(wf_shared *ch, wf_message *m, wf_remote **woken) {
  if (WF_UNLIKELY(ch->closed)) return WF_SHARED_CLOSED;
  wf_remote_place *receiver = first(ch, &ch->recvq);
  if (receiver != NULL) {
    *woken = wf_remote_settle(receiver, WF_REMOTE_RECEIVED);
    (*woken)->message = *m;
    return WF_SHARED_DONE;
  }
  if (wf_ring_count(&ch->ring) >= ch->limit) return WF_SHARED_BLOCK;
  if (WF_UNLIKELY(!reserve(ch))) return WF_SHARED_NO_MEMORY;
  push(ch, m);
  return WF_SHARED_DONE;
}

static wf_shared_result take(wf_shared *ch, wf_message *m, wf_remote **woken) {
  bool buffered = wf_ring_count(&ch->ring) > 0;
  if (buffered) pop(ch, m);
  wf_remote_place *sender = first(ch, &ch->sendq);
  if (sender == NULL) {
    if (buffered) return WF_SHARED_DONE;
    return ch->closed ? WF_SHARED_CLOSED : WF_SHARED_BLOCK;
  }
  if (buffered) {
    push(ch, &sender->message);
  } else {
    *m = sender->message;
  }
  sender->message.parcel = NULL;
  *woken = wf_remote_settle(sender, WF_REMOTE_DONE);
  return WF_SHARED_DONE;
}

bool wf_shared_can_send_locked(const wf_shared *ch) {
  wf_lock_assert_held(&ch->core.lock);
  return ch->closed || !wf_list_empty(&ch->recvq) || wf_ring_count(&ch->ring) < ch->limit;
}

bool wf_shared_can_recv_locked(const wf_shared *ch) {
  wf_lock_assert_held(&ch->core.lock);
  return ch->closed || !wf_list_empty(&ch->sendq) || wf_ring_count(&ch->ring) > 0;
}

// With one side's lock --------------------------------------------------------------------------

// Begins to put a message: its slot, and the side's lock is held; or NULL. Then all locks are
// needed unless *result is BLOCK or CLOSED.
static wf_message *begin_put(wf_shared *ch, wf_shared_result *result) {
  *result = WF_SHARED_DONE;
  if (ch->limit == 0) return NULL;
  wf_brief_acquire(&ch->ring.put.lock);
  wf_message *slot = ch->calm && !ch->closed ? wf_ring_room(&ch->ring) : NULL;
  if (WF_LIKELY(slot != NULL)) return slot;
  if (ch->closed) {
    *result = WF_SHARED_CLOSED;
  } else if (ch->calm && ch->ring.size == ch->limit) {
    *result = WF_SHARED_BLOCK;
  }
  wf_brief_release(&ch->ring.put.lock);
  return NULL;
}

// The fences: who has sent, and then looks at something else (an atomic, another channel), and who
// has changed that, and then looks for a value, cannot both come too early; likewise for room.
static void end_put(wf_shared *ch) {
  wf_ring_put(&ch->ring);
  wf_fence();
  wf_brief_release(&ch->ring.put.lock);
}

// Begins to take one, as begin_put.
static wf_message *begin_take(wf_shared *ch, wf_shared_result *result) {
  *result = WF_SHARED_DONE;
  if (ch->limit == 0) return NULL;
  wf_brief_acquire(&ch->ring.take.lock);
  wf_message *slot = ch->calm ? wf_ring_first(&ch->ring) : NULL;
  if (WF_LIKELY(slot != NULL)) return slot;
  if (ch->calm) *result = ch->closed ? WF_SHARED_CLOSED : WF_SHARED_BLOCK;
  wf_brief_release(&ch->ring.take.lock);
  return NULL;
}

static void end_take(wf_shared *ch, bool taken) {
  if (taken) {
    wf_ring_drop(&ch->ring);
    wf_fence();
  }
  wf_brief_release(&ch->ring.take.lock);
}

// Operations ----------------------------------------------------------------------------------

static wf_shared_result send_alone(wf_shared *ch, wf_message *m) {
  wf_remote *woken = NULL;
  acquire(ch);
  wf_shared_result result = give(ch, m, &woken);
  release(ch);
  wf_remote_post(woken);
  return result;
}

wf_shared_result wf_shared_send(wf_shared *ch, wf_message *m) {
  wf_shared_result result = WF_SHARED_DONE;
  wf_message *slot = has_cores(m) ? NULL : begin_put(ch, &result);
  if (slot == NULL) return result == WF_SHARED_DONE ? send_alone(ch, m) : result;
  *slot = *m;
  end_put(ch);
  return WF_SHARED_DONE;
}

wf_shared_result wf_shared_recv(wf_shared *ch, wf_message *m) {
  wf_shared_result result;
  const wf_message *slot = begin_take(ch, &result);
  if (WF_LIKELY(slot != NULL)) {
    *m = *slot;
    end_take(ch, true);
    return WF_SHARED_DONE;
  }
  if (result != WF_SHARED_DONE) return result;
  wf_remote *woken = NULL;
  acquire(ch);
  result = take(ch, m, &woken);
  release(ch);
  wf_remote_post(woken);
  return result;
}

wf_shared_result wf_shared_send_or_queue(wf_shared *ch, wf_remote *wait, wf_remote_place *place) {
  wf_remote *woken = NULL;
  acquire(ch);
  wf_shared_result result = give(ch, &place->message, &woken);
  if (result == WF_SHARED_DONE) place->message.parcel = NULL;
  if (result == WF_SHARED_BLOCK) wf_remote_queue(wait, place, &ch->sendq);
  release(ch);
  wf_remote_post(woken);
  return result;
}

wf_shared_result wf_shared_recv_or_queue(wf_shared *ch, wf_remote *wait, wf_remote_place *place,
                                         wf_message *m) {
  wf_remote *woken = NULL;
  acquire(ch);
  wf_shared_result result = take(ch, m, &woken);
  if (result == WF_SHARED_BLOCK) wf_remote_queue(wait, place, &ch->recvq);
  release(ch);
  wf_remote_post(woken);
  return result;
}

bool wf_shared_send_number(wf_shared *ch, double v) {
  wf_shared_result result;
  wf_message m, *slot = begin_put(ch, &result);
  wf_scalar_pack(slot != NULL ? slot : &m, v);
  if (slot == NULL) return result == WF_SHARED_DONE && send_alone(ch, &m) == WF_SHARED_DONE;
  end_put(ch);
  return true;
}

bool wf_shared_send_record(wf_shared *ch, uint32_t shape, const double *values) {
  wf_shared_result result;
  wf_message m, *slot = begin_put(ch, &result);
  wf_record_pack(slot != NULL ? slot : &m, shape, values);
  if (slot == NULL) return result == WF_SHARED_DONE && send_alone(ch, &m) == WF_SHARED_DONE;
  end_put(ch);
  return true;
}

static int read_plain(const wf_message *m, double *values) {
  if (wf_scalar_unpack(m, values)) return WF_SHARED_NUMBER;
  uint32_t shape = wf_record_unpack(m, values);
  return shape != 0 ? (int)shape : WF_SHARED_NOTHING;
}

int wf_shared_recv_plain(wf_shared *ch, double *values) {
  wf_shared_result result;
  const wf_message *slot = begin_take(ch, &result);
  int what = WF_SHARED_NOTHING;
  if (WF_LIKELY(slot != NULL)) {
    what = read_plain(slot, values);
    end_take(ch, what != WF_SHARED_NOTHING);
    return what;
  }
  if (result != WF_SHARED_DONE || wf_ring_count(&ch->ring) == 0) return what;
  wf_message m;
  wf_remote *woken = NULL;
  acquire(ch);
  slot = wf_ring_first(&ch->ring);
  if (slot != NULL) what = read_plain(slot, values);
  if (what != WF_SHARED_NOTHING) (void)take(ch, &m, &woken);
  release(ch);
  wf_remote_post(woken);
  return what;
}

// How many can go on: values to be taken, or room for some.
static uint32_t ready(const wf_shared *ch, bool room) {
  uint32_t count = wf_ring_count(&ch->ring);
  return !room ? count : count < ch->limit ? ch->limit - count : 0;
}

bool wf_shared_linger(const wf_shared *ch, bool room) {
  uint32_t before = ready(ch, room), enough = ch->limit < 4 ? 1 : ch->limit / 2;
  if (enough > ENOUGH) enough = ENOUGH;
  for (int i = 0; i < MOST_LOOKS; i++) {
    wf_spin(LOOK_NS);
    uint32_t now = ready(ch, room);
    if (now >= enough || (now != 0 && now == before)) return true;
    before = now;
  }
  return before != 0;
}

void wf_shared_offer(wf_shared *ch, double value) {
  wf_message m;
  wf_scalar_pack(&m, value);
  (void)wf_shared_send(ch, &m);  // a slow receiver misses it
}

bool wf_shared_drop(wf_shared *ch) {
  acquire(ch);
  bool any = wf_ring_count(&ch->ring) > 0;
  free_messages(ch);  // numbers, which own nothing
  release(ch);
  return any;
}

// Settles all of the queue as closed, and adds them to the list.
static void settle_all(wf_shared *ch, wf_link *queue, wf_remote **list) {
  wf_remote_place *place;
  while ((place = wf_remote_claim_first(queue, &ch->rand)) != NULL) {
    wf_remote *wait = wf_remote_settle(place, WF_REMOTE_CLOSED);
    wait->next = *list;
    *list = wait;
  }
}

bool wf_shared_close(wf_shared *ch, wf_message *error) {
  wf_remote *list = NULL, *in_order = NULL;
  acquire(ch);
  bool mine = !ch->closed;
  if (mine) {
    ch->closed = true;
    if (error != NULL) {
      ch->error = *error;
      ch->has_error = true;
    }
    settle_all(ch, &ch->recvq, &list);
    settle_all(ch, &ch->sendq, &list);
  }
  release(ch);
  while (list != NULL) {
    wf_remote *wait = list;
    list = wait->next;
    wait->next = in_order;
    in_order = wait;
  }
  while (in_order != NULL) {
    wf_remote *wait = in_order;
    in_order = wait->next;
    wait->next = NULL;
    wf_remote_post(wait);
  }
  return mine;
}

bool wf_shared_can_send(wf_shared *ch) {
  wf_shared_result result;
  if (begin_put(ch, &result) != NULL) {
    wf_brief_release(&ch->ring.put.lock);
    return true;
  }
  if (result != WF_SHARED_DONE) return result == WF_SHARED_CLOSED;
  acquire(ch);
  bool can = wf_shared_can_send_locked(ch);
  release(ch);
  return can;
}

bool wf_shared_can_recv(wf_shared *ch) {
  wf_shared_result result;
  if (begin_take(ch, &result) != NULL) {
    end_take(ch, false);
    return true;
  }
  if (result != WF_SHARED_DONE) return result == WF_SHARED_CLOSED;
  acquire(ch);
  bool can = wf_shared_can_recv_locked(ch);
  release(ch);
  return can;
}

uint32_t wf_shared_len(wf_shared *ch) {
  wf_brief_acquire(&ch->ring.take.lock);
  uint32_t n = wf_ring_count(&ch->ring);
  wf_brief_release(&ch->ring.take.lock);
  return n;
}

bool wf_shared_is_closed(wf_shared *ch) {
  wf_lock_acquire(&ch->core.lock);
  bool closed = ch->closed;
  wf_lock_release(&ch->core.lock);
  return closed;
}

const wf_message *wf_shared_error(wf_shared *ch) {
  wf_lock_acquire(&ch->core.lock);
  const wf_message *error = ch->has_error ? &ch->error : NULL;
  wf_lock_release(&ch->core.lock);
  return error;
}
