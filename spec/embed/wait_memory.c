// SPDX-License-Identifier: MIT
// Memory runs out while a task is about to wait: the call raises, and nothing is left queued: what
// it would have waited for finds nobody there, and the end of its context wakes nobody.
#include <lauxlib.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <weft.h>

#include "check.h"
#include "meter.h"

// The main task that starts a call may itself fail.
static void on_panic(void *ud, const char *report) {
  (void)ud;
  CHECK(strncmp(report, "panic: not enough memory", 24) == 0);
}

static const char setup[] =
    "jit.off()\n"  // LuaJIT's compiler does not survive it (memory.c)
    "weft = require 'weft'\n"
    // Whoever is ready gets its turn, also in the torture build, which takes them at random.
    "local function settle() for _ = 1, 64 do weft.yield() end end\n"
    "local context, time = weft.context, weft.time\n"
    "local ch, full, m, wg = weft.chan(), weft.chan(1), weft.sync.mutex(), weft.sync.waitgroup()\n"
    "full:send(1) m:lock() wg:add(1)\n"
    "local ctx, cancel, outcome, after, other\n"
    "local function fails(ok, ...) return not ok and (...) ~= 'context canceled' end\n"
    "calls = {\n"
    "  recv = function() return ch:recv(ctx) end,\n"
    "  send = function() return full:send(2, ctx) end,\n"
    "  select = function() return weft.select(ch, full:sending(2), ctx:done(), ch, ch) end,\n"
    "  sleep = function() return weft.sleep(1e5, ctx) end,\n"
    "  lock = function() return m:lock(ctx) end,\n"
    "  wait = function() return wg:wait(ctx) end,\n"
    "}\n"
    "nobody_waits = {\n"
    "  recv = function() assert(ch:try_send(1) == false) end,\n"
    "  send = function()\n"
    "    assert(full:try_recv() == 1 and full:try_recv() == nil)\n"
    "    full:send(1)\n"
    "  end,\n"
    "  sleep = settle,\n"
    "  lock = function() m:unlock() assert(m:try_lock()) end,\n"
    "  wait = function() wg:done() wg:add(1) settle() end,\n"
    "}\n"
    "function nobody_waits.select() nobody_waits.recv() nobody_waits.send() end\n"
    "local function body(call)\n"
    "  outcome = { pcall(call) }\n"
    "  if not outcome[1] then after = { other:recv() } end\n"
    "end\n"
    // Takes what is kept for reuse, so that the next wait has to ask for memory.
    "function prepare()\n"
    "  ctx, cancel = context.with_cancel(context.background())\n"
    "  ctx:done()\n"
    "  outcome, after, other = nil, nil, weft.chan()\n"
    "  weft.go(function() weft.chan():recv(context.background()) end)\n"
    "  weft.go(function()\n"
    "    local c = weft.chan()\n"
    "    weft.select(c, c, c, c, c)\n"
    "  end)\n"
    "  local n = 16\n"
    "  while n < weft.stats().timers do n = n * 2 end\n"
    "  while weft.stats().timers < n do time.after_func(1e9, error) end\n"
    "  settle()\n"
    "end\n"
    "function attempt(name)\n"
    "  weft.go(body, calls[name])\n"
    "  settle()\n"
    "end\n"
    "function check(name)\n"
    "  if outcome and outcome[1] == false then\n"
    "    assert(tostring(outcome[2]):find 'not enough memory', outcome[2])\n"
    "    nobody_waits[name]()\n"
    "    cancel()\n"
    "    settle()\n"
    "    assert(after == nil, 'woken by a call that has failed')\n"
    "    other:send 'v'\n"
    "    settle()\n"
    "    assert(after[1] == 'v')\n"
    "  else\n"
    "    cancel()\n"
    "    settle()\n"
    "  end\n"
    "end\n";

static weft_status run(weft *w, const char *function, const char *name) {
  char code[64];
  (void)snprintf(code, sizeof code, "%s '%s'", function, name);
  weft_status status = weft_load_string(w, code, "=call");
  return status == WEFT_OK ? weft_run(w) : status;
}

// Runs the call with the n-th allocation failing; whether that many were made.
static bool attempt(weft *w, meter *m, const char *name, long n) {
  CHECK(run(w, "prepare", "") == WEFT_OK);
  meter_fail(m, m->calls + n, 1);
  (void)run(w, "attempt", name);
  bool reached = m->calls >= m->fail_from;
  meter_fail(m, 0, 0);
  weft_status status = run(w, "check", name);
  if (status != WEFT_OK) (void)fprintf(stderr, "%s, %ld: %s\n", name, n, weft_error(w));
  CHECK(status == WEFT_OK);
  return reached;
}

int main(void) {
  static const char *const calls[] = {"recv", "send", "select", "sleep", "lock", "wait"};
  for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    meter m = meter_init();
    weft_config config = {
        .on_panic = on_panic, .alloc = metered, .alloc_ud = &m, .clock = WEFT_CLOCK_VIRTUAL};
    weft *w = NULL;
    CHECK(weft_open(&config, &w) == WEFT_OK);
    CHECK(weft_load_string(w, setup, "=setup") == WEFT_OK && weft_run(w) == WEFT_OK);
    long n = 1;
    while (n < 200 && attempt(w, &m, calls[i], n)) n++;
    CHECK(n > 3 && n < 200);
    weft_close(w);
  }
  return check_done();
}
