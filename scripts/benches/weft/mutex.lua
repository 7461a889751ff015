-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local mutex, count = weft.sync.mutex(), 0
  for _ = 1, n do
    mutex:lock()
    count = count + 1
    mutex:unlock()
  end
  return count
end

return { pass = pass }
