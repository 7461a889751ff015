-- SPDX-License-Identifier: MIT
-- bytes: what each of n tasks takes that wait on one channel; wake: from its close to the last
-- one's end.
local bench = ...
local weft = require "weft"

local function once(n)
  local gate, sum = weft.chan(), 0
  local started, ended = weft.sync.waitgroup(), weft.sync.waitgroup()
  local function wait(i)
    started:done()
    gate:recv()
    sum = sum + i
    ended:done()
  end
  collectgarbage()
  local before = bench.rss_bytes()
  started:add(n)
  ended:add(n)
  for i = 1, n do weft.go(wait, i) end
  started:wait()
  local bytes = bench.rss_bytes() - before
  local start = bench.now_ns()
  gate:close()
  ended:wait()
  return sum, { bytes = bytes / n, wake = (bench.now_ns() - start) / n }
end

return { once = once }
