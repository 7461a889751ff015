// SPDX-License-Identifier: MIT
#include "users.h"

#include "conc/chan.h"
#include "conc/stub.h"
#include "conc/wait_all.h"
#include "model.h"
#include "stubs.h"
#include "task/park.h"
#include "task/scalar.h"

wf_shared *users_channels[CHANNELS];
wf_core *users_core;
bool users_found[VALUES_ACTORS], users_saw[VALUES_ACTORS];

static wf_chan stubs[CHANNELS];

static stub_worker *mine(void) { return &stub_workers[model_self()]; }
int users_me(void) { return model_self() == MAIN ? VALUES_MAIN : model_self(); }

// All that a thread keeps in variables between two of its doings.
void users_forget(int at) {
  int i = users_me();
  const wf_vm *vm = &mine()->vm;
  uint64_t places = (uint64_t)(uintptr_t)vm->free_places;
  if (vm->free_places != NULL) {
    places = memory_mix(places, (uint64_t)(uintptr_t)vm->free_places->next);
  }
  uint64_t key = memory_mix(memory_mix((uint64_t)at, places), values_key(i));
  model_forget(memory_mix(key, (uint64_t)users_saw[i] * 2 + users_found[i]));
}

// Values --------------------------------------------------------------------------------------

static wf_message make(char what) {
  wf_message m = {0};
  int v = values_make(users_me());
  wf_scalar_pack(&m, v);
  if (what != 'v' && what != 'm') return m;
  m.parcel = wf_message_parcel(&model_mem, 1, what == 'm', 0, 0);
  MODEL_CHECK(m.parcel != NULL);
  m.parcel->bytes[0] = (uint8_t)v;
  if (what == 'm') {
    m.parcel->cores[0] = users_core;
    wf_core_ref(users_core);
  }
  return m;
}

static void got(const void *ch, wf_message *m) {
  double v = -1;
  if (m->parcel != NULL) {
    v = m->parcel->bytes[0];
    wf_message_free(m);
  } else {
    MODEL_CHECK(wf_scalar_unpack(m, &v));
  }
  values_got(users_me(), ch == users_channels[1], (int)v);
}

// Waiting -------------------------------------------------------------------------------------

static void give_up(wf_remote_place *place) {
  wf_remote_place_free(&mine()->vm, place);
  wf_claim(&mine()->task);
}

static wf_remote *prepare(wf_shared *ch, wf_op op, wf_remote_place **place) {
  stub_worker *w = mine();
  wf_remote *wait = wf_remote_of(&w->task, wf_stub_wake);
  *place = wf_remote_place_new(&w->vm, &ch->core, op, 0);
  MODEL_CHECK(wait != NULL && *place != NULL);
  return wait;
}

// Waits for the mail. False: it has given up.
static bool await(bool gives_up, wf_remote_result *r) {
  stub_worker *w = mine();
  if (gives_up && wf_remote_win(&w->task)) {
    wf_claim(&w->task);
    return false;
  }
  do {
    model_sleep();
  } while (w->mail == NULL);
  wf_mail *mail = w->mail;
  w->mail = NULL;
  MODEL_CHECK(wf_remote_end(mail, r) == &w->task);
  wf_core_unref(r->core);
  return true;
}

static void finish_wait(bool gives_up) {
  wf_remote_result r;
  if (!await(gives_up, &r)) return;
  if (r.op == WF_OP_SEND) {
    MODEL_CHECK(r.outcome != WF_REMOTE_RECEIVED);
    if (r.outcome == WF_REMOTE_DONE) values_accept(users_me());
  } else {
    MODEL_CHECK(r.outcome != WF_REMOTE_DONE);
    if (r.outcome == WF_REMOTE_RECEIVED) got(r.core, &r.message);
  }
}

// What a task does ----------------------------------------------------------------------------

static void sent(wf_shared_result result, wf_message *m) {
  if (result == WF_SHARED_DONE) {
    values_accept(users_me());
  } else if (m->parcel != NULL) {
    wf_message_free(m);
  }
}

// `what` is what has to come of it, if that is clear.
void users_try_send(wf_shared *ch, char what) {
  wf_message m = make('s');
  wf_shared_result result = wf_shared_send(ch, &m);
  users_found[users_me()] = result == WF_SHARED_DONE;
  if (what == 'T' && result != WF_SHARED_DONE) model_fail("there is room, and it is not seen");
  if (what == 'u' && result != WF_SHARED_CLOSED) model_fail("it is closed");
  sent(result, &m);
}

void users_send(wf_shared *ch, char what) {
  wf_message m = make(what);
  wf_shared_result result = WF_SHARED_BLOCK;
  double v;
  if (what == 'n' && wf_scalar_unpack(&m, &v) && wf_shared_send_number(ch, v)) {
    result = WF_SHARED_DONE;
  }
  if (what != 'i' && what != 'a' && result == WF_SHARED_BLOCK) result = wf_shared_send(ch, &m);
  if (result == WF_SHARED_BLOCK) {
    wf_remote_place *place;
    wf_remote *wait = prepare(ch, WF_OP_SEND, &place);
    place->message = m;
    m.parcel = NULL;
    result = wf_shared_send_or_queue(ch, wait, place);
    if (result == WF_SHARED_BLOCK) {
      finish_wait(what == 'a');
      return;
    }
    give_up(place);
  }
  sent(result, &m);
}

void users_try_recv(wf_shared *ch, char what) {
  wf_message m;
  wf_shared_result result = wf_shared_recv(ch, &m);
  users_found[users_me()] = result == WF_SHARED_DONE;
  if (what == 'Y' && result != WF_SHARED_DONE) model_fail("there is a value, and it is not seen");
  if (what == 'q' && result != WF_SHARED_CLOSED) model_fail("it is closed");
  if (result == WF_SHARED_DONE) got(ch, &m);
}

void users_recv(wf_shared *ch, char what) {
  wf_message m;
  double v;
  if (what == 'p' && wf_shared_recv_plain(ch, &v) == WF_SHARED_NUMBER) {
    wf_scalar_pack(&m, v);
    got(ch, &m);
    return;
  }
  wf_shared_result result = what == 'j' || what == 'b' ? WF_SHARED_BLOCK : wf_shared_recv(ch, &m);
  if (result == WF_SHARED_BLOCK) {
    wf_remote_place *place;
    wf_remote *wait = prepare(ch, WF_OP_RECV, &place);
    result = wf_shared_recv_or_queue(ch, wait, place, &m);
    if (result == WF_SHARED_BLOCK) {
      finish_wait(what == 'b');
      return;
    }
    give_up(place);
  }
  if (result == WF_SHARED_DONE) got(ch, &m);
}

// As wf_select_try: false when none is ready.
static bool try_cases(const wf_case *cases, wf_message *value) {
  for (int i = 0; i < CHANNELS; i++) {
    wf_shared *ch = (wf_shared *)cases[i].ch->obj.core;
    bool sends = cases[i].value != 0;
    if (sends ? !wf_shared_can_send(ch) : !wf_shared_can_recv(ch)) continue;
    wf_message m;
    wf_shared_result result = sends ? wf_shared_send(ch, value) : wf_shared_recv(ch, &m);
    if (result == WF_SHARED_BLOCK) {  // somebody came first: all are looked at again
      i = -1;
      continue;
    }
    if (result == WF_SHARED_DONE) {
      if (sends) {
        values_accept(users_me());
      } else {
        got(ch, &m);
      }
    }
    return true;
  }
  return false;
}

void users_select(char what, int at) {
  stub_worker *w = mine();
  bool sends = what == 'X' || what == 'Z' || what == 'M';
  if (sends) w->message = make('s');
  const wf_case cases[CHANNELS] = {
      {.ch = &stubs[what == 'Z'], .value = sends},
      {.ch = &stubs[what == 'S' || what == 'X']},
  };
  for (;;) {
    users_forget(at);
    if (try_cases(cases, &w->message)) return;
    users_forget(at + 1);
    if (wf_wait_all_queue(&w->vm, NULL, cases, CHANNELS, 0, NULL)) break;
  }
  finish_wait(false);
}

void users_close(wf_shared *ch, char what) {
  wf_message m = {0};
  if (what == 'e') {
    m.parcel = wf_message_parcel(&model_mem, 1, 0, 0, 0);
    MODEL_CHECK(m.parcel != NULL);
  }
  bool first = wf_shared_close(ch, what == 'e' ? &m : NULL);
  if (!first && m.parcel != NULL) wf_message_free(&m);
}

// Before and after ----------------------------------------------------------------------------

static const wf_core_kind kind = {
    .size = sizeof(wf_shared), .empty = wf_shared_empty, .each = wf_shared_each};
static const wf_core_kind core_kind = {.size = sizeof(wf_core)};

static wf_shared *open_channel(uint32_t limit) {
  wf_shared *ch = wf_shared_new(&model_mem, &kind, limit, limit);
  MODEL_CHECK(ch != NULL);
  wf_rand_seed(&ch->rand, 1);
  model_is_lock(&ch->ring.take.lock.taken.cell);
  model_is_lock(&ch->ring.put.lock.taken.cell);
  return ch;
}

void users_setup(const uint32_t *limits, uint32_t filled) {
  stubs_reset();
  values_reset();
  users_core = wf_core_new(&model_mem, &core_kind);
  for (int i = 0; i < VALUES_ACTORS; i++) users_saw[i] = users_found[i] = false;
  for (int i = 0; i < CHANNELS; i++) {
    wf_shared *ch = users_channels[i] = open_channel(limits[i]);
    stubs[i].obj.shared = true;
    stubs[i].obj.core = &ch->core;
    for (; i == 0 && filled > 0; filled--) {
      wf_message m = make('s');
      MODEL_CHECK(wf_shared_fill(ch, &m));
      values_accept(users_me());
    }
    wf_lock_acquire(&ch->core.lock);
    wf_shared_stop_locked(ch);
    wf_shared_go_on_locked(ch);  // calm
    wf_lock_release(&ch->core.lock);
  }
  for (int i = 0; i < VALUES_MAIN; i++) stubs_fill(&stub_workers[i], &users_channels[0]->core, 2);
}

void users_end(void) {
  values_end();
  for (int i = 0; i < CHANNELS; i++) {
    wf_message m;
    while (wf_shared_recv(users_channels[i], &m) == WF_SHARED_DONE) got(users_channels[i], &m);
    stubs_free_core(&users_channels[i]->core);
  }
  stubs_free_core(users_core);
  for (int i = 0; i < VALUES_MAIN; i++) stubs_free(&stub_workers[i]);
}
