-- SPDX-License-Identifier: MIT
-- worker_pool.lua on all cores: isolated workers take jobs from one channel and put results into
-- another.
--
-- What `weft.parallel` starts runs in a Lua state of its own, on whichever core is free. What it
-- needs goes along: upvalues and arguments are copied, channels cross as themselves, and the
-- values that they carry are copied. Nothing is shared, so nothing needs a lock. The rest is as
-- with tasks of one VM: closing `jobs` ends the workers, closing `quit` ends everybody at once,
-- and the futures have the errors.

local weft = require "weft"
local sync = require "weft.sync"

local JOBS, SIZE = 500, 400

-- How many primes there are in a range; by division, to have something to do.
local function count_primes(first, last)
  if last > 2 ^ 53 then error(("%.0f is too large to count with"):format(last), 0) end
  local count = 0
  for n = math.max(first, 2), last do
    local d = 2
    while d * d <= n and n % d ~= 0 do d = d + 1 end
    if d * d > n then count = count + 1 end
  end
  return count
end

local function worker(jobs, results, quit)
  while true do
    local _, job = weft.select(jobs, quit)
    if not job then return end -- there are no more, or it is told to stop
    job.primes = count_primes(job.first, job.last) -- its own copy
    weft.select(results:sending(job), quit)
  end
end

-- The jobs' results, as a channel, and a function that stops it all. The first error does so, too,
-- and the channel is then closed with it. Memory is bounded: both channels hold a few values.
local function pool(workers, list)
  local jobs, results, quit = weft.chan(workers), weft.chan(workers), weft.chan()
  local team, why = sync.waitgroup(), nil
  local function stop(err)
    if not quit:is_closed() then quit:close() end
    why = why or err
  end
  for _ = 1, workers do
    team:go(function() -- a task of this VM, which waits for one of another
      local ok, err = weft.parallel(worker, jobs, results, quit):try()
      if not ok then stop(err) end
    end)
  end
  weft.go(function()
    for _, job in ipairs(list) do
      if weft.select(jobs:sending(job), quit) == 2 then return end
    end
    jobs:close()
  end)
  weft.go(function()
    team:wait()
    results:close(why)
  end)
  return results, stop
end

local list = {}
for i = 1, JOBS do list[i] = { first = (i - 1) * SIZE + 1, last = i * SIZE } end

local function count_with(workers)
  local start, sum = weft.time.monotonic(), 0
  for job in pool(workers, list) do sum = sum + job.primes end
  local seconds = weft.time.monotonic() - start
  print(("%d primes up to %d"):format(sum, JOBS * SIZE))
  return seconds
end

local all = weft.nworkers()
local alone, together = count_with(1), count_with(all)
print(("%d workers: %.1f times as fast as one"):format(all, alone / together))

-- Enough is enough: nobody counts on, and the channel ends.
local results, stop = pool(all, list)
local taken = 0
for _ in results do
  taken = taken + 1
  if taken == 3 then stop() end
end
print("stopped early: " .. tostring(taken < JOBS))

-- A bad job stops the others; its error comes out where the results are read.
list[#list / 2].last = 2 ^ 60
print(pcall(function()
  for _ in pool(all, list) do end
end))
