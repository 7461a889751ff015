// SPDX-License-Identifier: MIT
// The core of a channel that has crossed, with real threads that send and receive on one: every
// value that was accepted is received once or still there, one sender's values come in order, none
// that was refused, closed out or given up is ever seen. No Lua: each thread stands for a VM with
// one task, and waits as a parked task does, in the queue, for its mail.
#include "conc/shared.h"

#include <sched.h>
#include <stdio.h>

#include "sched/runtime.h"
#include "stress.h"
#include "task/scalar.h"

#ifdef WEFT_TORTURE
enum { VALUES = 300 };
#else
enum { VALUES = 5000 };
#endif
enum { SENDERS_POLL = 1, RECEIVERS_POLL = 2 };
enum { SENDERS = 4, RECEIVERS = 2, THREADS = SENDERS + RECEIVERS };

// What a thread has: the parts of a VM and a task that a wait needs.
typedef struct place {
  wf_worker worker;
  wf_vm vm;
  wf_task task;
  wf_waits *extra;
  uint32_t rand;
  uint32_t waited, given_up;
} place;

typedef struct play {
  wf_shared *ch;
  uint32_t closes_after;  // of the values sent by sender 0: who closes then; 0: when all are done
  uint32_t polls;  // those who poll try again and again: with one side's lock (conc/shared.h)
} play;

static const wf_core_kind kind = {.size = sizeof(wf_shared), .empty = wf_shared_empty};
static wf_runtime rt;
static place places[THREADS];
static play now;
static wf_atomic_u64 senders_left;
static bool accepted[SENDERS][VALUES];
static uint8_t received[SENDERS][VALUES];  // by their receivers and, in the end, by main
static wf_atomic_u64 wrong;
static uint64_t waited, given_up;  // in all

static uint32_t below(place *p, uint32_t n) {
  p->rand = p->rand * 1664525 + 1013904223;
  return (p->rand >> 16) % n;
}

static void is_wrong_unless(bool right) {
  if (!right) wf_u64_add(&wrong, 1, WF_RELAXED);
}

// Values ---------------------------------------------------------------------------------------

// A number in the message, or in a parcel: then whoever has it in the end has to free it.
static wf_message make(place *p, int sender, int number) {
  wf_message m = {0};
  double v = sender * 1e6 + number;
  if (below(p, 4) != 0) {
    wf_scalar_pack(&m, v);
    return m;
  }
  m.parcel = wf_message_parcel(&rt.mem, sizeof v, 0, 0, 0);
  if (m.parcel == NULL) abort();
  memcpy(m.parcel->bytes, &v, sizeof v);
  return m;
}

// Counts it, and frees it. `last`: what this receiver has got of each sender before.
static void got(wf_message *m, int *last) {
  double v = -1;
  if (m->parcel != NULL) {
    memcpy(&v, m->parcel->bytes, sizeof v);
    wf_message_free(m);
  } else {
    is_wrong_unless(wf_scalar_unpack(m, &v));
  }
  int sender = (int)(v / 1e6), number = (int)(v - sender * 1e6);
  is_wrong_unless(sender >= 0 && sender < SENDERS && number > last[sender]);
  last[sender] = number;
  // Only one may get it, so nobody else writes here: a second one is for the check, and for tsan.
  received[sender][number]++;
}

// Waiting --------------------------------------------------------------------------------------

static void open_mail(wf_mail *mail) { (void)mail; }

// Opens the thread's wait and gives it a place in a queue of the channel's.
static wf_remote *prepare(place *p, wf_op op, wf_remote_place **in_queue) {
  p->task = (wf_task){.vm = &p->vm, .extra = p->extra};
  p->extra->remote = NULL;
  wf_remote *wait = wf_remote_of(&p->task, open_mail);
  *in_queue = wf_remote_place_new(&p->vm, &now.ch->core, op, 0);
  if (wait == NULL || *in_queue == NULL) abort();
  return wait;
}

// It has not been queued.
static void undo(place *p, wf_remote *wait, wf_remote_place *in_queue) {
  wf_remote_place_free(&p->vm, in_queue);
  wf_remote_leave(wait);
}

// Waits for the mail, now and then not for long. False: it has given up.
static bool await(place *p, wf_remote *wait, wf_remote_outcome *outcome, wf_message *m) {
  uint32_t patience = below(p, 3) == 0 ? below(p, 20) : UINT32_MAX;
  p->waited++;
  wf_inbox_node *mail;
  for (uint32_t looks = 0; (mail = wf_inbox_take(&p->worker.inbox)) == NULL; looks++) {
    if (looks >= patience && wf_remote_win(&p->task)) {
      wf_remote_leave(wait);
      p->given_up++;
      return false;
    }
    (void)sched_yield();
  }
  is_wrong_unless(mail == &wait->mail.node && mail->next == NULL);
  *outcome = wait->outcome;
  *m = wait->message;
  wait->message.parcel = NULL;
  wait->claimed = true;
  wf_remote_leave(wait);
  return true;
}

static wf_shared_result try_send(place *p, wf_message *m) {
  if ((now.polls & SENDERS_POLL) == 0)
    return below(p, 2) == 0 ? wf_shared_send(now.ch, m) : WF_SHARED_BLOCK;
  wf_shared_result result;
  while ((result = wf_shared_send(now.ch, m)) == WF_SHARED_BLOCK) (void)sched_yield();
  return result;
}

static wf_shared_result try_recv(place *p, wf_message *m) {
  if ((now.polls & RECEIVERS_POLL) == 0)
    return below(p, 2) == 0 ? wf_shared_recv(now.ch, m) : WF_SHARED_BLOCK;
  wf_shared_result result;
  while ((result = wf_shared_recv(now.ch, m)) == WF_SHARED_BLOCK) (void)sched_yield();
  return result;
}

// Sends a value; 1: it is theirs. 0: not, and it has been freed. -1: the channel is closed.
static int send_value(place *p, wf_message m) {
  wf_shared_result result = try_send(p, &m);
  if (result == WF_SHARED_BLOCK) {
    wf_remote_place *in_queue;
    wf_remote *wait = prepare(p, WF_OP_SEND, &in_queue);
    in_queue->message = m;
    m.parcel = NULL;
    result = wf_shared_send_or_queue(now.ch, wait, in_queue);
    if (result == WF_SHARED_BLOCK) {
      wf_remote_outcome outcome;
      if (!await(p, wait, &outcome, &m)) return 0;
      return outcome == WF_REMOTE_DONE ? 1 : -1;
    }
    undo(p, wait, in_queue);
  }
  if (result == WF_SHARED_DONE) return 1;
  is_wrong_unless(result == WF_SHARED_CLOSED);
  if (m.parcel != NULL) wf_message_free(&m);
  return -1;
}

// Receives one. 0: has given up. -1: closed, and nothing is left.
static int receive(place *p, wf_message *m) {
  wf_shared_result result = try_recv(p, m);
  if (result == WF_SHARED_BLOCK) {
    wf_remote_place *in_queue;
    wf_remote *wait = prepare(p, WF_OP_RECV, &in_queue);
    result = wf_shared_recv_or_queue(now.ch, wait, in_queue, m);
    if (result == WF_SHARED_BLOCK) {
      wf_remote_outcome outcome;
      if (!await(p, wait, &outcome, m)) return 0;
      return outcome == WF_REMOTE_RECEIVED ? 1 : -1;
    }
    undo(p, wait, in_queue);
  }
  return result == WF_SHARED_DONE ? 1 : -1;
}

// Programs -------------------------------------------------------------------------------------

static void run_sender(place *p, int me) {
  for (int i = 0; i < VALUES; i++) {
    int result = send_value(p, make(p, me, i));
    accepted[me][i] = result == 1;
    if (result == -1) break;
    if (me == 0 && now.closes_after != 0 && (uint32_t)i == now.closes_after) {
      is_wrong_unless(wf_shared_close(now.ch, NULL));
    }
  }
  if (wf_u64_fetch_add(&senders_left, (uint64_t)-1, WF_ACQ_REL) == 1 && now.closes_after == 0) {
    is_wrong_unless(wf_shared_close(now.ch, NULL));
  }
}

static void run_receiver(place *p) {
  int last[SENDERS] = {-1, -1, -1, -1}, result;
  wf_message m;
  while ((result = receive(p, &m)) >= 0) {
    if (result == 1) got(&m, last);
  }
}

static void *body(void *arg) {
  int me = (int)(intptr_t)arg;
  if (me < SENDERS) {
    run_sender(&places[me], me);
  } else {
    run_receiver(&places[me]);
  }
  return NULL;
}

static void open_places(void) {
  for (uint32_t i = 0; i < THREADS; i++) {
    place *p = &places[i];
    memset(p, 0, sizeof *p);
    p->rand = i * 7919 + now.closes_after + 1;
    p->worker.rt = &rt;
    wf_inbox_init(&p->worker.inbox);
    p->vm.rt = &rt;
    p->vm.worker = &p->worker;
    p->extra = wf_mem_new(&rt.mem, sizeof *p->extra);
    CHECK(p->extra != NULL);
  }
}

static void run(uint32_t capacity, uint32_t closes_after, uint32_t polls) {
  now = (play){.ch = wf_shared_new(&rt.mem, &kind, capacity, capacity),
               .closes_after = closes_after,
               .polls = polls};
  CHECK(now.ch != NULL);
  open_places();
  memset(accepted, 0, sizeof accepted);
  memset(received, 0, sizeof received);
  wf_u64_init(&senders_left, SENDERS);
  stress_run(THREADS, body);
  int last[SENDERS] = {-1, -1, -1, -1};
  wf_message m;
  while (wf_shared_recv(now.ch, &m) == WF_SHARED_DONE) got(&m, last);
  wf_scalar_pack(&m, 1);
  CHECK(wf_shared_send(now.ch, &m) == WF_SHARED_CLOSED);
  uint64_t sent = 0, lost = 0, twice = 0, unsent = 0;
  for (int s = 0; s < SENDERS; s++) {
    for (int i = 0; i < VALUES; i++) {
      sent += accepted[s][i];
      lost += accepted[s][i] && received[s][i] == 0;
      twice += received[s][i] > 1;
      unsent += !accepted[s][i] && received[s][i] != 0;
    }
  }
  for (int i = 0; i < THREADS; i++) {
    waited += places[i].waited;
    given_up += places[i].given_up;
    CHECK(wf_inbox_take(&places[i].worker.inbox) == NULL);
    wf_remote_free_all(&places[i].vm);
    wf_mem_free(&rt.mem, places[i].extra, sizeof *places[i].extra);
  }
  CHECK(lost == 0 && twice == 0 && unsent == 0);
  CHECK(sent > 0);
  CHECK(wf_core_is_alone(&now.ch->core));  // all places have gone
  wf_core_unref(&now.ch->core);
}

// Looking at each other --------------------------------------------------------------------------

// Who puts or takes and then looks at something else, and who changes that and then looks for the
// value or for room: both cannot come too early. That is how one leaves word before it sleeps.
enum { ROUNDS = 12 * VALUES };
static wf_shared *between;
static wf_atomic_u64 flag, arrived;
static bool one_puts, saw_flag, was_blocked;

static void meet(uint64_t times) {
  (void)wf_u64_fetch_add(&arrived, 1, WF_ACQ_REL);
  for (int i = 0; wf_u64_load(&arrived, WF_ACQUIRE) < 2 * times; i++) {
    if (i < 1000) {
      wf_pause();  // side by side, if the machine lets us
    } else {
      (void)sched_yield();
    }
  }
}

static wf_shared_result use(bool put) {
  wf_message m;
  wf_scalar_pack(&m, 1);
  return put ? wf_shared_send(between, &m) : wf_shared_recv(between, &m);
}

static void *look_at_each_other(void *arg) {
  for (uint64_t i = 1; i <= ROUNDS; i++) {
    meet(3 * i - 2);
    for (uint64_t n = arg == NULL ? 0 : i % 64; n > 0; n--)
      atomic_signal_fence(memory_order_seq_cst);
    if (arg == NULL) {
      is_wrong_unless(use(one_puts) == WF_SHARED_DONE);
      saw_flag = wf_u64_load(&flag, WF_SEQ_CST) == i;
    } else {
      wf_u64_store(&flag, i, WF_SEQ_CST);
      was_blocked = use(!one_puts) == WF_SHARED_BLOCK;
    }
    meet(3 * i - 1);
    if (arg == NULL) {
      is_wrong_unless(saw_flag || !was_blocked);
      if (was_blocked) is_wrong_unless(use(!one_puts) == WF_SHARED_DONE);
    }
    meet(3 * i);
  }
  return NULL;
}

static void run_looks(bool put) {
  between = wf_shared_new(&rt.mem, &kind, 1, 1);
  CHECK(between != NULL);
  one_puts = put;
  wf_u64_init(&flag, 0);
  wf_u64_init(&arrived, 0);
  if (!put) CHECK(use(true) == WF_SHARED_DONE);
  stress_run(2, look_at_each_other);
  wf_core_unref(&between->core);
}

int main(void) {
  rt.mem = (wf_mem){.fn = wf_mem_default};
  static const uint32_t capacities[] = {0, 1, 7, 100};
  for (size_t i = 0; i < sizeof capacities / sizeof capacities[0]; i++) {
    run(capacities[i], 0, 0);
    // Closed while others wait to send, which is not always so.
    for (uint32_t n = 1; n <= 40; n++) run(capacities[i], 6 * n, 0);
    if (capacities[i] == 0) continue;  // there nobody gets anything who does not wait
    for (uint32_t polls = SENDERS_POLL; polls <= (SENDERS_POLL | RECEIVERS_POLL); polls++) {
      run(capacities[i], 0, polls);
      for (uint32_t n = 1; n <= 10; n++) run(capacities[i], 20 * n, polls);
    }
  }
  run_looks(true);
  run_looks(false);
  CHECK(wf_u64_load(&wrong, WF_RELAXED) == 0);
  CHECK(waited > given_up && given_up > 0);
  return check_done();
}
