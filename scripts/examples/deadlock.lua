-- SPDX-License-Identifier: MIT
-- Fails on purpose: dining philosophers who all take their left fork first.
--
-- weft notices when no task can ever run again. It prints `fatal error: all tasks are asleep -
-- deadlock!` and, for every task, what it waits for, since when, where, and who started it; then
-- the program ends with status 2. The names given with `weft.name` are what makes such a report
-- readable: here it shows at a glance that each fork is waited for by the holder of the one
-- before it. (The cure: one philosopher takes the right fork first.)

local weft = require "weft"
local sync = require "weft.sync"

local GUESTS = { "Plato", "Hypatia", "Kant" }

local forks = {}
for i = 1, #GUESTS do
  forks[i] = weft.name(sync.mutex(), "fork " .. i)
end

-- Makes the accident certain: everybody holds a fork before anybody reaches for a second one.
local seated = sync.waitgroup()
seated:add(#GUESTS)

local function dine(i)
  local left, right = forks[i], forks[i % #GUESTS + 1]
  left:lock()
  print(GUESTS[i] .. " has fork " .. i)
  seated:done()
  seated:wait()
  right:lock() -- never returns
  print(GUESTS[i] .. " eats")
  right:unlock()
  left:unlock()
end

local dinner = weft.name(sync.waitgroup(), "dinner")
for i = 1, #GUESTS do
  dinner:go(dine, i)
end
dinner:wait()
print "not reached"
