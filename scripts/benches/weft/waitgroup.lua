-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local group, count = weft.sync.waitgroup(), 0
  for _ = 1, n do
    group:add(1)
    count = count + 1
    group:done()
    group:wait()
  end
  return count
end

return { pass = pass }
