// SPDX-License-Identifier: MIT
// The core of a channel that has crossed to another VM: what all its stubs (conc/stub.h) are stubs
// of. Values lie in it as messages. Nothing here knows of Lua, and everything may be called by any
// thread that has a reference.
//
// Three locks: the core's, and those of the two sides of its buffer (conc/ring.h). Who has all of
// them, taken in this order, has the channel for itself. With one side's alone a thread puts or
// takes a message, as long as the channel is *calm*: nobody waits, and nothing in it holds cores.
// That, and whether it is closed, changes under all three, so it stays as it is while one of them
// is held: no value is put beside somebody who has just begun to wait for it. The core's alone is
// enough to leave a queue, and to read what a channel holds that is not calm.
//
// Invariants, under all locks:
//   - receivers wait only while nothing is buffered and no sender waits; senders only while the
//     buffer is full; closed: nobody waits to send, and nobody at all when it is empty.
//   - waits in the queues may have been claimed by somebody else already; they count for nothing.
// What follows from an operation for others is posted after the locks have been released.
// spec/model/shared_model.c runs it through all that can happen.
#ifndef WF_CONC_SHARED_H
#define WF_CONC_SHARED_H

#include "base/rand.h"
#include "conc/ring.h"
#include "task/core.h"
#include "task/remote.h"

typedef struct wf_shared {
  wf_core core;
  wf_link recvq, sendq;  // wf_remote_place
  uint32_t capacity;     // as scripts see it; never changes
  uint32_t limit;        // what may be buffered: of a timer's channel 1, else the capacity
  bool system;           // only weft sends on it and closes it; never changes
  bool closed;
  bool calm;          // see above; set when the locks are given back
  bool has_error;     // closed with `error`, which never changes from then on
  uint32_t carriers;  // messages in it that hold cores
  wf_message error;
  wf_rand rand;
  wf_ring ring;  // grows up to the limit
} wf_shared;

typedef enum wf_shared_result {
  WF_SHARED_DONE,
  WF_SHARED_BLOCK,
  WF_SHARED_CLOSED,
  WF_SHARED_NO_MEMORY,
} wf_shared_result;

// `kind` is what the makers of stubs say of it. NULL when memory is out.
wf_shared *wf_shared_new(const wf_mem *mem, const wf_core_kind *kind, uint32_t capacity,
                         uint32_t limit);

// wf_core_kind.empty, and each
void wf_shared_empty(wf_core *core);
void wf_shared_each(wf_core *core, void (*fn)(wf_core *held, void *arg), void *arg);

// Gives the message to a receiver or the buffer; it is theirs if that is DONE. With `place`, which
// is set up, the wait is queued in the place of BLOCK: the message then has to be in the place.
wf_shared_result wf_shared_send(wf_shared *ch, wf_message *m);
wf_shared_result wf_shared_send_or_queue(wf_shared *ch, wf_remote *wait, wf_remote_place *place);

// Takes a value.
wf_shared_result wf_shared_recv(wf_shared *ch, wf_message *m);
wf_shared_result wf_shared_recv_or_queue(wf_shared *ch, wf_remote *wait, wf_remote_place *place,
                                         wf_message *m);

// The same when nobody has to wait; else nothing happens. What is received is a number, a record
// (task/record.h), whose shape is told, or nothing.
typedef enum wf_shared_plain { WF_SHARED_NOTHING = -1, WF_SHARED_NUMBER = 0 } wf_shared_plain;
bool wf_shared_send_number(wf_shared *ch, double v);
bool wf_shared_send_record(wf_shared *ch, uint32_t shape, const double *values);
int wf_shared_recv_plain(wf_shared *ch, double *values);

// Waits for up to five microseconds for values, or for room: to park and to be woken costs both
// sides more. For buffered channels, when nobody else is ready. Whether there is something, which
// may be gone by now.
bool wf_shared_linger(const wf_shared *ch, bool room);

// Of a timer: hands the number to a receiver, or buffers it when nothing is.
void wf_shared_offer(wf_shared *ch, double value);

// Drops what is buffered; whether there was anything.
bool wf_shared_drop(wf_shared *ch);

// Closes it, with the error when there is one, whose owner it becomes. False: it was closed.
bool wf_shared_close(wf_shared *ch, wf_message *error);

// For who has the locks of several cores, and now needs those of this one's sides too: takes them,
// and gives them back.
void wf_shared_stop_locked(wf_shared *ch);
void wf_shared_go_on_locked(wf_shared *ch);

// Whether that seems possible without waiting. _locked: under all locks.
bool wf_shared_can_send_locked(const wf_shared *ch);
bool wf_shared_can_recv_locked(const wf_shared *ch);
bool wf_shared_can_send(wf_shared *ch);
bool wf_shared_can_recv(wf_shared *ch);

uint32_t wf_shared_len(wf_shared *ch);

bool wf_shared_is_closed(wf_shared *ch);

// The error that a closed channel was closed with, NULL: none. It stays as long as the channel.
const wf_message *wf_shared_error(wf_shared *ch);

// Before others know of it: buffers one more value, whose owner it becomes. There has to be room
// for it. False when memory is out.
bool wf_shared_fill(wf_shared *ch, const wf_message *m);

#endif
