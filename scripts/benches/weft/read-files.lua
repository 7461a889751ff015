-- SPDX-License-Identifier: MIT
-- 16 tasks read n small files, again and again; the names come through a channel.
local bench = ...
local weft = require "weft"
local fs, sync = require "weft.fs", require "weft.sync"

local READERS, ROUNDS, BYTES = 16, 5, 1000

local function read_all(dir, n)
  local paths, wg, sum = weft.chan(64), sync.waitgroup(), 0
  for _ = 1, READERS do
    wg:go(function()
      for path in paths do
        local text = assert(fs.read_file(path))
        sum = sum + #text
      end
    end)
  end
  for i = 1, n do paths:send(dir .. "/" .. i) end
  paths:close()
  wg:wait()
  return sum
end

local function once(n)
  local dir = assert(fs.temp_dir())
  for i = 1, n do assert(fs.write_file(dir .. "/" .. i, ("x"):rep(BYTES))) end
  local times, sum = {}, read_all(dir, n)
  for i = 1, ROUNDS do
    local start = bench.now_ns()
    assert(read_all(dir, n) == sum)
    times[i] = (bench.now_ns() - start) / n
  end
  assert(fs.remove(dir, { recursive = true }))
  return sum, { time = bench.median(times) }
end

return { once = once }
