-- SPDX-License-Identifier: MIT
-- A pipeline: a generator, a stage that maps, one that filters, one that makes batches. Each runs
-- in tasks of its own, and waits for the next: memory is bounded, whatever the input's size.
--
-- What ends one stage ends them all. An error comes out at the end, as what the last channel was
-- closed with; a consumer that has had enough says so with `stop`. Either way no task is left.

local weft = require "weft"
local pipeline = require "weft.pipeline"

local function numbers(last)
  local n = 0
  return function()
    n = n + 1
    if n <= last then return n end
  end
end

local function collatz(n) -- how many steps it takes from n to 1
  local first, steps = n, 0
  while n ~= 1 do
    if n > 2 ^ 52 then error("too large: " .. first, 0) end
    n = n % 2 == 0 and n / 2 or 3 * n + 1
    steps = steps + 1
  end
  return { n = first, steps = steps }
end

local function is_long(item) return item.steps > 100 end

-- Batches of three numbers that take more than a hundred steps. Sixteen are looked at at a time,
-- and come out in order.
local function long_ones(source)
  local steps = pipeline.map(source, collatz, { limit = 16, ordered = true })
  return pipeline.batch(pipeline.filter(steps, is_long), 3)
end

local tasks = weft.ntasks()

-- Tasks end a little after their channel: they have yet to be told.
local function report(text)
  while weft.ntasks() > tasks do weft.yield() end
  print(text .. "; tasks left: " .. weft.ntasks() - tasks)
end

local count, most = 0, 0
for batch in long_ones(pipeline.from(numbers(300))) do
  for _, item in ipairs(batch) do
    count, most = count + 1, math.max(most, item.steps)
  end
end
report(("%d numbers up to 300 take more than 100 steps, at most %d"):format(count, most))

local batches = long_ones(pipeline.from(numbers(math.huge)))
local first = batches:recv()
pipeline.stop(batches) -- enough; the generator has no end of its own
report(("the first are %d, %d and %d"):format(first[1].n, first[2].n, first[3].n))

local source = pipeline.from { 27, 97, 2 ^ 53, 871 }
local list, err = pipeline.collect(long_ones(source))
report(("with a bad number: %s, %s"):format(tostring(list), err))
