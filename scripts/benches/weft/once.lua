-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local once, count, calls = weft.sync.once(), 0, 0
  local function set_up() calls = calls + 1 end
  for _ = 1, n do
    once:call(set_up)
    count = count + calls
  end
  return count
end

return { pass = pass }
