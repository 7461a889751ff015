-- SPDX-License-Identifier: MIT
local fiber = require "fiber"

local function generate(ch, limit)
  for i = 2, limit do ch:put(i) end
  ch:put(false)
end

local function filter(from, to, prime)
  local v = from:get()
  while v do
    if v % prime ~= 0 then to:put(v) end
    v = from:get()
  end
  to:put(false)
end

local function pass(limit)
  local ch, sum = fiber.channel(), 0
  fiber.new(generate, ch, limit)
  while true do
    local prime = ch:get()
    if not prime then return sum end
    sum = sum + prime
    local rest = fiber.channel()
    fiber.new(filter, ch, rest, prime)
    ch = rest
  end
end

return { pass = pass }
