-- SPDX-License-Identifier: MIT
-- Groups of a thousand tasks that do next to nothing; the last one fails, and the context ends.
local weft = require "weft"

local TASKS = 1000

local function pass(n)
  local background, sum, failed = weft.context.background(), 0, 0
  local function add(i)
    sum = sum + i
    if i % TASKS == 0 then return nil, "failed" end
    return true
  end
  for first = 1, n, TASKS do
    local group, ctx = weft.errgroup.with_context(background)
    for i = first, first + TASKS - 1 do group:go(add, i) end
    local _, err = group:wait()
    if err == "failed" and ctx:err() then failed = failed + 1 end
  end
  return sum + failed
end

return { pass = pass }
