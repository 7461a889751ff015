// SPDX-License-Identifier: MIT
// An intrusive ring of links. A list is a link that is never an element; an element that is in
// no list has next == NULL. Nothing here allocates or fails.
#ifndef WF_BASE_LIST_H
#define WF_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/check.h"

typedef struct wf_link {
  struct wf_link *next, *prev;
} wf_link;

#define wf_container_of(ptr, type, field) ((type *)(void *)((char *)(ptr)-offsetof(type, field)))

static inline void wf_list_init(wf_link *list) { list->next = list->prev = list; }

static inline bool wf_list_empty(const wf_link *list) { return list->next == list; }

static inline bool wf_link_in_list(const wf_link *link) { return link->next != NULL; }

static inline void wf_list_push(wf_link *list, wf_link *link) {
  wf_link *last = list->prev;
  link->next = list;
  link->prev = last;
  last->next = link;
  list->prev = link;
}

static inline void wf_list_remove(wf_link *link) {
  WF_ASSUME(link->next != NULL && link->prev != NULL);
  link->prev->next = link->next;
  link->next->prev = link->prev;
  link->next = NULL;
}

// Takes the first element out; NULL when the list is empty.
static inline wf_link *wf_list_pop(wf_link *list) {
  wf_link *link = list->next;
  if (link == list) return NULL;
  wf_list_remove(link);
  return link;
}

// Moves all of `from` to the end of `to`; `from` is empty afterwards.
static inline void wf_list_splice(wf_link *to, wf_link *from) {
  if (wf_list_empty(from)) return;
  from->next->prev = to->prev;
  to->prev->next = from->next;
  from->prev->next = to;
  to->prev = from->prev;
  wf_list_init(from);
}

#endif
