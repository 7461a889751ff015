-- SPDX-License-Identifier: MIT
-- A fixed number of workers take jobs from one channel and put results into another.
--
-- Closing is the signal. The producer closes `jobs` when there are no more of them, which ends
-- every worker's loop; whoever has waited for all workers closes `results`, which ends main's.
-- Memory is bounded whatever the number of jobs: both channels hold a few values, a producer that
-- is ahead of its workers waits, and so do workers that are ahead of main.

local weft = require "weft"
local sync = require "weft.sync"

local WORKERS, QUEUE, JOBS = 4, 8, 10000

local jobs, results = weft.chan(QUEUE), weft.chan(QUEUE)
local under_way, most = 0, 0 -- plain variables: tasks of one VM never run at the same instant

local function produce()
  for n = 1, JOBS do
    under_way = under_way + 1
    most = math.max(most, under_way)
    jobs:send(n)
  end
  jobs:close()
end

-- How many steps the Collatz sequence takes from n to 1.
local function collatz(n)
  local steps = 0
  while n ~= 1 do
    n = n % 2 == 0 and n / 2 or 3 * n + 1
    steps = steps + 1
  end
  return steps
end

local function worker()
  for n in jobs do
    results:send { n = n, steps = collatz(n) }
  end
end

weft.go(produce)

local workers = sync.waitgroup()
for _ = 1, WORKERS do
  workers:go(worker)
end
weft.go(function()
  workers:wait()
  results:close()
end)

local count, longest = 0, { steps = -1 }
for result in results do
  under_way = under_way - 1
  count = count + 1
  if result.steps > longest.steps then
    longest = result
  end
end

-- In both queues, in the hands of the workers, one that the producer offers and one with main.
local bound = 2 * QUEUE + WORKERS + 2
assert(most <= bound, "more jobs under way than there is room for")
print(("%d jobs done by %d workers, never more than %d under way"):format(count, WORKERS, bound))
print(("the longest sequence below %d starts at %d and takes %d steps")
  :format(JOBS + 1, longest.n, longest.steps))
