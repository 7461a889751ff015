-- SPDX-License-Identifier: MIT
-- The rows of the table, in its order. A new one is a line here, weft/NAME.lua and go/NAME.go (and
-- tarantool/NAME.lua or luajit/NAME.lua where these can do it).
--
--   [1], [2]  name; what one operation is
--   n         the size of one pass (harness.lua): some 20 to 50 ms of Go's time, or, where the
--             whole work is one pass, how many tasks; quick: in its place under --quick
--   arg       what else the work is told: a channel's capacity, …
--   must      the ratio weft/Go that has to be reached (design, Targets); goal: that is hoped for
--   work      the programs, where they are not called like the row
--   figure    which of the programs' figures: default `time`, nanoseconds an operation
--   unit      what is shown: default "ns"; scale: what the figure is multiplied with for that
--   nojit     the same once more with weft's compiler off: {must, goal}, or true for no target
--   absolute  the targets are of weft's own figure, in the row's unit, not of the ratio
--   more      more is better: what is below `must` has missed it
--   slow      one round takes seconds: there are fewer
--   without   a system whose work of that name is another one
--   launch    no work: n starts of the system with an empty program (launch.lua)
--   conns     the work is a server on `arg` cores (0: all), which c/load.c drives over so many
--             connections with n messages of `bytes` bytes, or with none: they stay idle; its twin
--             in C is in c/uv.c
--   names     the work looks names up: c/names.c answers
--   against   the ratio is that to this system, and not to Go
local MILLION, QUICK = 1e6, 1e5
local UNBUFFERED = { 1.0, 0.6 }

local lines = {
  { "pingpong", "unbuffered channels: a value there and back", n = 1e5,
    must = 0.45, goal = 0.28, nojit = UNBUFFERED },
  { "stream", "unbuffered channel: a value to another task", n = 2e5, arg = 0,
    must = 0.45, goal = 0.28, nojit = UNBUFFERED },
  { "sieve", "prime sieve of tasks, the first 1,000 primes", n = 7919, unit = "ms",
    scale = 7919 / 1e6, must = 0.45, goal = 0.28, nojit = UNBUFFERED },
  { "buffered", "buffered channel: send and receive, nobody waits", n = 1e6,
    must = 0.20, goal = 0.10, nojit = true },
  { "stream1", "channel of capacity 1: a value to another task", n = 2e5, work = "stream",
    arg = 1, without = "luajit", nojit = true },
  { "stream128", "channel of capacity 128: a value to another task", n = 1e6, work = "stream",
    arg = 128, without = "luajit", must = 0.30, goal = 0.20, nojit = true },
  { "yield", "two tasks take turns: a turn", n = 3e5, must = 0.30, goal = 0.25, nojit = true },
  { "spawn", "start a task, see it finish", n = 1e5, must = 0.15, goal = 0.11, nojit = true },
  { "parked", "1M tasks wait on a channel: memory of each", n = MILLION, quick = QUICK,
    figure = "bytes", unit = "B", must = 0.30, goal = 0.25, slow = true },
  { "parked-wake", "1M tasks wait on a channel: wake by its close", n = MILLION,
    quick = QUICK, work = "parked", figure = "wake", slow = true },
  { "select2-recv", "select over 2 channels: receive", n = 1e5, must = 0.50, goal = 0.35,
    nojit = true },
  { "select2-send", "select over 2 channels: send", n = 1e5, must = 0.50, goal = 0.35 },
  { "select2-default", "select over 2 channels: nothing is ready", n = 1e6,
    must = 0.50, goal = 0.35 },
  { "select8-recv", "select over 8 channels: receive", n = 5e4, must = 0.35, goal = 0.25,
    nojit = true },
  { "select8-send", "select over 8 channels: send", n = 5e4, must = 0.35, goal = 0.25 },
  { "select8-default", "select over 8 channels: nothing is ready", n = 2e5,
    must = 0.35, goal = 0.25 },
  { "timer", "start and stop a timer", n = 1e5 },
  { "sleepers", "1M tasks sleep until one moment: start, sleep, wake", n = MILLION,
    quick = QUICK, figure = "total", must = 0.50, goal = 0.30, slow = true },
  { "sleepers-wake", "1M tasks sleep until one moment: from then on", n = MILLION,
    quick = QUICK, work = "sleepers", figure = "wake", must = 0.50, goal = 0.30, slow = true },
  { "sleepers-bytes", "1M tasks sleep until one moment: memory of each", n = MILLION,
    quick = QUICK, work = "sleepers", figure = "bytes", unit = "B", must = 0.35, goal = 0.25,
    slow = true },
  { "mutex", "mutex: lock and unlock, nobody waits", n = 1e6, must = 0.50, goal = 0.20,
    nojit = true },
  { "waitgroup", "waitgroup: add, done, wait", n = 1e6, must = 0.50, goal = 0.20 },
  { "atomic", "atomic int: add", n = 1e6, must = 0.50, goal = 0.20 },
  { "rwmutex", "rwmutex: lock and unlock for reading, nobody waits", n = 1e6, must = 0.50,
    goal = 0.20 },
  { "semaphore", "semaphore: acquire and release, nobody waits", n = 1e6, must = 0.50,
    goal = 0.20 },
  { "once", "once: call when it has been done", n = 1e6 },
  { "cond", "cond: two tasks take turns: a turn", n = 1e5 },
  { "syncmap", "map of 1,000 keys: 99 loads and a store", n = 1e6 },
  { "cancel", "context: cancel 1,000 children", n = 1e5, unit = "µs", must = 0.50,
    goal = 0.25 },
  { "cancel-tasks", "context: cancel 1,000 children, wake a task on each",
    n = 5e4, unit = "µs", must = 0.50, goal = 0.25 },
  { "errgroup", "errgroup of 1,000 tasks, one fails: start a task, see it finish", n = 1e5,
    nojit = true },
  { "cores-numbers", "channel of capacity 128: a number to another core", n = 2e5, arg = 128,
    must = 2.0, goal = 1.0 },
  { "cores-tables", "channel of capacity 128: a table with 3 fields to another core", n = 1e5,
    arg = 128, must = 5.0, goal = 2.0 },
  { "cores-spawn", "start an isolated task, hear from it", n = 2e4, must = 2.5, goal = 1.5 },
  { "cores-spawn-time", "start an isolated task, hear from it: in itself", n = 2e4,
    work = "cores-spawn", unit = "µs", scale = 1e-3, must = 2, absolute = true },
  { "cores-parallel", "start an isolated task, await its result", n = 2e4 },
  { "cores-blocking", "call a function on a thread of its own", n = 2e4 },
  { "cores-work", "computing on all cores: speed-up, a core", n = 1e6, quick = 1e5, arg = 1,
    figure = "efficiency", unit = "%", scale = 100, must = 92, goal = 97, absolute = true,
    more = true, slow = true },
  { "cores-uneven", "computing on all cores in tasks of very uneven length: speed-up, a core",
    n = 1e6, quick = 1e5, work = "cores-work", arg = 1000, figure = "efficiency", unit = "%",
    scale = 100, more = true, slow = true },
  { "read-files", "10,000 files of 1,000 bytes, read by 16 tasks: a file", n = 1e4, must = 1.0,
    slow = true },
  { "process", "start a process, see it end", n = 50, quick = 10, unit = "µs", scale = 1e-3,
    must = 1.0 },
  { "echo-1", "TCP echo, both ends in one process: 64 bytes, 1 connection", n = 5e3, work = "echo",
    arg = 1, unit = "µs", scale = 1e-3, must = 1.0 },
  { "echo-64", "TCP echo: 64 bytes, 64 connections", n = 12800, work = "echo", arg = 64,
    unit = "µs", scale = 1e-3, must = 1.0 },
  { "echo-64-16k", "TCP echo: 16 KiB, 64 connections", n = 6400, work = "echo", arg = -64,
    unit = "µs", scale = 1e-3, must = 1.0 },
  { "tcp-idle", "server: 10,000 idle connections: memory of each", n = 0,
    work = "serve-echo-strings", arg = 1, conns = 1e4, bytes = 64, figure = "bytes", unit = "B",
    slow = true },
  { "lookup", "look-up of a name, one after the other", n = 2000, quick = 500, arg = 1,
    names = true, unit = "µs", scale = 1e-3, must = 1.0 },
  { "lookup-16", "look-up of a name, 16 at a time", n = 4000, quick = 800, work = "lookup",
    arg = 16, names = true, unit = "µs", scale = 1e-3, must = 1.0 },
  { "pause-10k", "pause of the collector, 10,000 parked tasks", n = 5e6, quick = 1e6, arg = 1e4,
    work = "pause", figure = "pause", unit = "µs", scale = 1e-3, slow = true },
  { "pause-100k", "pause of the collector, 100,000 parked tasks", n = 5e6, arg = 1e5,
    work = "pause", figure = "pause", unit = "µs", scale = 1e-3, slow = true },
  { "startup", "start and end of an empty program", n = 50, quick = 20, launch = true,
    unit = "ms", scale = 1e-6, must = 5, goal = 3, absolute = true },
  { "startup-rss", "an empty program's memory", n = 50, quick = 20, work = "startup",
    launch = true, figure = "rss", unit = "MB", scale = 1e-6, must = 8, goal = 5,
    absolute = true },
}

-- Servers under load. `time` is that of one message, so requests a second are all connections' one
-- by it; `cpu` is what the server has used for it. They read into a buffer, as a Go program does;
-- `-strings` makes a Lua string of each message.
local function served(conns, bytes, n)
  local name = ("tcp-%d%s"):format(conns, bytes > 1024 and "-16k" or "")
  local text = ("server: echo of %d bytes, %s connection%s"):format(bytes,
    ("%d"):format(conns):gsub("^(%d)(%d%d%d)$", "%1,%2"), conns > 1 and "s" or "")
  local function line(suffix, more, arg, figure)
    local l = { name .. suffix, text .. more, work = "serve-echo", conns = conns, bytes = bytes,
      n = n, quick = n / 5, arg = arg, figure = figure, unit = "µs", scale = 1e-3, slow = true }
    lines[#lines + 1] = l
    return l
  end
  line("", ", one core", 1).must = 1.0
  local uv = line("-uv", ", one core; weft/libuv", 1)
  uv.must, uv.against = 1.15, "uv"
  line("-cpu", ", one core: its processor time", 1, "cpu")
  line("-all", ", all cores", 0).must = 1.0
  line("-strings", ", one core; as strings", 1).work = "serve-echo-strings"
end

for _, bytes in ipairs { 64, 16384 } do
  served(1, bytes, 2e4)
  served(64, bytes, 64 * 800)
  served(1000, bytes, 4e4)
end

-- Turns a line of the table into a row with all of its fields.
local function complete(line, nojit)
  local targets = { line.must, line.goal }
  if nojit then targets = line.nojit == true and {} or line.nojit end
  return {
    name = line[1] .. (nojit and "-nojit" or ""),
    text = line[2] .. (nojit and "; compiler off" or ""),
    work = line.work or line[1], figure = line.figure or "time", arg = line.arg or 0, n = line.n,
    quick = line.quick or line.n, unit = line.unit or "ns", scale = line.scale or 1,
    must = targets[1], goal = targets[2], absolute = line.absolute, more = line.more,
    nojit = nojit, slow = line.slow, without = line.without, launch = line.launch,
    conns = line.conns, bytes = line.bytes, names = line.names, against = line.against,
  }
end

local rows = {}
for _, line in ipairs(lines) do
  rows[#rows + 1] = complete(line, false)
  if line.nojit then rows[#rows + 1] = complete(line, true) end
end
return rows
