-- SPDX-License-Identifier: MIT
-- Of a hundred operations ninety-nine are loads.
local weft = require "weft"

local KEYS = 1000

local function pass(n)
  local map, keys, sum = weft.sync.map(), {}, 0
  for i = 1, KEYS do
    keys[i] = "key" .. i
    map:store(keys[i], i)
  end
  for i = 1, n do
    local key = keys[i % KEYS + 1]
    if i % 100 == 0 then
      map:store(key, i % 7)
    else
      sum = sum + map:load(key)
    end
  end
  return sum
end

return { pass = pass }
