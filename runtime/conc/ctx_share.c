// SPDX-License-Identifier: MIT
#include "conc/ctx_share.h"

#include <lauxlib.h>
#include <string.h>

#include "base/check.h"
#include "sched/runtime.h"
#include "task/codec.h"
#include "task/site.h"

static _Noreturn void no_memory(lua_State *L) { wf_site_raise(L, "not enough memory"); }

// By how much the VM's clock is ahead of the one that all VMs have in common: it is not, but for
// game time (weft.step), which is the main VM's alone.
static int64_t ahead_ns(const wf_vm *vm) {
  if (!vm->clock.is_virtual || vm->rt->is_virtual) return 0;
  return (int64_t)(wf_clock_now(&vm->clock) - wf_clock_machine_ns());
}

static double ahead_s(const wf_vm *vm) { return (double)ahead_ns(vm) / (double)WF_NS_PER_S; }

// The core's deadline on the VM's clock.
static uint64_t deadline_in(const wf_vm *vm, const wf_ctx_core *core) {
  int64_t at = (int64_t)core->deadline_ns + ahead_ns(vm);
  return at > 0 ? (uint64_t)at : 0;
}

// An end that comes from another core.
static void open_end(wf_mail *mail) {
  wf_ctx *ctx = wf_ctx_link_opened(wf_container_of(mail, wf_ctx_link, mail));
  if (ctx != NULL) wf_ctx_look(ctx->obj.vm->L, ctx);
}

// Arriving ------------------------------------------------------------------------------------

// A VM that has not used contexts yet gets their module.
static void push_module_value(wf_vm *vm, lua_State *L, wf_vm_ref ref) {
  wf_core_push_ref_of(vm, L, ref, "weft.context");
}

static void set_flag(lua_State *L, const char *name) {
  lua_pushstring(L, name);
  lua_pushboolean(L, 1);
  lua_rawset(L, -3);
}

// Joins the core, and ends at once when that has ended.
static void attach(lua_State *L, wf_ctx *ctx, wf_ctx_core *core) {
  wf_ctx_link *link = wf_ctx_link_new(wf_obj_mem(&ctx->obj), open_end);
  if (link == NULL) no_memory(L);
  wf_core_ref(&core->core);
  wf_core_use(&core->core);
  ctx->obj.core = &core->core;
  ctx->obj.shared = true;
  ctx->watched = true;
  ctx->link = link;
  wf_ctx_link_join(link, core, ctx);
  if (!wf_core_copy_label(&core->core, &ctx->obj)) no_memory(L);
  wf_ctx_look(L, ctx);
  if (core->deadline_ns != WF_NEVER) {
    wf_ctx_set_deadline(L, ctx, deadline_in(ctx->obj.vm, core));
  }
}

// Puts the table of a stub in place of its parent's, which is on top.
static void make_stub(wf_vm *vm, lua_State *L, wf_ctx_core *core) {
  int parent = lua_gettop(L);
  lua_createtable(L, 1, 2);
  wf_ctx *ctx = wf_ctx_new(vm, L, core->cut ? NULL : wf_ctx_at(L, parent));
  lua_rawseti(L, -2, 0);
  lua_pushliteral(L, "parent");
  lua_pushvalue(L, parent);
  lua_rawset(L, -3);
  if (core->cut) set_flag(L, "cut");
  if (core->has_value) set_flag(L, "packed");
  if (core->has_at) {
    lua_pushliteral(L, "at");
    lua_pushnumber(L, core->at + ahead_s(vm));
    lua_rawset(L, -3);
  }
  push_module_value(vm, L, WF_REF_CONTEXT_MT);
  lua_setmetatable(L, -2);
  attach(L, ctx, core);
  lua_replace(L, parent);
}

// Pushes the table of the first context from `core` upwards that the VM has: *missing are below.
static void push_known_above(wf_vm *vm, lua_State *L, wf_core *core, int *missing) {
  for (*missing = 0; core != NULL; core = ((wf_ctx_core *)core)->parent, ++*missing) {
    const wf_ctx_core *c = (const wf_ctx_core *)core;
    if (c->root != WF_CTX_NO_ROOT) {
      push_module_value(vm, L, c->root == WF_CTX_TODO ? WF_REF_TODO : WF_REF_BACKGROUND);
      return;
    }
    wf_core_push_known(vm, L, core);
    if (!lua_isnil(L, -1)) return;
    lua_pop(L, 1);
  }
  luaL_error(L, "a context without a root");
}

// Not by recursion: a chain of contexts may be deep.
static void push(wf_vm *vm, lua_State *L, wf_core *core) {
  int missing;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  push_known_above(vm, L, core, &missing);
  wf_core **list = lua_newuserdata(L, ((size_t)missing + 1) * sizeof(wf_core *));
  lua_insert(L, -2);
  for (int i = 0; i < missing; i++, core = ((wf_ctx_core *)core)->parent) list[i] = core;
  for (int i = missing - 1; i >= 0; i--) {
    make_stub(vm, L, (wf_ctx_core *)list[i]);
    if (i > 0) wf_core_remember(vm, L, list[i], lua_gettop(L));
  }
  lua_remove(L, -2);
}

static void unpack(lua_State *L, const wf_ctx *ctx, const wf_message *m) {
  if (!wf_codec_unpack(ctx->obj.vm, L, m)) lua_error(L);
}

void wf_ctx_share_push_value(lua_State *L, const wf_ctx *ctx) {
  const wf_ctx_core *core = wf_ctx_share_core(ctx);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  unpack(L, ctx, &core->key);
  unpack(L, ctx, &core->value);
}

void wf_ctx_share_push_cause(lua_State *L, const wf_ctx *ctx) {
  const wf_ctx_core *core = wf_ctx_share_core(ctx);
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  wf_ctx_state state = wf_ctx_core_state(core).state;
  if (state == WF_CTX_CANCELED && core->has_cause) {
    unpack(L, ctx, &core->cause);
  } else if (state == WF_CTX_DEADLINE && core->has_deadline_cause) {
    unpack(L, ctx, &core->deadline_cause);
  } else {
    lua_pushnil(L);
  }
}

// Becoming shared -----------------------------------------------------------------------------

static const wf_core_kind kind = {.size = sizeof(wf_ctx_core),
                                  .empty = wf_ctx_core_empty,
                                  .each = wf_ctx_core_each,
                                  .push = push};

static const char *refuse(const wf_obj *obj) {
  (void)obj;
  return NULL;
}

static wf_core *make(const wf_obj *obj) {
  const wf_ctx *ctx = (const wf_ctx *)obj;
  wf_ctx_end_state end = {.state = (wf_ctx_state)ctx->state, .own = ctx->own_end};
  wf_ctx_core *core = wf_ctx_core_new(wf_obj_mem(obj), &kind, end);
  if (core == NULL) return NULL;
  if (wf_timer_armed(&ctx->timer)) {
    core->deadline_ns = ctx->deadline_ns - (uint64_t)ahead_ns(obj->vm);
  }
  core->first = wf_ctx_link_new(wf_obj_mem(obj), open_end);
  if (core->first != NULL) return &core->core;
  wf_core_unref(&core->core);
  return NULL;
}

// Pushes the field of the context's table.
static bool push_field(lua_State *L, int self, const char *name) {
  lua_pushstring(L, name);
  lua_rawget(L, self);
  if (!lua_isnil(L, -1)) return true;
  lua_pop(L, 1);
  return false;
}

// The field, if there is one, into the core's message.
static bool fill_message(wf_promotion *p, lua_State *L, int self, const char *name,
                         const char *what, wf_ctx_core *core, wf_message *place) {
  if (!push_field(L, self, name)) return false;
  wf_message m;
  wf_promotion_pack(p, L, lua_gettop(L), what, &m);
  wf_lock_acquire(&core->core.lock);
  *place = m;
  wf_lock_release(&core->core.lock);
  lua_pop(L, 1);
  return true;
}

// It has to have a core as well, which is all that the packing is for.
static void fill_parent(wf_promotion *p, lua_State *L, int self, wf_ctx_core *core) {
  const wf_ctx *parent = push_field(L, self, "parent") ? wf_ctx_at(L, lua_gettop(L)) : NULL;
  if (parent == NULL) wf_site_raise(L, "the insides of a context were overwritten");
  wf_message m;
  wf_promotion_pack(p, L, lua_gettop(L), "parent", &m);
  wf_core_ref(parent->obj.core);
  wf_lock_acquire(&core->core.lock);
  core->parent = parent->obj.core;
  wf_lock_release(&core->core.lock);
  wf_message_free(&m);
  lua_pop(L, 1);
}

static void fill_value(wf_promotion *p, lua_State *L, int self, wf_ctx_core *core) {
  if (!push_field(L, self, "key")) return;
  if (lua_type(L, -1) == LUA_TSTRING || lua_type(L, -1) == LUA_TNUMBER) {
    lua_pushvalue(L, -1);
    lua_pushfstring(L, "value of key '%s'", lua_tostring(L, -1));
  } else {
    lua_pushnil(L);
    lua_pushfstring(L, "value of a key (%s)", luaL_typename(L, -2));
  }
  (void)fill_message(p, L, self, "key", "key", core, &core->key);
  if (!fill_message(p, L, self, "val", lua_tostring(L, -1), core, &core->value)) {
    // with_value(ctx, key, nil): a message of nil hides an outer value as well.
    lua_pushnil(L);
    wf_promotion_pack(p, L, lua_gettop(L), "value", &core->value);
    lua_pop(L, 1);
  }
  core->has_value = true;
  lua_pop(L, 3);
}

static void fill(wf_promotion *p, lua_State *L, wf_obj *obj, int self) {
  wf_ctx_core *core = (wf_ctx_core *)obj->core;
  if (push_field(L, self, "root")) {
    bool is_todo = strcmp(lua_tostring(L, -1), "todo") == 0;
    core->root = is_todo ? WF_CTX_TODO : WF_CTX_BACKGROUND;
    return;
  }
  core->cut = push_field(L, self, "cut");
  core->has_at = push_field(L, self, "at");
  if (core->has_at) core->at = lua_tonumber(L, -1) - ahead_s(obj->vm);
  fill_parent(p, L, self, core);
  fill_value(p, L, self, core);
  core->has_deadline_cause = fill_message(p, L, self, "deadline_cause", "cause of its deadline",
                                          core, &core->deadline_cause);
  core->has_cause = fill_message(p, L, self, "cause_value", "cause", core, &core->cause);
}

static void commit(lua_State *L, wf_obj *obj, int self) {
  (void)L;
  (void)self;
  wf_ctx *ctx = (wf_ctx *)obj;
  wf_ctx_core *core = (wf_ctx_core *)obj->core;
  if (core->root != WF_CTX_NO_ROOT) return;
  ctx->link = core->first;
  core->first = NULL;
  wf_ctx_link_join(ctx->link, core, ctx);
  wf_ctx_watch(ctx);
}

const wf_share wf_ctx_share = {.refuse = refuse, .make = make, .fill = fill, .commit = commit};
