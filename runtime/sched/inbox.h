// SPDX-License-Identifier: MIT
// What other threads send to a worker: woken tasks, injected spawns. Many push, one takes, all at
// once and oldest first; nothing allocates or fails. Its consumer dozes off in it before it
// sleeps, so that only the push that ends the doze has to wake it.
//
// As the injection queue of a runtime (spawns from threads that have no deque) it has several
// consumers: all may take, none dozes; who pushed calls wf_idle_notify.
#ifndef WF_SCHED_INBOX_H
#define WF_SCHED_INBOX_H

#include <stdbool.h>

#include "base/atomic.h"

// Part of what is sent. It is the inbox's from push to take.
typedef struct wf_inbox_node {
  struct wf_inbox_node *next;
} wf_inbox_node;

typedef struct wf_inbox {
  wf_atomic_ptr head;  // the newest node; NULL: empty; or the mark of a consumer that dozes
} wf_inbox;

void wf_inbox_init(wf_inbox *inbox);

// Any thread. True: the consumer dozed, and the caller has to wake it (wf_idle_wake). What the
// consumer did before it dozed off is then visible to the caller.
bool wf_inbox_push(wf_inbox *inbox, wf_inbox_node *node);

// Consumer. All nodes, oldest first; NULL: none. Ends a doze.
wf_inbox_node *wf_inbox_take(wf_inbox *inbox);

// The same, newest first: no node has to be looked at for that.
wf_inbox_node *wf_inbox_take_newest_first(wf_inbox *inbox);

// The one consumer, which holds no nodes back. False: there is something to take.
bool wf_inbox_doze(wf_inbox *inbox);

// Any thread. Whether there seems to be nothing; after a wf_fence it sees all that were pushed
// before the pusher's own fence.
bool wf_inbox_empty(const wf_inbox *inbox);

#endif
