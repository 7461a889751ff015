-- SPDX-License-Identifier: MIT
-- Two tasks take turns: each waits until it is its own, and signals the other.
local weft = require "weft"

local function pass(n)
  local mutex, group = weft.sync.mutex(), weft.sync.waitgroup()
  local changed = weft.sync.cond(mutex)
  local turn = 0
  local function player(me)
    mutex:lock()
    for _ = 1, n / 2 do
      while turn % 2 ~= me do changed:wait() end
      turn = turn + 1
      changed:signal()
    end
    mutex:unlock()
  end
  group:go(player, 0)
  group:go(player, 1)
  group:wait()
  return turn
end

return { pass = pass }
