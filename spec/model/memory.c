// SPDX-License-Identifier: MIT
#include "memory.h"

#include <string.h>

#include "model.h"
#include "shim.h"

typedef struct message {
  uint64_t value, identity;
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
  uint64_t history;
} actor;

static cell cells[CELLS];
static uint32_t cell_count;
static actor actors[THREADS];
static uint8_t fenced[CELLS];  // what the fences so far have seen
static early_load earlies[256];
static int early_count;

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

void memory_reset(void) {
  cell_count = 0;
  early_count = 0;
  memset(actors, 0, sizeof(actors));
  memset(fenced, 0, sizeof(fenced));
}

void memory_begin(int thread) {
  actors[thread] = actors[MAIN];
  actors[thread].acquired = actors[thread].released = actors[MAIN].now;
  actors[thread].history = (uint64_t)thread;
}

void memory_end(int thread) {
  learn(&actors[MAIN].now, &actors[thread].now);
  learn(&actors[MAIN].acquired, &actors[thread].now);
}

void memory_remember(int thread, uint64_t what) {
  actors[thread].history = memory_mix(actors[thread].history, what);
}

// Counts an event of the thread, so that others can be told to know of it.
static uint16_t event(int thread) {
  uint16_t now = ++actors[thread].now.past[thread];
  actors[thread].acquired.past[thread] = now;
  return now;
}

static cell *existing(uint32_t id) {
  cell *c = id > 0 && id <= cell_count ? &cells[id - 1] : NULL;
  if (c == NULL || c->freed) model_fail("use of memory that is freed or was never set up");
  return c;
}

static void touch(int thread, uint32_t id) {
  cell *c = existing(id);
  if (actors[thread].now.past[c->maker] < c->made) {
    model_fail("use of memory whose setting up does not happen before");
  }
  c->touched[thread] = event(thread);
}

uint32_t memory_new_cell(int thread, uint64_t value) {
  if (cell_count == CELLS) model_fail("more than %d cells", CELLS);
  uint32_t id = cell_count++;
  cell *c = &cells[id];
  c->count = 1;
  c->freed = false;
  c->maker = thread;
  c->made = event(thread);
  memset(c->touched, 0, sizeof(c->touched));
  c->touched[thread] = c->made;
  memory_remember(thread, id);
  c->order[0] = 0;
  c->messages[0] = (message){.value = value, .identity = actors[thread].history};
  c->messages[0].carries = actors[thread].now;
  return id + 1;
}

void memory_free_cell(int thread, uint32_t id) {
  cell *c = existing(id);
  for (int t = 0; t < THREADS; t++) {
    if (c->touched[t] > actors[thread].now.past[t]) {
      model_fail("T%d frees what T%d may still be using", thread, t);
    }
  }
  c->freed = true;
  (void)event(thread);
}

int memory_oldest(int thread, uint32_t id) {
  return existing(id)->messages[actors[thread].now.seen[id - 1]].position;
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
  memory_remember(thread, m->identity);
}

static void record_early(int thread, uint32_t id) {
  for (int i = 0; i < early_count; i++) {  // the last try came to nothing
    if (earlies[i].thread == thread && !earlies[i].valid) earlies[i--] = earlies[--early_count];
  }
  if (early_count == 256) model_fail("too many early loads");
  earlies[early_count++] =
      (early_load){.cell = id, .thread = thread, .when = actors[thread].now.past[thread]};
}

void memory_validate(int thread) {
  for (int i = 0; i < early_count; i++) {
    if (earlies[i].thread == thread) earlies[i].valid = true;
  }
}

static void check_early(int thread, uint32_t id) {
  for (int i = 0; i < early_count; i++) {
    const early_load *e = &earlies[i];
    if (e->cell == id && e->valid && e->when > actors[thread].now.past[e->thread]) {
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
  m->identity = memory_mix(actors[thread].history, value);
  publish(thread, id, m, order);
}

void memory_update(int thread, uint32_t id, int position, uint64_t value, int order, bool late) {
  touch(thread, id);
  const message *old = at(id, position);
  uint64_t history = actors[thread].history;
  read(thread, id, old, order);
  // Nobody asked what it read, and when it came is no part of the thread's history.
  if (late) actors[thread].history = history;
  uint64_t identity = memory_mix(old->identity, memory_mix((uint64_t)thread + 1, value));
  knowledge carries = old->carries;
  message *m = insert(thread, id, position, value);
  m->identity = identity;
  m->carries = carries;
  m->update = true;
  publish(thread, id, m, order);
}

void memory_fence(int thread) {
  actor *a = &actors[thread];
  a->now = a->acquired;
  see(a->now.seen, fenced);
  see(fenced, a->now.seen);
  a->acquired = a->released = a->now;
  for (uint32_t c = 0; c < cell_count; c++) {
    memory_remember(thread, cells[c].messages[fenced[c]].identity);
  }
}

void memory_reach(int thread, memory_gate *gate) {
  (void)event(thread);
  learn(&gate->known, &actors[thread].now);
  gate->identity += memory_mix(actors[thread].history, 1);
  memory_remember(thread, 1);
}

void memory_pass(int thread, const memory_gate *gate) {
  learn(&actors[thread].now, &gate->known);
  learn(&actors[thread].acquired, &gate->known);
  memory_remember(thread, gate->identity);
}

static bool known(int thread, const uint16_t *events) {
  for (int t = 0; t < THREADS; t++) {
    if (events[t] > actors[thread].now.past[t]) return false;
  }
  return true;
}

void memory_plain_read(int thread, memory_plain *plain) {
  if (!known(thread, plain->written)) model_fail("a read races with a write");
  plain->read[thread] = event(thread);
}

void memory_plain_write(int thread, memory_plain *plain) {
  if (!known(thread, plain->written) || !known(thread, plain->read)) {
    model_fail("a write races with another access");
  }
  plain->written[thread] = event(thread);
}

uint64_t memory_key(void) {
  uint64_t key = cell_count;
  for (uint32_t c = 0; c < cell_count; c++) {
    for (int i = 0; i < cells[c].count; i++) key = memory_mix(key, at(c + 1, i)->identity);
    key = memory_mix(key, cells[c].messages[fenced[c]].identity + cells[c].freed);
  }
  for (int t = 0; t < THREADS; t++) key = memory_mix(key, actors[t].history);
  return key;
}
