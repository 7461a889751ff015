-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local tasks, turns = weft.sync.waitgroup(), 0
  local function take_turns()
    for _ = 1, n / 2 do
      weft.yield()
      turns = turns + 1
    end
    tasks:done()
  end
  tasks:add(2)
  weft.go(take_turns)
  weft.go(take_turns)
  tasks:wait()
  return turns
end

return { pass = pass }
