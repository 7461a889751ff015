-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function pass(n)
  local stopped = 0
  for _ = 1, n do
    local timer = weft.time.timer(3600)
    if timer:stop() then stopped = stopped + 1 end
  end
  return stopped
end

return { pass = pass }
