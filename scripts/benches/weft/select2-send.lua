-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local a, b, sums = weft.chan(), weft.chan(), weft.chan()
  weft.go(function()
    local sum = 0
    for _ = 1, n, 2 do
      sum = sum + a:recv()
      sum = sum + 2 * b:recv()
    end
    sums:send(sum)
  end)
  for i = 1, n do weft.select(a:sending(i), b:sending(i)) end
  return sums:recv()
end

return { pass = pass }
