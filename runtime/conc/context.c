// SPDX-License-Identifier: MIT
#include "conc/context.h"

#include <lauxlib.h>

#include "base/check.h"
#include "sched/runtime.h"
#include "task/mark.h"
#include "task/park.h"
#include "task/remote.h"
#include "task/site.h"

// A function that waits for the end of a context. While it waits it holds the context and is held
// by the registry, as what it does may matter though nobody refers to either any more.
typedef struct after {
  wf_obj obj;
  wf_link link;      // in ctx->afters while it waits
  wf_held held;      // likewise
  wf_ctx *ctx;       // counted
  int fn;            // wf_vm_anchor
  uint64_t creator;  // the task that asked for it,
  uint32_t site;     // and where
} after;

static void drop_done(wf_ctx *ctx) {
  if (ctx->done == NULL) return;
  wf_obj_unref(&ctx->done->obj);
  ctx->done = NULL;
}

static void leave_parent(wf_ctx *ctx) {
  if (wf_link_in_list(&ctx->sibling)) wf_list_remove(&ctx->sibling);
}

static void destroy(wf_obj *obj) {
  wf_ctx *ctx = (wf_ctx *)obj;
  (void)wf_timer_stop(&obj->vm->timers, &ctx->timer);
  leave_parent(ctx);
  drop_done(ctx);
  // Upwards in a loop: a chain of contexts may be deep, and each may hold the last reference to
  // the one above.
  wf_ctx *above = ctx->parent;
  ctx->parent = NULL;
  while (above != NULL) {
    wf_ctx *next = NULL;
    if (above->obj.refs == 1) {
      next = above->parent;
      above->parent = NULL;
    }
    wf_obj_unref(&above->obj);
    above = next;
  }
}

// The node after ctx in the tree below top, depth first and by the links alone: a chain of
// contexts may be deep. Without `into`, what is below ctx is left out. NULL: it was the last one.
static wf_ctx *next_node(const wf_ctx *top, wf_ctx *ctx, bool into) {
  if (into && !wf_list_empty(&ctx->children)) {
    return wf_container_of(ctx->children.next, wf_ctx, sibling);
  }
  while (ctx != top && ctx->sibling.next == &ctx->parent->children) ctx = ctx->parent;
  return ctx != top ? wf_container_of(ctx->sibling.next, wf_ctx, sibling) : NULL;
}

// What the end of this one node brings about.
static void mark_end(wf_ctx *ctx, wf_mark *m) {
  for (wf_link *l = ctx->waiters.next; l != &ctx->waiters; l = l->next) {
    wf_mark_task(m, wf_container_of(l, wf_waiter, link)->task);
  }
  if (ctx->done != NULL) wf_chan_mark_waiters(ctx->done, m);
  for (wf_link *l = ctx->afters.next; l != &ctx->afters; l = l->next) {
    wf_mark_anchor(m, wf_container_of(l, after, link)->fn);
  }
}

// Whoever has a context may have its cancel function. A root has none: it never ends.
static void visit(wf_obj *obj, wf_mark *m) {
  wf_ctx *top = (wf_ctx *)obj, *ctx = top;
  if (top->state != WF_CTX_LIVE || top->parent == NULL) return;
  mark_end(top, m);
  bool into = true;
  while ((ctx = next_node(top, ctx, into)) != NULL) {
    into = wf_mark_part(m, &ctx->obj);
    if (into) mark_end(ctx, m);
  }
}

static const wf_kind kind = {
    .name = "context", .size = sizeof(wf_ctx), .destroy = destroy, .visit = visit};

static void deadline_passed(wf_timer *timer) {
  wf_ctx *ctx = wf_container_of(timer, wf_ctx, timer);
  wf_ctx_end(ctx->obj.vm->L, ctx, WF_CTX_DEADLINE);
}

wf_ctx *wf_ctx_new(wf_vm *vm, lua_State *L, wf_ctx *parent) {
  wf_ctx *ctx = (wf_ctx *)wf_obj_new(vm, L, &kind, &wf_tag_context);
  wf_list_init(&ctx->children);
  wf_list_init(&ctx->waiters);
  wf_list_init(&ctx->afters);
  ctx->timer.fire = deadline_passed;
  ctx->timer.owner = &ctx->obj;
  ctx->deadline_ns = WF_NEVER;
  if (parent != NULL) {
    ctx->parent = parent;
    wf_obj_ref(&parent->obj);
    ctx->deadline_ns = parent->deadline_ns;
    ctx->state = parent->state;
    if (parent->state == WF_CTX_LIVE) wf_list_push(&parent->children, &ctx->sibling);
  }
  return ctx;
}

wf_ctx *wf_ctx_at(lua_State *L, int idx) {
  return (wf_ctx *)wf_obj_in_table(L, idx, &wf_tag_context);
}

void wf_ctx_set_deadline(lua_State *L, wf_ctx *ctx, uint64_t when_ns) {
  wf_vm *vm = ctx->obj.vm;
  if (ctx->state != WF_CTX_LIVE || when_ns >= ctx->deadline_ns) return;
  if (when_ns <= wf_clock_now(&vm->clock)) {
    ctx->deadline_ns = when_ns;
    wf_ctx_end(L, ctx, WF_CTX_DEADLINE);
    return;
  }
  if (!wf_timer_arm(&vm->timers, &ctx->timer, when_ns)) wf_site_raise(L, "not enough memory");
  ctx->deadline_ns = when_ns;
}

void wf_ctx_push_error(lua_State *L, const wf_ctx *ctx) {
  if (ctx->state == WF_CTX_LIVE) {
    lua_pushnil(L);
  } else {
    wf_vm_ref ref = ctx->state == WF_CTX_CANCELED ? WF_REF_CANCELED : WF_REF_DEADLINE;
    wf_vm_push_ref(ctx->obj.vm, L, ref);
  }
}

static const char ended_mark;
void *const wf_ctx_ended = (void *)(uintptr_t)&ended_mark;

void wf_ctx_queue(wf_ctx *ctx, wf_waiter *waiter) {
  waiter->op = WF_OP_CONTEXT;
  waiter->on = &ctx->obj;
  wf_list_push(&ctx->waiters, &waiter->link);
}

static void wake_waiters(wf_ctx *ctx) {
  while (!wf_list_empty(&ctx->waiters)) {
    wf_task *task = wf_container_of(ctx->waiters.next, wf_waiter, link)->task;
    if (!wf_remote_win(task)) {  // it has got what it waited for
      wf_list_remove(ctx->waiters.next);
      continue;
    }
    wf_claim(task);
    lua_pushnil(task->at);
    wf_ctx_push_error(task->at, ctx);
    if (ctx->raises) lua_pushlightuserdata(task->at, wf_ctx_ended);
    wf_ready(task, ctx->raises ? 3 : 2);
  }
}

static void free_after(after *a) {
  wf_vm *vm = a->obj.vm;
  if (wf_link_in_list(&a->link)) wf_list_remove(&a->link);
  wf_vm_drop_anchor(vm, a->fn);
  a->fn = LUA_NOREF;
  wf_obj_unref(&a->ctx->obj);
  (void)wf_obj_release(&a->held);
}

static void start_afters(wf_ctx *ctx) {
  wf_link *link;
  while ((link = wf_list_pop(&ctx->afters)) != NULL) {
    after *a = wf_container_of(link, after, link);
    wf_task_go_anchor(a->obj.vm, a->fn, a->creator, a->site, NULL);
    free_after(a);
  }
}

// Ends one node: nobody can see it half ended, as no task runs in between.
static void end_one(lua_State *L, wf_ctx *ctx, wf_ctx_state state) {
  ctx->state = (uint8_t)state;
  leave_parent(ctx);
  (void)wf_timer_stop(&ctx->obj.vm->timers, &ctx->timer);
  wake_waiters(ctx);
  if (ctx->done != NULL) {
    wf_chan_close(L, ctx->done, 0, 0);
    drop_done(ctx);
  }
}

// Level by level over a list, not by recursion: a chain of contexts may be deep. A node stays
// counted while it is on the list.
void wf_ctx_end(lua_State *L, wf_ctx *ctx, wf_ctx_state state) {
  if (ctx->state != WF_CTX_LIVE) return;
  wf_link todo, ended;
  wf_list_init(&todo);
  wf_list_init(&ended);
  ctx->own_end = true;
  wf_obj_ref(&ctx->obj);
  leave_parent(ctx);
  wf_list_push(&todo, &ctx->sibling);
  wf_link *link;
  while ((link = wf_list_pop(&todo)) != NULL) {
    wf_ctx *node = wf_container_of(link, wf_ctx, sibling);
    end_one(L, node, state);
    for (wf_link *l = node->children.next; l != &node->children; l = l->next) {
      wf_obj_ref(&wf_container_of(l, wf_ctx, sibling)->obj);
    }
    wf_list_splice(&todo, &node->children);
    wf_list_push(&ended, &node->sibling);
  }
  while ((link = wf_list_pop(&ended)) != NULL) {
    wf_ctx *node = wf_container_of(link, wf_ctx, sibling);
    start_afters(node);
    wf_obj_unref(&node->obj);
  }
}

void wf_ctx_look_at_clock(lua_State *L, wf_ctx *ctx) {
  if (ctx->state != WF_CTX_LIVE || ctx->deadline_ns == WF_NEVER) return;
  if (ctx->deadline_ns > wf_clock_now(&ctx->obj.vm->clock)) return;
  wf_ctx *owner = ctx;
  while (owner->parent != NULL && owner->parent->deadline_ns == ctx->deadline_ns) {
    owner = owner->parent;
  }
  wf_ctx_end(L, owner, WF_CTX_DEADLINE);
}

static void let_go(wf_obj *obj) { free_after((after *)obj); }

static bool is_awaited(const wf_ctx *ctx) {
  return !wf_list_empty(&ctx->waiters) || !wf_list_empty(&ctx->afters) ||
         (ctx->done != NULL && !wf_list_empty(&ctx->done->recvq));
}

bool wf_ctx_idle(const wf_timer *timer) {
  if (timer->fire != deadline_passed) return false;
  wf_ctx *top = wf_container_of((wf_timer *)(uintptr_t)timer, wf_ctx, timer);
  for (wf_ctx *ctx = top; ctx != NULL; ctx = next_node(top, ctx, true)) {
    if (is_awaited(ctx)) return false;
  }
  return true;
}

static const wf_kind after_kind = {.name = "after_func", .size = sizeof(after), .let_go = let_go};
static const char tag_after;

void wf_ctx_after(lua_State *L, wf_ctx *ctx) {
  after *a = (after *)wf_obj_new(ctx->obj.vm, L, &after_kind, &tag_after);
  lua_insert(L, -2);
  a->fn = wf_vm_anchor(a->obj.vm, L);
  a->ctx = ctx;
  a->creator = a->obj.vm->current != NULL ? a->obj.vm->current->id : 0;
  a->site = wf_site_here(a->obj.vm, L);
  wf_obj_ref(&ctx->obj);
  wf_obj_hold(&a->held, &a->obj);
  wf_list_push(&ctx->afters, &a->link);
}

bool wf_ctx_after_stop(lua_State *L, int idx) {
  after *a = (after *)wf_obj_at(L, idx, &tag_after);
  if (a == NULL || !wf_link_in_list(&a->link)) return false;
  free_after(a);
  return true;
}
