// SPDX-License-Identifier: MIT
#include "task/frame.h"

#include <lauxlib.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Sizes and offsets in bytes.
enum {
  SLOT = 8,            // of the stack
  STATE_BASE = 32,     // lua_State: the first slot of the function that runs
  FUNCTION_KIND = 10,  // GCfunc: 0 for one in Lua
  FUNCTION_CODE = 32,  // GCfuncL: its bytecode, right behind its prototype
  CODE_SIZE = 12,      // GCproto: the number of instructions, …
  CHUNK_NAME = 64,
  FIRST_LINE = 72,
  LINES = 76,
  LINE_INFO = 80,
  PROTO_SIZE = 104,
  STRING_SIZE = 24,  // GCstr: the text begins there
  INSTRUCTION = 4,
};

// What the two slots below a function's first one are: itself, and where it came from.
enum { FRAME_KIND = 3, FRAME_LUA = 0, FRAME_CONTINUED = 2, FRAME_SIZE_MASK = ~7 };

static const uint64_t POINTER = ((uint64_t)1 << 47) - 1;

static inline uint64_t word(const char *at) {
  uint64_t v;
  memcpy(&v, at, sizeof v);
  return v;
}

static inline uint32_t half(const char *at) {
  uint32_t v;
  memcpy(&v, at, sizeof v);
  return v;
}

static inline const char *pointer(uint64_t v) { return (const char *)(uintptr_t)v; }

static inline const char *slot(const char *at, int n) { return at + (ptrdiff_t)n * SLOT; }

// The slot behind the caller's own one, and the instruction after its call.
static inline const char *calling_frame(const char *base, const char **next) {
  uint64_t link = word(slot(base, -1));
  switch (link & FRAME_KIND) {
    case FRAME_LUA:  // the call's first operand says how far up its function lay
      *next = pointer(link);
      return slot(base, -3 - (uint8_t)(*next)[1 - INSTRUCTION]);
    case FRAME_CONTINUED:  // out of a trace, mostly
      *next = pointer(word(slot(base, -3)));
      return slot(base, -1) - (link & (uint64_t)FRAME_SIZE_MASK);
    default: return NULL;
  }
}

// The line of the instruction with that number, counted from 0.
static inline int line_of(const char *proto, uint32_t n) {
  const char *info = pointer(word(proto + LINE_INFO));
  uint32_t first = half(proto + FIRST_LINE), lines = half(proto + LINES);
  if (info == NULL) return 0;
  if (n == 0) return (int)first;
  if (lines < 256) return (int)(first + ((const uint8_t *)info)[n - 1]);
  if (lines < 65536) return (int)(first + ((const uint16_t *)(const void *)info)[n - 1]);
  return (int)(first + ((const uint32_t *)(const void *)info)[n - 1]);
}

// The prototype of the caller, and the number of the call among its instructions; NULL: not so.
static inline const char *caller(const char *base, uint32_t *n) {
  const char *next;
  const char *frame = calling_frame(base, &next);
  if (frame == NULL) return NULL;
  const char *function = pointer(word(slot(frame, -1)) & POINTER);
  if (function[FUNCTION_KIND] != 0) return NULL;
  const char *code = pointer(word(function + FUNCTION_CODE));
  uint64_t distance = (uint64_t)(next - code) / INSTRUCTION;
  if (distance == 0 || distance > half(code - PROTO_SIZE + CODE_SIZE)) return NULL;
  *n = (uint32_t)distance - 1;
  return code - PROTO_SIZE;
}

bool wf_frame_caller(lua_State *L, wf_frame *frame) {
  uint32_t n;
  const char *proto = caller(pointer(word((const char *)L + STATE_BASE)), &n);
  if (proto == NULL) return false;
  frame->source = pointer(word(proto + CHUNK_NAME)) + STRING_SIZE;
  frame->line = line_of(proto, n);
  return frame->line > 0;
}

// Trying it out ---------------------------------------------------------------------------------

// `look` is called as a function and as a metamethod, which is what a call out of a trace is like.
static const char tried[] =
    "local look, t = ...\n"
    "local one = look(0.1)\n"
    "local two = one and\n"
    "  t[0.1]\n"
    "return two";

// look(…, 0.1): whether what is read is what lua_getinfo says, each step before the next one.
static int look(lua_State *L) {
  lua_Debug ar;
  int last = lua_gettop(L);
  double got;
  lua_pushboolean(L, 0);
  if (lua_getstack(L, 1, &ar) == 0 || lua_getinfo(L, "Slf", &ar) == 0) return 0;
  uint64_t function = (uintptr_t)lua_topointer(L, -1);
  lua_settop(L, last + 1);
  if ((uintptr_t)L >> 32 == 0) return 1;  // where references have 32 bits, all is below
  const char *base = pointer(word((const char *)L + STATE_BASE)), *next;
  memcpy(&got, slot(base, last - 1), sizeof got);
  if (!(got >= 0.1 && got <= 0.1)) return 1;
  const char *frame = calling_frame(base, &next);
  if (frame == NULL || (word(slot(frame, -1)) & POINTER) != function) return 1;
  wf_frame found;
  bool fits = wf_frame_caller(L, &found) && found.source == ar.source;
  lua_pushboolean(L, fits && found.line == ar.currentline);
  return 1;
}

bool wf_frame_is_known(lua_State *L) {
  int top = lua_gettop(L);
  bool known = false;
  if (luaL_loadbuffer(L, tried, sizeof tried - 1, "=[weft frame]") == 0) {
    lua_pushcfunction(L, look);
    lua_createtable(L, 0, 0);
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, look);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    known = lua_pcall(L, 2, 1, 0) == 0 && lua_toboolean(L, -1);
  }
  lua_settop(L, top);
  return known;
}
