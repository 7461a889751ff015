// SPDX-License-Identifier: MIT
// Claims: of all who want a wait one gets it, with everything that its task had put there; and who
// comes with the ticket of an earlier wait gets nothing. Subject: runtime/task/claim.c
#include "task/claim.h"

#include "model.h"

enum { WAITS = 3, ROUNDS = 2, TICKET = 2 };

// What each thread does, with the waits that the digits say: o opens; c claims, C with the ticket
// of the second round; r claims its own and if it got it, opens it for the second round.
typedef struct plan {
  const char *threads[4];
  int opened;   // waits that are open from the beginning
  int claimed;  // how many are, in the end; -1: that depends
} plan;

static wf_claim_word waits[WAITS];
static memory_plain task_data[WAITS];
static int claimed[WAITS][ROUNDS], rounds[WAITS];
static bool refused[WAITS][ROUNDS];  // somebody was told that it is claimed

static uint64_t ticket_of(int round) { return TICKET * ((uint64_t)round + 1); }

static void open_wait(int i) {
  model_write(&task_data[i]);
  MODEL_CHECK(wf_claim_open(&waits[i]) == TICKET * (uint64_t)++rounds[i]);
}

static void setup(void) {
  const plan *p = model_plan();
  for (int i = 0; i < WAITS; i++) {
    wf_claim_init(&waits[i]);
    rounds[i] = 0;
    for (int j = 0; j < ROUNDS; j++) claimed[i][j] = 0, refused[i][j] = false;
    task_data[i] = (memory_plain){.read = {0}};
    if (i < p->opened) open_wait(i);
  }
}

static void won(int i, int round) {
  model_write(&task_data[i]);
  if (++claimed[i][round] != 1) model_fail("wait %d is claimed twice", i);
}

static bool claim(int i, int round) {
  bool mine = wf_claim_one(&waits[i], ticket_of(round));
  if (mine) won(i, round);
  refused[i][round] |= !mine;
  return mine;
}

static void run(int thread) {
  const plan *p = model_plan();
  for (const char *s = p->threads[thread]; *s != '\0'; s += 2) {
    int i = s[1] - '0';
    if (*s == 'o') open_wait(i);
    if (*s == 'c') (void)claim(i, 0);
    if (*s == 'C') (void)claim(i, 1);
    if (*s == 'r' && claim(i, 0)) open_wait(i);
  }
}

static void finish(void) {
  const plan *p = model_plan();
  int count = 0;
  for (int i = 0; i < WAITS; i++) {
    for (int j = 0; j < rounds[i]; j++) count += claimed[i][j];
  }
  if (p->claimed >= 0 && count != p->claimed) model_fail("%d are claimed", count);
  // What nobody has got is still to be had; all else is not.
  for (int i = 0; i < WAITS; i++) {
    for (int j = 0; j < rounds[i]; j++) {
      bool open = j == rounds[i] - 1 && claimed[i][j] == 0;
      // Open from the beginning: nobody can have been too early.
      if (open && refused[i][j] && j == 0 && i < p->opened)
        model_fail("wait %d was said to be claimed", i);
      if (wf_claim_one(&waits[i], ticket_of(j)) != open) {
        model_fail("wait %d, round %d, should %sbe open", i, j, open ? "" : "not ");
      }
    }
  }
}

#define SCENARIO(n, opened_, claimed_, is_long_, ...)                                           \
  {                                                                                             \
    .name = "claim: " #__VA_ARGS__, .threads = n, .setup = setup, .run = run, .finish = finish, \
    .is_long = (is_long_), .plan = &(const plan) {                                              \
      .threads = {__VA_ARGS__}, .opened = (opened_), .claimed = (claimed_)                      \
    }                                                                                           \
  }

static const model_scenario scenarios[] = {
    SCENARIO(3, 1, 1, false, "c0", "c0", "c0"),
    SCENARIO(3, 0, -1, false, "o0", "c0", "c0"),
    SCENARIO(3, 1, -1, false, "r0", "c0c0", "C0"),
    SCENARIO(4, 2, 2, false, "c0c1", "c1c0", "c0", "c1"),
    SCENARIO(4, 0, -1, false, "o0o1", "c0c1", "c1", "c0"),
    SCENARIO(4, 1, -1, true, "r0", "c0C0", "C0c0", "c0"),
};

int main(void) { return model_main(scenarios, (int)(sizeof(scenarios) / sizeof(*scenarios))); }
