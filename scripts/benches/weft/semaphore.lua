-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local slots, count = weft.sync.semaphore(4), 0
  for _ = 1, n do
    slots:acquire()
    count = count + 1
    slots:release()
  end
  return count
end

return { pass = pass }
