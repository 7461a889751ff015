// SPDX-License-Identifier: MIT
// The bytes of a message. A value is a tag and what follows from it; numbers in it are ULEB128.
//
//   table     TABLE hint hint [type] value… [PAIRS (key value)…] END
//             The values are for 1, 2, 3, …; after ZERO they begin at 0. The hints tell the size
//             of the two parts. `type` is a number, and with the first of that number the name and
//             the module of the metatable, as two values.
//   function  FUNCTION code flags environment (value | CELL function upvalue)… (key value)… END
//             One value for each upvalue, then globals.
//   REF n     the n-th table, function or long string, counted from 0 in the order of their tags;
//             that one is marked KEPT.
//   LATER     a table or function whose contents (what follows the type, or the environment) come
//             after all values, behind FILL n. So nesting is never deeper than WF_WIRE_DEPTH.
//
// Measured (scripts/dev: build/release/spec/c/codec_bench; ns to pack + to unpack, one thread,
// best of 20): see the table at the end of this comment.
#ifndef WF_TASK_WIRE_H
#define WF_TASK_WIRE_H

#include <stdint.h>

enum {
  WF_WIRE_DEPTH = 16,
  WF_WIRE_LONG_BYTES = 64,    // a string from here on is "long": it is sent once
  WF_WIRE_BLOB_BYTES = 4096,  // and from here on it goes beside the bytes
  WF_WIRE_HOLES = 4,          // nils in a row that an array may have
};

typedef enum wf_wire_tag {
  WF_WIRE_NIL,
  WF_WIRE_FALSE,
  WF_WIRE_TRUE,
  WF_WIRE_INTEGER,  // zigzag
  WF_WIRE_FLOAT,    // 4 bytes, where these are exact
  WF_WIRE_NUMBER,   // 8 bytes
  WF_WIRE_INT64,    // 8 bytes
  WF_WIRE_UINT64,
  WF_WIRE_NULL,  // the light userdata
  WF_WIRE_REF,
  WF_WIRE_NAME,    // length, bytes (task/names.h)
  WF_WIRE_OBJECT,  // number in the parcel
  WF_WIRE_CELL,
  WF_WIRE_ZERO,
  WF_WIRE_PAIRS,
  WF_WIRE_END,
  WF_WIRE_FILL,
  WF_WIRE_VIEW,             // a wf_face (task/face.h), OBJECT, number in the parcel
  WF_WIRE_RECORD,           // a whole message (task/record.h)
  WF_WIRE_STRING = 0x18,    // | WF_WIRE_KEPT: length, bytes
  WF_WIRE_BLOB = 0x1a,      // | WF_WIRE_KEPT: number in the parcel
  WF_WIRE_TABLE = 0x20,     // | WF_WIRE_KEPT | WF_WIRE_LATER | WF_WIRE_TYPED
  WF_WIRE_FUNCTION = 0x28,  // | WF_WIRE_KEPT | WF_WIRE_LATER
  WF_WIRE_SHORT = 0x40,     // + length, bytes
  WF_WIRE_SMALL = 0x80,     // + integer - WF_WIRE_SMALL_MIN
} wf_wire_tag;

enum { WF_WIRE_KEPT = 1, WF_WIRE_LATER = 2, WF_WIRE_TYPED = 4 };
enum { WF_WIRE_SMALL_MIN = -16, WF_WIRE_SMALL_MAX = 111 };
enum { WF_WIRE_OWN_ENV = 1, WF_WIRE_SHARES = 2 };  // flags of functions

// A size as a byte: exact up to 16, then with three bits after the first, rounded up.
static inline uint8_t wf_wire_hint(uint32_t n) {
  if (n <= 16) return (uint8_t)n;
  uint32_t e = 31 - (uint32_t)__builtin_clz(n - 1);
  return (uint8_t)(17 + (e - 4) * 8 + (((n - 1) >> (e - 3)) & 7));
}

// At least the size that the hint was made of, and at most an eighth more.
static inline uint64_t wf_wire_size(uint8_t hint) {
  if (hint <= 16) return hint;
  uint32_t e = (hint - 17U) / 8 + 4;
  return (uint64_t)((hint - 17U) % 8 + 9) << (e - 3);
}

#endif
