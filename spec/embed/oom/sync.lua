-- SPDX-License-Identifier: MIT
-- Mutexes and waitgroups: a lock that could not be taken is not held, and one that was is let go.
local weft = require 'weft'
local support = require 'support'

local m, wg = weft.sync.mutex(), weft.sync.waitgroup()
local holders, most, runs, asked = 0, 0, 0, 0

local function hold()
  holders = holders + 1
  most = math.max(most, holders)
  pcall(weft.sleep, 0.1)
  holders = holders - 1
end

local function lock_it()
  local ok, locked = support.try(m.lock, m)
  if ok and locked then
    hold()
    m:unlock()
  end
  support.try(m.with, m, hold)
  runs = runs + 1
end

local function give_up(ctx)
  local ok, locked = support.try(m.lock, m, ctx)
  if ok and locked then m:unlock() end
end

local function work()
  for _ = 1, 3 do
    if support.try(wg.go, wg, lock_it) then asked = asked + 1 end
  end
  local ok, ctx = support.try(weft.context.with_timeout, weft.context.background(), 0.15)
  if ok then support.try(weft.go, give_up, ctx) end
  support.try(wg.wait, wg)
  support.try(weft.sleep, 1)
end

local function check(panicked)
  wg:wait()
  assert(holders == 0 and most <= 1)
  assert(m:try_lock(), 'the lock is still held')
  m:unlock()
  assert(runs == asked or panicked, ('%d of %d ran'):format(runs, asked))
  assert(weft.ntasks() == 1, 'somebody still waits')
end

return work, check
