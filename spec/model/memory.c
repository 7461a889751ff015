// SPDX-License-Identifier: MIT
#include "memory.h"

#include <string.h>

#include "model.h"
#include "shim.h"

typedef struct message {
  uint64_t value;
  knowledge carries;
  uint8_t position;
  bool update;  // it read the one before it
} message;

typedef struct cell {
  message messages[MESSAGES];  // as they came
  uint8_t order[MESSAGES];     // modification order
  int count;
  bool freed;
  uint16_t touched[THREADS];  // the last access of each thread
  int maker;
  uint16_t made;
} cell;

typedef struct early_load {
  uint32_t cell;
  int thread;
  uint16_t when;
  bool valid;
} early_load;

typedef struct actor {
  knowledge now;       // what its next load may rely on
  knowledge acquired;  // and after a fence
  knowledge released;  // what its relaxed stores carry: all before its last fence
  uint64_t history;    // the values it has read, since it forgot
  uint64_t before;     // the same before it found a lock taken
} actor;

static cell cells[CELLS];
static uint32_t cell_count;
static actor actors[THREADS];
static uint8_t fenced[CELLS];  // what the fences so far have seen
static early_load earlies[256];
static int early_count;
enum { PLAINS = 400 };
static memory_plain *plains[PLAINS];
static int plain_count;
static int behind;  // the newest message loads may be, at most

uint64_t memory_mix(uint64_t a, uint64_t b) {
  uint64_t x = a * 0x9e3779b97f4a7c15U ^ (b + 0x632be59bd9b4e019U);
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93U;
  x ^= x >> 32;
  x *= 0xd6e8feb86659fd93U;
  return x ^ (x >> 32);
}

static void see(uint8_t *seen, const uint8_t *others) {
  for (uint32_t c = 0; c < cell_count; c++) {
    uint8_t mine = seen[c], theirs = others[c];
    if (mine == theirs) continue;
    const message *m = cells[c].messages;
    if (m[theirs].position > m[mine].position) seen[c] = theirs;
  }
}

static void learn(knowledge *k, const knowledge *other) {
  see(k->seen, other->seen);
  for (int t = 0; t < THREADS; t++) {
    if (other->past[t] > k->past[t]) k->past[t] = other->past[t];
  }
}

// A thread's events are stamped with how often it has told others something so far: who knows of
// more than that knows of the event.
static uint16_t stamp(int thread) { return actors[thread].now.past[thread]; }

static void told(int thread) {
  actors[thread].acquired.past[thread] = ++actors[thread].now.past[thread];
}

// Whether what `other` did when it was at `when` (0: nothing) happens before what `thread` does
// now.
static bool knows(int thread, int other, uint16_t when) {
  return other == thread || when < actors[thread].now.past[other] || when == 0;
}

void memory_reset(int most_behind) {
  behind = most_behind;
  cell_count = 0;
  early_count = plain_count = 0;
  memset(actors, 0, sizeof(actors));
  memset(fenced, 0, sizeof(fenced));
  told(MAIN);
}

void memory_begin(int thread) {
  told(MAIN);
  actors[thread] = actors[MAIN];
  actors[thread].acquired = actors[thread].released = actors[MAIN].now;
  actors[thread].history = (uint64_t)thread;
  told(thread);
}

void memory_end(int thread) {
  told(thread);
  learn(&actors[MAIN].now, &actors[thread].now);
  learn(&actors[MAIN].acquired, &actors[thread].now);
}

void memory_remember(int thread, uint64_t what) {
  actors[thread].history = memory_mix(actors[thread].history, what);
}

void memory_find_taken(int thread) {
  actors[thread].before = actors[thread].history;
  memory_remember(thread, 1);
}

void memory_wait_instead(int thread) { actors[thread].history = actors[thread].before; }

static cell *existing(uint32_t id) {
  cell *c = id > 0 && id <= cell_count ? &cells[id - 1] : NULL;
  if (c == NULL || c->freed) model_fail("use of memory that is freed or was never set up");
  return c;
}

static void touch(int thread, uint32_t id) {
  cell *c = existing(id);
  if (!knows(thread, c->maker, c->made)) {
    model_fail("use of memory whose setting up does not happen before");
  }
  c->touched[thread] = stamp(thread);
}

uint32_t memory_new_cell(int thread, uint64_t value) {
  if (cell_count == CELLS) model_fail("more than %d cells", CELLS);
  uint32_t id = cell_count++;
  cell *c = &cells[id];
  c->count = 1;
  c->freed = false;
  c->maker = thread;
  c->made = stamp(thread);
  memset(c->touched, 0, sizeof(c->touched));
  c->touched[thread] = c->made;
  memory_remember(thread, id);
  c->order[0] = 0;
  c->messages[0] = (message){.value = value};
  c->messages[0].carries = actors[thread].now;
  return id + 1;
}

uint32_t memory_cells(void) { return cell_count; }

void memory_free_cell(int thread, uint32_t id) {
  cell *c = existing(id);
  for (int t = 0; t < THREADS; t++) {
    if (!knows(thread, t, c->touched[t])) {
      model_fail("T%d frees what T%d may still be using", thread, t);
    }
  }
  c->freed = true;
}

static int oldest_allowed(const cell *c) { return c->count > behind ? c->count - 1 - behind : 0; }

int memory_oldest(int thread, uint32_t id) {
  const cell *c = existing(id);
  int seen = c->messages[actors[thread].now.seen[id - 1]].position, allowed = oldest_allowed(c);
  return seen > allowed ? seen : allowed;
}

int memory_newest(uint32_t id) { return cells[id - 1].count - 1; }

static message *at(uint32_t id, int position) {
  cell *c = &cells[id - 1];
  return &c->messages[c->order[position]];
}

uint64_t memory_value(uint32_t id, int position) { return at(id, position)->value; }

bool memory_open(uint32_t id, int position) {
  return position == cells[id - 1].count - 1 || !at(id, position + 1)->update;
}

static void read(int thread, uint32_t id, const message *m, int order) {
  actor *a = &actors[thread];
  uint8_t number = (uint8_t)(m - cells[id - 1].messages);
  a->now.seen[id - 1] = a->acquired.seen[id - 1] = number;
  learn(&a->acquired, &m->carries);
  if (order & WF_ACQUIRE) learn(&a->now, &m->carries);
  memory_remember(thread, m->value);
}

static void record_early(int thread, uint32_t id) {
  for (int i = 0; i < early_count; i++) {  // the last try came to nothing
    if (earlies[i].thread == thread && !earlies[i].valid) earlies[i--] = earlies[--early_count];
  }
  if (early_count == 256) model_fail("too many early loads");
  earlies[early_count++] = (early_load){.cell = id, .thread = thread, .when = stamp(thread)};
}

void memory_validate(int thread) {
  for (int i = 0; i < early_count; i++) {
    if (earlies[i].thread == thread) earlies[i].valid = true;
  }
}

static void check_early(int thread, uint32_t id) {
  for (int i = 0; i < early_count; i++) {
    const early_load *e = &earlies[i];
    if (e->cell == id && e->valid && !knows(thread, e->thread, e->when)) {
      model_fail("T%d stores to what T%d, which has it for good, may not have loaded yet", thread,
                 e->thread);
    }
  }
}

uint64_t memory_load(int thread, uint32_t id, int position, int order, bool early) {
  touch(thread, id);
  const message *m = at(id, position);
  read(thread, id, m, order);
  if (early) record_early(thread, id);
  return m->value;
}

// A new message behind `position`.
static message *insert(int thread, uint32_t id, int position, uint64_t value) {
  cell *c = &cells[id - 1];
  if (c->count == MESSAGES) model_fail("more than %d stores to a cell", MESSAGES);
  check_early(thread, id);
  int number = c->count++;
  for (int i = number; i > position + 1; i--) {
    c->order[i] = c->order[i - 1];
    c->messages[c->order[i]].position = (uint8_t)i;
  }
  c->order[position + 1] = (uint8_t)number;
  message *m = &c->messages[number];
  m->value = value;
  m->position = (uint8_t)(position + 1);
  m->update = false;
  return m;
}

static void publish(int thread, uint32_t id, message *m, int order) {
  actor *a = &actors[thread];
  uint8_t number = (uint8_t)(m - cells[id - 1].messages);
  told(thread);
  const knowledge *carried = order & WF_RELEASE ? &a->now : &a->released;
  if (m->update) {
    learn(&m->carries, carried);
  } else {
    m->carries = *carried;
  }
  m->carries.seen[id - 1] = number;
  a->now.seen[id - 1] = a->acquired.seen[id - 1] = number;
}

void memory_store(int thread, uint32_t id, int position, uint64_t value, int order) {
  touch(thread, id);
  memory_remember(thread, id);
  message *m = insert(thread, id, position, value);
  publish(thread, id, m, order);
}

void memory_update(int thread, uint32_t id, int position, uint64_t value, int order, bool late) {
  touch(thread, id);
  const message *old = at(id, position);
  uint64_t history = actors[thread].history;
  read(thread, id, old, order);
  // Nobody asked what it read, and when it came is no part of the thread's history.
  if (late) actors[thread].history = history;
  knowledge carries = old->carries;
  message *m = insert(thread, id, position, value);
  m->carries = carries;
  m->update = true;
  publish(thread, id, m, order);
}

void memory_fence(int thread) {
  actor *a = &actors[thread];
  a->now = a->acquired;
  see(a->now.seen, fenced);
  see(fenced, a->now.seen);
  told(thread);
  a->acquired = a->released = a->now;
  memory_remember(thread, 1);
}

void memory_reach(int thread, memory_gate *gate) {
  told(thread);
  learn(&gate->known, &actors[thread].now);
  memory_remember(thread, 1);
}

void memory_pass(int thread, const memory_gate *gate) {
  learn(&actors[thread].now, &gate->known);
  learn(&actors[thread].acquired, &gate->known);
  memory_remember(thread, 1);
}

static void enrol(memory_plain *plain) {
  if (plain->enrolled) return;
  if (plain_count == PLAINS) model_fail("more than %d plain variables", PLAINS);
  plain->enrolled = true;
  plains[plain_count++] = plain;
}

static bool known(int thread, const uint16_t *events) {
  for (int t = 0; t < THREADS; t++) {
    if (!knows(thread, t, events[t])) return false;
  }
  return true;
}

void memory_plain_read(int thread, memory_plain *plain) {
  enrol(plain);
  if (!known(thread, plain->written)) model_fail("a read races with a write");
  plain->read[thread] = stamp(thread);
}

void memory_plain_write(int thread, memory_plain *plain) {
  enrol(plain);
  if (!known(thread, plain->written) || !known(thread, plain->read)) {
    model_fail("a write races with another access");
  }
  // Whoever knows of this write knows of all accesses before.
  memset(plain->read, 0, sizeof(plain->read));
  memset(plain->written, 0, sizeof(plain->written));
  plain->written[thread] = stamp(thread);
}

// Keys ----------------------------------------------------------------------------------------
// Of what still matters: messages that somebody may read, and what not all know of. Positions and
// stamps count from there.

static int floor_of[CELLS];  // the oldest position that any thread may read
static unsigned live;        // threads
// Of the stamps of each thread only the order matters: those that occur, and where they stand.
enum { STAMPS = 1024 };
static bool occurs[THREADS][STAMPS];
static uint8_t rank_of[THREADS][STAMPS];
static uint16_t common[THREADS], highest[THREADS];  // what all know; the highest that occurs

static void find_floors(void) {
  for (uint32_t c = 0; c < cell_count; c++) floor_of[c] = cells[c].count - 1;
  for (int t = 0; t < THREADS; t++) common[t] = UINT16_MAX, highest[t] = 0;
  for (int t = 0; t < THREADS; t++) {
    if ((live >> t & 1) == 0) continue;
    const knowledge *k = &actors[t].now;
    for (uint32_t c = 0; c < cell_count; c++) {
      int position = cells[c].messages[k->seen[c]].position;
      if (position < floor_of[c]) floor_of[c] = position;
    }
    for (int u = 0; u < THREADS; u++) {
      if (k->past[u] < common[u]) common[u] = k->past[u];
    }
  }
  for (uint32_t c = 0; c < cell_count; c++) {
    int allowed = oldest_allowed(&cells[c]);
    if (floor_of[c] < allowed) floor_of[c] = allowed;
  }
}

static void note_stamps(const uint16_t *stamps) {
  for (int t = 0; t < THREADS; t++) {
    uint16_t s = stamps[t];
    if (s < common[t]) continue;
    if (s >= STAMPS) model_fail("a thread stores more than %d times", STAMPS);
    occurs[t][s] = true;
    if (s > highest[t]) highest[t] = s;
  }
}

static void rank_stamps(const memory_gate *const *gates, int gate_count) {
  for (uint32_t c = 0; c < cell_count; c++) {
    for (int i = floor_of[c]; i < cells[c].count; i++) note_stamps(at(c + 1, i)->carries.past);
    note_stamps(cells[c].touched);
  }
  for (int t = 0; t < THREADS; t++) {
    if ((live >> t & 1) == 0) continue;
    note_stamps(actors[t].now.past);
    note_stamps(actors[t].acquired.past);
    note_stamps(actors[t].released.past);
  }
  for (int i = 0; i < gate_count; i++) note_stamps(gates[i]->known.past);
  for (int i = 0; i < plain_count; i++) {
    note_stamps(plains[i]->read);
    note_stamps(plains[i]->written);
  }
  for (int i = 0; i < early_count; i++) {
    uint16_t stamps[THREADS] = {0};
    stamps[earlies[i].thread] = earlies[i].when;
    note_stamps(stamps);
  }
  for (int t = 0; t < THREADS; t++) {
    uint8_t rank = 0;
    for (int s = common[t]; s <= highest[t]; s++) {
      if (occurs[t][s]) rank_of[t][s] = ++rank;
      occurs[t][s] = false;
    }
  }
}

static uint64_t add(uint64_t key, uint64_t x) {
  key = (key ^ x) * 0x9e3779b97f4a7c15U;
  return key ^ (key >> 32);
}

static uint64_t add_seen(uint64_t key, const uint8_t *seen) {
  for (uint32_t c = 0; c < cell_count; c++) {
    int above = cells[c].messages[seen[c]].position - floor_of[c];
    if (above > 0) key = add(add(key, c), (uint64_t)above);
  }
  return add(key, CELLS);
}

static uint8_t rank(int thread, uint16_t when) {
  return when < common[thread] ? 0 : rank_of[thread][when];
}

static uint64_t add_stamps(uint64_t key, const uint16_t *stamps) {
  for (int t = 0; t < THREADS; t++) key = add(key, rank(t, stamps[t]));
  return key;
}

// Of what is known, all that is known to all is the same.
static uint64_t add_knowledge(uint64_t key, const knowledge *k) {
  key = add_seen(key, k->seen);
  for (int t = 0; t < THREADS; t++) {
    uint16_t past = k->past[t] < common[t] ? common[t] : k->past[t];
    key = add(key, rank(t, past));
  }
  return key;
}

static uint64_t add_cell(uint64_t key, uint32_t c) {
  for (int i = floor_of[c]; i < cells[c].count; i++) {
    const message *m = at(c + 1, i);
    key = add_knowledge(add(key, m->value * 2 + m->update), &m->carries);
  }
  return add_stamps(add(key, cells[c].freed), cells[c].touched);
}

// Without regard to order, as these come in any.
static uint64_t lists(void) {
  uint64_t sum = 0;
  for (int i = 0; i < early_count; i++) {
    const early_load *e = &earlies[i];
    if (e->when < common[e->thread]) continue;
    uint64_t key = add(e->cell, (uint64_t)e->thread * 2 + e->valid);
    sum += add(key, rank(e->thread, e->when));
  }
  for (int i = 0; i < plain_count; i++) {
    uint64_t key = add_stamps((uint64_t)(uintptr_t)plains[i], plains[i]->read);
    sum += add_stamps(key, plains[i]->written);
  }
  return sum;
}

uint64_t memory_key(unsigned threads, const memory_gate *const *gates, int gate_count) {
  live = threads;
  find_floors();
  rank_stamps(gates, gate_count);
  uint64_t key = cell_count;
  for (uint32_t c = 0; c < cell_count; c++) key = add_cell(key, c);
  key = add_seen(key, fenced);
  for (int t = 0; t < THREADS; t++) {
    const actor *a = &actors[t];
    key = add(key, a->history);  // also of one that has ended: finish looks at what came of it
    if ((live >> t & 1) == 0) continue;
    key = add_knowledge(add_knowledge(key, &a->now), &a->acquired);
    key = add_knowledge(key, &a->released);
  }
  for (int i = 0; i < gate_count; i++) key = add_knowledge(key, &gates[i]->known);
  return add(key, lists());
}

void memory_forget(int thread, uint64_t variables) {
  actors[thread].history = memory_mix((uint64_t)thread, variables);
}
