-- SPDX-License-Identifier: MIT
local weft = require "weft"

local BATCH = 1000

local function pass(n)
  local tasks, sum = weft.sync.waitgroup(), 0
  local function add(i)
    sum = sum + i
    tasks:done()
  end
  for first = 1, n, BATCH do
    tasks:add(BATCH)
    for i = first, first + BATCH - 1 do weft.go(add, i) end
    tasks:wait()
  end
  return sum
end

return { pass = pass }
