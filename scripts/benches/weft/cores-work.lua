-- SPDX-License-Identifier: MIT
-- The steps of the Collatz sequences from 1 to n, in 256 tasks; the longest is arg times as long
-- as the shortest, and they come in no order. efficiency: how many times faster they are all done
-- on all cores than in one task, a core. time: on all cores, a sequence.
local bench = ...
local weft = require "weft"

local TASKS, STRIDE, ROUNDS = 256, 97, 5

local function count_steps(first, last)
  local steps = 0
  for n = first, last do
    while n ~= 1 do
      n = n % 2 == 0 and n / 2 or 3 * n + 1
      steps = steps + 1
    end
  end
  return steps
end

-- Where each task ends.
local function cut(n, uneven)
  local ends, total, sum = {}, 0, 0
  local function length(i) return uneven ^ (i * STRIDE % TASKS / (TASKS - 1)) end
  for i = 1, TASKS do total = total + length(i) end
  for i = 1, TASKS do
    sum = sum + length(i)
    ends[i] = math.floor(n * sum / total + 0.5)
  end
  ends[TASKS] = n
  return ends
end

local function on_one(ends)
  local sum, first = 0, 1
  for _, last in ipairs(ends) do
    sum = sum + count_steps(first, last)
    first = last + 1
  end
  return sum
end

-- An isolated task, which starts them all: the others take them from its worker.
local function on_all(ends)
  local sum, first, futures = 0, 1, {}
  for i, last in ipairs(ends) do
    futures[i] = weft.parallel(count_steps, first, last)
    first = last + 1
  end
  for _, future in ipairs(futures) do sum = sum + future:await() end
  return sum
end

local function once(n, uneven)
  local ends, ones, alls = cut(n, uneven), {}, {}
  local expected = on_one(ends)
  for round = 0, ROUNDS do
    local start = bench.now_ns()
    local one = on_one(ends)
    local middle = bench.now_ns()
    local all = weft.parallel(on_all, ends):await()
    assert(one == expected and all == expected)
    if round > 0 then -- the first is to warm up
      ones[round], alls[round] = middle - start, bench.now_ns() - middle
    end
  end
  local one, all = bench.median(ones), bench.median(alls)
  return expected, { efficiency = one / all / weft.nworkers(), time = all / n }
end

return { once = once }
