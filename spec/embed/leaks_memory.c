// SPDX-License-Identifier: MIT
// Memory runs out while weft.leaks looks for leaked tasks or reclaims them: it raises, and nothing
// has changed: the same tasks are leaked, none has been ended, the others can still be woken.
#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <weft.h>

#include "check.h"
#include "meter.h"
#include "sparse.h"

static const char setup[] =
    "jit.off()\n"  // LuaJIT's compiler does not survive it (memory.c)
    "weft = require 'weft'\n"
    "local function settle() weft.sleep(1e-6) end\n"
    "local function for_ever() weft.chan():recv() end\n"
    "local function ids(list)\n"
    "  local out = {}\n"
    "  for i, t in ipairs(list) do out[i] = t.id end\n"
    "  return table.concat(out, ' ')\n"
    "end\n"
    "local ran, expected, alive, woken, f\n"
    // Leaked tasks of every kind, and enough of what is not for the marks to outgrow their table.
    "function prepare()\n"
    "  ran, woken, alive, ok, reclaimed = 0, 0, weft.chan(), nil, nil\n"
    "  local function count() ran = ran + 1 end\n"
    "  weft.go(for_ever)\n"
    "  weft.go(function() weft.defer(count) weft.defer(count) for_ever() end)\n"
    "  weft.go(function() weft.defer(count) weft.defer(for_ever) end)\n"
    "  weft.go(function() weft.defer(count) coroutine.wrap(for_ever)() end)\n"
    "  f = weft.async(function() weft.defer(count) for_ever() end)\n"
    "  local hold = {}\n"
    "  for i = 1, 600 do hold[i] = { function() return hold end } end\n"
    "  for i = 1, 20 do\n"
    "    weft.go(function(...) alive:recv() woken = woken + 1 return ... end, i, hold)\n"
    "  end\n"
    "  settle()\n"
    "  expected = ids(weft.leaks())\n"
    "  local _, n = expected:gsub('%d+', '')\n"
    "  assert(n == 5, expected)\n"
    "end\n"
    "function attempt(reclaim)\n"
    "  ok = nil\n"
    // In a C function that calls back, so that no deferred call runs while memory is out.
    "  table.sort({ 1, 2 }, function(a, b)\n"
    "    if ok == nil then ok, told = pcall(weft.leaks, { reclaim = reclaim }) end\n"
    "    return a < b\n"
    "  end)\n"
    "  reclaimed = ok and reclaim\n"
    "end\n"
    "function check()\n"
    "  settle()\n"
    "  if ok then\n"
    "    assert(ids(told) == expected)\n"
    "  elseif ok == false then\n"
    "    assert(tostring(told):find 'not enough memory', told)\n"
    "  end\n"
    "  if not reclaimed then\n"
    "    assert(ran == 0)\n"
    "    local now = weft.leaks()\n"
    "    assert(ids(now) == expected, ids(now) .. ' instead of ' .. expected)\n"
    "    weft.leaks { reclaim = true }\n"
    "    settle()\n"
    "  end\n"
    "  assert(ran == 5, ran)\n"
    "  local ok, err = f:try()\n"
    "  assert(ok == false and err:find 'was reclaimed', err)\n"
    "  alive:close()\n"
    "  settle()\n"
    "  assert(woken == 20 and weft.ntasks() == 1)\n"
    "end\n";

static weft_status run(weft *w, const char *code) {
  weft_status status = weft_load_string(w, code, "=call");
  return status == WEFT_OK ? weft_run(w) : status;
}

// Asks with the n-th allocation failing; whether that many were made.
static bool attempt(weft *w, meter *m, const char *call, long n) {
  CHECK(run(w, "prepare()") == WEFT_OK);
  // What is asked is compiled before memory runs out.
  CHECK(weft_load_string(w, call, "=call") == WEFT_OK);
  meter_fail(m, m->calls + n, 1);
  (void)weft_run(w);
  bool reached = m->calls >= m->fail_from;
  meter_fail(m, 0, 0);
  weft_status status = run(w, "check()");
  if (status != WEFT_OK) (void)fprintf(stderr, "%s, %ld: %s\n", call, n, weft_error(w));
  CHECK(status == WEFT_OK);
  return reached;
}

// The main task that asks may itself fail to start.
static void on_panic(void *ud, const char *report) {
  (void)ud;
  (void)report;
}

int main(void) {
  static const char *const calls[] = {"attempt(false)", "attempt(true)"};
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    meter m = meter_init();
    weft_config config = {
        .on_panic = on_panic, .alloc = metered, .alloc_ud = &m, .clock = WEFT_CLOCK_VIRTUAL};
    weft *w = NULL;
    CHECK(weft_open(&config, &w) == WEFT_OK);
    CHECK(run(w, setup) == WEFT_OK);
    long n = 1 + sparse_start();
    while (n < 2000 && attempt(w, &m, calls[i], n)) n += sparse_step();
    CHECK(n > 30 && n < 2000);
    weft_close(w);
    CHECK(m.blocks == 0);
  }
  return check_done();
}
