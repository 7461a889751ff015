// SPDX-License-Identifier: MIT
// Channels, as long as they are local to one VM; conc/stub.h has those that have crossed.
//
// An unbuffered channel is a userdata; nothing is ever stored in it, a value goes from the
// sender's stack to the receiver's. A buffered channel is a table with the ring of values in its
// array part, so that sends and receives that need not wait are plain Lua on that table
// (lua/weft/internal/chan.lua) and compile into the caller's trace. Measured before the choice, on
// a ring with a count beside its two positions, send and receive together, ns compiled / over
// 1,024 channels / interpreted: array slots 8 / 25 / 210; named fields 7 / 30 / 205. Array slots
// are what C reads and writes fastest. The ring as it is, without the count: 5 to 9 compiled.
//
// Invariants:
//   - receivers wait only while nothing is buffered and no sender waits; senders only while the
//     ring is full; closed: nobody waits to send.
//   - SEND_OK is false when a receiver waits or the channel is closed, RECV_OK when a sender
//     waits. Either may lag behind on the slow side (after a cancel): C sets both anew each time
//     it has the table in hand.
//   - One store ends each step on the ring, so that an error in between (a debug hook that limits
//     a script's time) leaves it whole. A hook that uses the channel that it has interrupted would
//     still find it in the middle of a step: hooks must leave channels alone.
#ifndef WF_CONC_CHAN_H
#define WF_CONC_CHAN_H

#include "task/obj.h"
#include "task/park.h"

// The slots of a buffered channel's table. lua/weft/internal/chan.lua knows them too.
enum wf_chan_slot {
  WF_CHAN_CORE,     // the userdata
  WF_CHAN_READ,     // the slot of the next value to take,
  WF_CHAN_WRITE,    // and of the next one to come: equal when nothing is buffered
  WF_CHAN_SEND_OK,  // whether Lua may append by itself when there is room
  WF_CHAN_RECV_OK,  // whether Lua may take by itself when there is something
  WF_CHAN_LAST,     // the last slot of the ring, which has one slot more than the capacity
  WF_CHAN_RING,     // its first
};

enum { WF_CHAN_MAX = 100000000 };

typedef struct wf_tick wf_tick;

typedef struct wf_chan {
  wf_obj obj;
  wf_link recvq, sendq;
  struct wf_ctx *context;  // that closes it when it ends (conc/context.h), as long as it lives
  wf_tick *tick;           // a timer's channel: where its values come from (conc/tick.h)
  uint32_t capacity;
  bool closed;
  bool has_error;   // closed with an error, which is in the environment of the userdata at [1]
  bool system;      // only weft may send on it and close it
  bool of_context;  // the end of a context closes it, and nothing else
  bool direct;      // unbuffered, open, of scripts: a value can only go from task to task
  bool slow_send, slow_recv;  // what SEND_OK and RECV_OK in the table say
} wf_chan;

typedef enum wf_chan_result { WF_CHAN_DONE, WF_CHAN_BLOCK, WF_CHAN_CLOSED } wf_chan_result;

// Pushes a new channel without its methods: a userdata, or a table when capacity > 0 (the caller
// sets its metatable). Raises when memory is out.
wf_chan *wf_chan_new(wf_vm *vm, lua_State *L, uint32_t capacity);

// The buffered channel at idx, NULL when there is none.
wf_chan *wf_chan_in_table(lua_State *L, int idx);

// The channel at idx, NULL when there is none.
static inline wf_chan *wf_chan_at(lua_State *L, int idx) {
  wf_obj *obj = wf_obj_at(L, idx, &wf_tag_chan);
  return WF_LIKELY(obj != NULL) ? (wf_chan *)obj : wf_chan_in_table(L, idx);
}

// From now on only weft sends on the unbuffered channel, whose proxy is at `self`, and closes it.
void wf_chan_make_system(lua_State *L, wf_chan *ch, int self);

// `self` is the stack index of the channel's proxy. Neither call ever waits.
// Gives the value on top of the stack to a receiver or the buffer, and pops it if it could.
wf_chan_result wf_chan_try_send(lua_State *L, wf_chan *ch, int self);
// Takes a value and pushes it. Of a closed channel it pushes nothing.
wf_chan_result wf_chan_try_recv(lua_State *L, wf_chan *ch, int self);

// Of a context's channel that is news of its end, also when nobody here has been told yet.
bool wf_chan_is_closed(lua_State *L, wf_chan *ch);

// Whether the same call would find something else than WF_CHAN_BLOCK.
bool wf_chan_can_send(lua_State *L, wf_chan *ch, int self);
bool wf_chan_can_recv(lua_State *L, wf_chan *ch, int self);

// Queues a waiter that is set up (op, index).
void wf_chan_queue(lua_State *L, wf_chan *ch, int self, wf_waiter *waiter);

// Closes: receivers wake with nil and the error at index `err` (0: plain), senders with false.
// `self` may be 0 for a channel without buffer.
void wf_chan_close(lua_State *L, wf_chan *ch, int self, int err);

// Marks those who wait, as woken (task/mark.h).
void wf_chan_mark_waiters(wf_chan *ch, struct wf_mark *m);

// Pushes what a receiver from a closed and drained channel gets as its second result.
void wf_chan_push_error(lua_State *L, wf_chan *ch, int self);

// For a channel that has crossed (conc/stub.h): pushes the proxy of a stub of the core, without
// its methods. Raises when memory is out.
wf_chan *wf_chan_new_stub(wf_vm *vm, lua_State *L, struct wf_core *core);

// Of a buffered channel: pushes the i-th value, counted from 0.
void wf_chan_push_buffered(lua_State *L, wf_chan *ch, int self, uint32_t i);
// Empties its table, and keeps Lua from sending and receiving there for good.
void wf_chan_retire(lua_State *L, wf_chan *ch, int self);

uint32_t wf_chan_len(lua_State *L, wf_chan *ch, int self);

// The first in a queue when there is no choice about it, else NULL: the common case, for which the
// doors of direct channels have a path of their own.
static inline wf_waiter *wf_chan_first(const wf_link *queue) {
  if (wf_list_empty(queue)) return NULL;
  wf_waiter *waiter = wf_container_of(queue->next, wf_waiter, link);
  return WF_LIKELY(!waiter->again) ? waiter : NULL;
}

// Wakes a receiver with the value on top of L's stack, which is popped.
static inline void wf_chan_hand_to(lua_State *L, wf_waiter *waiter) {
  wf_task *task = waiter->task;
  int index = waiter->index;
  wf_claim(task);
  if (index != 0) lua_pushinteger(task->at, index);
  lua_xmove(L, task->at, 1);
  wf_ready(task, index != 0 ? 2 : 1);
}

// Wakes a sender whose value has been taken.
static inline void wf_chan_wake_sender(wf_waiter *waiter) {
  wf_task *task = waiter->task;
  int index = waiter->index;
  wf_claim(task);
  if (index != 0) lua_pushinteger(task->at, index);
  lua_pushboolean(task->at, 1);
  wf_ready(task, index != 0 ? 2 : 1);
}

// Pushes the value of a waiting sender, and wakes it.
static inline void wf_chan_take_from(lua_State *L, wf_waiter *waiter) {
  lua_State *from = waiter->task->at;
  if (waiter->index != 0) lua_pushvalue(from, waiter->slot);
  lua_xmove(from, L, 1);
  wf_chan_wake_sender(waiter);
}

// Hands a number to a waiting receiver; false when there is none. Allocates nothing.
bool wf_chan_offer_number(wf_chan *ch, double value);

// Takes one from a waiting sender, into *value; false when none waits, when it has another value
// or NaN, or when somebody else may wake it. Allocates nothing.
bool wf_chan_take_number(wf_chan *ch, double *value);

#endif
