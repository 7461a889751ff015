-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function produce(ch, n)
  for i = 1, n do ch:send(i) end
  ch:close()
end

local function pass(n, capacity)
  local ch = weft.chan(capacity)
  weft.go(produce, ch, n)
  local sum = 0
  for v in ch do sum = sum + v end
  return sum
end

return { pass = pass }
