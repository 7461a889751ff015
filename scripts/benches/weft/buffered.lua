-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local ch, sum = weft.chan(128), 0
  for i = 1, n do
    ch:send(i)
    sum = sum + ch:recv()
  end
  return sum
end

return { pass = pass }
