// SPDX-License-Identifier: MIT
#include "task/dump.h"

#include <string.h>

enum { VERSION = 2, F_STRIP = 2, F_FFI = 4, F_FR2 = 8 };
enum { KGC_CHILD, KGC_TABLE, KGC_I64, KGC_U64, KGC_COMPLEX, KGC_STRING };
enum { KTAB_INT = 3, KTAB_NUM, KTAB_STRING = WF_DUMP_TABLE_STRING };
enum { VARNAME_END = 0, VARNAME_MAX = 7 };  // names of hidden loop variables are one byte

// Reads within [at, end); once something is missing everything is 0 and `bad` is set.
typedef struct reader {
  const uint8_t *data;
  size_t at, end;
  bool bad;
} reader;

static uint32_t byte(reader *r) {
  if (r->at < r->end) return r->data[r->at++];
  r->bad = true;
  return 0;
}

// Also good for skipping the numbers of 33 bits, which go on by the same rule.
static uint32_t uleb(reader *r) {
  uint32_t v = 0, shift = 0, b;
  do {
    b = byte(r);
    if (shift < 32) v |= (b & 0x7f) << shift;
    shift += 7;
  } while (b >= 0x80 && shift < 70);
  return v;
}

static void skip(reader *r, size_t n) {
  if (r->end - r->at < n) {
    r->bad = true;
    n = r->end - r->at;
  }
  r->at += n;
}

static void skip_table_value(reader *r) {
  uint32_t type = uleb(r);
  if (type >= KTAB_STRING) {
    skip(r, type - KTAB_STRING);
  } else if (type == KTAB_NUM) {
    (void)uleb(r);
    (void)uleb(r);
  } else if (type == KTAB_INT) {
    (void)uleb(r);
  }
}

static uint32_t skip_constant(reader *r) {
  uint32_t type = uleb(r);
  if (type >= KGC_STRING) {
    skip(r, type - KGC_STRING);
  } else if (type == KGC_TABLE) {
    uint32_t narray = uleb(r), nhash = uleb(r);
    for (uint32_t i = 0; i < narray && !r->bad; i++) skip_table_value(r);
    for (uint32_t i = 0; i < nhash && !r->bad; i++) {
      skip_table_value(r);
      skip_table_value(r);
    }
  } else if (type != KGC_CHILD) {
    for (int i = type == KGC_COMPLEX ? 4 : 2; i > 0; i--) (void)uleb(r);
  }
  return type;
}

// Makes the inner functions that this one has constants of its children: each is the last proto
// that has no parent yet.
static bool adopt(wf_dump *d, size_t index) {
  const wf_proto *p = wf_dump_proto(d, index);
  reader r = {.data = d->data, .at = p->kgc, .end = p->end};
  for (uint32_t i = 0; i < p->nkgc; i++) {
    if (skip_constant(&r) != KGC_CHILD) continue;
    size_t child = index;
    while (child > 0 && wf_dump_proto(d, child - 1)->parent >= 0) child--;
    if (child == 0) return false;
    wf_dump_proto(d, child - 1)->parent = (int32_t)index;
  }
  return true;
}

static bool parse_proto(wf_dump *d, wf_proto *p, bool stripped) {
  reader r = {.data = d->data, .at = p->start, .end = p->end};
  (void)byte(&r);  // flags
  p->nparams = (uint8_t)byte(&r);
  p->frame_size = (uint8_t)byte(&r);
  p->nupvalues = (uint8_t)byte(&r);
  p->nkgc = uleb(&r);
  uint32_t nnumbers = uleb(&r);
  p->ncode = uleb(&r);
  size_t ndebug = stripped ? 0 : uleb(&r);
  if (ndebug != 0) {
    p->first_line = uleb(&r);
    p->nlines = uleb(&r);
  }
  p->parent = -1;
  p->code = r.at;
  skip(&r, (size_t)p->ncode * 4);
  p->upvalues = r.at;
  skip(&r, (size_t)p->nupvalues * 2);
  p->kgc = r.at;
  for (uint32_t i = 0; i < p->nkgc && !r.bad; i++) (void)skip_constant(&r);
  for (uint32_t i = 0; i < nnumbers && !r.bad; i++) {
    bool is_double = r.at < r.end && (r.data[r.at] & 1) != 0;
    (void)uleb(&r);
    if (is_double) (void)uleb(&r);
  }
  p->debug = r.at;
  skip(&r, ndebug);
  return !r.bad && r.at == r.end && p->ncode > 0;
}

static wf_dump_result parse_protos(wf_mem *mem, wf_dump *d, bool stripped) {
  reader r = {.data = d->data, .at = d->head, .end = d->size};
  for (;;) {
    uint32_t length = uleb(&r);
    if (length == 0) break;
    wf_proto *p = wf_vec_add(mem, &d->protos, sizeof *p);
    if (p == NULL) return WF_DUMP_MEMORY;
    *p = (wf_proto){.start = r.at};
    skip(&r, length);
    p->end = r.at;
    if (r.bad || !parse_proto(d, p, stripped)) return WF_DUMP_UNKNOWN;
    if (!adopt(d, wf_dump_count(d) - 1)) return WF_DUMP_UNKNOWN;
  }
  if (r.bad || r.at != d->size) return WF_DUMP_UNKNOWN;
  // One is left without a parent: the function itself.
  for (size_t i = 0; i + 1 < wf_dump_count(d); i++) {
    if (wf_dump_proto(d, i)->parent < 0) return WF_DUMP_UNKNOWN;
  }
  return wf_dump_count(d) > 0 ? WF_DUMP_OK : WF_DUMP_UNKNOWN;
}

wf_dump_result wf_dump_parse(wf_mem *mem, wf_dump *dump, const void *data, size_t size) {
  *dump = (wf_dump){.data = data, .size = size};
  reader r = {.data = data, .end = size};
  static const uint8_t magic[] = {0x1b, 'L', 'J', VERSION};
  for (size_t i = 0; i < sizeof magic; i++) {
    if (byte(&r) != magic[i]) return WF_DUMP_UNKNOWN;
  }
  uint32_t flags = uleb(&r);
  if ((flags & ~(uint32_t)(F_STRIP | F_FFI | F_FR2)) != 0) return WF_DUMP_UNKNOWN;
  dump->fr2 = (flags & F_FR2) != 0;
  if ((flags & F_STRIP) == 0) skip(&r, uleb(&r));
  if (r.bad) return WF_DUMP_UNKNOWN;
  dump->head = r.at;
  return parse_protos(mem, dump, (flags & F_STRIP) != 0);
}

void wf_dump_free(wf_mem *mem, wf_dump *dump) { wf_vec_free(mem, &dump->protos); }

bool wf_dump_find_constants(wf_mem *mem, const wf_dump *d, const wf_proto *p, wf_vec *constants) {
  reader r = {.data = d->data, .at = p->kgc, .end = p->end};
  constants->size = 0;
  if (p->nkgc == 0) return true;
  size_t *at = wf_vec_add(mem, constants, p->nkgc * sizeof *at);
  if (at == NULL) return false;
  for (uint32_t i = 0; i < p->nkgc; i++) {
    at[i] = r.at;
    (void)skip_constant(&r);
  }
  return true;
}

size_t wf_dump_string(const wf_dump *d, const wf_proto *p, const wf_vec *constants,
                      uint32_t operand, size_t *length) {
  if (operand >= p->nkgc) return 0;
  // Operand 0 is the constant that was written last.
  const size_t *at = (const size_t *)(const void *)constants->data;
  reader r = {.data = d->data, .at = at[p->nkgc - 1 - operand], .end = p->end};
  uint32_t type = uleb(&r);
  if (type < KGC_STRING) return 0;
  *length = type - KGC_STRING;
  return r.at;
}

bool wf_dump_read_table(const wf_dump *d, const wf_proto *p, size_t at, wf_dump_table *table) {
  reader r = {.data = d->data, .at = at, .end = p->end};
  *table = (wf_dump_table){.start = at};
  if (uleb(&r) != KGC_TABLE) return false;
  table->counts = r.at;
  table->narray = uleb(&r);
  table->nhash = uleb(&r);
  table->values = r.at;
  for (uint32_t i = 0; i < table->narray; i++) skip_table_value(&r);
  table->pairs = r.at;
  r.at = at;
  (void)skip_constant(&r);
  table->end = r.at;
  return true;
}

bool wf_dump_table_has(const wf_dump *d, const wf_dump_table *table, size_t at, size_t length) {
  reader r = {.data = d->data, .at = table->pairs, .end = table->end};
  for (uint32_t i = 0; i < table->nhash; i++) {
    size_t key = r.at;
    uint32_t type = uleb(&r);
    if (type == KTAB_STRING + length && memcmp(d->data + r.at, d->data + at, length) == 0) {
      return true;
    }
    r.at = key;
    skip_table_value(&r);
    skip_table_value(&r);
  }
  return false;
}

static uint32_t line_bytes(const wf_proto *p) {
  return p->nlines < 256 ? 1 : p->nlines < 65536 ? 2 : 4;
}

uint32_t wf_dump_line(const wf_dump *d, const wf_proto *p, uint32_t pc) {
  uint32_t n = line_bytes(p), line = 0;
  size_t at = p->debug + (size_t)pc * n;
  if (p->end - p->debug < (size_t)(pc + 1) * n) return 0;
  for (uint32_t i = 0; i < n; i++) line |= (uint32_t)d->data[at + i] << (8 * i);
  return p->first_line + line;
}

static void skip_name(reader *r) {
  while (byte(r) != 0 && !r->bad) continue;
}

bool wf_dump_is_local(const wf_dump *d, const wf_proto *p, uint32_t pc, uint32_t reg) {
  if (p->debug == p->end) return true;
  reader r = {.data = d->data, .at = p->debug, .end = p->end};
  skip(&r, (size_t)p->ncode * line_bytes(p));
  for (uint32_t i = 0; i < p->nupvalues; i++) skip_name(&r);
  pc++;  // counted here with the function's header
  for (uint32_t start = 0;;) {
    uint32_t kind = byte(&r);
    if (r.bad || kind == VARNAME_END) return false;
    if (kind >= VARNAME_MAX) skip_name(&r);
    start += uleb(&r);
    uint32_t end = start + uleb(&r);
    if (start > pc) return false;
    if (pc < end && reg-- == 0) return true;
  }
}
