-- SPDX-License-Identifier: MIT
-- Clocks, to the nanosecond and to the day; what makes virtual time move; the beat of timers on
-- the machine's clock.

local proc = require 'support.proc'

local function prints(code, out, virtual)
  local r = proc.run("local weft = require 'weft' local time = weft.time " .. code,
    { virtual = virtual })
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

describe('a sleep', function()
  it('is never shorter than it says, not by a part of a nanosecond', function()
    prints([[
      for _, s in ipairs { 0.1e-9, 0.6e-9, 1.5e-9, 1e-7 / 3 } do
        local t = time.monotonic()
        for _ = 1, 1000 do weft.sleep(s) end
        local took = time.monotonic() - t
        if took < 999.9 * s or took > 1000.1 * (s + 1e-9) then print(s, took) end
      end
      print 'end'
    ]], 'end\n', true)
  end)

  it('of the longest kinds does not end', function()
    prints([[
      local woken = false
      for _, s in ipairs { 1e10, 1e18, 1e300, math.huge } do
        weft.go(function() weft.sleep(s) woken = true end)
      end
      weft.sleep(1e9)
      print(woken)
    ]], 'false\n', true)
  end)

  it('counts from the moment of the call, however long its task has run by then', function()
    prints([[
      local t = time.monotonic()
      while time.monotonic() - t < 0.05 do end
      t = time.monotonic()
      weft.sleep(0.03)
      print(time.monotonic() - t >= 0.03)
    ]], 'true\n')
  end)
end)

describe('now', function()
  it('is the time of day, on a virtual clock too', function()
    for _, virtual in ipairs { true, false } do
      prints('print(math.abs(time.now() - os.time()) < 10)', 'true\n', virtual)
    end
  end)
end)

describe('virtual time', function()
  it('goes on for a loop that polls, to one timer after the other', function()
    prints([[
      local context = weft.context
      local ctx, n = context.with_timeout(context.background(), 3000), 0
      local t = time.monotonic()
      time.after_func(1000, function() n = n + 1 end)
      time.after_func(2000, function() n = n + 1 end)
      while not ctx:err() do end
      print(time.monotonic() - t, n)
    ]], '3000\t2\n', true)
  end)

  it('goes on for several tasks when all of them poll', function()
    prints([[
      local context = weft.context
      local ctx, n = context.with_timeout(context.background(), 3000), 0
      local t, never, wg = time.monotonic(), weft.chan(), weft.sync.waitgroup()
      for _, poll in ipairs {
        function() return ctx:err() end,
        function() never:try_recv() return ctx:err() end,
        function() return weft.select(ctx:done(), weft.default) == 1 end,
      } do
        wg:go(function() while not poll() do n = n + 1 end end)
      end
      wg:wait()
      print(time.monotonic() - t, n >= 200)
    ]], '3000\ttrue\n', true)
  end)

  it('stands still while one of those that are ready does not poll', function()
    prints([[
      local t, c, never, stop = time.monotonic(), os.clock(), weft.chan()
      time.after_func(1, function() print 'never' end)
      for _ = 1, 2 do
        weft.go(function() while not stop do never:try_recv() end end)
      end
      while os.clock() - c < 0.2 do weft.yield() end
      stop = true
      print(time.monotonic() - t)
    ]], '0\n', true)
  end)

  it('stands still for one that has just become ready', function()
    prints([[
      local t, never, ch, awake = time.monotonic(), weft.chan(), weft.chan()
      time.after_func(1, function() print 'never' end)
      weft.go(function()
        ch:recv()
        awake = true
        print(time.monotonic() - t)
      end)
      local function poll_seldom()
        local c = os.clock()
        while os.clock() - c < 0.006 do end
        never:try_recv()
      end
      weft.go(function() while not awake do poll_seldom() end end)
      for _ = 1, 10 do poll_seldom() end
      ch:send(1)
      -- many polls in the slice in which it has become ready
      while not awake do never:try_recv() end
    ]], '0\n', true)
  end)

  it('stands still for a task that is busy', function()
    prints([[
      local t, c = time.monotonic(), os.clock()
      time.after_func(1, function() print 'never' end)
      while os.clock() - c < 0.05 do weft.yield() end
      print(time.monotonic() - t)
    ]], '0\n', true)
  end)
end)

describe('a ticker', function()
  it('that was late once keeps its beat', function()
    prints([[
      local PERIOD = 0.1
      local t0 = time.monotonic()
      local ticker = time.ticker(PERIOD)
      ticker.c:recv()
      local t = time.monotonic()
      while time.monotonic() - t < 1.5 * PERIOD do end
      ticker.c:recv()
      -- how far behind the beat the best of these is
      local best = PERIOD
      for _ = 1, 6 do
        ticker.c:recv()
        best = math.min(best, (time.monotonic() - t0) % PERIOD)
      end
      print(best < 0.3 * PERIOD or best)
    ]], 'true\n')
  end)
end)

describe('a timer', function()
  it('fires though other tasks are always ready', function()
    prints([[
      local done = false
      weft.go(function()
        weft.sleep(0.005)
        time.after(0.005):recv()
        done = true
      end)
      local t = time.monotonic()
      while not done and time.monotonic() - t < 10 do weft.yield() end
      print(done)
    ]], 'true\n')
  end)
end)
