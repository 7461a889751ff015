// SPDX-License-Identifier: MIT
#include "conc/ctx_core.h"

#include "base/check.h"

enum { OWN = 0x100 };

static uint64_t word_of(wf_ctx_end_state end) { return (uint64_t)end.state | (end.own ? OWN : 0); }

wf_ctx_core *wf_ctx_core_new(const wf_mem *mem, const wf_core_kind *kind, wf_ctx_end_state end) {
  wf_ctx_core *core = (wf_ctx_core *)wf_core_new(mem, kind);
  if (core == NULL) return NULL;
  wf_list_init(&core->links);
  wf_u64_init(&core->state, word_of(end));
  core->deadline_ns = WF_NEVER;
  return core;
}

void wf_ctx_core_empty(wf_core *c) {
  wf_ctx_core *core = (wf_ctx_core *)c;
  wf_core *parent = core->parent;
  core->parent = NULL;
  if (parent != NULL) wf_core_unref(parent);
  wf_message *const messages[] = {&core->key, &core->value, &core->deadline_cause, &core->cause};
  for (size_t i = 0; i < sizeof messages / sizeof messages[0]; i++) {
    if (messages[i]->parcel != NULL) wf_message_free(messages[i]);
  }
  core->has_value = core->has_cause = core->has_deadline_cause = false;
  if (core->first != NULL) wf_ctx_link_free(core->first);
  core->first = NULL;
}

static void each_in(const wf_message *m, void (*fn)(wf_core *held, void *arg), void *arg) {
  for (uint32_t i = 0; m->parcel != NULL && i < m->parcel->ncores; i++) {
    fn(m->parcel->cores[i], arg);
  }
}

void wf_ctx_core_each(wf_core *c, void (*fn)(wf_core *held, void *arg), void *arg) {
  wf_ctx_core *core = (wf_ctx_core *)c;
  if (core->parent != NULL) fn(core->parent, arg);
  each_in(&core->key, fn, arg);
  each_in(&core->value, fn, arg);
  each_in(&core->deadline_cause, fn, arg);
  each_in(&core->cause, fn, arg);
}

wf_ctx_end_state wf_ctx_core_state(const wf_ctx_core *core) {
  uint64_t word = wf_u64_load(&core->state, WF_ACQUIRE);
  return (wf_ctx_end_state){.state = (wf_ctx_state)(word & (OWN - 1)), .own = (word & OWN) != 0};
}

// Those whose VMs are to be told.
static wf_ctx_link *take_links_locked(wf_ctx_core *core, const wf_ctx *self) {
  wf_ctx_link *list = NULL;
  for (wf_link *l = core->links.next; l != &core->links; l = l->next) {
    wf_ctx_link *link = wf_container_of(l, wf_ctx_link, link);
    if (link->node == self) continue;
    link->posted = true;  // it stays until its mail has been opened
    link->next = list;
    list = link;
  }
  return list;
}

bool wf_ctx_core_end(wf_ctx_core *core, wf_ctx_end_state end, wf_message *cause,
                     const wf_ctx *self) {
  wf_ctx_link *list = NULL;
  wf_lock_acquire(&core->core.lock);
  bool first = wf_ctx_core_state(core).state == WF_CTX_LIVE;
  if (first) {
    if (cause != NULL) core->cause = *cause;
    core->has_cause = cause != NULL;
    wf_u64_store(&core->state, word_of(end), WF_RELEASE);
    if (end.own) list = take_links_locked(core, self);
  }
  wf_lock_release(&core->core.lock);
  while (list != NULL) {
    wf_ctx_link *link = list;
    list = link->next;
    wf_worker_post(link->worker, &link->mail);
  }
  return first;
}

wf_ctx_link *wf_ctx_link_new(const wf_mem *mem, void (*open)(wf_mail *mail)) {
  wf_mem m = *mem;
  wf_ctx_link *link = wf_mem_new(&m, sizeof *link);
  if (link == NULL) return NULL;
  link->mem = m;
  link->mail.open = open;
  return link;
}

void wf_ctx_link_free(wf_ctx_link *link) {
  wf_mem mem = link->mem;
  wf_mem_free(&mem, link, sizeof *link);
}

void wf_ctx_link_join(wf_ctx_link *link, wf_ctx_core *core, wf_ctx *node) {
  link->worker = node->obj.vm->worker;
  wf_lock_acquire(&core->core.lock);
  link->node = node;
  wf_list_push(&core->links, &link->link);
  wf_lock_release(&core->core.lock);
}

void wf_ctx_link_leave(wf_ctx_link *link, wf_ctx_core *core) {
  wf_lock_acquire(&core->core.lock);
  wf_list_remove(&link->link);
  link->node = NULL;
  bool posted = link->posted;
  wf_lock_release(&core->core.lock);
  if (!posted) wf_ctx_link_free(link);
}

wf_ctx *wf_ctx_link_opened(wf_ctx_link *link) {
  wf_ctx *node = link->node;  // of this thread
  if (node == NULL) {
    wf_ctx_link_free(link);
    return NULL;
  }
  wf_core *core = node->obj.core;
  wf_lock_acquire(&core->lock);
  link->posted = false;  // nobody posts it a second time
  wf_lock_release(&core->lock);
  return node;
}
