-- SPDX-License-Identifier: MIT
-- Timers of every kind are started, stopped and reset. Afterwards they are as good as new.
local weft = require 'weft'
local support = require 'support'
local time = weft.time

local ran, slept, asked = 0, 0, 0
local function run() ran = ran + 1 end

-- More than one, so that the list of timers has to grow.
local timers = {}
for i = 1, 4 do timers[i] = time.timer(i) end
for i = 1, 4 do timers[i]:stop() end
local ticker, alarm = time.ticker(1), time.after_func(1, run)
ticker:stop()
alarm:stop()

local function sleep()
  if support.try(weft.sleep, 0.5) then slept = slept + 1 end
end

local function work()
  for i = 1, 4 do support.try(timers[i].reset, timers[i], i) end
  local ticks = support.try(ticker.reset, ticker, 0.25)
  support.try(alarm.reset, alarm, 0.5)
  for _ = 1, 3 do
    support.try(weft.go, sleep)
    if support.try(time.after_func, 0.125, run) then asked = asked + 1 end
    support.try(time.timer, 1)
    support.try(time.ticker, 1)
    support.try(time.after, 1)
    support.try(time.tick, 1)
  end
  support.try(weft.sleep, 1)
  for i = 1, 4 do support.try(timers[i].stop, timers[i]) end
  if ticks then support.try(ticker.c.recv, ticker.c) end
  support.try(weft.sleep, 1)
end

local function check(panicked)
  -- What a timer is to start where there is no memory for a task is lost, and the run with it.
  assert(ran <= asked + 1 and (panicked or ran >= asked), ran)
  for i = 1, 4 do timers[i]:stop() end
  ticker:stop()
  alarm:stop()
  ran = 0
  local t = time.monotonic()
  for i = 4, 1, -1 do assert(timers[i]:reset(i) == false and timers[i]:reset(i) == true) end
  ticker:reset(3)
  alarm:reset(2)
  for i = 1, 4 do
    timers[i].c:recv()
    assert(math.abs(time.monotonic() - t - i) < 1e-6)
  end
  assert(ran == 1 and ticker.c:len() == 1 and ticker.c:try_recv() and not ticker.c:try_recv())
  ticker:stop()
  assert(weft.ntasks() == 1)
end

return work, check
