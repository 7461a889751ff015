-- SPDX-License-Identifier: MIT
-- Isolated tasks, whichever core takes them: each puts its number into a channel with room for
-- all.
local weft = require "weft"

local BATCH = 1000

local function add(i, done) done:send(i) end

local function pass(n)
  local done, sum = weft.chan(BATCH), 0
  for first = 1, n, BATCH do
    for i = first, first + BATCH - 1 do weft.spawn(add, i, done) end
    for _ = 1, BATCH do sum = sum + done:recv() end
  end
  return sum
end

return { pass = pass }
