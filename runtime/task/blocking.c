// SPDX-License-Identifier: MIT
#include "task/blocking.h"

#include <lauxlib.h>

#include "base/check.h"
#include "sched/workers.h"
#include "task/site.h"

_Static_assert(WF_MAX_BLOCKING <= 64, "a bit for each place");

typedef struct call {
  wf_mail mail;
  wf_link link;  // in wf_workers.calls while it waits for a place
  wf_worker *place;
  wf_portable *item;
} call;

static uint64_t bit_of(const wf_workers *workers, const wf_worker *w) {
  return UINT64_C(1) << (w->index - workers->count);
}

static void open_call(wf_mail *mail) {
  call *c = wf_container_of(mail, call, mail);
  wf_worker *w = c->place;
  wf_portable *item = c->item;
  wf_mem_free(&w->rt->mem, c, sizeof *c);
  wf_spawn_start(w, item);
}

// A place for one more call, with its thread; NULL: none is free, or (*error) none can be had.
static wf_worker *take_place_locked(wf_workers *workers, int *error) {
  *error = 0;
  // One whose thread is there comes before one that has yet to get one.
  for (int need_thread = 0; need_thread < 2; need_thread++) {
    for (uint32_t i = 0; i < WF_MAX_BLOCKING; i++) {
      if ((workers->busy >> i & 1) != 0) continue;
      wf_worker *w = workers->list[workers->count + i];
      if (need_thread == 0 && (w == NULL || !w->started || w->retired)) continue;
      if (w != NULL && w->retired) continue;
      *error = wf_workers_start_locked(workers, workers->count + i);
      if (*error != 0) return NULL;
      workers->busy |= UINT64_C(1) << i;
      return workers->list[workers->count + i];
    }
  }
  return NULL;
}

void wf_blocking_start(wf_vm *vm, lua_State *L, int first, wf_job *job) {
  wf_runtime *rt = vm->rt;
  wf_portable *item = wf_spawn_pack(vm, L, first, job, "blocking");
  call *c = wf_mem_new(&rt->mem, sizeof *c);
  if (c == NULL) {
    wf_spawn_drop(rt, item);
    wf_site_raise(L, "not enough memory");
  }
  *c = (call){.mail.open = open_call, .item = item};
  wf_workers *workers = rt->workers;
  int error;
  wf_lock_acquire(&workers->lock);
  c->place = take_place_locked(workers, &error);
  bool waits = c->place == NULL && workers->busy != 0;
  if (waits) wf_list_push(&workers->calls, &c->link);
  wf_lock_release(&workers->lock);
  if (c->place == NULL && !waits) {
    wf_mem_free(&rt->mem, c, sizeof *c);
    wf_spawn_drop(rt, item);
    wf_spawn_no_thread(L, "blocking", error);
  }
  wf_spawn_sent(vm, job);
  if (!waits) wf_worker_post(c->place, &c->mail);
}

void wf_blocking_done(wf_worker *w) {
  wf_workers *workers = w->rt->workers;
  wf_lock_acquire(&workers->lock);
  wf_link *next = wf_list_pop(&workers->calls);
  if (next == NULL) workers->busy &= ~bit_of(workers, w);
  wf_lock_release(&workers->lock);
  if (next == NULL) return;
  call *c = wf_container_of(next, call, link);
  c->place = w;
  wf_worker_post(w, &c->mail);
}

bool wf_blocking_retire(wf_worker *w) {
  wf_workers *workers = w->rt->workers;
  wf_lock_acquire(&workers->lock);
  bool free = (workers->busy & bit_of(workers, w)) == 0;
  if (free) wf_workers_set_retired_locked(workers, w, true);
  wf_lock_release(&workers->lock);
  return free;
}

void wf_blocking_drop_all(wf_runtime *rt) {
  wf_link *link;
  while ((link = wf_list_pop(&rt->workers->calls)) != NULL) {
    call *c = wf_container_of(link, call, link);
    wf_spawn_drop(rt, c->item);
    wf_mem_free(&rt->mem, c, sizeof *c);
  }
}
