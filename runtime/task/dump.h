// SPDX-License-Identifier: MIT
// What string.dump makes of a function, taken apart. The layout is LuaJIT 2.1's version 2, which
// numbers the instructions too; anything else, and anything that does not add up, is "unknown".
//
//   dump  = ESC 'L' 'J' version flags [name length, name] proto… 0
//   proto = length, head, instructions, upvalue descriptors, constants, numbers [, debug info]
//
// Inner functions come before the one that they stand in; the function itself is the last. Numbers
// are ULEB128. Offsets are counted from the start of the dump.
#ifndef WF_TASK_DUMP_H
#define WF_TASK_DUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/mem.h"
#include "base/vec.h"

enum { WF_DUMP_LOCAL = 0x8000, WF_DUMP_IMMUTABLE = 0x4000 };  // of upvalue descriptors
enum { WF_DUMP_FORWARD = 0x8000 };                            // operands of jumps from here on
enum { WF_DUMP_TABLE_STRING = 5 };  // and the length: in a table, a string follows

// The instructions that matter here.
enum wf_dump_op {
  WF_OP_ISTC = 12,
  WF_OP_ISFC = 13,
  WF_OP_ISNUM = 17,
  WF_OP_MOV = 18,
  WF_OP_KSTR = 39,
  WF_OP_KNIL = 44,
  WF_OP_UGET = 45,
  WF_OP_USETV = 46,
  WF_OP_USETP = 49,
  WF_OP_UCLO = 50,
  WF_OP_FNEW = 51,
  WF_OP_TDUP = 53,
  WF_OP_GGET = 54,
  WF_OP_GSET = 55,
  WF_OP_TGETV = 56,
  WF_OP_TGETS = 57,
  WF_OP_TGETR = 59,
  WF_OP_TSETV = 60,
  WF_OP_TSETS = 61,
  WF_OP_TSETB = 62,
  WF_OP_TSETM = 63,
  WF_OP_TSETR = 64,
  WF_OP_CALLM = 65,
  WF_OP_CALL = 66,
  WF_OP_CALLMT = 67,
  WF_OP_CALLT = 68,
  WF_OP_ITERC = 69,
  WF_OP_ITERN = 70,
  WF_OP_VARG = 71,
  WF_OP_FORI = 77,
  WF_OP_JFORL = 81,
  WF_OP_ITERL = 82,
  WF_OP_JITERL = 84,
  WF_OP_JMP = 88,
};

typedef struct wf_proto {
  size_t start, end;           // of the proto, after its length
  size_t code, upvalues, kgc;  // where these lie
  size_t debug;                // equal to `end` when there is none
  uint32_t ncode, nkgc, first_line, nlines;
  int32_t parent;  // the proto that it stands in, -1: the function itself
  uint8_t nupvalues, nparams, frame_size;
} wf_proto;

typedef struct wf_dump {
  const uint8_t *data;
  size_t size;
  size_t head;  // its length
  bool fr2;     // a frame takes two slots, so arguments begin two after the function
  wf_vec protos;
} wf_dump;

typedef enum wf_dump_result { WF_DUMP_OK, WF_DUMP_UNKNOWN, WF_DUMP_MEMORY } wf_dump_result;

// Takes the dump apart; `data` must stay. wf_dump_free in any case.
wf_dump_result wf_dump_parse(wf_mem *mem, wf_dump *dump, const void *data, size_t size);
void wf_dump_free(wf_mem *mem, wf_dump *dump);

static inline size_t wf_dump_count(const wf_dump *dump) {
  return dump->protos.size / sizeof(wf_proto);
}
static inline wf_proto *wf_dump_proto(const wf_dump *dump, size_t i) {
  return (wf_proto *)(void *)dump->protos.data + i;
}
static inline wf_proto *wf_dump_top(const wf_dump *dump) {
  return wf_dump_proto(dump, wf_dump_count(dump) - 1);
}

static inline uint32_t wf_dump_ins(const wf_dump *d, const wf_proto *p, uint32_t pc) {
  const uint8_t *b = d->data + p->code + (size_t)pc * 4;
  return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

static inline uint32_t wf_dump_op(uint32_t ins) { return ins & 0xff; }
static inline uint32_t wf_dump_a(uint32_t ins) { return ins >> 8 & 0xff; }
static inline uint32_t wf_dump_b(uint32_t ins) { return ins >> 24; }
static inline uint32_t wf_dump_c(uint32_t ins) { return ins >> 16 & 0xff; }
static inline uint32_t wf_dump_d(uint32_t ins) { return ins >> 16; }

static inline uint32_t wf_dump_upvalue(const wf_dump *d, const wf_proto *p, uint32_t i) {
  const uint8_t *b = d->data + p->upvalues + (size_t)i * 2;
  return (uint32_t)b[0] | (uint32_t)b[1] << 8;
}

// Where the constants of the proto lie (size_t), in the order in which they were written. False
// when memory is out.
bool wf_dump_find_constants(wf_mem *mem, const wf_dump *d, const wf_proto *p, wf_vec *constants);

// Where in the dump a string constant lies, by the operand of the instruction; 0 when it is none.
size_t wf_dump_string(const wf_dump *d, const wf_proto *p, const wf_vec *constants,
                      uint32_t operand, size_t *length);

// A constant that is a table: its type, two counts, the values of its array part, which begins
// with index 0, and pairs.
typedef struct wf_dump_table {
  size_t start, counts, values, pairs, end;
  uint32_t narray, nhash;
} wf_dump_table;

// Reads the constant that begins at `at`; false: it is no table.
bool wf_dump_read_table(const wf_dump *d, const wf_proto *p, size_t at, wf_dump_table *table);

// Whether it has the string, which lies in the dump, as a key.
bool wf_dump_table_has(const wf_dump *d, const wf_dump_table *table, size_t at, size_t length);

// The line of an instruction, 0 when it is not known.
uint32_t wf_dump_line(const wf_dump *d, const wf_proto *p, uint32_t pc);

// Whether a register is a local variable where the instruction stands. Of a stripped function
// every register may be one.
bool wf_dump_is_local(const wf_dump *d, const wf_proto *p, uint32_t pc, uint32_t reg);

#endif
