-- SPDX-License-Identifier: MIT
-- Runs one work in one process, under weft, tarantool or luajit:
-- SYSTEM harness.lua FILE N ARG SECONDS [nojit]
--
-- FILE, called with the table `bench` below, gives {pass = fn} or {once = fn}. fn(n, arg) does the
-- work of size n and returns a checksum of the values that it moved.
--   pass  is called again and again for that many seconds, after one call to warm up. It may
--         return also how many nanoseconds of it count; without that, all of them do.
--   once  is called once and returns, behind the checksum, a table: figure -> value.
-- Prints a line for each figure: its name, its value, the checksum, how many operations it is of.
-- The figure of `pass` is `time`, in nanoseconds an operation, over all passes but the first.

local ffi = require "ffi"

ffi.cdef [[
struct bench_timespec { long seconds, nanoseconds; };
int clock_gettime(int clock, struct bench_timespec *time);
int getpagesize(void);
]]

local MONOTONIC, THREAD_CPU = 1, 3
local spec = ffi.new "struct bench_timespec"
local bench = {}

local function clock_ns(clock)
  ffi.C.clock_gettime(clock, spec)
  return tonumber(spec.seconds) * 1e9 + tonumber(spec.nanoseconds)
end

function bench.now_ns() return clock_ns(MONOTONIC) end

-- The time that this thread has had a core: what other programs take does not count.
function bench.thread_ns() return clock_ns(THREAD_CPU) end

-- The memory that this process has now.
function bench.rss_bytes()
  local file = assert(io.open "/proc/self/statm")
  local pages = file:read("*l"):match("^%d+ (%d+)")
  file:close()
  return tonumber(pages) * ffi.C.getpagesize()
end

-- The median of a list, which it sorts.
function bench.median(list)
  table.sort(list)
  return (list[math.floor((#list + 1) / 2)] + list[math.floor(#list / 2) + 1]) / 2
end

local function write_figure(name, value, checksum, ops)
  print(("%s %.6f %.0f %.0f"):format(name, value, checksum, ops))
end

local function run_passes(pass, n, arg, seconds)
  local expected = pass(n, arg)
  local passes, counted, start = 0, 0, bench.now_ns()
  repeat
    local before = bench.now_ns()
    local checksum, ns = pass(n, arg)
    counted = counted + (ns or bench.now_ns() - before)
    passes = passes + 1
    if checksum ~= expected then
      error(("pass %d has checksum %.0f, the first has %.0f"):format(passes, checksum, expected))
    end
  until bench.now_ns() - start >= seconds * 1e9
  write_figure("time", counted / (passes * n), expected, passes * n)
end

local function run_once(once, n, arg)
  local checksum, figures = once(n, arg)
  for name, value in pairs(figures) do write_figure(name, value, checksum, n) end
end

local function main(file, n, work_arg, seconds, variant)
  if variant == "nojit" then jit.off() end
  local work = assert(loadfile(file))(bench)
  if work.pass then
    run_passes(work.pass, tonumber(n), tonumber(work_arg), tonumber(seconds))
  else
    run_once(work.once, tonumber(n), tonumber(work_arg))
  end
end

main(arg[1], arg[2], arg[3], arg[4], arg[5])
-- Its event loop would go on.
if rawget(_G, "box") then os.exit(0) end
