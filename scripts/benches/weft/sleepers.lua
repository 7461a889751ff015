-- SPDX-License-Identifier: MIT
-- n tasks sleep until the same moment. wake: from then to the last one's end; total: that, and
-- from the start of the first to all being asleep (what the program does, without its idle time);
-- bytes: what each one asleep takes.
local bench = ...
local weft = require "weft"

-- All times are nanoseconds. Nothing where the moment came before all were asleep.
local function sleep_until(n, deadline)
  local started, ended, sum = weft.sync.waitgroup(), weft.sync.waitgroup(), 0
  local function sleeper(i)
    started:done()
    weft.sleep((deadline - bench.now_ns()) / 1e9)
    sum = sum + i
    ended:done()
  end
  started:add(n)
  ended:add(n)
  for i = 1, n do weft.go(sleeper, i) end
  started:wait()
  local asleep, bytes = bench.now_ns(), bench.rss_bytes()
  ended:wait()
  if asleep >= deadline then return end
  return sum, asleep, bytes, bench.now_ns()
end

local function once(n)
  collectgarbage()
  local before, seconds = bench.rss_bytes(), n * 2e-6
  while true do
    local start = bench.now_ns()
    local deadline = start + seconds * 1e9
    local sum, asleep, bytes, awake = sleep_until(n, deadline)
    if sum then
      local wake = awake - deadline
      return sum, { wake = wake / n, total = (asleep - start + wake) / n,
        bytes = (bytes - before) / n }
    end
    seconds = seconds * 2
  end
end

return { once = once }
