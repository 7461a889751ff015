// SPDX-License-Identifier: MIT
// Orders: who takes a message out of a core, or makes a stub of it, says so (wf_core_use) before
// it gives back the reference by which it came to the core. The look reads the counts with
// acquire and the uses afterwards, so that where it misses a reference that has gone it sees the
// use.
#include "task/cycles.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/vec.h"

enum { FEW = 64 };

// A core under the look.
typedef struct seen {
  wf_core *core;          // counted
  uint64_t uses, inside;  // inside: references in messages that lie in cores
  bool alive;
} seen;

typedef struct look {
  wf_mem mem;
  seen *list;
  size_t count, capacity;
  wf_vec todo;  // seen *, alive, what they hold still to be marked
  bool failed;
} look;

static wf_lock lock = {.mutex = PTHREAD_MUTEX_INITIALIZER, .rank = WF_RANK_LEAF};
static wf_link cores = {&cores, &cores};
static size_t ncores, kept;  // now, and after the last look
static bool looking;
static wf_atomic_u64 noted;  // stubs that have gone since the last look began

// Relaxed: who misses it sees it when the thread is idle next.
void wf_cycles_note(void) { wf_u64_add(&noted, 1, WF_RELAXED); }

void wf_cycles_add(wf_core *core) {
  wf_lock_acquire(&lock);
  wf_list_push(&cores, &core->all);
  ncores++;
  wf_lock_release(&lock);
}

void wf_cycles_remove(wf_core *core) {
  wf_lock_acquire(&lock);
  if (wf_link_in_list(&core->all)) {
    wf_list_remove(&core->all);
    ncores--;
  }
  wf_lock_release(&lock);
}

size_t wf_cycles_count(void) {
  wf_lock_acquire(&lock);
  size_t n = ncores;
  wf_lock_release(&lock);
  return n;
}

static void take_stock(look *l) {
  wf_lock_acquire(&lock);
  for (wf_link *at = cores.next; at != &cores && l->count < l->capacity; at = at->next) {
    wf_core *core = wf_container_of(at, wf_core, all);
    if (!wf_core_ref_living(core)) continue;
    l->list[l->count++] = (seen){.core = core, .uses = wf_u64_load(&core->uses, WF_ACQUIRE)};
  }
  wf_lock_release(&lock);
}

static int by_address(const void *a, const void *b) {
  uintptr_t x = (uintptr_t)((const seen *)a)->core, y = (uintptr_t)((const seen *)b)->core;
  return x < y ? -1 : x > y;
}

static seen *find(const look *l, wf_core *core) {
  seen key = {.core = core};
  return bsearch(&key, l->list, l->count, sizeof key, by_address);
}

static void count_inside(wf_core *core, void *arg) {
  seen *s = find(arg, core);
  if (s != NULL) s->inside++;
}

static void mark(look *l, seen *s) {
  if (s->alive) return;
  s->alive = true;
  seen **place = wf_vec_add(&l->mem, &l->todo, sizeof(seen *));
  if (place == NULL) {
    l->failed = true;
  } else {
    *place = s;
  }
}

static void mark_held(wf_core *core, void *arg) {
  look *l = arg;
  seen *s = find(l, core);
  if (s != NULL) mark(l, s);
}

static void each_held(wf_core *core, void (*fn)(wf_core *held, void *arg), void *arg) {
  if (core->kind->each == NULL) return;
  wf_lock_acquire(&core->lock);
  core->kind->each(core, fn, arg);
  wf_lock_release(&core->lock);
}

static void find_living(look *l) {
  qsort(l->list, l->count, sizeof *l->list, by_address);
  for (size_t i = 0; i < l->count; i++) each_held(l->list[i].core, count_inside, l);
  for (size_t i = 0; i < l->count; i++) {
    seen *s = &l->list[i];
    uint64_t refs = wf_u64_load(&s->core->refs, WF_ACQUIRE) - 1;  // without our own
    if (refs > s->inside) mark(l, s);
  }
  while (l->todo.size > 0 && !l->failed) {
    l->todo.size -= sizeof(seen *);
    const seen *s = *(seen **)(void *)(l->todo.data + l->todo.size);
    each_held(s->core, mark_held, l);
  }
}

// Nothing but its kind refers to it, and nobody has used it meanwhile.
static bool is_garbage(const seen *s) {
  return wf_u64_load(&s->core->refs, WF_ACQUIRE) - 1 == s->inside &&
         wf_u64_load(&s->core->uses, WF_ACQUIRE) == s->uses;
}

// The second look counts what lies in garbage alone: a message that was taken out of a living core
// since the first one may have been counted there, and be anywhere now.
static void free_garbage(look *l) {
  for (size_t i = 0; i < l->count; i++) l->list[i].inside = 0;
  for (size_t i = 0; i < l->count; i++) {
    if (!l->list[i].alive) each_held(l->list[i].core, count_inside, l);
  }
  for (size_t i = 0; i < l->count; i++) {
    if (!l->list[i].alive && !is_garbage(&l->list[i])) return;
  }
  for (size_t i = 0; i < l->count; i++) {
    wf_core *core = l->list[i].core;
    if (!l->list[i].alive) core->kind->empty(core);
  }
}

static bool begin(look *l) {
  wf_lock_acquire(&lock);
  bool mine = !looking;
  looking = true;
  if (mine) wf_u64_store(&noted, 0, WF_RELAXED);
  l->capacity = ncores;
  wf_lock_release(&lock);
  return mine;
}

static void end(void) {
  wf_lock_acquire(&lock);
  looking = false;
  kept = ncores;
  wf_lock_release(&lock);
}

void wf_cycles_collect(void) {
  look l = {.mem = {.fn = wf_mem_default}};
  if (!begin(&l)) return;
  size_t size = l.capacity * sizeof *l.list;
  l.list = size > 0 ? wf_mem_new(&l.mem, size) : NULL;
  if (l.list != NULL) {
    take_stock(&l);
    find_living(&l);
    if (!l.failed) free_garbage(&l);
    for (size_t i = 0; i < l.count; i++) wf_core_unref(l.list[i].core);
    wf_vec_free(&l.mem, &l.todo);
    wf_mem_free(&l.mem, l.list, size);
  }
  end();
}

// Under the lock.
static bool many_have_gone(void) {
  uint64_t n = wf_u64_load(&noted, WF_RELAXED);
  return ncores != 0 && n != 0 && n >= ncores / 2;
}

void wf_cycles_collect_if_due(bool idle) {
  wf_lock_acquire(&lock);
  bool due = !idle ? ncores > 2 * kept + FEW : ncores > kept || many_have_gone();
  due = due && !looking;
  wf_lock_release(&lock);
  if (due) wf_cycles_collect();
}
