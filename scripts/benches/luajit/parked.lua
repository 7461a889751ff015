-- SPDX-License-Identifier: MIT
local bench = ...

local function once(n)
  local waiting, sum = {}, 0
  for i = 1, n do waiting[i] = false end
  local function wait(i)
    coroutine.yield()
    sum = sum + i
  end
  collectgarbage()
  local before = bench.rss_bytes()
  for i = 1, n do
    local co = coroutine.create(wait)
    waiting[i] = co
    coroutine.resume(co, i)
  end
  local bytes = bench.rss_bytes() - before
  local start = bench.now_ns()
  for i = 1, n do coroutine.resume(waiting[i]) end
  return sum, { bytes = bytes / n, wake = (bench.now_ns() - start) / n }
end

return { once = once }
