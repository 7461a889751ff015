// SPDX-License-Identifier: MIT
// What may raise comes first, in a protected call; then the local queues; then the locks, in the
// order of addresses.
#include "conc/wait_all.h"

#include <lauxlib.h>
#include <stdlib.h>

#include "conc/stub.h"
#include "sched/runtime.h"
#include "task/guard.h"
#include "task/site.h"

typedef struct job {
  wf_vm *vm;
  const wf_case *cases;
  int n;
  uint32_t local;
  wf_ctx *own;
  wf_remote_place *places;  // of the shared cases, the last one first
  wf_core **cores;          // of these, sorted
  size_t ncores;
} job;

static bool is_shared(const wf_case *c) { return c->ch != NULL && c->ch->obj.shared; }

static _Noreturn void no_memory(lua_State *L) { wf_site_raise(L, "not enough memory"); }

// A place for the case, with the value at index `value`.
static void add_place(lua_State *L, job *j, const wf_case *c, int value) {
  wf_op op = c->value != 0 ? WF_OP_SEND : WF_OP_RECV;
  wf_remote_place *place = wf_remote_place_new(j->vm, c->ch->obj.core, op, c->index);
  if (place == NULL) no_memory(L);
  place->next = j->places;
  j->places = place;
  j->cores[j->ncores++] = place->core;
  if (op == WF_OP_SEND) wf_stub_pack(j->vm, L, value, "select", &place->message);
}

static int prepare(lua_State *L, void *ud) {
  job *j = ud;
  wf_task *task = j->vm->current;
  if (!wf_wait_extend(task, j->local + (j->own != NULL)) ||
      wf_remote_of(task, wf_stub_wake) == NULL)
    no_memory(L);
  int value = 2;  // the arguments, in the order of the cases
  for (int i = 0; i < j->n; i++) {
    const wf_case *c = &j->cases[i];
    if (is_shared(c)) add_place(L, j, c, c->value != 0 ? value++ : 0);
  }
  return 0;
}

// prepare, with the values that go to shared channels.
static bool prepare_guarded(lua_State *L, job *j) {
  int nvalues = 0;
  for (int i = 0; i < j->n; i++) {
    if (!is_shared(&j->cases[i]) || j->cases[i].value == 0) continue;
    lua_pushvalue(L, j->cases[i].value);
    nvalues++;
  }
  return wf_guard(j->vm, L, prepare, j, nvalues, 0) == 0;
}

static void queue_local(lua_State *L, const job *j) {
  wf_waiter *waiter = j->vm->current->extra->waiters;
  if (j->own != NULL) wf_ctx_queue(j->own, waiter++);
  for (int i = 0; i < j->n; i++) {
    const wf_case *c = &j->cases[i];
    if (c->ch == NULL || c->ch->obj.shared) continue;
    wf_select_queue(L, c, waiter);
    waiter++->again = true;
  }
}

// Whether as many cases are local as there were: a value to be sent may hold the channel of
// another case, which is shared then.
static bool are_local(const job *j) {
  uint32_t n = 0;
  for (int i = 0; i < j->n; i++) n += j->cases[i].ch != NULL && !j->cases[i].ch->obj.shared;
  return n == j->local;
}

static int by_address(const void *a, const void *b) {
  uintptr_t x = (uintptr_t) * (wf_core *const *)a, y = (uintptr_t) * (wf_core *const *)b;
  return x < y ? -1 : x > y;
}

// Sorts the cores, each once.
static void sort_cores(job *j) {
  qsort(j->cores, j->ncores, sizeof *j->cores, by_address);
  size_t kept = 0;
  for (size_t i = 0; i < j->ncores; i++) {
    if (kept == 0 || j->cores[kept - 1] != j->cores[i]) j->cores[kept++] = j->cores[i];
  }
  j->ncores = kept;
}

static bool is_ready_locked(const wf_case *c) {
  const wf_shared *core = wf_stub_core(c->ch);
  return c->value != 0 ? wf_shared_can_send_locked(core) : wf_shared_can_recv_locked(core);
}

// Places of one core have to lie side by side in its queues, so each core's are queued in one go.
static void queue_places(job *j, wf_core *core) {
  wf_remote *wait = j->vm->current->extra->remote;
  wf_shared *ch = (wf_shared *)core;
  for (wf_remote_place **at = &j->places; *at != NULL;) {
    wf_remote_place *place = *at;
    if (place->core != core) {
      at = &place->next;
      continue;
    }
    *at = place->next;
    wf_remote_queue(wait, place, place->op == WF_OP_SEND ? &ch->sendq : &ch->recvq);
  }
}

static bool queue_shared(job *j) {
  sort_cores(j);
  for (size_t i = 0; i < j->ncores; i++) wf_lock_acquire(&j->cores[i]->lock);
  for (size_t i = 0; i < j->ncores; i++) wf_shared_stop_locked((wf_shared *)j->cores[i]);
  bool ready = false;
  for (int i = 0; i < j->n && !ready; i++) {
    ready = is_shared(&j->cases[i]) && is_ready_locked(&j->cases[i]);
  }
  for (size_t i = 0; i < j->ncores && !ready; i++) queue_places(j, j->cores[i]);
  for (size_t i = 0; i < j->ncores; i++) wf_shared_go_on_locked((wf_shared *)j->cores[i]);
  for (size_t i = 0; i < j->ncores; i++) wf_lock_release(&j->cores[i]->lock);
  return !ready;
}

bool wf_wait_all_queue(wf_vm *vm, lua_State *L, const wf_case *cases, int n, uint32_t local,
                       wf_ctx *own) {
  job j = {.vm = vm, .cases = cases, .n = n, .local = local, .own = own};
  size_t size = (size_t)n * sizeof *j.cores;
  luaL_checkstack(L, n + LUA_MINSTACK, "too many cases");
  j.cores = wf_mem_new(&vm->rt->mem, size);
  if (j.cores == NULL) no_memory(L);
  bool failed = !prepare_guarded(L, &j), queued = false;
  if (!failed && are_local(&j)) {
    queue_local(L, &j);
    queued = queue_shared(&j);
  }
  wf_mem_free(&vm->rt->mem, j.cores, size);
  if (queued) return true;
  while (j.places != NULL) {
    wf_remote_place *place = j.places;
    j.places = place->next;
    wf_remote_place_free(vm, place);
  }
  wf_claim(vm->current);
  if (failed) lua_error(L);
  return false;
}
