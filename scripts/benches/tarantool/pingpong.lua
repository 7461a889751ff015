-- SPDX-License-Identifier: MIT
local fiber = require "fiber"

local function echo(there, back)
  local v = there:get()
  while v do
    back:put(v)
    v = there:get()
  end
end

local function pass(n)
  local there, back = fiber.channel(), fiber.channel()
  fiber.create(echo, there, back)
  local sum = 0
  for i = 1, n do
    there:put(i)
    sum = sum + back:get()
  end
  there:close()
  return sum
end

return { pass = pass }
