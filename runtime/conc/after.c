// SPDX-License-Identifier: MIT
// While it waits it holds the context and is held, as what it does may matter though nobody refers
// to either any more. Once it has crossed, its core's state says who was first: the context's end,
// in its own VM, or a stop anywhere.
#include "conc/after.h"

#include <lauxlib.h>

#include "base/check.h"
#include "sched/runtime.h"
#include "task/core.h"
#include "task/mark.h"
#include "task/promote.h"
#include "task/site.h"
#include "task/task.h"

typedef enum state { WAITS, STARTED, STOPPED } state;

typedef struct after_core {
  wf_core core;
  wf_atomic_u64 state;
  wf_mail mail;         // to its own VM, once it has been stopped elsewhere; counts the core
  wf_worker *worker;    // of that VM
  struct after *after;  // there; NULL: it has gone. That VM's thread alone
} after_core;

typedef struct after {
  wf_obj obj;
  wf_after_call call;
  wf_held held;      // while it waits
  int fn;            // wf_vm_anchor, likewise
  uint64_t creator;  // the task that asked for it,
  uint32_t site;     // and where
} after;

static after_core *core_of(const after *a) { return (after_core *)a->obj.core; }

void wf_after_wait(wf_after_call *call, wf_ctx *ctx) {
  if (ctx->state != WF_CTX_LIVE) {
    call->fn(call);
    return;
  }
  call->ctx = ctx;
  wf_obj_ref(&ctx->obj);
  wf_list_push(&ctx->afters, &call->link);
}

void wf_after_leave(wf_after_call *call) {
  if (call->ctx == NULL) return;
  if (wf_link_in_list(&call->link)) wf_list_remove(&call->link);
  wf_obj_unref(&call->ctx->obj);
  call->ctx = NULL;
}

static bool waits(const after *a) { return a->call.ctx != NULL; }

static void settle(after *a) {
  wf_after_leave(&a->call);
  wf_vm_drop_anchor(a->obj.vm, a->fn);
  a->fn = LUA_NOREF;
  (void)wf_obj_release(&a->held);
}

// Whether the caller is the one that decides.
static bool win(after_core *core, state to) {
  uint64_t expected = WAITS;
  return wf_u64_cas(&core->state, &expected, to, WF_ACQ_REL);
}

static void let_go(wf_obj *obj) { settle((after *)obj); }

static void destroy(wf_obj *obj) {
  after *a = (after *)obj;
  if (obj->core == NULL || core_of(a)->worker != obj->vm->worker) return;
  if (core_of(a)->after == a) core_of(a)->after = NULL;
}

// Sharing -------------------------------------------------------------------------------------

static void empty(wf_core *core) { (void)core; }

static const wf_kind kind;

static void push(wf_vm *vm, lua_State *L, wf_core *core) {
  after *a = (after *)wf_obj_new(vm, L, &kind, &wf_tag_after);
  a->fn = LUA_NOREF;
  wf_core_ref(core);
  wf_core_use(core);
  a->obj.core = core;
  a->obj.shared = true;
}

static const wf_core_kind core_kind = {.size = sizeof(after_core), .empty = empty, .push = push};

static const char *refuse(const wf_obj *obj) {
  (void)obj;
  return NULL;
}

static void open_stop(wf_mail *mail) {
  after_core *core = wf_container_of(mail, after_core, mail);
  if (core->after != NULL && waits(core->after)) settle(core->after);
  wf_core_unref(&core->core);
}

static wf_core *make(const wf_obj *obj) {
  after_core *core = (after_core *)wf_core_new(wf_obj_mem(obj), &core_kind);
  if (core == NULL) return NULL;
  wf_u64_init(&core->state, waits((const after *)obj) ? WAITS : STARTED);
  core->mail.open = open_stop;
  core->worker = obj->vm->worker;
  return &core->core;
}

static void fill(wf_promotion *p, lua_State *L, wf_obj *obj, int self) {
  (void)p, (void)L, (void)obj, (void)self;
}

static void commit(lua_State *L, wf_obj *obj, int self) {
  (void)L, (void)self;
  core_of((const after *)obj)->after = (after *)obj;
}

static const wf_share share = {.refuse = refuse, .make = make, .fill = fill, .commit = commit};

static const wf_kind kind = {.name = "after_func",
                             .size = sizeof(after),
                             .destroy = destroy,
                             .let_go = let_go,
                             .share = &share};

// -----------------------------------------------------------------------------------------------

void wf_after_new(wf_vm *vm, lua_State *L) {
  ((after *)wf_obj_new(vm, L, &kind, &wf_tag_after))->fn = LUA_NOREF;
}

static void start(wf_after_call *call) {
  after *a = wf_container_of(call, after, call);
  if (!a->obj.shared || win(core_of(a), STARTED)) {
    wf_task_go_anchor(a->obj.vm, a->fn, a->creator, a->site, NULL);
  }
  settle(a);
}

void wf_after_begin(lua_State *L, int idx, wf_ctx *ctx) {
  after *a = (after *)wf_obj_at(L, idx, &wf_tag_after);
  WF_ASSUME(a != NULL);
  wf_vm *vm = ctx->obj.vm;
  if (ctx->state != WF_CTX_LIVE) {
    (void)wf_task_go(vm, L, lua_gettop(L));
    return;
  }
  a->site = wf_site_here(vm, L);
  a->fn = wf_vm_anchor(vm, L);
  a->creator = vm->current != NULL ? vm->current->id : 0;
  a->call.fn = start;
  wf_obj_hold(&a->held, &a->obj);
  wf_after_wait(&a->call, ctx);
}

bool wf_after_is(lua_State *L, int idx) { return wf_obj_at(L, idx, &wf_tag_after) != NULL; }

bool wf_after_stop(lua_State *L, int idx) {
  after *a = (after *)wf_obj_at(L, idx, &wf_tag_after);
  if (a == NULL) return false;
  if (a->obj.shared) {
    after_core *core = core_of(a);
    if (!win(core, STOPPED)) return false;
    if (core->worker != a->obj.vm->worker || !waits(a)) {
      wf_core_ref(&core->core);
      wf_worker_post(core->worker, &core->mail);
      return true;
    }
  }
  if (!waits(a)) return false;
  settle(a);
  return true;
}

void wf_after_start_all(wf_ctx *ctx) {
  wf_link *link;
  while ((link = wf_list_pop(&ctx->afters)) != NULL) {
    wf_after_call *call = wf_container_of(link, wf_after_call, link);
    wf_after_leave(call);
    call->fn(call);
  }
}

void wf_after_mark_all(const wf_ctx *ctx, wf_mark *m) {
  for (wf_link *l = ctx->afters.next; l != &ctx->afters; l = l->next) {
    const wf_after_call *call = wf_container_of(l, wf_after_call, link);
    if (call->fn == start) wf_mark_anchor(m, wf_container_of(call, const after, call)->fn);
  }
}
