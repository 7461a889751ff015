-- SPDX-License-Identifier: MIT
-- What goes wrong across a blocking call without a mutex, and two ways to have it right: first
-- with tasks of one VM, then on all cores.
--
-- Tasks of a VM never run at the same instant, so that `count = count + 1` needs no lock. But who
-- reads, waits, and then writes what it has read overwrites whatever others did meanwhile.

local weft = require "weft"
local sync = require "weft.sync"

local TASKS, STEPS = 10, 20

-- Runs step() in all tasks.
local function everybody(step)
  local group = sync.waitgroup()
  for _ = 1, TASKS do
    group:go(function()
      for _ = 1, STEPS do step() end
    end)
  end
  group:wait()
end

local function report(what, count)
  print(("%-22s %3d of %d"):format(what, count, TASKS * STEPS))
end

local count = 0
everybody(function()
  local before = count
  weft.yield() -- a query, a request: anything that waits
  count = before + 1
end)
report("without a mutex", count)
assert(count < TASKS * STEPS, "nobody was overwritten")

local mutex = sync.mutex()
count = 0
everybody(function()
  mutex:lock()
  local before = count
  weft.yield()
  count = before + 1
  mutex:unlock()
end)
report("with a mutex", count)

local atomic = sync.int()
everybody(function()
  weft.yield()
  atomic:add(1)
end)
report("atomic", atomic:load())

-- On all cores --------------------------------------------------------------------------------
-- Plain variables are copied to the other cores, so that `weft.spawn` refuses a function that
-- assigns one. What is shared is a sync object.

local shared, group = sync.map(), sync.waitgroup()
shared:store("count", 0)
atomic:store(0)
for _ = 1, TASKS do
  group:spawn(function()
    for _ = 1, STEPS do
      mutex:with(function() shared:store("count", shared:load("count") + 1) end)
      atomic:add(1)
    end
  end)
end
group:wait()
report("all cores, mutex", shared:load("count"))
report("all cores, atomic", atomic:load())
