// SPDX-License-Identifier: MIT
#include "stubs.h"

#include <lauxlib.h>

#include "base/spin.h"
#include "conc/select.h"
#include "conc/stub.h"
#include "model.h"
#include "task/code.h"
#include "task/guard.h"
#include "task/park.h"
#include "task/record.h"
#include "task/site.h"

enum { CORES = 4 };

_Noreturn void wf_broken(const char *file, int line, const char *what) {
  model_fail("%s:%d: %s does not hold", file, line, what);
}

stub_worker stub_workers[THREADS];
static int held[THREADS];  // locks
static wf_runtime rt;
// Whether a count is right does not depend on the order of events here, so these are no atomics.
static struct {
  const wf_core *core;
  int refs;
} counts[CORES];

void stubs_reset(void) {
  rt.mem = model_mem;
  for (int i = 0; i < CORES; i++) counts[i].core = NULL;
  for (uint32_t i = 0; i < THREADS; i++) {
    stub_worker *w = &stub_workers[i];
    w->worker.index = i;
    w->vm.rt = &rt;
    w->vm.worker = &w->worker;
    w->vm.current = &w->task;
    w->vm.free_places = NULL;
    w->vm.free_remotes = NULL;
    w->task.vm = &w->vm;
    w->task.extra = NULL;
    w->mail = NULL;
    held[i] = 0;
  }
}

// Locks ---------------------------------------------------------------------------------------

// In the place of the mutex.
typedef struct model_lock {
  wf_atomic_u64 taken;
  int holder;
} model_lock;
_Static_assert(sizeof(model_lock) <= sizeof(pthread_mutex_t), "it has room there");

static model_lock *lock_of(const wf_lock *lock) { return (void *)(uintptr_t)&lock->mutex; }

void wf_lock_init(wf_lock *lock, wf_rank rank) {
  model_lock *l = lock_of(lock);
  lock->rank = rank;
  l->holder = -1;
  wf_u64_init(&l->taken, 0);
  model_is_lock(&l->taken.cell);
}

void wf_lock_close(wf_lock *lock) { MODEL_CHECK(lock_of(lock)->holder == -1); }

void wf_lock_acquire(wf_lock *lock) {
  model_lock *l = lock_of(lock);
  uint64_t taken = 0;
  if (!wf_u64_cas(&l->taken, &taken, 1, WF_ACQUIRE)) {
    model_wait_for_lock();
    taken = 0;
    MODEL_CHECK(wf_u64_cas(&l->taken, &taken, 1, WF_ACQUIRE));
  }
  l->holder = model_self();
  held[model_self()]++;
}

void wf_lock_release(wf_lock *lock) {
  wf_lock_assert_held(lock);
  lock_of(lock)->holder = -1;
  held[model_self()]--;
  wf_u64_store(&lock_of(lock)->taken, 0, WF_RELEASE);
}

void wf_lock_assert_held(const wf_lock *lock) {
  MODEL_CHECK(lock_of(lock)->holder == model_self());
}

void wf_brief_wait(wf_brief *brief) {
  model_wait_for_lock();
  MODEL_CHECK(wf_brief_try(brief));
}

void wf_spin(uint32_t ns) { (void)ns; }

// Cores ---------------------------------------------------------------------------------------

static int *refs_of(const wf_core *core) {
  for (int i = 0; i < CORES; i++) {
    if (counts[i].core == core) return &counts[i].refs;
  }
  model_fail("a core that is not there");
}

wf_core *wf_core_new(const wf_mem *mem, const wf_core_kind *kind) {
  wf_mem m = *mem;
  wf_core *core = wf_mem_new(&m, kind->size);
  if (core == NULL) return NULL;
  core->kind = kind;
  core->mem = m;
  wf_u64_init(&core->uses, 0);
  wf_lock_init(&core->lock, WF_RANK_OBJECT);
  int i = 0;
  while (counts[i].core != NULL) i++;
  counts[i].core = core;
  counts[i].refs = 1;
  return core;
}

void wf_core_ref(wf_core *core) { ++*refs_of(core); }

void wf_core_unref(wf_core *core) {
  if (--*refs_of(core) == 0) model_fail("the last reference has gone");
}

void stubs_free_core(wf_core *core) {
  int refs = *refs_of(core);
  if (refs != 1) model_fail("%d references are left", refs - 1);
  if (core->kind->empty != NULL) core->kind->empty(core);
  wf_lock_close(&core->lock);
  wf_mem_free(&core->mem, core, core->kind->size);
}

// Tasks ---------------------------------------------------------------------------------------

static stub_worker *worker_of(const wf_task *task) {
  return &stub_workers[task->vm->worker->index];
}

void stubs_fill(stub_worker *w, wf_core *core, int places) {
  wf_remote *wait = wf_remote_of(&w->task, wf_stub_wake);
  MODEL_CHECK(wait != NULL);
  wf_claim(&w->task);
  wf_remote_place *list = NULL, *place;
  for (int i = 0; i < places; i++) {
    place = wf_remote_place_new(&w->vm, core, WF_OP_RECV, 0);
    MODEL_CHECK(place != NULL);
    place->next = list;
    list = place;
  }
  while ((place = list) != NULL) {
    list = place->next;
    wf_remote_place_free(&w->vm, place);
  }
}

void stubs_free(stub_worker *w) { wf_remote_free_all(&w->vm); }

bool wf_wait_extend(wf_task *task, uint32_t count) {
  MODEL_CHECK(count == 0);
  task->extra = (void *)worker_of(task)->extra;
  task->extra->remote = NULL;
  return true;
}

void wf_claim_all(wf_task *task) {
  wf_remote *wait = task->extra->remote;
  if (wait != NULL) wf_remote_leave(wait);
  task->extra = NULL;
}

void wf_worker_post(wf_worker *to, wf_mail *mail) {
  stub_worker *w = &stub_workers[to->index];
  MODEL_CHECK(held[model_self()] == 0);
  if (w->mail != NULL) model_fail("T%u gets a second mail", to->index);
  w->mail = mail;
  model_wake((int)to->index);
}

// Its end is the model's.
void wf_stub_wake(wf_mail *mail) { (void)mail; }

void wf_stub_pack(wf_vm *vm, lua_State *L, int value, const char *call, wf_message *m) {
  (void)L, (void)value, (void)call;
  *m = stub_workers[vm->worker->index].message;
}

// Nothing raises.
int wf_guard(wf_vm *vm, lua_State *L, wf_guard_fn fn, void *ud, int nargs, int nresults) {
  (void)vm, (void)nargs, (void)nresults;
  return fn(L, ud);
}

void luaL_checkstack(lua_State *L, int size, const char *message) {
  (void)L, (void)size, (void)message;
}

void lua_pushvalue(lua_State *L, int idx) { (void)L, (void)idx; }

// What is never called ------------------------------------------------------------------------

int lua_error(lua_State *L) {
  (void)L;
  model_fail("an error");
}

_Noreturn void wf_site_raise(lua_State *L, const char *message) {
  (void)L;
  model_fail("an error: %s", message);
}

void wf_select_queue(lua_State *L, const wf_case *c, wf_waiter *waiter) {
  (void)L, (void)c, (void)waiter;
  model_fail("a wait on a local channel");
}

void wf_ctx_queue(wf_ctx *ctx, wf_waiter *waiter) {
  (void)ctx, (void)waiter;
  model_fail("a wait on a context");
}

void wf_obj_destroy(wf_obj *obj) {
  (void)obj;
  model_fail("an object that has gone");
}

void wf_code_unref(wf_code *code) {
  (void)code;
  model_fail("a message with code");
}

void wf_record_pack(wf_message *m, uint32_t number, const double *values) {
  (void)m, (void)number, (void)values;
  model_fail("a record");
}

uint32_t wf_record_unpack(const wf_message *m, double values[WF_RECORD_FIELDS]) {
  (void)m, (void)values;
  return 0;
}
