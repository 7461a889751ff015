// SPDX-License-Identifier: MIT
#include "conc/select.h"

#include "base/check.h"
#include "conc/stub.h"
#include "conc/wait_all.h"
#include "task/park.h"

static bool is_ready(lua_State *L, const wf_case *c) {
  const wf_chan *ch = c->ch;
  if (ch == NULL) return false;
  if (WF_LIKELY(ch->direct)) return !wf_list_empty(c->value != 0 ? &ch->recvq : &ch->sendq);
  if (ch->obj.shared) {
    wf_shared *core = wf_stub_core(ch);
    return c->value != 0 ? wf_shared_can_send(core) : wf_shared_can_recv(core);
  }
  return c->value != 0 ? wf_chan_can_send(L, c->ch, c->self) : wf_chan_can_recv(L, c->ch, c->self);
}

// Reservoir sampling over the ready cases: each of k is kept with probability 1/k.
static const wf_case *draw(wf_vm *vm, lua_State *L, const wf_case *cases, int n) {
  const wf_case *chosen = NULL;
  uint32_t ready = 0;
  for (int i = 0; i < n; i++) {
    if (!is_ready(L, &cases[i])) continue;
    if (++ready == 1 || wf_rand_below(&vm->rand, ready) == 0) chosen = &cases[i];
  }
  return chosen;
}

// Pushes the results of the case that was chosen, and how many they are; 0: it would have to wait
// after all, as whoever waited there has been woken by somebody else.
static int run_send(wf_vm *vm, lua_State *L, const wf_case *c) {
  wf_chan_result sent = WF_CHAN_DONE;
  if (WF_UNLIKELY(c->ch->obj.shared)) {
    sent = wf_stub_try_send(vm, L, c->ch, c->value);
  } else {
    lua_pushvalue(L, c->value);
    wf_waiter *receiver = c->ch->direct ? wf_chan_first(&c->ch->recvq) : NULL;
    if (WF_LIKELY(receiver != NULL)) {
      wf_chan_hand_to(L, receiver);
    } else {
      sent = wf_chan_try_send(L, c->ch, c->self);
    }
  }
  if (WF_UNLIKELY(sent == WF_CHAN_BLOCK)) return 0;
  if (sent == WF_CHAN_CLOSED) {
    lua_pushboolean(L, 0);
    return 1;
  }
  lua_pushinteger(L, c->index);
  lua_pushboolean(L, 1);
  return 2;
}

static int run_recv(wf_vm *vm, lua_State *L, const wf_case *c) {
  lua_pushinteger(L, c->index);
  wf_waiter *sender = c->ch->direct ? wf_chan_first(&c->ch->sendq) : NULL;
  if (WF_LIKELY(sender != NULL)) {
    wf_chan_take_from(L, sender);
    return 2;
  }
  bool shared = c->ch->obj.shared;
  wf_chan_result taken =
      shared ? wf_stub_try_recv(vm, L, c->ch) : wf_chan_try_recv(L, c->ch, c->self);
  if (taken == WF_CHAN_DONE) return 2;
  if (WF_UNLIKELY(taken == WF_CHAN_BLOCK)) return 0;
  lua_pushnil(L);
  if (shared) {
    wf_stub_push_error(vm, L, c->ch);
  } else {
    wf_chan_push_error(L, c->ch, c->self);
  }
  return 3;
}

bool wf_select_try(wf_vm *vm, lua_State *L, const wf_case *cases, int n, int *nresults) {
  const wf_case *chosen;
  int top = lua_gettop(L);
  while ((chosen = draw(vm, L, cases, n)) != NULL) {
    *nresults = chosen->value != 0 ? run_send(vm, L, chosen) : run_recv(vm, L, chosen);
    if (WF_LIKELY(*nresults != 0)) return true;
    lua_settop(L, top);
  }
  return false;
}

void wf_select_queue(lua_State *L, const wf_case *c, wf_waiter *waiter) {
  waiter->on = &c->ch->obj;
  waiter->op = c->value != 0 ? WF_OP_SEND : WF_OP_RECV;
  waiter->index = (int16_t)c->index;
  waiter->slot = (int16_t)c->value;
  wf_chan_queue(L, c->ch, c->self, waiter);
}

int wf_select_park(wf_vm *vm, lua_State *L, const wf_case *cases, int n, wf_ctx *own) {
  int keep = lua_gettop(L);
  if (keep == 0) {
    lua_pushnil(L);
    keep = 1;
  }
  wf_wait_on(vm, NULL, WF_OP_RECV);
  uint32_t local = 0, remote = 0;
  for (int i = 0; i < n; i++) {
    if (cases[i].ch == NULL) continue;
    if (WF_UNLIKELY(cases[i].ch->obj.shared)) {
      remote++;
    } else {
      local++;
    }
  }
  if (WF_UNLIKELY(remote > 0)) {
    if (!wf_wait_all_queue(vm, L, cases, n, local, own)) return 0;
  } else if (local > 0 || own != NULL) {
    wf_waiter *waiter = wf_wait_more(vm, L, local + (own != NULL))->waiters;
    if (WF_UNLIKELY(own != NULL)) wf_ctx_queue(own, waiter++);
    for (int i = 0; i < n; i++) {
      if (cases[i].ch != NULL) wf_select_queue(L, &cases[i], waiter++);
    }
  }
  return wf_park(vm, L, WF_WAIT_SELECT, keep);
}

bool wf_select_would_wait(const void *proxy) {
  const wf_chan *ch = (const wf_chan *)wf_obj_if_known(proxy, &wf_tag_chan);
  return ch != NULL && ch->direct && wf_list_empty(&ch->sendq);
}
