-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function produce(a, b, n)
  for i = 1, n, 2 do
    a:send(i)
    b:send(i + 1)
  end
end

local function pass(n)
  local a, b = weft.chan(), weft.chan()
  weft.go(produce, a, b, n)
  local sum = 0
  for _ = 1, n do
    local i, v = weft.select(a, b)
    sum = sum + i * v
  end
  return sum
end

return { pass = pass }
