-- SPDX-License-Identifier: MIT
-- Objects of weft.sync: a lock that could not be taken is not held, and one that was is let go; a
-- once is done in any case; a map has what it says that it has.
local weft = require 'weft'
local support = require 'support'

local m, wg = weft.sync.mutex(), weft.sync.waitgroup()
local rw, slots, once, map = weft.sync.rwmutex(), weft.sync.semaphore(2), weft.sync.once(),
  weft.sync.map()
local value = weft.sync.once_value(function() return { 1 }, 'x' end)
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

local function count_locks(ctx)
  local ok, locked = support.try(rw.lock, rw, ctx)
  if ok and locked then
    pcall(weft.sleep, 0.01)
    rw:unlock()
  end
  support.try(rw.rwith, rw, weft.yield)
  ok, locked = support.try(slots.acquire, slots, 2, ctx)
  if ok and locked then
    pcall(weft.sleep, 0.01)
    slots:release(2)
  end
  support.try(slots.with, slots, weft.yield)
  support.try(once.call, once, weft.sleep, 0.01)
  support.try(value)
end

local function fill_map()
  for i = 1, 3 do
    support.try(map.store, map, i, { i })
    support.try(map.store, map, 'k' .. i, i)
    support.try(map.swap, map, i, 'x')
    support.try(map.load_or_store, map, 'k' .. i, { i })
  end
end

local function work()
  support.try(fill_map)
  for _ = 1, 3 do support.try(weft.go, count_locks) end
  for _ = 1, 3 do
    if support.try(wg.go, wg, lock_it) then asked = asked + 1 end
  end
  local ok, ctx = support.try(weft.context.with_timeout, weft.context.background(), 0.15)
  if ok then
    support.try(weft.go, give_up, ctx)
    support.try(weft.go, count_locks, ctx)
  end
  support.try(wg.wait, wg)
  support.try(weft.sleep, 1)
end

local function check(panicked)
  wg:wait()
  assert(holders == 0 and most <= 1)
  assert(m:try_lock(), 'the lock is still held')
  m:unlock()
  assert(rw:try_lock() and slots:try_acquire(2), 'a counted lock is still held')
  rw:unlock()
  slots:release(2)
  assert(once:call(weft.yield) and once:call(error))
  pcall(value)  -- its failure may have been that there was no memory
  local n = 0
  map:range(function() n = n + 1 end)
  assert(n == map:len(), 'the map has lost count')
  assert(runs == asked or panicked, ('%d of %d ran'):format(runs, asked))
  assert(weft.ntasks() == 1, 'somebody still waits')
end

return work, check
