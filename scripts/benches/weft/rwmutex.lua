-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local mutex, count = weft.sync.rwmutex(), 0
  for _ = 1, n do
    mutex:rlock()
    count = count + 1
    mutex:runlock()
  end
  return count
end

return { pass = pass }
