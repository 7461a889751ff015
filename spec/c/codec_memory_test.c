// SPDX-License-Identifier: MIT
// Memory runs out while values are packed and unpacked: each allocation in turn fails, in the VM
// that sends or in the one that receives. There must be an error and nothing lost, and the same
// values cross afterwards. (Interpreted: LuaJIT's compiler does not survive a failing allocation.)
// Subject: runtime/task/codec.c
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "../embed/check.h"
#include "../embed/sparse.h"
#include "task/obj.h"
#include "two_vms.h"

typedef struct meter {
  long calls, fail_at;  // the fail_at-th allocation fails; 0: none
  long blocks;
} meter;

static void *metered(void *ud, void *ptr, size_t osize, size_t nsize) {
  meter *m = ud;
  if (nsize == 0) {
    if (ptr != NULL) m->blocks--;
    free(ptr);
    return NULL;
  }
  // A block that shrinks may not fail: LuaJIT relies on it.
  if ((ptr == NULL || nsize > osize) && ++m->calls == m->fail_at) return NULL;
  void *p = realloc(ptr, nsize);
  if (p != NULL && ptr == NULL) m->blocks++;
  return p;
}

// What crosses: everything that there is. Both sides have loaded the ffi already: loading it is
// what LuaJIT itself does not survive when memory runs out (it loses blocks or crashes).
static const char values[] =
    "jit.off()\n"
    "local weft, ffi = require 'weft', require 'ffi'\n"
    "local T = {}\n"
    "weft.register('t', T, 'tmodule')\n"
    "aglobal = {1}\n"
    "local shared, n = {1, 2, 3}, 0\n"
    "local function f(x) n = n + 1 return aglobal, shared, x, print, math.floor(x) end\n"
    "local function g() n = n - 1 return f(n), g end\n"
    "local deep = {'end'}\n"
    "for i = 1, 60 do deep = {deep, i, x = 'x' .. i} end\n"
    "local list = {}\n"
    "for i = 1, 100 do list[i] = {id = i, name = 'name ' .. i} end\n"
    "return {f, g, deep, list, shared, setmetatable({1}, T), setmetatable({2}, T), 5LL,\n"
    "  ('long'):rep(50), ('blob'):rep(5000), string, weft, io.stdout, weft.sleep,\n"
    "  [shared] = shared, [0] = 1.5}, f, 'text', 2ULL";

static const char module[] =
    "jit.off() require 'ffi'\n"
    "package.preload.tmodule = function()\n"
    "  local M = {}\n"
    "  require 'weft'.register('t', M, 'tmodule')\n"
    "  return M\n"
    "end";

// A function behind as many tables as the number says: somewhere on the way the table of what has
// been seen is full.
static const char crowd[] =
    "jit.off()\n"
    "require 'ffi'\n"
    "aglobal = 1\n"
    "local list, up = {}, {}\n"
    "for i = 1, ... do list[i] = {} end\n"
    "return list, function() return up, aglobal end";

// An int64 as deep as nothing is put off yet, in keys, where a table takes the most of the stack.
static const char keys[] =
    "jit.off()\n"
    "require 'ffi'\n"
    "local t = {7ULL}\n"
    "for i = 1, 15 do t = {[t] = i} end\n"
    "return t";

typedef struct world {
  meter here, there;
  weft *a, *b;
  int n, ref;  // how many values, and where they lie in the registry
} world;

static void open_world(world *w, const char *code, int number) {
  *w = (world){0};
  weft_config config = {.alloc = metered, .alloc_ud = &w->here};
  w->a = two_vms_open(&config);
  config.alloc_ud = &w->there;
  w->b = two_vms_open(&config);
  lua_State *A = weft_lua(w->a);
  CHECK(luaL_loadstring(A, code) == 0);
  lua_pushinteger(A, number);
  CHECK(lua_pcall(A, 1, LUA_MULTRET, 0) == 0);
  CHECK(luaL_dostring(weft_lua(w->b), module) == 0);
  w->n = lua_gettop(A);
  lua_createtable(A, w->n, 0);
  lua_insert(A, 1);
  for (int i = w->n; i > 0; i--) lua_rawseti(A, 1, i);
  w->ref = luaL_ref(A, LUA_REGISTRYINDEX);
}

static void close_world(world *w) {
  weft_close(w->b);
  weft_close(w->a);
  CHECK(w->here.blocks == 0 && w->there.blocks == 0);
}

typedef struct job {
  world *w;
  int below;  // what else lies on the stack
  wf_message m;
  bool ok;
} job;

// The values lie in the registry, as 1, 2, ….
static int pack_protected(lua_State *L) {
  job *j = lua_touserdata(L, 1);
  int list = 2 + j->below;
  lua_settop(L, list - 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, j->w->ref);
  for (int i = 1; i <= j->w->n; i++) lua_rawgeti(L, list, i);
  j->ok = wf_codec_pack(two_vms_vm(j->w->a), L, list + 1, j->w->n, WF_PACK_VALUES, &j->m);
  return 0;
}

static int unpack_protected(lua_State *L) {
  job *j = lua_touserdata(L, 1);
  j->ok = wf_codec_unpack(two_vms_vm(j->w->b), L, &j->m);
  return j->ok ? 0 : lua_error(L);
}

// 0, or the status of the error, which must be about memory.
static int run(weft *w, lua_CFunction fn, job *j) {
  lua_State *L = weft_lua(w);
  int status = lua_cpcall(L, fn, j);
  if (status != 0) {
    const char *said = lua_tostring(L, -1);
    bool about_memory = said != NULL && strstr(said, "not enough memory") != NULL;
    CHECK(about_memory);
    if (!about_memory) (void)fprintf(stderr, "%s\n", said != NULL ? said : "?");
  }
  lua_settop(L, 0);
  return status;
}

static int pack(job *j) { return run(j->w->a, pack_protected, j); }
static int unpack(job *j) { return run(j->w->b, unpack_protected, j); }

// One crossing with the fail_at-th allocation of one side failing; true: none has failed.
static bool run_once(const char *code, int number, long fail_at, bool there) {
  world w;
  open_world(&w, code, number);
  job j = {.w = &w};
  meter *m = there ? &w.there : &w.here;
  m->calls = 0;
  m->fail_at = fail_at;
  bool failed = pack(&j) != 0;
  if (!failed) {
    CHECK(j.ok);
    failed = unpack(&j) != 0;
    wf_message_free(&j.m);
  }
  bool reached = m->calls >= fail_at;
  CHECK(!failed || reached);
  m->fail_at = 0;
  // Once more, with the same VMs.
  CHECK(pack(&j) == 0 && j.ok && unpack(&j) == 0);
  wf_message_free(&j.m);
  close_world(&w);
  return !reached;
}

// The stack is full at one place or another.
static void full_stack(void) {
  world w;
  open_world(&w, keys, 0);
  for (int below = 0; below < 120; below++) {
    bool reached = true;
    for (long n = 1; reached; n++) {
      CHECK(n < 200);
      (void)lua_gc(weft_lua(w.a), LUA_GCCOLLECT, 0);  // shrinks the stack
      job j = {.w = &w, .below = below};
      w.here.calls = 0;
      w.here.fail_at = n;
      if (pack(&j) == 0) wf_message_free(&j.m);
      reached = w.here.calls >= n && n < 200;
      w.here.fail_at = 0;
    }
  }
  close_world(&w);
}

int main(void) {
  full_stack();
  for (int there = 0; there <= 1; there++) {
    long n = 1 + sparse_start();
    while (n < 20000 && !run_once(values, 0, n, there != 0)) n += sparse_step();
    CHECK(n > 30 && n < 20000);
    if (check_failed != 0) (void)fprintf(stderr, "%ld allocations\n", n);
  }
  for (int number = 24; number < 32; number++) {
    long n = 1;
    while (n < 1000 && !run_once(crowd, number, n, false)) n++;
    CHECK(n > 5 && n < 1000);
  }
  return check_done();
}
