-- SPDX-License-Identifier: MIT
-- Runs one work in one process, under weft, tarantool or luajit: harness.lua FILE N SECONDS [nojit]
--
-- FILE gives {pass = fn} or {once = fn}. fn(n) does the work of size n and returns a checksum of
-- the values that it moved.
--   pass  is called again and again for that many seconds, after one call to warm up. It may
--         return also how many nanoseconds of it count; without that, all of them do.
--   once  is called once and returns, behind the checksum, a table: figure -> value.
-- Prints a line for each figure: its name, its value, the checksum, how many operations it is of.
-- The figure of `pass` is `time`, in nanoseconds an operation, over all passes but the first.

local ffi = require "ffi"

ffi.cdef [[
struct bench_timespec { long seconds, nanoseconds; };
int clock_gettime(int clock, struct bench_timespec *time);
]]

local MONOTONIC = 1
local spec = ffi.new "struct bench_timespec"

local function now_ns()
  ffi.C.clock_gettime(MONOTONIC, spec)
  return tonumber(spec.seconds) * 1e9 + tonumber(spec.nanoseconds)
end

local function write_figure(name, value, checksum, ops)
  print(("%s %.6f %.0f %.0f"):format(name, value, checksum, ops))
end

local function run_passes(pass, n, seconds)
  local expected = pass(n)
  local passes, counted, start = 0, 0, now_ns()
  repeat
    local before = now_ns()
    local checksum, ns = pass(n)
    counted = counted + (ns or now_ns() - before)
    passes = passes + 1
    if checksum ~= expected then
      error(("pass %d has checksum %.0f, the first has %.0f"):format(passes, checksum, expected))
    end
  until now_ns() - start >= seconds * 1e9
  write_figure("time", counted / (passes * n), expected, passes * n)
end

local function run_once(once, n)
  local checksum, figures = once(n)
  for name, value in pairs(figures) do write_figure(name, value, checksum, n) end
end

local function main(file, n, seconds, variant)
  if variant == "nojit" then jit.off() end
  local work = assert(loadfile(file))(now_ns)
  if work.pass then
    run_passes(work.pass, tonumber(n), tonumber(seconds))
  else
    run_once(work.once, tonumber(n))
  end
end

main(arg[1], arg[2], arg[3], arg[4])
os.exit(0)
