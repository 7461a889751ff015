-- SPDX-License-Identifier: MIT
local fiber = require "fiber"

local BATCH = 1000

local function pass(n)
  local sum, left, ended = 0, 0, fiber.channel(1)
  local function add(i)
    sum = sum + i
    left = left - 1
    if left == 0 then ended:put(true) end
  end
  for first = 1, n, BATCH do
    left = BATCH
    for i = first, first + BATCH - 1 do fiber.new(add, i) end
    ended:get()
  end
  return sum
end

return { pass = pass }
