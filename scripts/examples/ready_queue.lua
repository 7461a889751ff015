-- SPDX-License-Identifier: MIT
-- Waiting for shared state with a condition: a kitchen's queue of dishes that are ready. A waiter
-- takes a dish when there is one for its tables; what it waits for is more than one channel could
-- say, so the state is a table, behind a mutex, and `cond` tells those who wait to look again.

local weft = require "weft"
local sync = require "weft.sync"

local DISHES, WAITERS = 30, 3

local mutex = sync.mutex()
local changed = sync.cond(mutex)
local ready, closed = {}, false

-- The first dish for one of the waiter's tables. The mutex is held.
local function take(waiter)
  for i, dish in ipairs(ready) do
    if dish.table % WAITERS == waiter then return table.remove(ready, i) end
  end
end

local served, group = {}, sync.waitgroup()
for waiter = 0, WAITERS - 1 do
  served[waiter] = 0
  group:go(function()
    mutex:lock()
    while true do
      local dish = take(waiter)
      if dish then
        mutex:unlock()
        weft.sleep(0.0003) -- to the table and back
        served[waiter] = served[waiter] + 1
        mutex:lock()
      elseif closed then
        break
      else
        changed:wait() -- unlocks the mutex meanwhile, and has it again afterwards
      end
    end
    mutex:unlock()
  end)
end

for n = 1, DISHES do
  weft.sleep(0.0001)
  mutex:with(function() ready[#ready + 1] = { number = n, table = n % 7 } end)
  changed:broadcast() -- not signal: it may be a dish for any of them
end
mutex:with(function() closed = true end)
changed:broadcast()
group:wait()

local total = 0
for waiter = 0, WAITERS - 1 do
  print(("waiter %d served %d"):format(waiter, served[waiter]))
  total = total + served[waiter]
end
print(("%d dishes, %d left over"):format(total, #ready))
