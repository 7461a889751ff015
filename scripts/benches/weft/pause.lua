-- SPDX-License-Identifier: MIT
-- pause: how long the collector keeps a program that has parked tasks from going on. A loop makes
-- n tables, most of them garbage, 8 a step. The collector works in between, in the same thread:
-- the longest step of a collection is its longest pause. The median of the collections, in the
-- thread's own time: what other programs took in between does not count.
local bench = ...
local weft = require "weft"

local KEPT, STEP = 1024, 8

-- Has fn called at every end of a collection.
local function at_collections(fn)
  local function watch()
    getmetatable(newproxy(true)).__gc = function()
      fn()
      watch()
    end
  end
  watch()
end

-- Makes n tables: the sum of those that are kept, and a list of the collections' longest pauses.
local function make_garbage(n)
  local kept, pauses, longest = {}, {}, 0
  at_collections(function()
    pauses[#pauses + 1] = longest
    longest = 0
  end)
  local last = bench.thread_ns()
  for i = 0, n - 1, STEP do
    for k = i, i + STEP - 1 do
      kept[k % KEPT + 1] = { k, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }
    end
    local now = bench.thread_ns()
    longest, last = math.max(longest, now - last), now
  end
  local sum = 0
  for _, t in ipairs(kept) do sum = sum + t[1] end
  return sum, pauses
end

local function once(n, parked)
  local gate, started = weft.chan(), weft.sync.waitgroup()
  local function wait()
    started:done()
    gate:recv()
  end
  started:add(parked)
  for _ = 1, parked do weft.go(wait) end
  started:wait()
  collectgarbage()
  local sum, pauses = make_garbage(n)
  assert(#pauses >= 2, "the garbage was too little for two collections")
  return sum, { pause = bench.median(pauses) }
end

return { once = once }
