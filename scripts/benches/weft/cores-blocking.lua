-- SPDX-License-Identifier: MIT
-- A call that may block its thread: on one of its own, and back.
local weft = require "weft"

local function same(i) return i end

local function pass(n)
  local sum = 0
  for i = 1, n do sum = sum + weft.blocking(same, i) end
  return sum
end

return { pass = pass }
