// SPDX-License-Identifier: MIT
#include "conc/shared.h"

#include "base/check.h"
#include "base/peek.h"
#include "base/size.h"
#include "base/spin.h"
#include "task/record.h"
#include "task/scalar.h"

// A ring begins with so many slots and grows up to the limit.
enum { FIRST_SLOTS = WF_SIZE(1024, 2) };

// Lingering: a look every LOOK_NS, until a quarter of the capacity, and at most ENOUGH, can be
// handled at a stroke, or some and no more have come since the last look. At a stroke, since
// otherwise both sides want the lock at the same time. With a lock that is asked for again later
// (base/lock.c), tables to another core through 128 take 530 to 800 ns, 1,100 before both; numbers
// through 1 take 1.2 us, 5.9 before.
enum { LOOK_NS = 500, MOST_LOOKS = WF_SIZE(10, 1), ENOUGH = 32 };

static void free_ring(wf_shared *ch) {
  wf_mem_free(&ch->core.mem, ch->ring, ch->slots * sizeof *ch->ring);
  ch->ring = NULL;
  ch->slots = 0;
}

static uint32_t wrap(const wf_shared *ch, uint32_t i) { return i < ch->slots ? i : i - ch->slots; }

// Looked at without the lock as well, as a hint.
static void set_count(wf_shared *ch, uint32_t count) { wf_store_relaxed(&ch->count, count); }

static void pop(wf_shared *ch, wf_message *m) {
  *m = ch->ring[ch->at];
  ch->at = wrap(ch, ch->at + 1);
  set_count(ch, ch->count - 1);
  if (WF_UNLIKELY(m->parcel != NULL && m->parcel->ncores > 0)) {
    ch->carriers--;
    wf_core_use(&ch->core);
  }
}

static void push(wf_shared *ch, const wf_message *m) {
  ch->ring[wrap(ch, ch->at + ch->count)] = *m;
  set_count(ch, ch->count + 1);
  if (WF_UNLIKELY(m->parcel != NULL && m->parcel->ncores > 0)) ch->carriers++;
}

static void free_messages(wf_shared *ch) {
  wf_message m;
  while (ch->count > 0) {
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
  for (uint32_t i = 0; i < ch->count && ch->carriers > 0; i++) {
    each_of(&ch->ring[wrap(ch, ch->at + i)], fn, arg);
  }
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
  if (ch->ring != NULL) free_ring(ch);
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
  if (limit == 0) return ch;
  ch->slots = limit < FIRST_SLOTS ? limit : FIRST_SLOTS;
  ch->ring = wf_mem_new(&ch->core.mem, ch->slots * sizeof *ch->ring);
  if (ch->ring != NULL) return ch;
  ch->slots = 0;
  wf_core_unref(&ch->core);
  return NULL;
}

// Room for one more value, of which there may be that many.
static bool reserve(wf_shared *ch) {
  if (WF_LIKELY(ch->count < ch->slots)) return true;
  uint32_t slots = ch->slots > ch->limit / 2 ? ch->limit : 2 * ch->slots;
  wf_message *ring = wf_mem_new(&ch->core.mem, slots * sizeof *ring);
  if (ring == NULL) return false;
  uint32_t n = ch->count;
  for (uint32_t i = 0; i < n; i++) ring[i] = ch->ring[wrap(ch, ch->at + i)];
  free_ring(ch);
  ch->ring = ring;
  ch->slots = slots;
  ch->at = 0;
  return true;
}

bool wf_shared_fill(wf_shared *ch, const wf_message *m) {
  WF_ASSERT(ch->count < ch->limit);
  if (!reserve(ch)) return false;
  push(ch, m);
  return true;
}

// Under the lock ------------------------------------------------------------------------------

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
  if (ch->count >= ch->limit) return WF_SHARED_BLOCK;
  if (WF_UNLIKELY(!reserve(ch))) return WF_SHARED_NO_MEMORY;
  push(ch, m);
  return WF_SHARED_DONE;
}

static wf_shared_result take(wf_shared *ch, wf_message *m, wf_remote **woken) {
  bool buffered = ch->count > 0;
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
  return ch->closed || !wf_list_empty(&ch->recvq) || ch->count < ch->limit;
}

bool wf_shared_can_recv_locked(const wf_shared *ch) {
  wf_lock_assert_held(&ch->core.lock);
  return ch->closed || !wf_list_empty(&ch->sendq) || ch->count > 0;
}

// Operations ----------------------------------------------------------------------------------

wf_shared_result wf_shared_send(wf_shared *ch, wf_message *m) {
  wf_remote *woken = NULL;
  wf_lock_acquire(&ch->core.lock);
  wf_shared_result result = give(ch, m, &woken);
  wf_lock_release(&ch->core.lock);
  wf_remote_post(woken);
  return result;
}

wf_shared_result wf_shared_recv(wf_shared *ch, wf_message *m) {
  wf_remote *woken = NULL;
  wf_lock_acquire(&ch->core.lock);
  wf_shared_result result = take(ch, m, &woken);
  wf_lock_release(&ch->core.lock);
  wf_remote_post(woken);
  return result;
}

wf_shared_result wf_shared_send_or_queue(wf_shared *ch, wf_remote *wait, wf_remote_place *place) {
  wf_remote *woken = NULL;
  wf_lock_acquire(&ch->core.lock);
  wf_shared_result result = give(ch, &place->message, &woken);
  if (result == WF_SHARED_DONE) place->message.parcel = NULL;
  if (result == WF_SHARED_BLOCK) wf_remote_queue(wait, place, &ch->sendq);
  wf_lock_release(&ch->core.lock);
  wf_remote_post(woken);
  return result;
}

wf_shared_result wf_shared_recv_or_queue(wf_shared *ch, wf_remote *wait, wf_remote_place *place,
                                         wf_message *m) {
  wf_remote *woken = NULL;
  wf_lock_acquire(&ch->core.lock);
  wf_shared_result result = take(ch, m, &woken);
  if (result == WF_SHARED_BLOCK) wf_remote_queue(wait, place, &ch->recvq);
  wf_lock_release(&ch->core.lock);
  wf_remote_post(woken);
  return result;
}

bool wf_shared_send_number(wf_shared *ch, double v) {
  wf_message m;
  wf_scalar_pack(&m, v);
  return wf_shared_send(ch, &m) == WF_SHARED_DONE;
}

bool wf_shared_send_record(wf_shared *ch, uint32_t shape, const double *values) {
  wf_message m;
  wf_record_pack(&m, shape, values);
  return wf_shared_send(ch, &m) == WF_SHARED_DONE;
}

static int read_plain(const wf_message *m, double *values) {
  if (wf_scalar_unpack(m, values)) return WF_SHARED_NUMBER;
  uint32_t shape = wf_record_unpack(m, values);
  return shape != 0 ? (int)shape : WF_SHARED_NOTHING;
}

int wf_shared_recv_plain(wf_shared *ch, double *values) {
  if (wf_load_relaxed(&ch->count) == 0) return WF_SHARED_NOTHING;
  wf_message m;
  wf_remote *woken = NULL;
  wf_lock_acquire(&ch->core.lock);
  int what = ch->count > 0 ? read_plain(&ch->ring[ch->at], values) : WF_SHARED_NOTHING;
  if (what != WF_SHARED_NOTHING) (void)take(ch, &m, &woken);
  wf_lock_release(&ch->core.lock);
  wf_remote_post(woken);
  return what;
}

// How many can go on: values to be taken, or room for some.
static uint32_t ready(const wf_shared *ch, bool room) {
  uint32_t count = wf_load_relaxed(&ch->count);
  return !room ? count : count < ch->limit ? ch->limit - count : 0;
}

void wf_shared_linger(const wf_shared *ch, bool room) {
  uint32_t before = ready(ch, room), enough = ch->limit < 4 ? 1 : ch->limit / 4;
  if (enough > ENOUGH) enough = ENOUGH;
  for (int i = 0; i < MOST_LOOKS; i++) {
    wf_spin(LOOK_NS);
    uint32_t now = ready(ch, room);
    if (now >= enough || (now != 0 && now == before)) return;
    before = now;
  }
}

void wf_shared_offer(wf_shared *ch, double value) {
  wf_message m;
  wf_scalar_pack(&m, value);
  (void)wf_shared_send(ch, &m);  // a slow receiver misses it
}

bool wf_shared_drop(wf_shared *ch) {
  wf_lock_acquire(&ch->core.lock);
  bool any = ch->count > 0;
  set_count(ch, 0);  // numbers, which own nothing
  wf_lock_release(&ch->core.lock);
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
  wf_lock_acquire(&ch->core.lock);
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
  wf_lock_release(&ch->core.lock);
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
  wf_lock_acquire(&ch->core.lock);
  bool can = wf_shared_can_send_locked(ch);
  wf_lock_release(&ch->core.lock);
  return can;
}

bool wf_shared_can_recv(wf_shared *ch) {
  wf_lock_acquire(&ch->core.lock);
  bool can = wf_shared_can_recv_locked(ch);
  wf_lock_release(&ch->core.lock);
  return can;
}

uint32_t wf_shared_len(wf_shared *ch) {
  wf_lock_acquire(&ch->core.lock);
  uint32_t n = ch->count;
  wf_lock_release(&ch->core.lock);
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
