// SPDX-License-Identifier: MIT
#include "model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "fiber.h"
#include "op.h"
#include "shim.h"
#include "states.h"
#include "watch.h"

enum { PATH = 1000, OPTIONS = 256, LATE = 4, STACK = 65536, WRITTEN = 1 << THREADS };

typedef struct thread {
  fiber fiber;
  op op;  // what it is about to do, then with the result in `value`
  op late[LATE];
  int late_count;
  memory_gate gate;  // what it sleeps on
  bool awake;        // somebody has woken it
  bool waits;        // with its next compare-and-swap, until the lock is free
} thread;

// One thing that can happen next: a thread's operation, or, from 0, one of its late updates.
typedef struct option {
  int thread, late, position;
  bool is_switch;  // another could have gone on
} option;

typedef struct step {
  option chosen;
  int index, total;
} step;

static const model_scenario *scenario;
static thread threads[THREADS];
static unsigned users[CELLS + 1];  // of each cell of setup's: a bit for each thread, and WRITTEN
static uint32_t setup_cells;
static bool locks[CELLS + 1];  // cells
static bool learned;           // that one more is shared
static char stacks[THREADS][STACK];
static fiber explorer;
static jmp_buf given_up;
static int self;  // the thread that runs
static bool on_fiber, tracing;
static char complaint[400];
static const char *where = "";
static step path[PATH];
static int path_length;
static uint64_t ends;       // paths that came to one
static int last, switches;  // the thread that has run last, and how many were interrupted

_Noreturn void model_fail(const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(complaint, sizeof(complaint), format, args);
  va_end(args);
  (void)snprintf(complaint + n, sizeof(complaint) - (size_t)n, " [T%d, %s]", self, where);
  if (on_fiber) fiber_switch(&threads[self].fiber, &explorer);
  longjmp(given_up, 1);
}

int model_self(void) { return self; }
const void *model_plan(void) { return scenario->plan; }

// What threads do -----------------------------------------------------------------------------

static uint32_t cell_of(const model_cell *cell) {
  if (!arena_is_cell(cell->id)) model_fail("use of memory that is freed or was never set up");
  return cell->id & 0xffff;
}

static void trace(const char *what, const op *o, uint64_t from, uint64_t to) {
  if (tracing) op_trace(o, self, what, from, to);
}

static void perform_update(op *o, int position, bool late) {
  uint64_t old = memory_value(o->cell, position), v = op_updated(o->rmw, old, o->value);
  trace(late ? "late " : "", o, old, v);
  memory_update(self, o->cell, position, v, o->order, late);
  o->value = old;
}

static void perform_cas(op *o, int position) {
  uint64_t old = memory_value(o->cell, position);
  o->done = old == o->expected;
  trace(o->done ? "" : "failing ", o, old, o->value);
  if (o->done) {
    memory_update(self, o->cell, position, o->value, o->order, false);
    memory_validate(self);
  } else if (locks[o->cell]) {
    o->expected = old;
    memory_find_taken(self);
  } else {
    o->expected = memory_load(self, o->cell, position, WF_RELAXED, false);
  }
}

static void perform(op *o, int position) {
  where = o->where;
  switch (o->kind) {
    case LOAD:
      o->value = memory_load(self, o->cell, position, o->order, o->early);
      trace("", o, o->value, o->value);
      break;
    case STORE:
      trace("", o, memory_value(o->cell, position), o->value);
      memory_store(self, o->cell, position, o->value, o->order);
      break;
    case FETCH: perform_update(o, position, false); break;
    case CAS: perform_cas(o, position); break;
    case FENCE:
      trace("", o, 0, 0);
      memory_fence(self);
      break;
    case SLEEP:
      trace("", o, 0, 0);
      threads[self].awake = false;
      memory_pass(self, &threads[self].gate);
      break;
    case WAKE:
      trace("", o, 0, o->value);
      memory_reach(self, &threads[o->value].gate);
      threads[o->value].awake = true;
      break;
    case DONE: break;
  }
}

// Whether others have a part in this cell. One that turns out to be shared makes all begin anew.
static bool is_shared(const op *o) {
  if (o->cell == 0 || o->cell > setup_cells) return true;
  unsigned *u = &users[o->cell], before = *u;
  *u |= 1U << self | (o->kind == LOAD ? 0 : (unsigned)WRITTEN);
  unsigned readers = *u & ~(unsigned)WRITTEN;
  bool shared = (*u & WRITTEN) != 0 && (readers & (readers - 1)) != 0;
  if (shared && *u != before) learned = true;
  return shared;
}

// On a fiber: gives way, so that anything can happen before it. Elsewhere it is alone.
static op act(op o) {
  if (self == MAIN || !is_shared(&o)) {
    perform(&o, o.cell == 0 ? 0 : memory_newest(o.cell));
    return o;
  }
  threads[self].op = o;
  on_fiber = false;
  fiber_switch(&threads[self].fiber, &explorer);
  return threads[self].op;
}

void model_init(model_cell *cell, uint64_t v, const char *at) {
  where = at;
  cell->id = arena_cell(memory_new_cell(self, v));
}

uint64_t model_load(const model_cell *cell, int order, bool early, const char *at) {
  where = at;
  op o = {.kind = LOAD, .cell = cell_of(cell), .order = order, .early = early, .where = at};
  return act(o).value;
}

void model_store(model_cell *cell, uint64_t v, int order, const char *at) {
  where = at;
  (void)act((op){.kind = STORE, .cell = cell_of(cell), .value = v, .order = order, .where = at});
}

uint64_t model_fetch(model_cell *cell, model_rmw rmw, uint64_t v, int order, const char *at) {
  where = at;
  op o = {.kind = FETCH, .rmw = rmw, .cell = cell_of(cell), .value = v, .order = order};
  o.where = at;
  return act(o).value;
}

static bool has_late(const thread *t, uint32_t cell) {
  for (int i = 0; i < t->late_count; i++) {
    if (t->late[i].cell == cell) return true;
  }
  return false;
}

void model_update(model_cell *cell, model_rmw rmw, uint64_t v, int order, const char *at) {
  where = at;
  op o = {.kind = FETCH, .rmw = rmw, .cell = cell_of(cell), .value = v, .order = order};
  o.where = at;
  thread *t = &threads[self];
  if (self == MAIN || order != WF_RELAXED || scenario->prompt || t->late_count == LATE ||
      has_late(t, o.cell) || !is_shared(&o)) {
    (void)act(o);
  } else {
    t->late[t->late_count++] = o;
    memory_remember(self, memory_mix(o.cell, v));
  }
}

bool model_cas(model_cell *cell, uint64_t *expected, uint64_t v, int order, const char *at) {
  where = at;
  op o = {.kind = CAS, .cell = cell_of(cell), .value = v, .expected = *expected, .order = order};
  o.where = at;
  o.waits = threads[self].waits;
  threads[self].waits = false;
  o = act(o);
  *expected = o.expected;
  return o.done;
}

void model_is_lock(const model_cell *lock) { locks[cell_of(lock)] = true; }

void model_wait_for_lock(void) {
  memory_wait_instead(self);
  threads[self].waits = true;
}

void model_fence(const char *at) { (void)act((op){.kind = FENCE, .where = at}); }
void model_sleep(void) { (void)act((op){.kind = SLEEP, .where = "sleep"}); }

void model_wake(int other) {
  (void)act((op){.kind = WAKE, .value = (uint64_t)other, .where = "wake"});
}

void model_read(memory_plain *plain) { memory_plain_read(self, plain); }
void model_write(memory_plain *plain) { memory_plain_write(self, plain); }

void model_forget(uint64_t variables) { memory_forget(self, variables); }

bool model_asleep(int t) { return threads[t].op.kind == SLEEP; }

// What can happen -----------------------------------------------------------------------------

// Whether an update that is late must come first: it must not pass a release, nor anything on its
// own cell.
static bool must_not_pass(const thread *t) {
  const op *o = &t->op;
  if (t->late_count == 0 || o->kind == DONE) return false;
  if (o->kind == FENCE || o->kind == SLEEP || o->kind == WAKE) return true;
  return (o->kind != LOAD && (o->order & WF_RELEASE)) || has_late(t, o->cell);
}

static bool may_read(const op *o, int position) {
  switch (o->kind) {
    case LOAD: return true;
    case CAS:
      if (memory_value(o->cell, position) == o->expected) return memory_open(o->cell, position);
      return !o->waits && (!locks[o->cell] || position == memory_newest(o->cell));
    case FENCE:
    case SLEEP:
    case WAKE:
    case DONE: return false;
    case STORE:
    case FETCH: return memory_open(o->cell, position);
  }
  return false;
}

// The newest first, so that the first path is that of a machine without surprises.
static int options_on_cell(int t, const op *o, int late, option *options) {
  self = t;
  where = o->where;
  int count = 0, newest = memory_newest(o->cell), oldest = memory_oldest(t, o->cell);
  for (int p = newest; p >= oldest; p--) {
    if (!may_read(o, p)) continue;
    options[count++] = (option){.thread = t, .late = late, .position = p};
  }
  return count;
}

// What the thread itself can do next.
static int own_options(int i, option *options) {
  thread *t = &threads[i];
  if (must_not_pass(t) || t->op.kind == DONE || (t->op.kind == SLEEP && !t->awake)) return 0;
  if (t->op.cell != 0) return options_on_cell(i, &t->op, -1, options);
  *options = (option){.thread = i, .late = -1};
  return 1;
}

static int find_options(option *options) {
  int count = own_options(last, options);
  bool goes_on = count > 0;
  for (int i = 0; i < scenario->threads; i++) {
    for (int late = 0; late < threads[i].late_count; late++) {
      count += options_on_cell(i, &threads[i].late[late], late, options + count);
    }
    if (i == last || (goes_on && scenario->switches != 0 && switches == scenario->switches)) {
      continue;
    }
    int own = own_options(i, options + count);
    for (int k = 0; k < own; k++) options[count + k].is_switch = goes_on;
    count += own;
    if (count > OPTIONS / 2) model_fail("too many options");
  }
  return count;
}

static void resume(int t) {
  self = t;
  on_fiber = true;
  fiber_switch(&explorer, &threads[t].fiber);
  if (on_fiber) longjmp(given_up, 1);  // it has failed
}

static void take(option o) {
  thread *t = &threads[o.thread];
  self = o.thread;
  op *what = o.late >= 0 ? &t->late[o.late] : &t->op;
  if (o.late >= 0) {
    where = what->where;
    perform_update(what, o.position, true);
    *what = t->late[--t->late_count];
  } else {
    last = o.thread;
    switches += o.is_switch;
    perform(what, o.position);
    resume(o.thread);
  }
}

// Who waits for a lock is not told from who has yet to find it taken, but where nobody can do
// anything else: there all come to wait.
static uint64_t who_waits(void) {
  uint64_t waiting = 1;
  for (int i = 0; i < scenario->threads; i++) {
    const thread *t = &threads[i];
    const op *o = &t->op;
    if (t->late_count > 0) return 0;
    if (o->kind == DONE || (o->kind == SLEEP && !t->awake)) continue;
    if (o->kind != CAS || !locks[o->cell]) return 0;
    if (memory_value(o->cell, memory_newest(o->cell)) == o->expected) return 0;
    waiting += (uint64_t)o->waits << (i + 1);
  }
  return waiting;
}

static uint64_t state_key(void) {
  const memory_gate *gates[THREADS];
  unsigned live = 0;
  uint64_t awake = 0, late = 0;
  for (int i = 0; i < scenario->threads; i++) {
    const thread *t = &threads[i];
    gates[i] = &t->gate;
    if (t->op.kind != DONE || t->late_count > 0) live |= 1U << i;
    awake += (uint64_t)t->awake << i;
    for (int j = 0; j < t->late_count; j++) {
      const op *o = &t->late[j];
      late += memory_mix(memory_mix((uint64_t)i, o->rmw), memory_mix(o->cell, o->value));
    }
  }
  uint64_t key = memory_key(live, gates, scenario->threads);
  uint64_t bounded = scenario->switches == 0 ? 0 : memory_mix((uint64_t)switches, (uint64_t)last);
  key = memory_mix(memory_mix(key, watch_key()), memory_mix(live, who_waits()));
  return memory_mix(memory_mix(key, awake), memory_mix(late, bounded));
}

// The search ----------------------------------------------------------------------------------

static void thread_body(void) {
  scenario->run(self);
  (void)act((op){.kind = DONE, .where = "the end"});
}

static void begin(void) {
  self = MAIN;
  on_fiber = false;
  memory_reset(scenario->behind == 0 ? MESSAGES : scenario->behind);
  arena_reset();
  watch_reset();
  memset(locks, 0, sizeof(locks));
  last = switches = 0;
  where = "setup";
  scenario->setup();
  setup_cells = memory_cells();
  for (int i = 0; i < scenario->threads; i++) {
    threads[i] = (thread){.awake = false};
    fiber_make(&threads[i].fiber, stacks[i], STACK, thread_body);
    memory_begin(i);
    resume(i);
  }
}

static void finish(void) {
  for (int i = 0; i < scenario->threads; i++) {
    if (threads[i].op.waits) {
      self = i;
      model_fail("waits for a lock for ever");
    }
    memory_end(i);
  }
  ends++;
  self = MAIN;
  where = "finish";
  scenario->finish();
  if (arena_blocks() != 0) model_fail("%d blocks of memory are not freed", arena_blocks());
}

// Along the path, and on to its end or a state that has been seen.
static void run_once(void) {
  static option options[OPTIONS];
  begin();
  for (int n = 0;; n++) {
    if (n < path_length - 1) {
      take(path[n].chosen);
      continue;
    }
    if (n == path_length && !states_add(state_key())) return;
    int count = find_options(options);
    if (count == 0) break;
    if (n == path_length) {
      if (n == PATH) model_fail("a path of more than %d steps", PATH);
      path[path_length++] = (step){.total = count};
    }
    path[n].chosen = options[path[n].index];
    take(path[n].chosen);
  }
  finish();
}

static bool next_path(void) {
  while (path_length > 0) {
    step *latest = &path[path_length - 1];
    if (++latest->index < latest->total) return true;
    path_length--;
  }
  return false;
}

static double seconds(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void begin_anew(void) {
  path_length = 0;
  ends = 0;
  learned = false;
  states_clear();
}

bool model_explore(const model_scenario *s) {
  static uint64_t runs;
  scenario = s;
  runs = 0;
  memset(users, 0, sizeof(users));
  begin_anew();
  double start = seconds();
  // A run that has learned something leads elsewhere the next time, so its path is not told: all
  // begins anew, and what is wrong is found again.
  if (setjmp(given_up) != 0 && (tracing || !learned)) {
    if (!tracing) {
      (void)fprintf(stderr, "%s: after %llu runs: %s; the path:\n", s->name,
                    (unsigned long long)runs, complaint);
      tracing = true;
      run_once();
    }
    tracing = false;
    return false;
  }
  do {
    if (learned) begin_anew();
    runs++;
    run_once();
  } while (learned || next_path());
  if (ends == 0) model_fail("goes on for ever");
  (void)printf("%-62s %9llu states %6.2f s\n", s->name, (unsigned long long)states_count(),
               seconds() - start);
  return true;
}

int model_main(const model_scenario *scenarios, int count) {
  int passed = 0, failed = 0;
  for (int i = 0; i < count; i++) {
    if (scenarios[i].is_long && getenv("WEFT_LONG") == NULL) continue;
    if (model_explore(&scenarios[i])) {
      passed++;
    } else {
      failed++;
    }
  }
  (void)printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
