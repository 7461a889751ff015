-- SPDX-License-Identifier: MIT
-- go, defer, Futures, map, errors in tasks, and what tells about tasks.
local weft = require 'weft'
local support = require 'support'

local deferred, ran, asked = 0, 0, 0

local function clean_up() deferred = deferred + 1 end

local function with_defer(n)
  if n > 0 and support.try(weft.defer, clean_up) then asked = asked + 1 end
  if n > 1 then with_defer(n - 1) end
  weft.yield()
  ran = ran + 1
end

local function results(...)
  weft.sleep(0.1)
  return ...
end

local function fail()
  weft.yield()
  error('on purpose', 0)
end

local function twice(x)
  weft.yield()
  return x * 2
end

local function read(f)
  local ok, one, two = f:try()
  if ok then
    assert(one == 1 and two == nil or one == 'a')
  else
    assert(one == 'on purpose' or support.is_oom(one), one)
  end
end

-- Until somebody has seen its error a failed Future is a panic.
local function try_await(ok, f)
  while ok and not support.try(read, f) do end
end

local function work()
  for n = 0, 2 do support.try(weft.go, with_defer, n) end
  try_await(support.try(weft.async, results, 1, nil))
  try_await(support.try(weft.async, fail))
  local ok, list = support.try(weft.map, { 1, 2, 3 }, twice, { limit = 2 })
  if ok and list then assert(list[3] == 6 and list.n == 3) end
  support.try(weft.stacks)
  support.try(weft.tasks)
  support.try(weft.stats)
  support.try(weft.name, weft.chan(), 'labelled')
  support.try(weft.sleep, 1)
end

local function check(panicked)
  -- Where a task fails and there is no memory to report that, its deferred calls and its Future
  -- are lost with the run.
  assert(panicked or deferred == asked, ('%d of %d deferred calls'):format(deferred, asked))
  assert(panicked or weft.ntasks() == 1, 'somebody still waits')
  assert(weft.map({ 1, 2, 3 }, twice)[3] == 6)
  read(weft.async(results, 'a'))
  read(weft.async(fail))
end

return work, check
