-- SPDX-License-Identifier: MIT
local weft = require "weft"

local function consume(chans, n, sums)
  local sum = 0
  for _ = 1, n, #chans do
    for k, ch in ipairs(chans) do sum = sum + k * ch:recv() end
  end
  sums:send(sum)
end

local function pass(n)
  local chans, sums = {}, weft.chan()
  for k = 1, 8 do chans[k] = weft.chan() end
  weft.go(consume, chans, n, sums)
  local a, b, c, d, e, f, g, h = unpack(chans)
  for i = 1, n do
    weft.select(a:sending(i), b:sending(i), c:sending(i), d:sending(i),
      e:sending(i), f:sending(i), g:sending(i), h:sending(i))
  end
  return sums:recv()
end

return { pass = pass }
