// SPDX-License-Identifier: MIT
#include "conc/context.h"

#include <lauxlib.h>

#include "base/check.h"
#include "conc/after.h"
#include "conc/ctx_share.h"
#include "sched/runtime.h"
#include "task/mark.h"
#include "task/park.h"
#include "task/remote.h"
#include "task/site.h"

static void drop_done(wf_ctx *ctx) {
  if (ctx->done == NULL) return;
  ctx->done->context = NULL;
  wf_obj_unref(&ctx->done->obj);
  ctx->done = NULL;
}

static void leave_parent(wf_ctx *ctx) {
  if (wf_link_in_list(&ctx->sibling)) wf_list_remove(&ctx->sibling);
}

static void destroy(wf_obj *obj) {
  wf_ctx *ctx = (wf_ctx *)obj;
  (void)wf_timer_stop(&obj->vm->timers, &ctx->timer);
  if (ctx->link != NULL) wf_ctx_link_leave(ctx->link, wf_ctx_share_core(ctx));
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
  wf_after_mark_all(ctx, m);
}

// Whoever has a context may have its cancel function. A root has none: it never ends; nor has what
// only follows its parent, which its table refers to.
static void visit(wf_obj *obj, wf_mark *m) {
  wf_ctx *top = (wf_ctx *)obj, *ctx = top;
  if (top->state != WF_CTX_LIVE || top->parent == NULL || top->follows) return;
  mark_end(top, m);
  bool into = true;
  while ((ctx = next_node(top, ctx, into)) != NULL) {
    into = wf_mark_part(m, &ctx->obj);
    if (into) mark_end(ctx, m);
  }
}

static const wf_kind kind = {.name = "context",
                             .size = sizeof(wf_ctx),
                             .destroy = destroy,
                             .visit = visit,
                             .share = &wf_ctx_share};

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
    ctx->watched = parent->watched;
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

// Ends one node: nobody can see it half ended, as no task runs in between.
static void end_one(lua_State *L, wf_ctx *ctx) {
  leave_parent(ctx);
  (void)wf_timer_stop(&ctx->obj.vm->timers, &ctx->timer);
  wake_waiters(ctx);
  if (ctx->done != NULL) {
    wf_chan_close(L, ctx->done, 0, 0);
    drop_done(ctx);
  }
}

// Another core may have been first; then this one ends as it did there.
static void set_state(wf_ctx *ctx, wf_ctx_end_state end) {
  if (WF_UNLIKELY(ctx->obj.shared)) {
    wf_ctx_core *core = wf_ctx_share_core(ctx);
    if (!wf_ctx_core_end(core, end, NULL, ctx)) end = wf_ctx_core_state(core);
  }
  ctx->state = (uint8_t)end.state;
  ctx->own_end = end.own;
}

// Level by level over a list, not by recursion: a chain of contexts may be deep. A node stays
// counted while it is on the list.
void wf_ctx_end(lua_State *L, wf_ctx *ctx, wf_ctx_state state) {
  if (ctx->state != WF_CTX_LIVE) return;
  wf_link todo, ended;
  wf_list_init(&todo);
  wf_list_init(&ended);
  set_state(ctx, (wf_ctx_end_state){.state = state, .own = true});
  wf_obj_ref(&ctx->obj);
  leave_parent(ctx);
  wf_list_push(&todo, &ctx->sibling);
  wf_link *link;
  while ((link = wf_list_pop(&todo)) != NULL) {
    wf_ctx *node = wf_container_of(link, wf_ctx, sibling);
    end_one(L, node);
    for (wf_link *l = node->children.next; l != &node->children; l = l->next) {
      wf_ctx *child = wf_container_of(l, wf_ctx, sibling);
      wf_obj_ref(&child->obj);
      set_state(child, (wf_ctx_end_state){.state = (wf_ctx_state)node->state});
    }
    wf_list_splice(&todo, &node->children);
    wf_list_push(&ended, &node->sibling);
  }
  while ((link = wf_list_pop(&ended)) != NULL) {
    wf_ctx *node = wf_container_of(link, wf_ctx, sibling);
    if (!wf_list_empty(&node->afters)) wf_after_start_all(node);
    wf_obj_unref(&node->obj);
  }
}

static void look_at_clock(lua_State *L, wf_ctx *ctx) {
  if (ctx->state != WF_CTX_LIVE || ctx->deadline_ns == WF_NEVER) return;
  if (ctx->deadline_ns > wf_clock_now(&ctx->obj.vm->clock)) return;
  wf_ctx *owner = ctx;
  while (owner->parent != NULL && owner->parent->deadline_ns == ctx->deadline_ns) {
    owner = owner->parent;
  }
  wf_ctx_end(L, owner, WF_CTX_DEADLINE);
}

// From the context upwards, as far as the cores go. One that ended with its parent is not where it
// began.
static void look_at_cores(lua_State *L, wf_ctx *ctx) {
  for (wf_ctx *node = ctx; node != NULL; node = node->parent) {
    if (!node->obj.shared || node->link == NULL) continue;
    wf_ctx_end_state end = wf_ctx_core_state(wf_ctx_share_core(node));
    if (end.state == WF_CTX_LIVE || !end.own) continue;
    wf_ctx_end(L, node, end.state);
    return;
  }
}

void wf_ctx_look(lua_State *L, wf_ctx *ctx) {
  if (WF_UNLIKELY(ctx->watched) && ctx->state == WF_CTX_LIVE) look_at_cores(L, ctx);
  look_at_clock(L, ctx);
}

void wf_ctx_watch(wf_ctx *ctx) {
  for (wf_ctx *node = ctx; node != NULL; node = next_node(ctx, node, true)) node->watched = true;
}

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
