-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local count = weft.sync.int()
  for _ = 1, n do count:add(1) end
  return count:load()
end

return { pass = pass }
