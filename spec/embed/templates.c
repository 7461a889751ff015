// SPDX-License-Identifier: MIT
// Table constructors (spec/support/constructors.lua) in functions that have gone to another VM
// ask for memory as often as where they were compiled: no table is made by growing. Nor for more,
// but for a slot of 8 bytes that the array part of a loaded template may have.
// Subject: runtime/task/template.c
#include <lauxlib.h>
#include <stdint.h>
#include <weft.h>

#include "check.h"
#include "meter.h"

// Interpreted, and without the collector, so that the counts are exact.
static const char script[] =
    "local weft = require 'weft'\n"
    "local measure = function(name, shipped, text)\n"
    "  local ffi = require 'ffi'\n"
    "  local asked = ffi.cast('long *', ffi.cast('intptr_t', address))\n"
    "  local function count(make)\n"
    "    jit.off(make, true)\n"
    "    for i = 1, 10 do make(i) end\n"
    "    local calls_before, bytes_before = tonumber(asked[0]), collectgarbage 'count'\n"
    "    for i = 1, 1000 do make(i) end\n"
    "    return tonumber(asked[0]) - calls_before, collectgarbage 'count' - bytes_before\n"
    "  end\n"
    "  jit.off()\n"
    "  collectgarbage 'stop'\n"
    "  local calls, bytes = count(shipped)\n"
    "  local calls_here, bytes_here = count(assert(loadstring(text))())\n"
    "  local said = ('%s: %d calls, not %d, and %.1f KiB, not %.1f'):format(name, calls, "
    "calls_here,\n"
    "    bytes, bytes_here)\n"
    "  assert(calls_here >= 1000 and calls <= calls_here + 10, said)\n"
    "  assert(bytes <= bytes_here + 9, said)\n"
    "end\n"
    "for name, text in pairs(dofile 'spec/support/constructors.lua') do\n"
    "  weft.parallel(measure, name, assert(loadstring(text))(), text):await()\n"
    "end\n";

int main(void) {
  meter m = meter_init();
  weft_config config = {.workers = 1, .alloc = metered, .alloc_ud = &m};
  weft *w = NULL;
  CHECK(weft_open(&config, &w) == WEFT_OK);
  lua_pushnumber(weft_lua(w), (double)(intptr_t)&m.calls);
  lua_setglobal(weft_lua(w), "address");
  weft_status status = weft_load_string(w, script, "=script");
  if (status == WEFT_OK) status = weft_run(w);
  if (status != WEFT_OK) (void)fprintf(stderr, "%s\n", weft_error(w));
  CHECK(status == WEFT_OK);
  weft_close(w);
  CHECK(m.blocks == 0);
  return check_done();
}
