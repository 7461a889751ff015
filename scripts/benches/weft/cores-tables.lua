-- SPDX-License-Identifier: MIT
-- A task sends n tables of three fields to one on another core, over a channel of capacity arg.
local weft = require "weft"

local function produce(ch, started, n)
  started:send(true)
  for i = 1, n do ch:send { x = i, y = i + 1, z = i + 2 } end
  ch:close()
end

local function pass(n, capacity)
  local ch, started = weft.chan(capacity), weft.chan(1)
  weft.spawn(produce, ch, started, n)
  -- As long as this polls, the other task can start on another core only; with a single one it
  -- takes its turn after 10 ms.
  repeat until started:try_recv()
  local sum = 0
  for v in ch do sum = sum + v.x + v.y + v.z end
  return sum
end

return { pass = pass }
