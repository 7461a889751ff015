-- SPDX-License-Identifier: MIT
-- Two people meet in a narrow corridor. Both are polite: whoever finds the other in the way steps
-- aside. As both do so at the same moment, they face each other again, and again: nobody is
-- blocked, everybody is busy, nothing gets done. A deadlock would be reported; this is not.
--
-- The cure is to break the symmetry. Here a coin does it: one stays, the other steps aside.

local weft = require "weft"

local GIVE_UP = 1000 -- steps

-- At each step both tell the other on which side they are, and then decide at the same time. The
-- channels are unbuffered, so neither can run ahead.
local function walk(side, say, hear, steps_aside)
  for step = 1, GIVE_UP do
    local other
    for _ = 1, 2 do -- tell and be told, in either order
      local i, v = weft.select(not (say.said == step) and say.ch:sending(side) or nil,
        not other and hear.ch or nil)
      if i == 1 then say.said = step else other = v end
    end
    if other ~= side then return step end
    if steps_aside() then side = side == "left" and "right" or "left" end
  end
  return nil
end

local function meet(steps_aside)
  local a, b = { ch = weft.chan(), said = 0 }, { ch = weft.chan(), said = 0 }
  local alice = weft.async(walk, "left", a, b, steps_aside)
  local bob = weft.async(walk, "left", b, a, steps_aside)
  local steps, same = alice:await(), bob:await()
  assert(steps == same, "both get past at the same step")
  return steps
end

local function always() return true end

local heads, tails = weft.chan(1), weft.chan(1)
heads:send(true)
tails:send(false)
local function toss() -- both sides of the coin are ready: select takes either
  local _, up = weft.select(heads, tails)
  if up then heads:send(true) else tails:send(false) end
  return up
end

local steps = meet(always)
print("both always step aside: " .. (steps and "got past" or "still there after " .. GIVE_UP
  .. " steps"))
steps = meet(toss)
print("both toss a coin: " .. (steps and "got past" or "still there"))
