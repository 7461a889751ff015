// SPDX-License-Identifier: MIT
// Memory runs out: a workload over the whole library is run again and again, and each time another
// allocation fails. Every time there must be a status or a Lua error, objects must be usable
// afterwards, and nothing may be lost (the allocator counts).
//
// The workload is interpreted: LuaJIT's compiler does not survive an allocation that fails in it
// (20 of 30 runs of a plain luajit with a like workload and allocator crashed).
#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#include "check.h"
#include "meter.h"
#include "sparse.h"

static const char workload[] =
    "jit.off()\n"
    "local weft = require 'weft'\n"
    "local point = { 'type' }\n"
    "local context, sync, time = weft.context, weft.sync, weft.time\n"
    "local function work()\n"
    "  local a, b = weft.chan(), weft.chan(3)\n"
    "  weft.go(function() for i = 1, 5 do a:send(i) b:send(i) end a:close() b:close('done') end)\n"
    "  local sum, open = 0, 2\n"
    "  while open > 0 do\n"
    "    local i, v = weft.select(a, b, weft.chan():sending(1))\n"
    "    if v then sum = sum + v else open = open - 1 if i == 1 then a = nil else b = nil end "
    "end\n"
    "    if not a or not b then break end\n"
    "  end\n"
    "  local ctx, cancel = context.with_timeout(context.background(), 0.5)\n"
    "  local child = context.with_cancel(context.with_value(ctx, 'k', 1))\n"
    "  context.after_func(child, function() end)\n"
    "  weft.go(function() weft.chan():recv(child) end)\n"
    "  local f = weft.async(function(...) weft.sleep(0.1) return ... end, 1, 2, 3)\n"
    "  assert(select('#', f:await()) == 3)\n"
    "  local failed = weft.async(function() local ok = pcall(error, 'x') return ok end)\n"
    "  assert(failed:await() == false)\n"
    "  local m, wg = sync.mutex(), sync.waitgroup()\n"
    "  for i = 1, 3 do wg:go(function() m:with(function() weft.yield() end) end) end\n"
    "  wg:wait()\n"
    "  assert(assert(weft.map({ 1, 2, 3 }, function(x) return x * 2 end))[3] == 6)\n"
    "  weft.register('point', point, 'points')\n"
    "  assert(weft.check(function(t) return point, t, wg_name, print end, setmetatable({ 1 }, "
    "point),\n"
    "    ('x'):rep(5000), { { x = 1 } }))\n"
    "  assert(not weft.check(print, coroutine.create(print), ('x'):rep(5000)))\n"
    "  local t, tick = time.timer(1), time.ticker(0.25)\n"
    "  tick.c:recv() t:stop() tick:stop()\n"
    "  time.after_func(0.1, function() end)\n"
    "  local gen = coroutine.wrap(function() for i = 1, 3 do weft.sleep(0.1) coroutine.yield(i) "
    "end end)\n"
    "  assert(gen() == 1 and gen() == 2)\n"
    "  weft.async(function() weft.preempt(true) end):await()\n"
    "  weft.defer(function() end)\n"
    "  weft.name(weft.chan(), 'labelled')\n"
    "  assert(#weft.stacks() > 0)\n"
    "  weft.go(function() weft.defer(function() end) weft.chan():recv() end)\n"
    "  weft.yield()\n"
    "  weft.leaks({ reclaim = true })\n"
    "  cancel()\n"
    "  weft.sleep(1)\n"
    "end\n"
    "local kept = weft.chan(1)\n"
    "for i = 1, 3 do\n"
    "  local ok, err = pcall(work)\n"
    "  if not ok then failure = tostring(err) end\n"
    "  assert(kept:send(i) and kept:recv() == i)\n"  // usable whatever happened
    "end\n";

// One run with the fail_at-th allocation failing; whether it got to its end without any failure.
static bool run_once(long fail_at) {
  meter m = meter_init();
  meter_fail(&m, fail_at, 1);
  weft_config config = {.alloc = metered,
                        .alloc_ud = &m,
                        .clock = WEFT_CLOCK_VIRTUAL,
                        .seed = 7,
                        .warn_hog_ms = 60000};
  config.on_panic = NULL;
  weft *w = NULL;
  weft_status status = weft_open(&config, &w);
  if (status != WEFT_OK) {
    CHECK(w == NULL);
    CHECK(m.blocks == 0);
    if (m.blocks != 0)
      (void)fprintf(stderr, "allocation %ld: %lld blocks lost\n", fail_at, m.blocks);
    return false;
  }
  bool clean = false;
  status = weft_load_string(w, workload, "=workload");
  if (status == WEFT_OK) status = weft_run(w);
  if (status == WEFT_OK) {
    lua_getglobal(weft_lua(w), "failure");
    const char *failure = lua_tostring(weft_lua(w), -1);
    clean = failure == NULL;
    if (failure != NULL && strstr(failure, "not enough memory") == NULL) {
      (void)fprintf(stderr, "allocation %ld: %s\n", fail_at, failure);
      CHECK(false);
    }
    lua_settop(weft_lua(w), 0);
  }
  // Whatever has happened, the runtime still works.
  meter_fail(&m, 0, 0);
  bool again =
      weft_load_string(w, "assert(require'weft'.async(function() return 7 end):await()==7)",
                       "=again") == WEFT_OK &&
      weft_run(w) == WEFT_OK;
  if (!again) (void)fprintf(stderr, "allocation %ld: %s\n", fail_at, weft_error(w));
  CHECK(again);
  weft_close(w);
  CHECK(m.blocks == 0);
  if (m.blocks != 0)
    (void)fprintf(stderr, "allocation %ld: %lld blocks lost\n", fail_at, m.blocks);
  return clean && fail_at > m.calls;
}

// How many allocations lua_newstate makes: LuaJIT itself does not survive it when one fails there.
static long newstate_calls(void) {
  meter m = meter_init();
  lua_State *L = lua_newstate(metered, &m);
  CHECK(L != NULL);
  long calls = m.calls;
  if (L != NULL) lua_close(L);
  return calls;
}

int main(void) {
  long skip = newstate_calls();
  CHECK(!run_once(1) && !run_once(2));
  long n = 3 + skip + sparse_start();
  while (n < 100000 && !run_once(n)) n += sparse_step();
  CHECK(n > 100 && n < 100000);
  return check_done();
}
