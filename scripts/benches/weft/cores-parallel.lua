-- SPDX-License-Identifier: MIT
-- Isolated tasks, whichever core takes them; each result comes back through its future.
local weft = require "weft"

local BATCH = 1000

local function same(i) return i end

local function pass(n)
  local futures, sum = {}, 0
  for first = 1, n, BATCH do
    for i = 1, BATCH do futures[i] = weft.parallel(same, first + i - 1) end
    for i = 1, BATCH do sum = sum + futures[i]:await() end
  end
  return sum
end

return { pass = pass }
