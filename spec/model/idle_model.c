// SPDX-License-Identifier: MIT
// The sleep and wake protocol, with the shipped deque and inbox around it, in the loop that idle.h
// shows: no work lies while a worker sleeps and nobody searches; a message always wakes whom it is
// for; quiescence is told when it is there, and never when it is not.
#include "sched/idle.h"

#include <stddef.h>

#include "base/list.h"

#include "model.h"
#include "sched/deque.h"
#include "sched/inbox.h"

enum { MOST = 3, WORKERS = 3 };

// What threads do before all else. The first `workers` of them are workers; of these, the ones
// that `busy` names (a bit each) have no time to take anything: what they push must be taken by
// others. The rest come from outside and are held from the beginning until they have ended.
//   +       pushes an item on its deque; i pushes one on the injection queue
//   *       pushes an item on its deque that keeps whoever takes it for ever
//   0 to 2  sends that worker a message. What is sent to a worker, it takes and does:
//   r       the next message is answered: its receiver sends one to worker 0
//   !0 to !2  wakes that worker for no reason, as a timer might
//   g       is a worker that gives up its first search in vain, and then has no time either
typedef struct plan {
  const char *threads[4];
  int workers;
  unsigned busy;
} plan;

typedef struct item {
  wf_inbox_node node;
  memory_plain payload;
  bool answer, endless;
  int taken;
} item;

static wf_idle idle;
static wf_deque deques[WORKERS];
static wf_inbox inboxes[WORKERS], injected;
static int outside;            // threads that are held
static memory_plain notes[4];  // what a thread does before it sends anything, or sleeps

// Of each thread.
static struct actor {
  item items[MOST];    // what it sends
  int sent, taken;     // how many of these, and a bit for each item of anybody that it has taken
  memory_plain deeds;  // what it has done, for who finds that all is over
  bool idle;           // nothing since it was quiet last
  bool told;           // that all is over
  bool gives_up;
  bool kept;  // by an endless item, or by what it gave up for
} actors[4];

// A waker looks at its sleeper.
static void wake(void *ud, uint32_t worker) {
  (void)ud;
  model_read(&notes[worker]);
  model_wake((int)worker);
}

static void setup(void) {
  const plan *p = model_plan();
  outside = 0;
  for (int i = 0; i < 4; i++) {
    actors[i] = (struct actor){.sent = 0};
    notes[i] = (memory_plain){.read = {0}};
  }
  for (int i = 0; i < WORKERS; i++) {
    wf_inbox_init(&inboxes[i]);
    MODEL_CHECK(wf_deque_open(&deques[i], &model_mem));
  }
  wf_inbox_init(&injected);
  MODEL_CHECK(
      wf_idle_open(&idle, &model_mem, (uint32_t)p->workers, (uint32_t)p->workers, wake, NULL));
  for (int i = p->workers; i < 4 && p->threads[i] != NULL; i++, outside++) wf_idle_hold(&idle);
}

// All that a thread keeps in variables; `where` it is in the program.
static void forget(int me, int where, bool searching, bool more) {
  const struct actor *a = &actors[me];
  uint64_t flags = (uint64_t)(searching + 2 * more + 4 * a->idle + 8 * a->told);
  uint64_t places = me < WORKERS ? memory_mix(deques[me].end, deques[me].top_seen) : 0;
  uint64_t deeds = memory_mix((uint64_t)a->sent, (uint64_t)a->taken);
  flags = memory_mix(flags, (uint64_t)where);
  model_forget(memory_mix(memory_mix(flags, places), deeds));
}

// Sending -------------------------------------------------------------------------------------

static item *new_item(int me, bool answer) {
  struct actor *a = &actors[me];
  MODEL_CHECK(a->sent < MOST);
  item *it = &a->items[a->sent++];
  it->answer = answer;
  model_write(&it->payload);
  return it;
}

static void send(int me, int worker, bool answer) {
  if (wf_inbox_push(&inboxes[worker], &new_item(me, answer)->node)) {
    wf_idle_wake(&idle, (uint32_t)worker);
  }
}

static void push(int me, bool on_deque, bool endless) {
  item *it = new_item(me, false);
  it->endless = endless;
  if (on_deque) {
    MODEL_CHECK(wf_deque_push(&deques[me], it));
  } else {
    (void)wf_inbox_push(&injected, &it->node);
  }
  wf_idle_notify(&idle);
}

static void follow(int me, const char *script) {
  bool answer = false;
  model_write(&notes[me]);
  for (const char *s = script; *s != '\0'; s++) {
    forget(me, 8 + (int)(s - script), answer, false);
    if (*s == '+' || *s == 'i' || *s == '*') push(me, *s != 'i', *s == '*');
    if (*s == 'r') answer = true;
    if (*s == 'g') actors[me].gives_up = true;
    if (*s == '!')
      model_wake(*++s - '0');
    else if (*s >= '0' && *s <= '2')
      send(me, *s - '0', answer);
  }
}

// A worker ------------------------------------------------------------------------------------

static void process(int me, item *it) {
  model_write(&it->payload);
  if (it->taken++ != 0) model_fail("an item is taken twice");
  for (int i = 0; i < 4; i++) {
    ptrdiff_t n = it - actors[i].items;
    if (n >= 0 && n < MOST) actors[me].taken |= 1 << (i * MOST + (int)n);
  }
  actors[me].idle = false;
  if (it->answer) send(me, 0, false);
  actors[me].kept = it->endless;
}

static bool take_all(int me, wf_inbox *inbox) {
  wf_inbox_node *node = wf_inbox_take(inbox), *next;
  if (node == NULL) return false;
  for (; node != NULL; node = next) {
    next = node->next;
    process(me, wf_container_of(node, item, node));
  }
  return true;
}

static bool steal(int me) {
  const plan *p = model_plan();
  void *it;
  for (int i = 0; i < p->workers; i++) {
    if (i == me || wf_deque_steal(&deques[i], &it) != WF_STEAL_GOT) continue;
    process(me, it);
    return true;
  }
  return false;
}

static bool nothing_to_steal(void) {
  const plan *p = model_plan();
  for (int i = 0; i < p->workers; i++) {
    if (wf_deque_size(&deques[i]) != 0) return false;
  }
  return wf_inbox_empty(&injected);
}

static void found(bool *searching) {
  if (*searching) wf_idle_found(&idle);
  *searching = false;
}

static bool work(int me, bool *searching) {
  void *it = wf_deque_pop(&deques[me]);
  if (it != NULL) process(me, it);
  if (it == NULL && !take_all(me, &inboxes[me]) && !take_all(me, &injected)) {
    forget(me, 1, *searching, false);
    if (!*searching || !steal(me)) return false;
  }
  found(searching);
  return true;
}

// Says how many items there are that nobody has taken.
static int left(void) {
  int count = 0;
  for (int i = 0; i < 4; i++) {
    for (int j = 0; j < actors[i].sent; j++) count += actors[i].items[j].taken == 0;
  }
  return count;
}

static void check_quiescent(int me) {
  const plan *p = model_plan();
  if (outside > 0 || p->busy != 0) model_fail("a false alarm: others have not ended");
  for (int i = 0; i < 4; i++) {
    if (actors[i].kept) model_fail("a false alarm: one is busy");
  }
  if (left() > 0) model_fail("a false alarm: there is work");
  for (int i = 0; i < 4; i++) model_read(&actors[i].deeds);
  actors[me].told = true;
}

static int other_of(int me) {
  const plan *p = model_plan();
  return p->threads[2] == NULL ? 1 - me : -1;
}

static bool rest(int me, bool searching) {
  struct actor *a = &actors[me];
  forget(me, 2, searching, false);
  wf_idle_announce(&idle, (uint32_t)me, searching);
  forget(me, 3, false, false);
  bool more = !nothing_to_steal();
  forget(me, 4, false, more);
  bool quiet = !more && wf_inbox_doze(&inboxes[me]);
  if (quiet) {
    if (!a->idle) model_write(&a->deeds);
    a->idle = true;
    if (wf_idle_quiet(&idle)) check_quiescent(me);
    forget(me, 5, false, false);
    model_sleep();
  }
  forget(me, 6 + quiet, false, more);
  wf_woken woken = wf_idle_leave(&idle, (uint32_t)me, quiet, more);
  // With one other, it is clear who has.
  if (woken != WF_IDLE_NOT_WOKEN && !more && other_of(me) >= 0) model_read(&notes[other_of(me)]);
  return woken == WF_IDLE_TO_SEARCH;
}

static void give_up(int me) {
  forget(me, 32, true, false);
  wf_idle_give_up(&idle);
  forget(me, 33, false, false);
  bool more = !nothing_to_steal();
  forget(me, 34, false, more);
  if (more) wf_idle_notify(&idle);
  actors[me].kept = true;
}

static void live(int me) {
  bool searching = false;
  while (!actors[me].kept) {
    forget(me, 0, searching, false);
    if (!searching) searching = wf_idle_search(&idle);
    if (work(me, &searching)) continue;
    if (searching && actors[me].gives_up) {
      give_up(me);
    } else {
      searching = rest(me, searching);
    }
  }
}

static void run(int me) {
  const plan *p = model_plan();
  follow(me, p->threads[me]);
  if (me < p->workers) {
    if ((p->busy >> me & 1) == 0) live(me);
    return;
  }
  model_write(&actors[me].deeds);
  outside--;
  if (wf_idle_release(&idle)) check_quiescent(me);
}

static void finish(void) {
  const plan *p = model_plan();
  if (left() > 0) model_fail("all sleep, and there is work");
  bool told = false;
  unsigned active = (unsigned)__builtin_popcount(p->busy);
  for (int i = 0; i < 4; i++) told = told || actors[i].told, active += actors[i].kept;
  if (active == 0 && !told) model_fail("all sleep, and nobody has said so");
  MODEL_CHECK(wf_u64_load(&idle.searching, WF_RELAXED) == 0);
  MODEL_CHECK(wf_u64_load(&idle.active, WF_RELAXED) == active);
  wf_idle_close(&idle);
  for (int i = 0; i < WORKERS; i++) wf_deque_close(&deques[i]);
}

#define SCENARIO(n, workers_, busy_, switches_, is_long_, ...)                           \
  {                                                                                      \
    .name = "idle: " #workers_ " workers, busy " #busy_ ": " #__VA_ARGS__, .threads = n, \
    .setup = setup, .run = run, .finish = finish, .is_long = (is_long_), .behind = 2,    \
    .switches = switches_, .prompt = (switches_) != 0, .plan = &(const plan) {           \
      .threads = {__VA_ARGS__}, .workers = (workers_), .busy = (busy_)                   \
    }                                                                                    \
  }

static const model_scenario scenarios[] = {
    SCENARIO(1, 1, 0, 0, false, ""),           SCENARIO(2, 2, 1, 0, false, "+", ""),
    SCENARIO(2, 1, 0, 0, false, "", "i"),      SCENARIO(2, 1, 0, 0, false, "", "0"),
    SCENARIO(2, 1, 0, 0, false, "", "0!0"),    SCENARIO(2, 2, 0, 0, false, "", ""),
    SCENARIO(2, 2, 0, 0, false, "1", ""),      SCENARIO(2, 2, 1, 2, false, "ii", ""),
    SCENARIO(2, 2, 0, 2, false, "i", ""),      SCENARIO(2, 2, 0, 2, false, "r1", ""),
    SCENARIO(3, 2, 0, 2, false, "", "", "i"),  SCENARIO(3, 2, 1, 2, false, "i", "", "i"),
    SCENARIO(3, 3, 3, 2, false, "i", "i", ""), SCENARIO(3, 3, 1, 2, false, "**", "", ""),
    SCENARIO(2, 2, 0, 0, false, "g", ""),      SCENARIO(3, 2, 0, 2, false, "g", "", "i"),
    SCENARIO(3, 3, 1, 2, false, "+", "g", ""), SCENARIO(2, 2, 0, 0, true, "i", ""),
    SCENARIO(2, 2, 0, 0, true, "+", ""),       SCENARIO(2, 2, 1, 0, true, "ii", ""),
    SCENARIO(3, 2, 0, 4, true, "", "", "i"),   SCENARIO(3, 2, 1, 4, true, "i", "", "i"),
    SCENARIO(3, 3, 1, 3, true, "i", "", ""),   SCENARIO(3, 3, 1, 3, true, "**", "", ""),
    SCENARIO(3, 3, 3, 3, true, "i", "i", ""),
};

int main(void) { return model_main(scenarios, (int)(sizeof(scenarios) / sizeof(*scenarios))); }
