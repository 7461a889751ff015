-- SPDX-License-Identifier: MIT
-- The primes up to `limit`: a task for each takes its multiples out of the stream.
local weft = require "weft"

local function generate(ch, limit)
  for i = 2, limit do ch:send(i) end
  ch:close()
end

local function filter(from, to, prime)
  for v in from do
    if v % prime ~= 0 then to:send(v) end
  end
  to:close()
end

local function pass(limit)
  local ch, sum = weft.chan(), 0
  weft.go(generate, ch, limit)
  while true do
    local prime = ch:recv()
    if not prime then return sum end
    sum = sum + prime
    local rest = weft.chan()
    weft.go(filter, ch, rest, prime)
    ch = rest
  end
end

return { pass = pass }
