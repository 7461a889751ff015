-- SPDX-License-Identifier: MIT
-- Fan-out: several stages read one input. Fan-in: their outputs are merged into one.
--
--                  ┌─> square ─┐
--     numbers ─────┼─> square ─┼───> merge ───> main
--                  └─> square ─┘
--
-- A stage is a function that takes channels, starts a task and returns the channel on which its
-- results come. Each stage closes its own output when its input has ended; the merged output has
-- several senders, so it is closed once, by a task that has waited for all of them.

local weft = require "weft"
local sync = require "weft.sync"

local function numbers(first, last)
  local out = weft.chan()
  weft.go(function()
    for n = first, last do
      out:send(n)
    end
    out:close()
  end)
  return out
end

local function square(input)
  local out = weft.chan()
  weft.go(function()
    for n in input do
      weft.sleep(math.random() / 1000) -- some take longer than others
      out:send(n * n)
    end
    out:close()
  end)
  return out
end

local function merge(...)
  local out, wg = weft.chan(), sync.waitgroup()
  for _, input in ipairs { ... } do
    wg:go(function()
      for v in input do
        out:send(v)
      end
    end)
  end
  weft.go(function()
    wg:wait()
    out:close()
  end)
  return out
end

local input = numbers(1, 100)
local squares = {}
for v in merge(square(input), square(input), square(input)) do
  squares[#squares + 1] = v -- in the order in which they were ready
end

table.sort(squares)
local sum = 0
for _, v in ipairs(squares) do
  sum = sum + v
end
print(("%d squares, from %d to %d"):format(#squares, squares[1], squares[#squares]))
print("their sum is " .. sum)
