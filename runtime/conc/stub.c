// SPDX-License-Identifier: MIT
#include "conc/stub.h"

#include <lauxlib.h>

#include "sched/runtime.h"
#include "sched/workers.h"
#include "task/codec.h"
#include "task/scalar.h"
#include "task/site.h"

// Values --------------------------------------------------------------------------------------

void wf_stub_pack(wf_vm *vm, lua_State *L, int value, const char *call, wf_message *m) {
  if (wf_codec_pack(vm, L, value, 1, WF_PACK_VALUES, m)) return;
  lua_pushfstring(L, "'%s' on a channel that has crossed: %s", call, lua_tostring(L, -1));
  wf_site_raise(L, lua_tostring(L, -1));
}

// Pushes the value of a message that has been taken, and frees it.
static void push_value(wf_vm *vm, lua_State *L, wf_message *m) {
  double v;
  if (wf_scalar_unpack(m, &v)) {
    lua_pushnumber(L, v);
    return;
  }
  bool ok = wf_codec_unpack(vm, L, m);
  if (m->parcel != NULL) wf_message_free(m);
  if (!ok) lua_error(L);
}

void wf_stub_push_error(wf_vm *vm, lua_State *L, wf_chan *ch) {
  const wf_message *error = wf_shared_error(wf_stub_core(ch));
  if (error == NULL) {
    wf_vm_push_ref(vm, L, WF_REF_CLOSED);
  } else if (!wf_codec_unpack(vm, L, error)) {
    lua_error(L);
  }
}

// Waking --------------------------------------------------------------------------------------

typedef struct unpack_job {
  wf_vm *vm;
  const wf_message *m;
  lua_State *to;
} unpack_job;

static int unpack_protected(lua_State *L) {
  const unpack_job *job = lua_touserdata(L, 1);
  if (!wf_codec_unpack(job->vm, L, job->m)) return lua_error(L);
  lua_xmove(L, job->to, 1);
  return 0;
}

// Pushes the message's value onto the stack of a parked task. False: the error in its place.
static bool push_parked(wf_vm *vm, lua_State *at, const wf_message *m) {
  double v;
  if (wf_scalar_unpack(m, &v)) {
    lua_pushnumber(at, v);
    return true;
  }
  unpack_job job = {.vm = vm, .m = m, .to = at};
  if (wf_vm_call_protected(vm, unpack_protected, &job) == 0) return true;
  lua_xmove(vm->L, at, 1);
  return false;
}

// Pushes what a receiver gets from a closed channel: nil, and the error.
static int push_closed(wf_vm *vm, lua_State *at, wf_core *core) {
  const wf_message *error = wf_shared_error((wf_shared *)core);
  lua_pushnil(at);
  if (error == NULL) {
    wf_vm_push_ref(vm, at, WF_REF_CLOSED);
  } else {
    (void)push_parked(vm, at, error);
  }
  return 2;
}

// Pushes the value, or what tells the caller to raise: false and the error to a select, nil, the
// error and true to others. Who began to wait on a local channel may have called it without a Lua
// frame around: for those nil and the error are the results.
static int push_received(wf_vm *vm, lua_State *at, const wf_remote_result *r) {
  const wf_message *m = &r->message;
  int index = r->index;
  if (push_parked(vm, at, m)) {
    if (index == 0) return 1;
    lua_pushinteger(at, index);
    lua_insert(at, -2);
    return 2;
  }
  if (index != 0) {
    lua_pushboolean(at, 0);
    lua_insert(at, -2);
    return 2;
  }
  lua_pushnil(at);
  lua_insert(at, -2);
  if (r->was_local) return 2;
  lua_pushboolean(at, 1);
  return 3;
}

void wf_stub_wake(wf_mail *mail) {
  wf_remote_result r;
  wf_task *task = wf_remote_end(mail, &r);
  if (task == NULL) return;
  wf_vm *vm = task->vm;
  lua_State *at = task->at;
  int n = 0;
  if (r.outcome == WF_REMOTE_RECEIVED) {
    n = push_received(vm, at, &r);
    if (r.message.parcel != NULL) wf_message_free(&r.message);
  } else if (r.outcome == WF_REMOTE_CLOSED && r.op == WF_OP_SEND) {
    lua_pushboolean(at, 0);
    n = 1;
  } else {
    if (r.index != 0) lua_pushinteger(at, r.index);
    n = r.index != 0;
    if (r.outcome == WF_REMOTE_CLOSED) {
      n += push_closed(vm, at, r.core);
    } else {
      lua_pushboolean(at, 1);
      n++;
    }
  }
  wf_ready(task, n);
  wf_core_unref(r.core);
}

// Operations ----------------------------------------------------------------------------------

wf_remote_place *wf_stub_prepare(wf_vm *vm, wf_obj *on, wf_op op, const wf_ctx *ctx) {
  wf_task *task = vm->current;
  (void)wf_wait_on(vm, on, op);
  wf_remote_place *place = NULL;
  bool ok = ctx == NULL || wf_wait_extend(task, 1);
  if (ok && wf_remote_of(task, wf_stub_wake) != NULL) {
    place = wf_remote_place_new(vm, on->core, op, 0);
  }
  if (place == NULL) wf_claim(task);
  return place;
}

void wf_stub_give_up(wf_vm *vm, wf_remote_place *place) {
  wf_remote_place_free(vm, place);
  wf_claim(vm->current);
}

int wf_stub_park(wf_vm *vm, lua_State *L, wf_ctx *ctx, wf_reason reason) {
  if (ctx != NULL) wf_ctx_queue(ctx, vm->current->extra->waiters);
  return wf_park(vm, L, reason, lua_gettop(L));
}

static wf_chan_result result_of(lua_State *L, wf_shared_result result) {
  switch (result) {
    case WF_SHARED_DONE: return WF_CHAN_DONE;
    case WF_SHARED_CLOSED: return WF_CHAN_CLOSED;
    case WF_SHARED_BLOCK: return WF_CHAN_BLOCK;
    default: wf_site_raise(L, "not enough memory");
  }
}

wf_chan_result wf_stub_try_send(wf_vm *vm, lua_State *L, wf_chan *ch, int value) {
  wf_message m;
  if (!wf_shared_can_send(wf_stub_core(ch))) return WF_CHAN_BLOCK;
  wf_stub_pack(vm, L, value, "send", &m);
  wf_shared_result result = wf_shared_send(wf_stub_core(ch), &m);
  if (result != WF_SHARED_DONE && m.parcel != NULL) wf_message_free(&m);
  return result_of(L, result);
}

wf_chan_result wf_stub_try_recv(wf_vm *vm, lua_State *L, wf_chan *ch) {
  wf_message m;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  wf_shared_result result = wf_shared_recv(wf_stub_core(ch), &m);
  if (result == WF_SHARED_DONE) push_value(vm, L, &m);
  return result_of(L, result);
}

// Whether it seems worth another try. Not with a single worker: who would send or receive has to
// wait for this one.
static bool linger(const wf_vm *vm, const wf_shared *core, bool room) {
  const wf_workers *workers = vm->rt->workers;
  if (core->limit == 0 || workers == NULL || workers->count == 1) return false;
  return wf_vm_ready(vm) == 0 && wf_shared_linger(core, room);
}

int wf_stub_send(wf_vm *vm, lua_State *L, wf_chan *ch, int value, wf_ctx *ctx) {
  wf_shared *core = wf_stub_core(ch);
  wf_message m;
  wf_stub_pack(vm, L, value, "send", &m);
  wf_shared_result result = wf_shared_send(core, &m);
  if (result == WF_SHARED_BLOCK && !wf_can_park(vm, L)) {
    if (m.parcel != NULL) wf_message_free(&m);
    wf_park_refuse(vm, L, "send");
  }
  if (result == WF_SHARED_BLOCK && linger(vm, core, true)) result = wf_shared_send(core, &m);
  if (result == WF_SHARED_BLOCK) {
    wf_remote_place *place = wf_stub_prepare(vm, &ch->obj, WF_OP_SEND, ctx);
    if (place == NULL) {
      if (m.parcel != NULL) wf_message_free(&m);
      wf_site_raise(L, "not enough memory");
    }
    place->message = m;
    result = wf_shared_send_or_queue(core, vm->current->extra->remote, place);
    if (result == WF_SHARED_BLOCK) return wf_stub_park(vm, L, ctx, WF_WAIT_CHAN_SEND);
    wf_stub_give_up(vm, place);
  } else if (result != WF_SHARED_DONE && m.parcel != NULL) {
    wf_message_free(&m);
  }
  lua_pushboolean(L, result_of(L, result) == WF_CHAN_DONE);
  return 1;
}

int wf_stub_recv(wf_vm *vm, lua_State *L, wf_chan *ch, wf_ctx *ctx) {
  wf_shared *core = wf_stub_core(ch);
  wf_message m;
  luaL_checkstack(L, LUA_MINSTACK, NULL);
  wf_shared_result result = wf_shared_recv(core, &m);
  if (result == WF_SHARED_BLOCK) {
    wf_check_can_park(vm, L, "recv");
    if (linger(vm, core, false)) result = wf_shared_recv(core, &m);
  }
  if (result == WF_SHARED_BLOCK) {
    wf_remote_place *place = wf_stub_prepare(vm, &ch->obj, WF_OP_RECV, ctx);
    if (place == NULL) wf_site_raise(L, "not enough memory");
    result = wf_shared_recv_or_queue(core, vm->current->extra->remote, place, &m);
    if (result == WF_SHARED_BLOCK) return wf_stub_park(vm, L, ctx, WF_WAIT_CHAN_RECV);
    wf_stub_give_up(vm, place);
  }
  if (result == WF_SHARED_DONE) {
    push_value(vm, L, &m);
    return 1;
  }
  lua_pushnil(L);
  wf_stub_push_error(vm, L, ch);
  return 2;
}

// NULL: it is none that crosses, or it is not known just now.
static const wf_chan *known_stub(const void *proxy) {
  wf_obj *obj = wf_obj_if_known(proxy, &wf_tag_chan);
  if (obj == NULL) obj = wf_obj_if_known(proxy, &wf_tag_buffer);
  const wf_chan *ch = (const wf_chan *)obj;
  return ch != NULL && ch->obj.shared ? ch : NULL;
}

bool wf_stub_send_number(const void *proxy, double v) {
  const wf_chan *ch = known_stub(proxy);
  return ch != NULL && !ch->system && wf_shared_send_number(wf_stub_core(ch), v);
}

bool wf_stub_send_record(const void *proxy, uint32_t shape, const double *values) {
  const wf_chan *ch = known_stub(proxy);
  if (ch == NULL || ch->system) return false;
  const wf_codec *codec = ch->obj.vm->codec;
  // It may be a module by now.
  if (codec == NULL || codec->modules_changed) return false;
  return wf_shared_send_record(wf_stub_core(ch), shape, values);
}

int wf_stub_recv_plain(const void *proxy, double *values) {
  const wf_chan *ch = known_stub(proxy);
  return ch != NULL ? wf_shared_recv_plain(wf_stub_core(ch), values) : WF_SHARED_NOTHING;
}

bool wf_stub_close(wf_vm *vm, lua_State *L, wf_chan *ch, int err) {
  wf_shared *core = wf_stub_core(ch);
  wf_message m = {0};
  if (wf_shared_is_closed(core)) return false;
  if (err != 0) wf_stub_pack(vm, L, err, "close", &m);
  if (wf_shared_close(core, err != 0 ? &m : NULL)) return true;
  wf_message_free(&m);
  return false;
}
