-- SPDX-License-Identifier: MIT
-- A `nil` case of `select` is never ready, so a variable turns a case on and off.
--
-- Two uses. `merge` drops an input that has ended: a closed channel is always ready to be
-- received from, and would keep the loop spinning. `queue` offers a value only while it has one,
-- and accepts new ones until its input ends: an unbounded buffer between two tasks in ten lines.

local weft = require "weft"

local function feed(values)
  local out = weft.chan()
  weft.go(function()
    for _, v in ipairs(values) do
      out:send(v)
    end
    out:close()
  end)
  return out
end

-- Everything from a and b, in the order in which it comes, until both have ended.
local function merge(a, b)
  local out = weft.chan()
  weft.go(function()
    while a or b do
      local i, v = weft.select(a, b)
      if v ~= nil then
        out:send(v)
      elseif i == 1 then
        a = nil -- closed: this case is off from now on
      else
        b = nil
      end
    end
    out:close()
  end)
  return out
end

-- A channel that takes everything at once and gives it out again, first in, first out.
local function queue(input)
  local out, items, head, tail = weft.chan(), {}, 1, 0
  weft.go(function()
    while input or items[head] do
      local i, v = weft.select(input, items[head] and out:sending(items[head]))
      if i == 2 then
        items[head] = nil
        head = head + 1
      elseif v ~= nil then
        tail = tail + 1
        items[tail] = v
      else
        input = nil
      end
    end
    out:close()
  end)
  return out
end

local odd, even = 0, 0
for v in merge(feed { 1, 3, 5, 7, 9 }, feed { 2, 4, 6, 8 }) do
  odd = odd + v % 2
  even = even + (v + 1) % 2
end
print(("merged: %d odd and %d even numbers"):format(odd, even))

local input = weft.chan()
local output = queue(input)
for v = 1, 1000 do
  input:send(v) -- nobody receives yet, and still this does not block
end
input:close()

local received, in_order = 0, true
for v in output do
  received = received + 1
  in_order = in_order and v == received
end
print(("queued: %d values, in order: %s"):format(received, tostring(in_order)))
