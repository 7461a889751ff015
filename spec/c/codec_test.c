// SPDX-License-Identifier: MIT
// The codec from C: objects and their counts, bytes that make no sense. With an argument it
// measures instead: build/release/spec/c/codec_test bench [part of a row's name]
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../embed/check.h"
#include "task/promote.h"
#include "task/scalar.h"
#include "task/wire.h"
#include "two_vms.h"

// An object that crosses -------------------------------------------------------------------------

static int destroyed, emptied;
static bool reluctant;  // boxes that say they cannot cross, when it comes to it

static void destroy(wf_obj *obj) {
  (void)obj;
  destroyed++;
}

static void empty(wf_core *core) {
  (void)core;
  emptied++;
}

static void push_box(wf_vm *vm, lua_State *L, wf_core *core);
static const wf_core_kind core_kind = {.size = sizeof(wf_core), .empty = empty, .push = push_box};

static const char *refuse(const wf_obj *obj) {
  (void)obj;
  return NULL;
}

static wf_core *make(const wf_obj *obj) { return wf_core_new(wf_obj_mem(obj), &core_kind); }

static void fill(wf_promotion *p, lua_State *L, wf_obj *obj, int self) {
  CHECK(!obj->shared && wf_obj_any(L, self) == obj);
  wf_message m;
  if (!reluctant) return;
  lua_newthread(L);
  wf_promotion_pack(p, L, lua_gettop(L), "inside", &m);
}

static void commit(lua_State *L, wf_obj *obj, int self) {
  CHECK(obj->shared && wf_obj_any(L, self) == obj);
}

static const wf_share share = {.refuse = refuse, .make = make, .fill = fill, .commit = commit};
static const wf_kind box_kind = {
    .name = "box", .size = sizeof(wf_obj), .destroy = destroy, .share = &share};

static void push_box(wf_vm *vm, lua_State *L, wf_core *core) {
  wf_obj *obj = wf_obj_new(vm, L, &box_kind, &wf_tag_queue);
  wf_core_ref(core);
  obj->core = core;
  obj->shared = true;
}

static wf_obj *new_box(weft *w) {
  return wf_obj_new(two_vms_vm(w), weft_lua(w), &box_kind, &wf_tag_queue);
}

static void collect(weft *w) {
  (void)lua_gc(weft_lua(w), LUA_GCCOLLECT, 0);
  (void)lua_gc(weft_lua(w), LUA_GCCOLLECT, 0);
}

static uint64_t refs(const wf_core *core) { return wf_u64_load(&core->refs, WF_RELAXED); }

static void objects(void) {
  weft *a = two_vms_open(NULL), *b = two_vms_open(NULL);
  lua_State *A = weft_lua(a), *B = weft_lua(b);
  wf_message m;
  destroyed = emptied = 0;
  wf_obj *obj = new_box(a);
  // Twice in one message: one reference.
  lua_createtable(A, 2, 0);
  for (int i = 1; i <= 2; i++) {
    lua_pushvalue(A, 1);
    lua_rawseti(A, 2, i);
  }
  CHECK(wf_codec_pack(two_vms_vm(a), A, 2, 1, WF_PACK_VALUES, &m));
  wf_core *core = obj->core;
  CHECK(obj->shared && core != NULL && m.parcel != NULL && m.parcel->ncores == 1);
  CHECK(refs(core) == 2);
  // The message alone keeps the core.
  lua_settop(A, 0);
  collect(a);
  CHECK(destroyed == 1 && emptied == 0 && refs(core) == 1);
  for (int i = 0; i < 3; i++) {
    CHECK(wf_codec_unpack(two_vms_vm(b), B, &m));
    lua_rawgeti(B, 1 + i, 1);
    lua_rawgeti(B, 1 + i, 2);
    CHECK(lua_rawequal(B, -1, -2) && wf_obj_any(B, lua_gettop(B))->core == core);
    lua_settop(B, 1 + i);
  }
  // One stub there, however often it arrives.
  lua_rawgeti(B, 1, 1);
  lua_rawgeti(B, 3, 1);
  CHECK(lua_rawequal(B, -1, -2) && refs(core) == 2);
  wf_message_free(&m);
  CHECK(refs(core) == 1);
  // Back again, twice.
  CHECK(wf_codec_pack(two_vms_vm(b), B, 4, 1, WF_PACK_VALUES, &m));
  CHECK(wf_codec_unpack(two_vms_vm(a), A, &m) && wf_codec_unpack(two_vms_vm(a), A, &m));
  CHECK(lua_rawequal(A, 1, 2) && refs(core) == 3);
  wf_message_free(&m);
  lua_settop(B, 0);
  collect(b);
  CHECK(refs(core) == 1);
  // What is sent is what comes back, too.
  CHECK(wf_codec_pack(two_vms_vm(a), A, 1, 1, WF_PACK_VALUES, &m));
  CHECK(wf_codec_unpack(two_vms_vm(a), A, &m) && lua_rawequal(A, 1, -1));
  wf_message_free(&m);
  CHECK(emptied == 0);
  lua_settop(A, 0);
  collect(a);
  CHECK(emptied == 1);
  weft_close(b);
  weft_close(a);
}

// Nothing is shared when the message does not come about, nor when it is only weighed.
static void not_shared(void) {
  weft *a = two_vms_open(NULL);
  lua_State *A = weft_lua(a);
  wf_message m = {0};
  size_t weight = 0;
  destroyed = emptied = 0;  // what is taken back is emptied first, and once more at its end
  const wf_obj *first = new_box(a), *second = new_box(a);
  lua_newthread(A);
  CHECK(!wf_codec_pack(two_vms_vm(a), A, 1, 3, WF_PACK_VALUES, &m));
  CHECK(strcmp(lua_tostring(A, -1), "value 3: coroutine") == 0);
  lua_settop(A, 2);
  CHECK(first->core == NULL && second->core == NULL && emptied == 4);
  reluctant = true;
  CHECK(!wf_codec_pack(two_vms_vm(a), A, 1, 2, WF_PACK_VALUES, &m));
  CHECK(strcmp(lua_tostring(A, -1), "box, inside: coroutine") == 0);
  lua_settop(A, 2);
  CHECK(first->core == NULL && second->core == NULL && emptied == 8);
  reluctant = false;
  CHECK(wf_codec_check(two_vms_vm(a), A, 1, 2, WF_PACK_VALUES, &weight) && weight > 0);
  CHECK(first->core == NULL && second->core == NULL && emptied == 12);
  CHECK(!first->shared && lua_gettop(A) == 2);
  lua_settop(A, 0);
  collect(a);
  CHECK(destroyed == 2 && emptied == 12);
  weft_close(a);
}

static void refused_objects(void) {
  weft *a = two_vms_open(NULL);
  lua_State *A = weft_lua(a);
  wf_message m = {0};
  wf_obj *obj = new_box(a);
  lua_newthread(A);
  CHECK(!wf_codec_pack(two_vms_vm(a), A, 1, 2, WF_PACK_VALUES, &m));
  CHECK(lua_gettop(A) == 3 && strcmp(lua_tostring(A, 3), "value 2: coroutine") == 0);
  CHECK(obj->refs == 1);
  lua_settop(A, 0);
  weft_close(a);
}

// Bytes that make no sense ----------------------------------------------------------------------

static int unpack_protected(lua_State *L) {
  weft *w = lua_touserdata(L, 1);
  const wf_message *m = lua_touserdata(L, 2);
  if (!wf_codec_unpack(two_vms_vm(w), L, m)) return lua_error(L);
  return 0;
}

// What unpacking says; "" when it works.
static const char *unpacked(weft *w, const wf_message *m) {
  lua_State *L = weft_lua(w);
  lua_settop(L, 0);
  lua_pushcfunction(L, unpack_protected);
  lua_pushlightuserdata(L, w);
  lua_pushlightuserdata(L, (void *)(uintptr_t)m);
  return lua_pcall(L, 2, 0, 0) == 0 ? "" : lua_tostring(L, -1);
}

static void malformed(void) {
  weft *a = two_vms_open(NULL);
  lua_State *A = weft_lua(a);
  wf_message m;
  CHECK(luaL_dostring(A, "return {1, {2, x = 'text'}, [0] = 1.5, y = {}}, 'second'") == 0);
  CHECK(wf_codec_pack(two_vms_vm(a), A, 1, 2, WF_PACK_VALUES, &m) && m.parcel == NULL);
  CHECK(unpacked(a, &m)[0] == '\0');
  // Cut off anywhere.
  int wrong = 0;
  for (uint32_t size = 0; size < m.size; size++) {
    wf_message cut = m;
    cut.size = size;
    wrong += strcmp(unpacked(a, &cut), "malformed message") != 0;
  }
  CHECK(wrong == 0);
  static const struct {
    const char *bytes;
    uint32_t size;
  } bad[] = {
      {"\x0c\x00", 2},                                       // REF to nothing
      {"\x0e\x00", 2},                                       // OBJECT without a parcel
      {"\x28\x00\x00\x00\x12", 5},                           // FUNCTION without a parcel
      {"\x1a\x00", 2},                                       // BLOB without a parcel
      {"\x41\x31\x13\x00", 4},                               // FILL of nothing
      {"\x11", 1},                                           // PAIRS outside of a table
      {"\x20\x00\x00\x11\x41\x31\x12\x12", 8},               // a key without a value
      {"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 11},  // a long string without its bytes
      {"\x3f", 1},                                           // no tag
      {"\x24\x00\x00\x05\x12", 5},                           // a type that was not named
      {"\x0d\x00", 2},                                       // a name without a letter
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    m.size = bad[i].size;
    m.count = 1;
    memcpy(m.bytes, bad[i].bytes, bad[i].size);
    for (int plain = 0; plain <= 1; plain++) {
      m.plain = plain != 0;
      const char *said = unpacked(a, &m);
      CHECK(strcmp(said, "malformed message") == 0);
      if (strcmp(said, "malformed message") != 0) (void)fprintf(stderr, "%zu: %s\n", i, said);
    }
  }
  // Nesting that no sender makes, and a size that nothing backs.
  m.size = WF_MESSAGE_INLINE;
  memset(m.bytes, WF_WIRE_TABLE, sizeof m.bytes);
  CHECK(strcmp(unpacked(a, &m), "malformed message") == 0);
  memset(m.bytes, 0xff, sizeof m.bytes);
  m.bytes[0] = WF_WIRE_TABLE;
  CHECK(strcmp(unpacked(a, &m), "malformed message") == 0);
  weft_close(a);
}

// What is no number for LuaJIT, as bits, must not become something else.
static void numbers(void) {
  weft *a = two_vms_open(NULL);
  lua_State *A = weft_lua(a);
  static const uint64_t bits[] = {0xffffffffffffffff, 0xfffe000000000000, 0x7ff8000000000001,
                                  0xfff8000000000000, 0x7ff0000000000001};
  for (size_t i = 0; i < sizeof bits / sizeof bits[0]; i++) {
    wf_message m = {.size = 9, .count = 1, .plain = true};
    m.bytes[0] = WF_WIRE_NUMBER;
    memcpy(m.bytes + 1, &bits[i], sizeof bits[i]);
    CHECK(wf_codec_unpack(two_vms_vm(a), A, &m) && lua_type(A, 1) == LUA_TNUMBER);
    CHECK(lua_tonumber(A, 1) != lua_tonumber(A, 1));
    lua_settop(A, 0);
    double v;
    uint64_t read;
    CHECK(wf_scalar_unpack(&m, &v));
    memcpy(&read, &v, sizeof read);
    CHECK((read | UINT64_C(1) << 63) == 0xfff8000000000000);
  }
  weft_close(a);
}

// Bench -----------------------------------------------------------------------------------------

static double now(void) {
  struct timespec t;
  (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static const char *only = "";  // rows with that in their name

static void measure(weft *a, weft *b, const char *what, const char *code, int times) {
  if (strstr(what, only) == NULL) return;
  lua_State *A = weft_lua(a), *B = weft_lua(b);
  double pack = 1e18, unpack = 1e18;
  wf_message *list = calloc((size_t)times, sizeof *list);
  lua_settop(A, 0);
  if (list == NULL || luaL_dostring(A, code) != 0) exit(1);
  int n = lua_gettop(A);
  size_t weight = 0;
  for (int round = 0; round < 200; round++) {
    double t = now();
    for (int i = 0; i < times; i++) {
      (void)wf_codec_pack(two_vms_vm(a), A, 1, n, WF_PACK_VALUES, &list[i]);
    }
    double u = now();
    for (int i = 0; i < times; i++) {
      (void)wf_codec_unpack(two_vms_vm(b), B, &list[i]);
      lua_settop(B, 0);
    }
    double v = now();
    weight = wf_message_weight(&list[0]);
    for (int i = 0; i < times; i++) wf_message_free(&list[i]);
    if (u - t < pack) pack = u - t;
    if (v - u < unpack) unpack = v - u;
  }
  (void)printf("%-44s %8.0f %8.0f %9zu\n", what, pack / times, unpack / times, weight);
  free(list);
}

static void bench(void) {
  weft *a = two_vms_open(NULL), *b = two_vms_open(NULL);
  (void)printf("%-44s %8s %8s %9s\n", "ns", "pack", "unpack", "bytes");
  measure(a, b, "integer", "return 12345", 2000);
  measure(a, b, "number", "return math.pi", 2000);
  measure(a, b, "string of 10", "return 'abcdefghij'", 2000);
  measure(a, b, "string of 1 KB", "return ('x'):rep(1024)", 2000);
  measure(a, b, "string of 1 MB", "return ('x'):rep(2^20)", 50);
  measure(a, b, "{x=, y=, z=} of integers", "return {x = 1, y = 20, z = 300}", 2000);
  measure(a, b, "{id=, name=, price=}", "return {id = 12345, name = 'abcdefgh', price = 9.99}",
          2000);
  measure(a, b, "{1, …, 100}", "local t = {} for i = 1, 100 do t[i] = i end return t", 2000);
  measure(
      a, b, "1,000 records of 3 fields",
      "local t = {} for i = 1, 1000 do t[i] = {id = i, name = 'n' .. i, p = i / 3} end return t",
      100);
  measure(a, b, "function, no upvalues", "return function(x) return x end", 500);
  measure(a, b, "function, 3 upvalues, 2 globals, an argument",
          "local a, b, c = 1, 'two', 3.5 return function(x) return print(a, b, c, type(x)) end, 5",
          500);
  measure(a, b, "list with a long string 100 times",
          "local s, t = ('x'):rep(5000), {} for i = 1, 100 do t[i] = s end return t", 500);
  weft_close(b);
  weft_close(a);
}

int main(int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "bench") == 0) {
    if (argc > 2) only = argv[2];
    bench();
    return 0;
  }
  objects();
  not_shared();
  refused_objects();
  malformed();
  numbers();
  return check_done();
}
