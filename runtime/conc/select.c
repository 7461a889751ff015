// SPDX-License-Identifier: MIT
#include "conc/select.h"

#include "base/check.h"
#include "task/park.h"

static bool is_ready(lua_State *L, const wf_case *c) {
  const wf_chan *ch = c->ch;
  if (ch == NULL) return false;
  if (WF_LIKELY(ch->direct)) return !wf_list_empty(c->value != 0 ? &ch->recvq : &ch->sendq);
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

static int run_case(lua_State *L, const wf_case *c) {
  if (c->value != 0) {
    lua_pushvalue(L, c->value);
    wf_waiter *receiver = c->ch->direct ? wf_chan_first(&c->ch->recvq) : NULL;
    if (WF_LIKELY(receiver != NULL)) {
      wf_chan_hand_to(L, receiver);
      lua_pushinteger(L, c->index);
      lua_pushboolean(L, 1);
      return 2;
    }
    wf_chan_result sent = wf_chan_try_send(L, c->ch, c->self);
    if (sent == WF_CHAN_CLOSED) {
      lua_pushboolean(L, 0);
      return 1;
    }
    lua_pushinteger(L, c->index);
    lua_pushboolean(L, 1);
    return 2;
  }
  lua_pushinteger(L, c->index);
  wf_waiter *sender = c->ch->direct ? wf_chan_first(&c->ch->sendq) : NULL;
  if (WF_LIKELY(sender != NULL)) {
    wf_chan_take_from(L, sender);
    return 2;
  }
  if (wf_chan_try_recv(L, c->ch, c->self) == WF_CHAN_DONE) return 2;
  lua_pushnil(L);
  wf_chan_push_error(L, c->ch, c->self);
  return 3;
}

bool wf_select_try(wf_vm *vm, lua_State *L, const wf_case *cases, int n, int *nresults) {
  const wf_case *chosen = draw(vm, L, cases, n);
  if (chosen == NULL) return false;
  *nresults = run_case(L, chosen);
  return true;
}

int wf_select_park(wf_vm *vm, lua_State *L, const wf_case *cases, int n) {
  int keep = lua_gettop(L);
  if (keep == 0) {
    lua_pushnil(L);
    keep = 1;
  }
  wf_wait_on(vm, NULL, WF_OP_RECV);
  uint32_t count = 0;
  for (int i = 0; i < n; i++) count += cases[i].ch != NULL;
  if (count > 0) {
    wf_waiter *waiter = wf_wait_more(vm, L, count)->waiters;
    for (int i = 0; i < n; i++) {
      const wf_case *c = &cases[i];
      if (c->ch == NULL) continue;
      waiter->on = &c->ch->obj;
      waiter->op = c->value != 0 ? WF_OP_SEND : WF_OP_RECV;
      waiter->index = (int16_t)c->index;
      waiter->slot = (int16_t)c->value;
      wf_chan_queue(L, c->ch, c->self, waiter);
      waiter++;
    }
  }
  return wf_park(vm, L, WF_WAIT_SELECT, keep);
}

bool wf_select_would_wait(const void *proxy) {
  wf_vm *vm = wf_vm_here;
  if (vm == NULL || *wf_obj_recent(vm, proxy) != proxy) return false;
  const wf_proxy *known = proxy;
  if (known->tag != &wf_tag_chan || known->obj == NULL) return false;
  const wf_chan *ch = (const wf_chan *)known->obj;
  return ch->direct && wf_list_empty(&ch->sendq);
}
