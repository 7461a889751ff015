// SPDX-License-Identifier: MIT
#include "task/code.h"

#include <string.h>

void wf_code_unref(wf_code *code) {
  // Release: with what others did with it done; acquire: before its memory goes.
  if (wf_u64_fetch_sub(&code->refs, 1, WF_ACQ_REL) != 1) return;
  wf_mem mem = code->mem;
  wf_mem_free(&mem, code, code->block);
}

// FNV-1a, eight bytes at a time.
uint32_t wf_code_hash(const char *data, size_t size) {
  uint64_t h = 14695981039346656037U ^ size, word;
  for (; size >= sizeof word; data += sizeof word, size -= sizeof word) {
    memcpy(&word, data, sizeof word);
    h = (h ^ word) * 1099511628211U;
    h ^= h >> 29;
  }
  word = 0;
  memcpy(&word, data, size);
  h = (h ^ word) * 1099511628211U;
  return (uint32_t)(h ^ h >> 32);
}

// A Lua function of LuaJIT 2.1 with frames of two slots (GC64), and the prototype that ends where
// its bytecode begins.
enum {
  FUNCTION_PC = 32,
  PROTO_SIZE = 104,
  PROTO_NPARAMS = 10,
  PROTO_FRAME_SIZE = 11,
  PROTO_NCODE = 12,
  PROTO_NUPVALUES = 60,
  PROTO_FLAGS = 61,
  PROTO_NO_JIT = 8,
};

const uint8_t *wf_code_bytecode(const void *function) {
  const uint8_t *pc;
  memcpy(&pc, (const char *)function + FUNCTION_PC, sizeof(void *));
  return pc;
}

bool wf_code_is_found(const wf_dump *d, const void *function) {
  if (!d->fr2 || sizeof(void *) != 8) return false;
  const wf_proto *top = wf_dump_top(d);
  const uint8_t *proto = wf_code_bytecode(function) - PROTO_SIZE;
  uint32_t ncode;
  memcpy(&ncode, proto + PROTO_NCODE, sizeof ncode);
  return ncode == top->ncode + 1 && proto[PROTO_NPARAMS] == top->nparams &&
         proto[PROTO_FRAME_SIZE] == top->frame_size && proto[PROTO_NUPVALUES] == top->nupvalues;
}

// No function of LuaJIT's tells whether jit.off was called for a function, so it is read where
// LuaJIT keeps it.
bool wf_code_is_jit_off(const void *function) {
  const uint8_t *proto = wf_code_bytecode(function) - PROTO_SIZE;
  return (proto[PROTO_FLAGS] & PROTO_NO_JIT) != 0;
}

static int write_dump(lua_State *L, const void *data, size_t size, void *ud) {
  wf_code_digest *g = ud;
  (void)L;
  void *place = wf_vec_add(g->mem, &g->bytes, size);
  if (place != NULL && size > 0) memcpy(place, data, size);
  return place == NULL;
}

void wf_code_free_digest(wf_code_digest *g) {
  wf_vec_free(g->mem, &g->bytes);
  wf_vec_free(g->mem, &g->effects);
  wf_vec_free(g->mem, &g->globals);
  wf_dump_free(g->mem, &g->dump);
}

bool wf_code_take_dump(wf_code_digest *g, lua_State *L, bool *known) {
  if (lua_dump(L, write_dump, g) != 0) return false;
  wf_dump_result result = wf_dump_parse(g->mem, &g->dump, g->bytes.data, g->bytes.size);
  *known = result == WF_DUMP_OK;
  return result != WF_DUMP_MEMORY;
}

wf_code *wf_code_make(wf_code_digest *g, uint32_t hash, bool known, bool no_jit) {
  if (known && !wf_effects_find(g->mem, &g->dump, &g->effects, &g->globals)) return NULL;
  size_t block = sizeof(wf_code) + g->effects.size + g->globals.size + g->bytes.size;
  wf_code *code = wf_mem_new(g->mem, block);
  if (code == NULL) return NULL;
  *code = (wf_code){.mem = *g->mem,
                    .block = block,
                    .hash = hash,
                    .known = known,
                    .no_jit = no_jit,
                    .size = g->bytes.size};
  wf_u64_init(&code->refs, 1);
  code->neffects = (uint32_t)(g->effects.size / sizeof(wf_effect));
  code->nglobals = (uint32_t)(g->globals.size / sizeof(wf_variable));
  char *at = (char *)(code + 1);
  code->effects = (wf_effect *)(void *)at;
  if (code->neffects > 0) memcpy(at, g->effects.data, g->effects.size);
  at += g->effects.size;
  code->globals = (wf_variable *)(void *)at;
  if (code->nglobals > 0) memcpy(at, g->globals.data, g->globals.size);
  code->dump = at + g->globals.size;
  memcpy(code->dump, g->bytes.data, g->bytes.size);
  return code;
}
