// SPDX-License-Identifier: MIT
// libFuzzer: bytes that no sender has made are read as a message. An error is right, a crash, a
// hang or a lost reference is not. The code of functions goes beside the bytes and is a sender's;
// names of modules find nothing but what is preloaded.
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "../c/two_vms.h"
#include "task/wire.h"

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max_size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed);

// What a sender makes of these is what mutations begin with. The first gives the parcel.
static const char functions[] =
    "local a, b, c = 1, {}, 'x' return {function() return a, b, print end, "
    "function(...) return ... end, function() a = c return aglobal end}, ('blob'):rep(2000)";

static const char *const samples[] = {
    functions,
    "return {1, 2, 3, {x = 1, y = {2}}, [0] = 0.5, [true] = false}",
    "local t = {} t.self = t return t, {t, t}, nil, 'text', ('long'):rep(30), ('long'):rep(30)",
    "local t = {} for i = 1, 40 do t = {t, up = t} end return t",
    "local T = require 'types' return setmetatable({setmetatable({}, T)}, T), string, print",
    "return 1LL, 2ULL, io.stdout, require 'weft', {1, nil, 3, 4, nil, nil, 7}",
};

static const char setup[] =
    "package.path, package.cpath = '', ''\n"
    "package.preload.types = function()\n"
    "  local T = {}\n"
    "  require 'weft'.register('T', T, 'types')\n"
    "  return T\n"
    "end";

static weft *a, *b;
static wf_message first;
static unsigned int runs;

static bool sample(size_t i, wf_message *m) {
  lua_State *A = weft_lua(a);
  lua_settop(A, 0);
  if (luaL_dostring(A, samples[i % (sizeof samples / sizeof samples[0])]) != 0) abort();
  return wf_codec_pack(two_vms_vm(a), A, 1, lua_gettop(A), WF_PACK_VALUES, m);
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
  (void)argc;
  (void)argv;
  a = two_vms_open(NULL);
  b = two_vms_open(NULL);
  if (luaL_dostring(weft_lua(a), setup) != 0 || luaL_dostring(weft_lua(b), setup) != 0) abort();
  if (!sample(0, &first)) abort();
  return 0;
}

static int read_message(lua_State *L) {
  if (!wf_codec_unpack(two_vms_vm(b), L, lua_touserdata(L, 1))) return lua_error(L);
  return 0;
}

static uint64_t refs_of_first(void) {
  return wf_u64_load(&first.parcel->codes[0]->refs, WF_RELAXED);
}

// The bytes with what the first sample has beside them.
static wf_parcel *parcel_of(const uint8_t *data, size_t size) {
  const wf_parcel *from = first.parcel;
  wf_parcel *p = wf_message_parcel(&from->mem, size, 0, from->ncodes, 1);
  if (p == NULL) abort();
  if (size > 0) memcpy(p->bytes, data, size);
  for (uint32_t i = 0; i < p->ncodes; i++) {
    p->codes[i] = from->codes[i];
    wf_code_ref(p->codes[i]);
  }
  p->blobs[0].size = from->blobs[0].size;
  p->blobs[0].data = p->mem.fn(p->mem.ud, NULL, 0, p->blobs[0].size);
  if (p->blobs[0].data == NULL) abort();
  memcpy(p->blobs[0].data, from->blobs[0].data, p->blobs[0].size);
  return p;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  lua_State *B = weft_lua(b);
  wf_message m = {.count = data[0] % 8, .plain = data[1] % 2 != 0, .size = (uint32_t)size - 2};
  if (data[1] % 4 < 2 || size - 2 > WF_MESSAGE_INLINE) {
    m.parcel = parcel_of(data + 2, size - 2);
    m.plain = false;
  } else {
    memcpy(m.bytes, data + 2, size - 2);
  }
  uint64_t refs = refs_of_first() - (m.parcel != NULL ? 1 : 0);
  (void)lua_cpcall(B, read_message, &m);
  lua_settop(B, 0);
  wf_message_free(&m);
  // The cache may have begun to hold one.
  if (refs_of_first() > refs + 1) abort();
  if (++runs % 512 == 0) (void)lua_gc(B, LUA_GCCOLLECT, 0);
  return 0;
}

// Now and then what a sender has made; else libFuzzer's own mutations of what there is.
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max_size, unsigned int seed) {
  wf_message m;
  if (seed % 16 != 0 && size > 2) return LLVMFuzzerMutate(data, size, max_size);
  if (!sample(seed / 16, &m)) abort();
  size_t n = (size_t)m.size + 2 < max_size ? m.size : max_size - 2;
  data[0] = (uint8_t)m.count;
  data[1] = m.parcel != NULL ? 0 : 3;
  memcpy(data + 2, wf_message_bytes(&m), n);
  wf_message_free(&m);
  return n + 2;
}
