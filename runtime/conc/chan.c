// SPDX-License-Identifier: MIT
#include "conc/chan.h"

#include <lauxlib.h>
#include <math.h>

#include "base/check.h"
#include "conc/context.h"
#include "conc/share.h"
#include "conc/tick.h"
#include "task/core.h"
#include "task/mark.h"
#include "task/park.h"
#include "task/remote.h"
#include "task/site.h"

static void destroy(wf_obj *obj) {
  wf_chan *ch = (wf_chan *)obj;
  if (ch->tick != NULL) wf_tick_free(ch->tick);
}

static void let_go(wf_obj *obj) { wf_tick_let_go(((wf_chan *)obj)->tick); }

static void mark_queue(const wf_link *queue, wf_mark *m) {
  for (wf_link *l = queue->next; l != queue; l = l->next) {
    wf_mark_task(m, wf_container_of(l, wf_waiter, link)->task);
  }
}

void wf_chan_mark_waiters(wf_chan *ch, wf_mark *m) {
  mark_queue(&ch->recvq, m);
  mark_queue(&ch->sendq, m);
}

static void visit(wf_obj *obj, wf_mark *m) {
  wf_chan *ch = (wf_chan *)obj;
  if (!ch->of_context) wf_chan_mark_waiters(ch, m);
}

static const wf_kind kind = {.name = "channel",
                             .size = sizeof(wf_chan),
                             .destroy = destroy,
                             .let_go = let_go,
                             .visit = visit,
                             .share = &wf_share_chan};

static void set_slot(lua_State *L, int self, int slot, int value) {
  lua_pushinteger(L, value);
  lua_rawseti(L, self, slot);
}

static void set_flag(lua_State *L, int self, int slot, bool value) {
  lua_pushboolean(L, value);
  lua_rawseti(L, self, slot);
}

static int last_slot(const wf_chan *ch) { return (int)ch->capacity + WF_CHAN_RING; }

wf_chan *wf_chan_new(wf_vm *vm, lua_State *L, uint32_t capacity) {
  if (capacity > 0) lua_createtable(L, (int)capacity + WF_CHAN_RING, 0);
  const char *tag = capacity > 0 ? &wf_tag_buffer : &wf_tag_chan;
  wf_chan *ch = (wf_chan *)wf_obj_new(vm, L, &kind, tag);
  wf_list_init(&ch->recvq);
  wf_list_init(&ch->sendq);
  ch->capacity = capacity;
  ch->direct = capacity == 0;
  if (capacity > 0) {
    int self = lua_gettop(L) - 1;
    lua_rawseti(L, self, WF_CHAN_CORE);
    set_slot(L, self, WF_CHAN_READ, WF_CHAN_RING);
    set_slot(L, self, WF_CHAN_WRITE, WF_CHAN_RING);
    set_flag(L, self, WF_CHAN_SEND_OK, true);
    set_flag(L, self, WF_CHAN_RECV_OK, true);
    set_slot(L, self, WF_CHAN_LAST, last_slot(ch));
  }
  return ch;
}

wf_chan *wf_chan_new_stub(wf_vm *vm, lua_State *L, wf_core *core) {
  wf_chan *ch = (wf_chan *)wf_obj_new(vm, L, &kind, &wf_tag_chan);
  wf_list_init(&ch->recvq);
  wf_list_init(&ch->sendq);
  wf_core_ref(core);
  wf_core_use(core);
  ch->obj.core = core;
  ch->obj.shared = true;
  return ch;
}

wf_chan *wf_chan_in_table(lua_State *L, int idx) {
  return (wf_chan *)wf_obj_in_table(L, idx, &wf_tag_buffer);
}

void wf_chan_make_system(lua_State *L, wf_chan *ch, int self) {
  lua_pushvalue(L, self);
  wf_vm_push_ref(ch->obj.vm, L, WF_REF_SYSTEM_MT);
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
  ch->system = true;
  ch->direct = false;
}

// A position in the ring, or an error when a script has overwritten it.
static int get_slot(lua_State *L, const wf_chan *ch, int self, int which) {
  lua_rawgeti(L, self, which);
  lua_Number value = lua_tonumber(L, -1);
  lua_pop(L, 1);
  if (!(value >= WF_CHAN_RING && value <= last_slot(ch))) {
    wf_site_raise(L, "the insides of a channel were overwritten");
  }
  return (int)value;
}

static int after_slot(const wf_chan *ch, int slot) {
  return slot == last_slot(ch) ? WF_CHAN_RING : slot + 1;
}

uint32_t wf_chan_len(lua_State *L, wf_chan *ch, int self) {
  if (ch->capacity == 0) return ch->tick != NULL && wf_tick_pending(ch->tick, NULL) ? 1 : 0;
  int count = get_slot(L, ch, self, WF_CHAN_WRITE) - get_slot(L, ch, self, WF_CHAN_READ);
  return (uint32_t)(count < 0 ? count + (int)ch->capacity + 1 : count);
}

void wf_chan_push_buffered(lua_State *L, wf_chan *ch, int self, uint32_t i) {
  int slot = get_slot(L, ch, self, WF_CHAN_READ) + (int)i;
  if (slot > last_slot(ch)) slot -= (int)ch->capacity + 1;
  lua_rawgeti(L, self, slot);
}

void wf_chan_retire(lua_State *L, wf_chan *ch, int self) {
  set_flag(L, self, WF_CHAN_SEND_OK, false);
  set_flag(L, self, WF_CHAN_RECV_OK, false);
  set_slot(L, self, WF_CHAN_READ, WF_CHAN_RING);
  set_slot(L, self, WF_CHAN_WRITE, WF_CHAN_RING);
  for (int slot = WF_CHAN_RING; slot <= last_slot(ch); slot++) {
    lua_pushnil(L);
    lua_rawseti(L, self, slot);
  }
}

// Appends the value on top of the stack, and pops it.
static void buffer_push(lua_State *L, wf_chan *ch, int self) {
  int slot = get_slot(L, ch, self, WF_CHAN_WRITE);
  lua_rawseti(L, self, slot);
  set_slot(L, self, WF_CHAN_WRITE, after_slot(ch, slot));
}

static void buffer_pop(lua_State *L, wf_chan *ch, int self) {
  int slot = get_slot(L, ch, self, WF_CHAN_READ);
  lua_rawgeti(L, self, slot);
  set_slot(L, self, WF_CHAN_READ, after_slot(ch, slot));
  lua_pushnil(L);
  lua_rawseti(L, self, slot);
}

static void set_table_limits(lua_State *L, wf_chan *ch, int self) {
  bool slow_send = ch->closed || !wf_list_empty(&ch->recvq);
  bool slow_recv = !wf_list_empty(&ch->sendq);
  if (slow_send != ch->slow_send) {
    set_flag(L, self, WF_CHAN_SEND_OK, !slow_send);
    ch->slow_send = slow_send;
  }
  if (slow_recv != ch->slow_recv) {
    set_flag(L, self, WF_CHAN_RECV_OK, !slow_recv);
    ch->slow_recv = slow_recv;
  }
}

static inline void set_limits(lua_State *L, wf_chan *ch, int self) {
  if (ch->capacity != 0) set_table_limits(L, ch, self);
}

// The waiter to serve when `waiter` is first in its queue: a select that stands there with several
// cases gives each its own chance.
static wf_waiter *pick_case(wf_waiter *waiter) {
  wf_waits *all = waiter->task->extra;
  const wf_waiter *first = waiter;
  uint32_t seen = 0;
  for (uint32_t i = 0; i < all->count; i++) {
    wf_waiter *other = &all->waiters[i];
    if (!wf_link_in_list(&other->link) || other->on != first->on || other->op != first->op) {
      continue;
    }
    if (wf_rand_below(&waiter->task->vm->rand, ++seen) == 0) waiter = other;
  }
  return waiter;
}

// Past those whom somebody else will wake.
static wf_waiter *choose_waiter(wf_link *queue) {
  while (!wf_list_empty(queue)) {
    wf_waiter *waiter = wf_container_of(queue->next, wf_waiter, link);
    if (!waiter->again) return waiter;
    if (wf_remote_win(waiter->task)) return pick_case(waiter);
    wf_list_remove(&waiter->link);
  }
  return NULL;
}

// The waiter that is to be served, which has to be claimed: nobody else can.
static wf_waiter *first_waiter(wf_link *queue) {
  if (wf_list_empty(queue)) return NULL;
  wf_waiter *waiter = wf_container_of(queue->next, wf_waiter, link);
  return WF_LIKELY(!waiter->again) ? waiter : choose_waiter(queue);
}

wf_chan_result wf_chan_try_send(lua_State *L, wf_chan *ch, int self) {
  if (WF_UNLIKELY(ch->closed)) return WF_CHAN_CLOSED;
  wf_waiter *receiver = first_waiter(&ch->recvq);
  if (receiver != NULL) {
    wf_chan_hand_to(L, receiver);
    set_limits(L, ch, self);
    return WF_CHAN_DONE;
  }
  if (ch->capacity == 0) return WF_CHAN_BLOCK;
  if (wf_chan_len(L, ch, self) == ch->capacity) return WF_CHAN_BLOCK;
  buffer_push(L, ch, self);
  set_limits(L, ch, self);
  return WF_CHAN_DONE;
}

wf_chan_result wf_chan_try_recv(lua_State *L, wf_chan *ch, int self) {
  bool buffered = ch->capacity != 0 && wf_chan_len(L, ch, self) > 0;  // may raise
  wf_waiter *sender = first_waiter(&ch->sendq);
  if (buffered) {
    buffer_pop(L, ch, self);
    if (sender != NULL) {
      wf_chan_take_from(L, sender);
      buffer_push(L, ch, self);
    }
    set_limits(L, ch, self);
    return WF_CHAN_DONE;
  }
  if (sender != NULL) {
    wf_chan_take_from(L, sender);
    set_limits(L, ch, self);
    return WF_CHAN_DONE;
  }
  double value;
  if (ch->tick != NULL && wf_tick_take(ch->tick, &value)) {
    lua_pushnumber(L, value);
    return WF_CHAN_DONE;
  }
  return wf_chan_is_closed(L, ch) ? WF_CHAN_CLOSED : WF_CHAN_BLOCK;
}

bool wf_chan_is_closed(lua_State *L, wf_chan *ch) {
  if (ch->context != NULL) wf_ctx_look(L, ch->context);
  return ch->closed;
}

bool wf_chan_can_send(lua_State *L, wf_chan *ch, int self) {
  return ch->closed || !wf_list_empty(&ch->recvq) || wf_chan_len(L, ch, self) < ch->capacity;
}

bool wf_chan_can_recv(lua_State *L, wf_chan *ch, int self) {
  return wf_chan_is_closed(L, ch) || !wf_list_empty(&ch->sendq) || wf_chan_len(L, ch, self) > 0;
}

void wf_chan_queue(lua_State *L, wf_chan *ch, int self, wf_waiter *waiter) {
  wf_link *queue = waiter->op == WF_OP_SEND ? &ch->sendq : &ch->recvq;
  if (!wf_list_empty(queue)) {  // a select queues all its cases in one go
    wf_waiter *last = wf_container_of(queue->prev, wf_waiter, link);
    if (WF_UNLIKELY(last->task == waiter->task)) last->again = waiter->again = true;
  }
  wf_list_push(queue, &waiter->link);
  set_limits(L, ch, self);
}

// The userdata that holds the channel: self, or what its table has at index 0.
static void push_core(lua_State *L, wf_chan *ch, int self) {
  if (ch->capacity != 0) {
    lua_rawgeti(L, self, WF_CHAN_CORE);
  } else {
    lua_pushvalue(L, self);
  }
}

static void wake_closed(lua_State *L, wf_chan *ch, int err) {
  wf_waiter *waiter;
  while ((waiter = first_waiter(&ch->recvq)) != NULL) {
    wf_task *task = waiter->task;
    int index = waiter->index;
    wf_claim(task);
    if (index != 0) lua_pushinteger(task->at, index);
    lua_pushnil(task->at);
    if (err != 0) {
      lua_pushvalue(L, err);
      lua_xmove(L, task->at, 1);
    } else {
      wf_vm_push_ref(task->vm, task->at, WF_REF_CLOSED);
    }
    wf_ready(task, index != 0 ? 3 : 2);
  }
  while ((waiter = first_waiter(&ch->sendq)) != NULL) {
    wf_task *task = waiter->task;
    wf_claim(task);
    lua_pushboolean(task->at, 0);
    wf_ready(task, 1);
  }
}

void wf_chan_close(lua_State *L, wf_chan *ch, int self, int err) {
  if (err != 0) {
    push_core(L, ch, self);
    lua_createtable(L, 1, 0);
    lua_pushvalue(L, err);
    lua_rawseti(L, -2, 1);
    lua_setfenv(L, -2);
    lua_pop(L, 1);
    ch->has_error = true;
  }
  ch->closed = true;
  ch->direct = false;
  wf_obj_ref(&ch->obj);  // the last waiter's claim may let go of it
  wake_closed(L, ch, err);
  set_limits(L, ch, self);
  wf_obj_unref(&ch->obj);
}

void wf_chan_push_error(lua_State *L, wf_chan *ch, int self) {
  if (!ch->has_error) {
    wf_vm_push_ref(ch->obj.vm, L, WF_REF_CLOSED);
    return;
  }
  push_core(L, ch, self);
  lua_getfenv(L, -1);
  lua_rawgeti(L, -1, 1);
  lua_replace(L, -3);
  lua_pop(L, 1);
}

bool wf_chan_offer_number(wf_chan *ch, double value) {
  wf_waiter *receiver = first_waiter(&ch->recvq);
  if (receiver == NULL) return false;
  wf_task *task = receiver->task;
  int index = receiver->index;
  wf_claim(task);
  if (index != 0) lua_pushinteger(task->at, index);
  lua_pushnumber(task->at, value);
  wf_ready(task, index != 0 ? 2 : 1);
  return true;
}

bool wf_chan_take_number(wf_chan *ch, double *value) {
  wf_waiter *sender = wf_chan_first(&ch->sendq);
  if (sender == NULL) return false;
  lua_State *from = sender->task->at;
  int slot = sender->index != 0 ? sender->slot : -1;
  if (lua_type(from, slot) != LUA_TNUMBER) return false;
  *value = lua_tonumber(from, slot);
  if (isnan(*value)) return false;
  if (sender->index == 0) lua_pop(from, 1);
  wf_chan_wake_sender(sender);
  return true;
}
