-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local a, b, sum = weft.chan(), weft.chan(), 0
  for _ = 1, n do
    local i = weft.select(a, b, weft.default)
    if i == 3 then sum = sum + 1 end
  end
  return sum
end

return { pass = pass }
