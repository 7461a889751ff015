-- SPDX-License-Identifier: MIT
-- Starts a program again and again, one after the other: luajit launch.lua RUNS COMMAND ARG…
-- Prints as harness.lua does, with the sum of the exit statuses as the checksum: `time`, from the
-- fork to the end, in nanoseconds, and `rss`, the most memory it had, in bytes; medians of the
-- runs.
local ffi = require "ffi"

ffi.cdef [[
struct bench_timespec { long seconds, nanoseconds; };
int clock_gettime(int clock, struct bench_timespec *time);
int fork(void);
int execvp(const char *file, const char *const *argv);
void _exit(int status);
int open(const char *path, int flags, ...);
int dup2(int from, int to);
struct bench_rusage { long times[4]; long max_rss_kib; long rest[13]; };
int wait4(int pid, int *status, int options, struct bench_rusage *usage);
]]

local C = ffi.C
local MONOTONIC, WRITE_ONLY = 1, 1
local spec, usage = ffi.new "struct bench_timespec", ffi.new "struct bench_rusage"
local status = ffi.new "int[1]"

local function now_ns()
  C.clock_gettime(MONOTONIC, spec)
  return tonumber(spec.seconds) * 1e9 + tonumber(spec.nanoseconds)
end

-- fork, not posix_spawn: the kernel counts the memory that the process had before its exec too,
-- and a fork has little of this process's.
local function run_once(argv, nowhere)
  local start = now_ns()
  local pid = C.fork()
  if pid == 0 then
    C.dup2(nowhere, 1)
    C.execvp(argv[0], argv)
    C._exit(127)
  end
  assert(pid > 0, "cannot fork")
  assert(C.wait4(pid, status, 0, usage) == pid)
  return now_ns() - start, tonumber(usage.max_rss_kib) * 1024, status[0]
end

local function median(list)
  table.sort(list)
  return (list[math.floor((#list + 1) / 2)] + list[math.floor(#list / 2) + 1]) / 2
end

local function main(runs, ...)
  local words = { ... }
  local argv = ffi.new("const char *[?]", #words + 1, words)
  argv[#words] = nil
  local nowhere = C.open("/dev/null", WRITE_ONLY)
  local times, sizes, failures = {}, {}, 0
  for i = 1, runs do
    local code
    times[i], sizes[i], code = run_once(argv, nowhere)
    failures = failures + code
  end
  assert(failures == 0, words[1] .. " has failed")
  print(("time %.6f %d %d"):format(median(times), failures, runs))
  print(("rss %.6f %d %d"):format(median(sizes), failures, runs))
end

main(tonumber((...)), select(2, ...))
