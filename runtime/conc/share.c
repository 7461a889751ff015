// SPDX-License-Identifier: MIT
// The order of waiters stays as it was. Tasks that wait get a remote wait at once: one that is
// never opened, as the channel is not shared after all, is as if it were not there.
#include "conc/share.h"

#include "conc/chan.h"
#include "conc/shared.h"
#include "conc/stub.h"
#include "conc/tick.h"
#include "sched/runtime.h"
#include "task/guard.h"
#include "task/scalar.h"
#include "task/site.h"

static const char *refuse(const wf_obj *obj) {
  (void)obj;
  return NULL;
}

// A stub in another VM ------------------------------------------------------------------------

static void push(wf_vm *vm, lua_State *L, wf_core *core) {
  const wf_shared *sh = (const wf_shared *)core;
  wf_chan *ch = wf_chan_new_stub(vm, L, core);
  ch->capacity = sh->capacity;
  ch->system = sh->system;
  wf_vm_push_ref(vm, L, sh->system ? WF_REF_SYSTEM_MT : WF_REF_SHARED_MT);
  lua_setmetatable(L, -2);
  if (!wf_core_copy_label(core, &ch->obj)) wf_site_raise(L, "not enough memory");
}

static const wf_core_kind kind = {
    .size = sizeof(wf_shared), .empty = wf_shared_empty, .each = wf_shared_each, .push = push};

static wf_core *make(const wf_obj *obj) {
  const wf_chan *ch = (const wf_chan *)obj;
  uint32_t limit = ch->tick != NULL ? 1 : ch->capacity;
  wf_shared *sh = wf_shared_new(wf_obj_mem(obj), &kind, ch->capacity, limit);
  if (sh == NULL) return NULL;
  sh->system = ch->system;
  return &sh->core;
}

// Filling -------------------------------------------------------------------------------------

static _Noreturn void no_memory(lua_State *L) { wf_site_raise(L, "not enough memory"); }

// Buffers the value on top of the stack.
static void buffer(wf_promotion *p, lua_State *L, wf_shared *sh) {
  wf_message m;
  wf_promotion_pack(p, L, lua_gettop(L), "buffered value", &m);
  if (wf_shared_fill(sh, &m)) return;
  wf_message_free(&m);
  no_memory(L);
}

static void fill_buffer(wf_promotion *p, lua_State *L, wf_chan *ch, wf_shared *sh, int self) {
  double pending;
  if (ch->tick != NULL && wf_tick_pending(ch->tick, &pending)) {
    lua_pushnumber(L, pending);
    buffer(p, L, sh);
  }
  if (ch->capacity == 0) return;
  uint32_t n = wf_chan_len(L, ch, self);
  for (uint32_t i = 0; i < n; i++) {
    wf_chan_push_buffered(L, ch, self, i);
    buffer(p, L, sh);
    lua_pop(L, 1);
  }
}

void wf_share_fill_queue(wf_promotion *p, lua_State *L, const wf_link *from, wf_core *core,
                         wf_link *queue) {
  for (wf_link *l = from->next; l != from; l = l->next) {
    wf_waiter *waiter = wf_container_of(l, wf_waiter, link);
    wf_task *task = waiter->task;
    wf_remote *wait = wf_remote_of(task, wf_stub_wake);
    wf_remote_place *place = NULL;
    if (wait != NULL) place = wf_remote_place_new(p->vm, core, waiter->op, waiter->index);
    if (place == NULL) no_memory(L);
    place->wait = wait;
    place->instead_of = waiter;
    wf_list_push(queue, &place->link);
    if (waiter->op != WF_OP_SEND) continue;
    lua_pushvalue(task->at, waiter->index != 0 ? waiter->slot : -1);
    lua_xmove(task->at, L, 1);
    wf_promotion_pack(p, L, lua_gettop(L), "value that waits to be sent", &place->message);
    lua_pop(L, 1);
  }
}

static void fill(wf_promotion *p, lua_State *L, wf_obj *obj, int self) {
  wf_chan *ch = (wf_chan *)obj;
  wf_shared *sh = wf_stub_core(ch);
  sh->closed = ch->closed;
  if (ch->has_error) {
    wf_chan_push_error(L, ch, self);
    wf_promotion_pack(p, L, lua_gettop(L), "closing error", &sh->error);
    sh->has_error = true;
    lua_pop(L, 1);
  }
  fill_buffer(p, L, ch, sh, self);
  wf_share_fill_queue(p, L, &ch->recvq, &sh->core, &sh->recvq);
  wf_share_fill_queue(p, L, &ch->sendq, &sh->core, &sh->sendq);
}

// The end -------------------------------------------------------------------------------------

// Others can claim these waits from now on, so what is local to them goes the slow way.
static void look_twice(const wf_task *task) {
  wf_waits *extra = task->extra;
  for (uint32_t i = 0; i < extra->count; i++) extra->waiters[i].again = true;
}

void wf_share_requeue(wf_link *queue) {
  wf_link places;
  wf_list_init(&places);
  wf_list_splice(&places, queue);
  wf_link *link;
  while ((link = wf_list_pop(&places)) != NULL) {
    wf_remote_place *place = wf_container_of(link, wf_remote_place, link);
    wf_list_remove(&place->instead_of->link);
    place->instead_of = NULL;
    look_twice(place->wait->task);
    place->wait->was_local = true;
    wf_remote_queue(place->wait, place, queue);
  }
}

typedef struct retire_job {
  wf_chan *ch;
} retire_job;

static int retire(lua_State *L, void *ud) {
  const retire_job *job = ud;
  wf_chan *ch = job->ch;
  if (!ch->system) {
    wf_vm_push_ref(ch->obj.vm, L, WF_REF_SHARED_MT);
    lua_setmetatable(L, 2);
  }
  if (ch->capacity != 0) wf_chan_retire(L, ch, 2);
  return 0;
}

static void commit(lua_State *L, wf_obj *obj, int self) {
  wf_chan *ch = (wf_chan *)obj;
  wf_shared *sh = wf_stub_core(ch);
  ch->direct = false;
  wf_share_requeue(&sh->recvq);
  wf_share_requeue(&sh->sendq);
  if (ch->tick != NULL) wf_tick_share(ch->tick);
  retire_job job = {.ch = ch};
  lua_pushvalue(L, self);
  // What a script has taken apart is left as it is.
  if (wf_guard_at_rest(obj->vm, L, retire, &job, 1, 0) != 0) lua_pop(L, 1);
}

const wf_share wf_share_chan = {.refuse = refuse, .make = make, .fill = fill, .commit = commit};
