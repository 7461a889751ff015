// SPDX-License-Identifier: MIT
// A stack that is emptied as a whole and turned round: a swap of the head to push, one exchange to
// take, and no node is looked at by anyone but its owner, so that nothing is ever freed under a
// reader and a head that has come back (ABA) does no harm.
//
// The orders:
//   push     release: pairs with take's acquire. Later pushes are read-modify-writes and carry it
//            on. Acquire: pairs with doze's release, for the push that finds the mark: it goes on
//            to read in wf_idle that the consumer is asleep, which it announced before
//   take     acquire
//   doze     release. It fails, and the consumer is not to sleep, when a push came first; a push
//            that comes later finds the mark. Both are read-modify-writes of one word, so there is
//            no third case and no fence.
//
// Rejected: Vyukov's queue of a swapped tail. A producer that is interrupted between its two steps
// hides the nodes of others, and the consumer cannot tell that from an empty queue.
#include "sched/inbox.h"

#include <stddef.h>

static wf_inbox_node dozing;

void wf_inbox_init(wf_inbox *inbox) { wf_ptr_init(&inbox->head, NULL); }

bool wf_inbox_push(wf_inbox *inbox, wf_inbox_node *node) {
  void *old = wf_ptr_load(&inbox->head, WF_RELAXED);
  do {
    node->next = old == &dozing ? NULL : old;
  } while (!wf_ptr_cas(&inbox->head, &old, node, WF_ACQ_REL));
  return old == &dozing;
}

wf_inbox_node *wf_inbox_take_newest_first(wf_inbox *inbox) {
  if (wf_ptr_load(&inbox->head, WF_RELAXED) == NULL) return NULL;
  wf_inbox_node *node = wf_ptr_exchange(&inbox->head, NULL, WF_ACQUIRE);
  return node != &dozing ? node : NULL;
}

wf_inbox_node *wf_inbox_take(wf_inbox *inbox) {
  wf_inbox_node *node = wf_inbox_take_newest_first(inbox), *oldest = NULL;
  while (node != NULL) {
    wf_inbox_node *next = node->next;
    node->next = oldest;
    oldest = node;
    node = next;
  }
  return oldest;
}

bool wf_inbox_doze(wf_inbox *inbox) {
  void *empty = NULL;
  return wf_ptr_cas(&inbox->head, &empty, &dozing, WF_RELEASE);
}

bool wf_inbox_empty(const wf_inbox *inbox) {
  void *head = wf_ptr_load(&inbox->head, WF_RELAXED);
  return head == NULL || head == &dozing;
}
