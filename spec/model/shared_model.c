// SPDX-License-Identifier: MIT
// The channel that has crossed, with its three locks: every value that was accepted is received
// once or still there, one sender's in order; nobody waits while a value, room or a partner is
// there; who has closed it leaves nobody behind; nothing races; nobody waits for a lock for ever.
#include "conc/shared.h"

#include <string.h>

#include "model.h"
#include "stubs.h"
#include "task/park.h"
#include "users.h"

enum { MOST_THREADS = VALUES_MAIN };

// What each thread does, a letter each. With the first channel, or with the second after a `'`.
//   s  sends, and waits if it has to; i without a try first; n as compiled code does; v a value
//      with memory of its own; m one that holds a core; a gives up as soon as it waits
//   t  sends if it can at once: T has to, u finds the channel closed; o as a timer does
//   r  receives, and waits if it has to; j without a try first; p as compiled code does; b gives
//      up as soon as it waits
//   y  receives if it can at once: Y has to, q finds it closed and empty
//   S  receives from either; X sends to the first or receives from the second, Z the other way;
//      B receives from the first, which is there twice; M sends to the first or receives from it
//   c  closes; e with an error; d drops what is buffered
//   l k x g  looks: at the length, whether it is closed, at its error, at the cores that it holds
//   h  has all locks for a moment
//   A  there is no more memory
//   >0 to >2  wakes that thread; z sleeps until then
//   f F  sets the flag; looks whether it is set
//   C R  looks whether it could receive, or send; w waits a little for values, and for room
typedef struct plan {
  const char *threads[MOST_THREADS];
  uint32_t limits[CHANNELS];
  uint32_t filled;  // values in the first one
} plan;

static wf_atomic_u64 flag;

// What threads do -----------------------------------------------------------------------------

static void count(wf_core *core, void *arg) {
  if (core == users_core) ++*(uint32_t *)arg;
}

// Who waits to send does not wait beside who waits to receive, unless it is one.
static bool nobody_could_meet(const wf_shared *ch) {
  for (const wf_link *r = ch->recvq.next; r != &ch->recvq; r = r->next) {
    const wf_remote *wait = wf_container_of(r, wf_remote_place, link)->wait;
    for (const wf_link *s = ch->sendq.next; s != &ch->sendq; s = s->next) {
      if (wf_container_of(s, wf_remote_place, link)->wait != wait) return false;
    }
  }
  return true;
}

// The invariants, under all locks.
static void check(const wf_shared *ch) {
  bool receivers = !wf_list_empty(&ch->recvq), senders = !wf_list_empty(&ch->sendq);
  uint32_t n = wf_ring_count(&ch->ring);
  MODEL_CHECK(n <= ch->limit && n <= ch->ring.size);
  MODEL_CHECK(nobody_could_meet(ch));
  MODEL_CHECK(!receivers || (n == 0 && !ch->closed));
  MODEL_CHECK(!senders || (n == ch->limit && !ch->closed));
  MODEL_CHECK(!ch->calm || (!receivers && !senders && ch->carriers == 0));
}

static void look(wf_shared *ch, char what) {
  uint32_t n = 0;
  switch (what) {
    case 'l': MODEL_CHECK(wf_shared_len(ch) <= ch->limit); break;
    case 'k': (void)wf_shared_is_closed(ch); break;
    case 'C': users_found[users_me()] = wf_shared_can_recv(ch); break;
    case 'R': users_found[users_me()] = wf_shared_can_send(ch); break;
    case 'w':
      (void)wf_shared_linger(ch, false);
      (void)wf_shared_linger(ch, true);
      break;
    case 'x':
      if (wf_shared_error(ch) != NULL) MODEL_CHECK(wf_shared_error(ch)->parcel->ncores == 0);
      break;
    case 'g':
      wf_lock_acquire(&ch->core.lock);
      wf_shared_each(&ch->core, count, &n);
      MODEL_CHECK(n == ch->carriers);
      wf_lock_release(&ch->core.lock);
      break;
    case 'h':
      wf_lock_acquire(&ch->core.lock);
      wf_shared_stop_locked(ch);
      check(ch);
      wf_shared_go_on_locked(ch);
      wf_lock_release(&ch->core.lock);
      break;
    case 'o': wf_shared_offer(ch, values_make(users_me())); break;
    case 'd': (void)wf_shared_drop(ch); break;
    default: model_fail("what is %c?", what);
  }
}

static void set_flag(void) {
  wf_u64_store(&flag, 1, WF_RELAXED);
  wf_fence();
}

static void act(wf_shared *ch, const char **s, int at) {
  char what = **s;
  switch (what) {
    case 's':
    case 'i':
    case 'n':
    case 'v':
    case 'm':
    case 'a': users_send(ch, what); break;
    case 'r':
    case 'j':
    case 'p':
    case 'b': users_recv(ch, what); break;
    case 't':
    case 'T':
    case 'u': users_try_send(ch, what); break;
    case 'y':
    case 'Y':
    case 'q': users_try_recv(ch, what); break;
    case 'S':
    case 'X':
    case 'Z':
    case 'B':
    case 'M': users_select(what, at); break;
    case 'c':
    case 'e': users_close(ch, what); break;
    case '>': model_wake(*++*s - '0'); break;
    case 'z': model_sleep(); break;
    case 'A': model_allocations = 0; break;
    case 'f': set_flag(); break;
    case 'F': users_saw[users_me()] = wf_u64_load(&flag, WF_RELAXED) != 0; break;
    default: look(ch, what);
  }
}

static void run(int thread) {
  const plan *p = model_plan();
  for (const char *s = p->threads[thread]; *s != '\0'; s++) {
    int at = 2 * (int)(s - p->threads[thread]);
    bool second = *s == '\'';
    wf_shared *ch = users_channels[second];
    if (second) s++;
    users_forget(at);
    act(ch, &s, at);
  }
  users_forget(-1);
}

// Before and after ----------------------------------------------------------------------------

static void setup(void) {
  const plan *p = model_plan();
  wf_u64_init(&flag, 0);
  users_setup(p->limits, p->filled);
}

// Nobody has been forgotten: who sleeps waits in a queue, and it is still to be had.
static void check_sleeper(const stub_worker *w) {
  if (w->task.extra == NULL) model_fail("a thread is not woken by another");
  if (!wf_remote_win(&w->task)) model_fail("a wait is over, and its task sleeps");
  const wf_remote_place *place = w->task.extra->remote->places;
  MODEL_CHECK(place != NULL);
  for (; place != NULL; place = place->next) MODEL_CHECK(wf_link_in_list(&place->link));
}

static bool somebody(char what) {
  const plan *p = model_plan();
  for (int i = 0; i < MOST_THREADS; i++) {
    if (p->threads[i] != NULL && strchr(p->threads[i], what) != NULL) return true;
  }
  return false;
}

// Who does something and then looks at what the other does: not both miss it, unless a third has
// come in between.
static void check_looks(void) {
  if (somebody('F') && !users_saw[0] && !users_found[1] && values_count(2) == 0)
    model_fail("both look too early");
}

static void finish(void) {
  check_looks();
  for (int i = 0; i < CHANNELS; i++) check(users_channels[i]);
  for (int i = 0; i < MOST_THREADS; i++) {
    stub_worker *w = &stub_workers[i];
    MODEL_CHECK(w->mail == NULL);
    if (!model_asleep(i)) continue;
    check_sleeper(w);
    wf_claim(&w->task);
  }
  users_end();
  values_check(somebody('d'), somebody('o'));
}

#define SCENARIO(is_long_, limit, limit2, filled_, ...)                                          \
  {                                                                                              \
    .name = "shared: " #limit " " #limit2 ", " #filled_ " there: " #__VA_ARGS__,                 \
    .threads = sizeof((const char *[]){__VA_ARGS__}) / sizeof(const char *), .setup = setup,     \
    .run = run, .finish = finish, .is_long = (is_long_), .prompt = true, .plan = &(const plan) { \
      .threads = {__VA_ARGS__}, .limits = {limit, limit2}, .filled = (filled_)                   \
    }                                                                                            \
  }
#define PLAY(...) SCENARIO(false, __VA_ARGS__)
#define LONG(...) SCENARIO(true, __VA_ARGS__)

static const model_scenario scenarios[] = {
    // Two who send and receive, and what compiled code does.
    PLAY(0, 0, 0, "ss", "rr"),
    PLAY(0, 0, 0, "ns", "pr"),
    PLAY(1, 0, 0, "sss", "rrr"),
    PLAY(1, 0, 0, "nnn", "ppp"),
    PLAY(2, 0, 0, "nin", "pjp"),
    PLAY(1, 0, 1, "ii", "jjj"),
    PLAY(1, 0, 0, "v", "pr"),
    PLAY(0, 0, 0, "v", "r"),
    PLAY(1, 0, 0, "vv", "rr"),
    PLAY(3, 0, 2, "nnn", "prr"),  // the ring grows
    PLAY(3, 0, 2, "st", "rr"),
    PLAY(3, 0, 2, "Att", "yy"),
    // Several.
    PLAY(0, 0, 0, "s", "s", "rr"),
    PLAY(0, 0, 0, "ss", "r", "r"),
    PLAY(1, 0, 0, "s", "s", "rr"),
    PLAY(1, 0, 0, "ss", "r", "r"),
    PLAY(1, 0, 0, "nn", "p", "p"),
    PLAY(1, 0, 1, "n", "n", "pp"),
    PLAY(2, 0, 0, "ns", "n", "pr"),
    // Closing.
    PLAY(0, 0, 0, "s", "r", "c"),
    PLAY(1, 0, 0, "ss", "r", "c"),
    PLAY(1, 0, 1, "n", "pp", "e"),
    PLAY(1, 0, 1, "s", "s", "c"),
    PLAY(2, 0, 0, "nn", "c", "c"),
    // Giving up.
    PLAY(0, 0, 0, "s", "b", "r"),
    PLAY(1, 0, 0, "s", "b", "r"),
    PLAY(0, 0, 0, "a", "s", "r"),
    PLAY(1, 0, 1, "r", "a", "s"),
    PLAY(0, 0, 0, "b", "b", "c"),
    // Messages with cores, which others look for.
    PLAY(2, 0, 0, "mv", "rr"),
    PLAY(2, 0, 0, "ms", "rr", "g"),
    PLAY(2, 0, 0, "mn", "pr", "gg"),
    // Timers, and looks.
    PLAY(1, 0, 0, "oo", "r"),
    PLAY(1, 0, 0, "oo", "y", "d"),
    PLAY(1, 0, 0, "nn", "p", "hl"),
    PLAY(3, 0, 2, "nn", "p", "h"),
    PLAY(1, 0, 1, "np", "p", "w"),
    PLAY(1, 0, 0, "s", "e", "kx"),
    // Selects.
    PLAY(0, 0, 0, "S"),
    PLAY(1, 1, 0, "s'n", "SS"),
    PLAY(0, 0, 0, "s", "S"),
    PLAY(0, 0, 0, "'s", "S"),
    PLAY(0, 0, 0, "s", "'s", "S"),
    PLAY(0, 1, 0, "s", "'n", "SS"),
    PLAY(0, 0, 0, "X", "Z"),
    PLAY(0, 0, 0, "Z", "Z"),
    PLAY(1, 1, 1, "X", "'nr"),
    PLAY(0, 0, 0, "X", "Z", "c"),
    PLAY(0, 0, 0, "s", "s", "BB"),
    PLAY(1, 0, 0, "B", "s"),
    PLAY(0, 0, 0, "M", "M"),
    PLAY(0, 0, 0, "M", "s", "r"),
    PLAY(0, 0, 0, "M", "b", "a"),
    // What has happened before is seen, and two that look at each other's doing do not both miss
    // it.
    PLAY(1, 0, 0, "s>1", "zY"),
    PLAY(1, 0, 1, "r>1", "zT"),
    PLAY(3, 0, 2, "y>1", "zTT"),
    PLAY(3, 0, 2, ">1", "zT"),
    PLAY(2, 0, 0, "m>1", "zTYT"),
    PLAY(1, 0, 1, "c>1", "zuYqu"),
    PLAY(0, 0, 0, "e>1", "zuqx"),
    PLAY(1, 0, 0, "nF", "fy"),
    PLAY(1, 0, 1, "pF", "ft"),
    PLAY(1, 0, 0, "sF", "fC"),
    PLAY(1, 0, 1, "rF", "fR"),
    PLAY(1, 0, 0, "nF", "fy", "b"),
    PLAY(1, 0, 1, "pF", "ft", "a"),
    // More of the same.
    LONG(2, 0, 0, "nnnn", "pppp"),
    LONG(0, 0, 0, "ss", "s", "rrr"),
    LONG(1, 0, 0, "nn", "s", "prp"),
    LONG(1, 0, 1, "nn", "rr", "p"),
    LONG(2, 0, 1, "nn", "n", "ppr"),
    LONG(3, 0, 2, "nn", "n", "ppr"),
    LONG(1, 0, 0, "nsc", "a", "rr"),
    LONG(2, 0, 0, "mn", "pr", "ghg"),
    LONG(0, 0, 0, "X", "Z", "S"),
    LONG(0, 0, 0, "M", "M", "M"),
    LONG(1, 1, 1, "X", "'nS", "Z"),
    LONG(0, 1, 0, "ss", "'ns", "SSr"),
};

int main(void) { return model_main(scenarios, (int)(sizeof(scenarios) / sizeof(*scenarios))); }
