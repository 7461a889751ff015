-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function echo(there, back)
  for v in there do back:send(v) end
end

local function pass(n)
  local there, back = weft.chan(), weft.chan()
  weft.go(echo, there, back)
  local sum = 0
  for i = 1, n do
    there:send(i)
    sum = sum + back:recv()
  end
  there:close()
  return sum
end

return { pass = pass }
