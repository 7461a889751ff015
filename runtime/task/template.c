// SPDX-License-Identifier: MIT
#include "task/template.h"

#include <string.h>

enum { MOST_AFTER = 512, MOST_KEYS = 64, MOST_PAIRS = 256, NO_VALUE = 0 };
#define NOWHERE UINT32_MAX

typedef struct key {
  size_t at, length;
} key;

typedef struct writer {
  wf_mem *mem;
  const wf_dump *d;
  wf_vec *out;
  wf_vec constants;  // of the proto
  wf_vec starts;     // uint32_t by operand: where it is copied, or NOWHERE
  key keys[MOST_KEYS];
  size_t nkeys;
  uint32_t narray;  // with index 0
} writer;

static bool put_bytes(writer *w, const void *data, size_t size) {
  if (size == 0) return true;
  void *place = wf_vec_add(w->mem, w->out, size);
  if (place != NULL) memcpy(place, data, size);
  return place != NULL;
}

static bool put_part(writer *w, size_t from, size_t to) {
  return put_bytes(w, w->d->data + from, to - from);
}

static bool put_uleb(writer *w, size_t v) {
  uint8_t bytes[10];
  size_t n = 0;
  for (; v >= 0x80; v >>= 7) bytes[n++] = (uint8_t)(v | 0x80);
  bytes[n++] = (uint8_t)v;
  return put_bytes(w, bytes, n);
}

// The keys --------------------------------------------------------------------------------------

// Whether the constructor of the table in `reg` is over: it computes in registers above, and
// stores nowhere but in the table and in those that it makes.
static bool ends(uint32_t ins, uint32_t reg) {
  uint32_t op = wf_dump_op(ins), a = wf_dump_a(ins);
  if (op <= WF_OP_ISNUM && op != WF_OP_ISTC && op != WF_OP_ISFC) return false;  // they only look
  if (op == WF_OP_JMP) return wf_dump_d(ins) < WF_DUMP_FORWARD;
  if (op >= WF_OP_TSETV && op <= WF_OP_TSETB) return wf_dump_b(ins) < reg;
  if (op == WF_OP_TSETM) return a <= reg;
  bool computes = op <= WF_OP_UGET ||
                  (op >= WF_OP_FNEW && op <= WF_OP_TGETR && op != WF_OP_GSET) ||
                  op == WF_OP_CALLM || op == WF_OP_CALL || op == WF_OP_VARG;
  return !computes || a <= reg;
}

static bool same(const wf_dump *d, const key *a, const key *b) {
  return a->length == b->length && memcmp(d->data + a->at, d->data + b->at, a->length) == 0;
}

static void add_key(writer *w, const wf_proto *p, const wf_dump_table *t, uint32_t operand) {
  key k;
  k.at = wf_dump_string(w->d, p, &w->constants, operand, &k.length);
  if (k.at == 0 || w->nkeys == MOST_KEYS) return;
  for (size_t i = 0; i < w->nkeys; i++) {
    if (same(w->d, &w->keys[i], &k)) return;
  }
  if (!wf_dump_table_has(w->d, t, k.at, k.length)) w->keys[w->nkeys++] = k;
}

// An item of a list: those that come one after the other. Others are keys of the hash part.
static void add_item(writer *w, uint32_t i) {
  uint32_t next = w->narray > 0 ? w->narray : 1;
  if (i == next) w->narray = i + 1;
}

static bool stores_in(uint32_t ins, uint32_t reg) {
  uint32_t op = wf_dump_op(ins);
  if (op == WF_OP_TSETM) return wf_dump_a(ins) == reg + 1;
  return op >= WF_OP_TSETV && op <= WF_OP_TSETB && wf_dump_b(ins) == reg;
}

// Whether the instruction before has loaded a constant to be stored: constructors have theirs in
// the template.
static bool stores_constant(const writer *w, const wf_proto *p, uint32_t pc) {
  uint32_t before = wf_dump_ins(w->d, p, pc - 1), op = wf_dump_op(before);
  return op >= WF_OP_KSTR && op <= WF_OP_KNIL &&
         wf_dump_a(before) == wf_dump_a(wf_dump_ins(w->d, p, pc));
}

// What the constructor stores that begins by copying the constant at `pc`. A store that is jumped
// over is none of it, nor is one of a constant, unless it is one of several values.
static void find_keys(writer *w, const wf_proto *p, const wf_dump_table *t, uint32_t pc) {
  uint32_t reg = wf_dump_a(wf_dump_ins(w->d, p, pc)), lands = 0;
  uint32_t end = p->ncode - pc > MOST_AFTER ? pc + MOST_AFTER : p->ncode;
  for (pc++; pc < end; pc++) {
    uint32_t ins = wf_dump_ins(w->d, p, pc), op = wf_dump_op(ins);
    if (ends(ins, reg)) return;
    if (op == WF_OP_JMP) {
      uint32_t target = pc + 1 + wf_dump_d(ins) - WF_DUMP_FORWARD;
      if (target > lands) lands = target;
    }
    if (!stores_in(ins, reg)) continue;
    if (pc < lands || (pc != lands && stores_constant(w, p, pc))) return;
    if (op == WF_OP_TSETM) add_item(w, w->narray > 0 ? w->narray : 1);
    if (op == WF_OP_TSETS) add_key(w, p, t, wf_dump_c(ins));
    if (op == WF_OP_TSETB) add_item(w, wf_dump_c(ins));
  }
}

// The dump --------------------------------------------------------------------------------------

static bool put_table(writer *w, const wf_proto *p, const wf_dump_table *t, uint32_t operand) {
  uint32_t pc = ((const uint32_t *)(const void *)w->starts.data)[operand];
  w->nkeys = 0;
  w->narray = t->narray;
  if (pc != NOWHERE && t->nhash <= MOST_PAIRS) find_keys(w, p, t, pc);
  bool ok = put_part(w, t->start, t->counts) && put_uleb(w, w->narray) &&
            put_uleb(w, t->nhash + w->nkeys) && put_part(w, t->values, t->pairs);
  for (uint32_t i = t->narray; ok && i < w->narray; i++) ok = put_uleb(w, NO_VALUE);
  ok = ok && put_part(w, t->pairs, t->end);
  for (size_t i = 0; ok && i < w->nkeys; i++) {
    const key *k = &w->keys[i];
    ok = put_uleb(w, WF_DUMP_TABLE_STRING + k->length) && put_part(w, k->at, k->at + k->length) &&
         put_uleb(w, NO_VALUE);
  }
  return ok;
}

static bool put_constants(writer *w, const wf_proto *p) {
  const size_t *at = (const size_t *)(const void *)w->constants.data;
  size_t done = p->kgc;
  for (uint32_t i = 0; i < p->nkgc; i++) {
    wf_dump_table t;
    if (!wf_dump_read_table(w->d, p, at[i], &t)) continue;
    if (!put_part(w, done, t.start) || !put_table(w, p, &t, p->nkgc - 1 - i)) return false;
    done = t.end;
  }
  return put_part(w, done, p->end);
}

// Where each constant is copied first, by operand.
static bool find_starts(writer *w, const wf_proto *p) {
  w->starts.size = 0;
  if (p->nkgc == 0) return true;
  uint32_t *starts = wf_vec_add(w->mem, &w->starts, p->nkgc * sizeof *starts);
  if (starts == NULL) return false;
  for (uint32_t i = 0; i < p->nkgc; i++) starts[i] = NOWHERE;
  for (uint32_t pc = p->ncode; pc-- > 0;) {
    uint32_t ins = wf_dump_ins(w->d, p, pc), operand = wf_dump_d(ins);
    if (wf_dump_op(ins) == WF_OP_TDUP && operand < p->nkgc) starts[operand] = pc;
  }
  return true;
}

static bool put_proto(writer *w, const wf_proto *p) {
  if (!wf_dump_find_constants(w->mem, w->d, p, &w->constants) || !find_starts(w, p)) return false;
  wf_vec *out = w->out, body = {0};
  w->out = &body;
  bool ok = put_part(w, p->start, p->kgc) && put_constants(w, p);
  w->out = out;
  ok = ok && put_uleb(w, body.size) && put_bytes(w, body.data, body.size);
  wf_vec_free(w->mem, &body);
  return ok;
}

bool wf_template_restore(wf_mem *mem, const wf_dump *d, wf_vec *out) {
  writer w = {.mem = mem, .d = d, .out = out};
  bool ok = put_part(&w, 0, d->head);
  for (size_t i = 0; ok && i < wf_dump_count(d); i++) ok = put_proto(&w, wf_dump_proto(d, i));
  ok = ok && put_uleb(&w, 0);
  wf_vec_free(mem, &w.constants);
  wf_vec_free(mem, &w.starts);
  return ok;
}
