-- SPDX-License-Identifier: MIT
-- Fifty exchanges, each with prices at its own pace, merged into one stream. Whoever reads it sees
-- them as they come and keeps the latest of each; a slow exchange holds nobody up.

local weft = require "weft"
local pipeline = require "weft.pipeline"

local EXCHANGES, PRICES = 50, 20

-- A simulated exchange: prices that wander, from a small generator of its own.
local function exchange(id)
  local n, price, state = 0, 100, id
  return pipeline.from(function()
    if n == PRICES then return nil end
    n = n + 1
    state = state * 16807 % 2147483647
    weft.sleep(0.001 + state % 7 / 1000)
    price = price + state % 11 - 5
    return { exchange = id, n = n, price = price }
  end)
end

local function all()
  local exchanges = {}
  for id = 1, EXCHANGES do exchanges[id] = exchange(id) end
  return pipeline.merge(unpack(exchanges))
end

local latest, count, in_order = {}, 0, true
for tick in all() do
  local before = latest[tick.exchange]
  in_order = in_order and tick.n == (before and before.n or 0) + 1
  latest[tick.exchange] = tick
  count = count + 1
end

local sum = 0
for id = 1, EXCHANGES do sum = sum + latest[id].price end
print(("%d prices from %d exchanges, each in its order: %s"):format(count, #latest,
  tostring(in_order)))
print(("the mean of the last ones is %.2f"):format(sum / EXCHANGES))

-- The first exchange to go above a price, and then nobody needs the others any more.
local ticks, found = all(), nil
for tick in ticks do
  if tick.price >= 110 then
    found = tick
    break
  end
end
pipeline.stop(ticks)
print("somebody went to 110 or more: " .. tostring(found ~= nil))
while weft.ntasks() > 1 do weft.sleep(0.001) end -- each ends after its last sleep
print "all exchanges are closed"
