-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local chans = {}
  for k = 1, 8 do chans[k] = weft.chan() end
  local a, b, c, d, e, f, g, h = unpack(chans)
  local sum = 0
  for _ = 1, n do
    local i = weft.select(a, b, c, d, e, f, g, h, weft.default)
    if i == 9 then sum = sum + 1 end
  end
  return sum
end

return { pass = pass }
