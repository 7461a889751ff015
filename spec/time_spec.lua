-- SPDX-License-Identifier: MIT
-- Time: sleep, the clocks, after, timers, after_func.

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local time, context = weft.time, weft.context
local settle, start, elapsed, near = util.settle, util.start, util.elapsed, util.near

describe('sleep', function()
  it('takes as long as it says, exactly', function()
    for _, s in ipairs { 0.001, 0.5, 1, 3.25, 86400 } do
      local dt, v = elapsed(weft.sleep, s)
      near(s, dt)
      assert.is_true(v)
    end
    near(2, (elapsed(time.sleep, 2)))
  end)

  it('is over at once for 0 or less', function()
    for _, s in ipairs { 0, -0.0, -1, -math.huge } do
      local dt, v = elapsed(weft.sleep, s)
      assert.equals(0, dt)
      assert.is_true(v)
    end
  end)

  it('is for ever for math.huge', function()
    local ctx, cancel = context.with_cancel(context.background())
    local r = start(weft.sleep, math.huge, ctx)
    weft.sleep(1e5)
    assert.is_false(r.done)
    cancel()
    settle()
    assert.same({ nil, 'context canceled' }, { r[1], r[2] })
  end)

  it('for ever is no timer: a program that only does that is deadlocked', function()
    local r = proc.run "require 'weft'.sleep(math.huge)"
    assert.equals(2, r.status)
    util.has(r.err, 'all tasks are asleep - deadlock!', 'sleep')
  end)

  it('wakes in order of time', function()
    local log = {}
    for _, s in ipairs { 5, 1, 4, 2, 3 } do
      weft.go(function()
        weft.sleep(s)
        log[#log + 1] = s
      end)
    end
    weft.sleep(6)
    assert.same({ 1, 2, 3, 4, 5 }, log)
  end)

  it('lasts exactly as long among a thousand others', function()
    local seed, wrong, last = 1, 0, 0
    local t0 = time.monotonic()
    for _ = 1, 1000 do
      seed = (seed * 1103515245 + 12345) % 2 ^ 31
      local s = seed % 10000 / 100
      weft.go(function()
        weft.sleep(s)
        local at = time.monotonic() - t0
        if math.abs(at - s) > util.NEAR or at < last then wrong = wrong + 1 end
        last = at
      end)
    end
    weft.sleep(200)
    assert.equals(0, wrong)
  end)

  it('stops for its context, at its time', function()
    local ctx = context.with_timeout(context.background(), 2)
    local dt, v, err = elapsed(weft.sleep, 10, ctx)
    near(2, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    dt, v, err = elapsed(time.sleep, 10, ctx)
    assert.equals(0, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    assert.same({ nil, 'context canceled' }, { weft.sleep(0, util.cancelled()) })
  end)

  it('that was stopped leaves nothing behind: its time passes and wakes nobody', function()
    local ctx, cancel = context.with_cancel(context.background())
    local r = start(function()
      local stopped = { weft.sleep(5, ctx) }
      local dt, v = elapsed(weft.sleep, 20)
      return stopped[2], dt, v
    end)
    weft.sleep(1)
    cancel()
    weft.sleep(30)
    assert.equals('context canceled', r[1])
    near(20, r[2])
    assert.is_true(r[3])
  end)
end)

describe('clocks', function()
  it('monotonic and now go on together', function()
    local m, n = time.monotonic(), time.now()
    weft.sleep(12.5)
    near(m + 12.5, time.monotonic())
    near(n + 12.5, time.now())
  end)

  it('stand still while tasks run', function()
    local m, n = time.monotonic(), time.now()
    local x = 0
    for i = 1, 1e6 do x = x + i end
    assert.is_true(x > 0)
    assert.same({ m, n }, { time.monotonic(), time.now() })
  end)

  it('are the machine\'s without --clock=virtual', function()
    local r = proc.run [[
      local time = require 'weft.time'
      local n, m = time.now(), time.monotonic()
      while time.monotonic() - m < 0.02 do end
      local passed = time.now() - n
      print(math.abs(n - os.time()) < 3, passed > 0.01 and passed < 5, m >= 0)
    ]]
    assert.same({ 0, 'true\ttrue\ttrue\n' }, { r.status, r.out })
  end)

  it('of the machine really sleep', function()
    local r = proc.run [[
      local weft = require 'weft'
      local m = weft.time.monotonic()
      weft.sleep(0.02)
      local dt = weft.time.monotonic() - m
      print(dt >= 0.02 and dt < 5)
    ]]
    assert.same({ 0, 'true\n' }, { r.status, r.out })
  end)
end)

describe('after', function()
  it('gives a channel that delivers once, at its time', function()
    local ch = time.after(3)
    local dt, v = elapsed(ch.recv, ch)
    near(3, dt)
    assert.is_not_nil(v)
    weft.sleep(10)
    assert.is_nil((ch:try_recv()))
  end)

  it('keeps its tick for a late receiver', function()
    local ch = time.after(1)
    weft.sleep(5)
    local dt, v = elapsed(ch.recv, ch)
    assert.equals(0, dt)
    assert.is_not_nil(v)
  end)

  it('is ready at once for 0 or less', function()
    for _, s in ipairs { 0, -3 } do
      local ch = time.after(s)
      near(0, (elapsed(ch.recv, ch)))
    end
  end)

  it('is a timeout in a select, and does no harm when it comes too late', function()
    local ch = weft.chan()
    local dt, i = elapsed(weft.select, ch, time.after(2))
    near(2, dt)
    assert.equals(2, i)
    weft.go(function()
      weft.sleep(1)
      ch:send 'v'
    end)
    local v
    dt, i, v = elapsed(weft.select, ch, time.after(2))
    near(1, dt)
    assert.same({ 1, 'v' }, { i, v })
    weft.sleep(5)
    util.nobody_waits(ch)
  end)

  it('fires also when nothing but its channel is kept', function()
    local ch = time.after(1)
    collectgarbage()
    collectgarbage()
    near(1, (elapsed(ch.recv, ch)))
  end)
end)

describe('timer', function()
  it('delivers once on its channel', function()
    local t = time.timer(2)
    local dt, v = elapsed(t.c.recv, t.c)
    near(2, dt)
    assert.is_not_nil(v)
    weft.sleep(10)
    assert.is_nil((t.c:try_recv()))
  end)

  it('stop says whether it was still running, and keeps it from firing', function()
    local t = time.timer(2)
    weft.sleep(1)
    assert.is_true(t:stop())
    assert.is_false(t:stop())
    weft.sleep(5)
    assert.is_nil((t.c:try_recv()))
    t = time.timer(1)
    t.c:recv()
    assert.is_false(t:stop())
  end)

  it('stop takes back a tick that nobody has received', function()
    local t = time.timer(1)
    weft.sleep(5)
    t:stop()
    assert.is_nil((t.c:try_recv()))
    weft.sleep(5)
    assert.is_nil((t.c:try_recv()))
  end)

  it('stop does not wake who waits', function()
    local t = time.timer(1)
    local r = start(t.c.recv, t.c)
    assert.is_true(t:stop())
    weft.sleep(10)
    assert.is_false(r.done)
    t:reset(1)
    weft.sleep(2)
    assert.is_true(r.done)
  end)

  it('reset restarts: from now, for another time', function()
    local t = time.timer(10)
    weft.sleep(5)
    assert.is_true(t:reset(7))
    near(7, (elapsed(t.c.recv, t.c)))
    assert.is_false(t:reset(3))
    near(3, (elapsed(t.c.recv, t.c)))
    weft.sleep(20)
    assert.is_nil((t.c:try_recv()))
  end)

  it('reset starts a stopped one again', function()
    local t = time.timer(1)
    t:stop()
    assert.is_false(t:reset(2))
    near(2, (elapsed(t.c.recv, t.c)))
  end)

  it('reset brings the end nearer as well', function()
    local t = time.timer(100)
    t:reset(1)
    near(1, (elapsed(t.c.recv, t.c)))
  end)

  it('reset drops a tick that nobody has received', function()
    local t = time.timer(1)
    weft.sleep(5)
    t:reset(3)
    assert.is_nil((t.c:try_recv()))
    near(3, (elapsed(t.c.recv, t.c)))
    weft.sleep(20)
    assert.is_nil((t.c:try_recv()))
  end)

  it('reset to a timeout at every event fires only after a pause', function()
    local t, events = time.timer(2), weft.chan()
    weft.go(function()
      for _ = 1, 5 do
        weft.sleep(1)
        events:send(true)
      end
    end)
    local n, t0 = 0, time.monotonic()
    while true do
      local i = weft.select(events, t.c)
      if i == 2 then break end
      n = n + 1
      t:reset(2)
    end
    assert.equals(5, n)
    near(7, time.monotonic() - t0)
  end)

  it('many fire in order and exactly', function()
    local log = {}
    for _, s in ipairs { 4, 2, 5, 1, 3 } do
      weft.go(function()
        local t = time.timer(s)
        t.c:recv()
        log[#log + 1] = s
      end)
    end
    weft.sleep(6)
    assert.same({ 1, 2, 3, 4, 5 }, log)
  end)

  it('fires exactly among many that are stopped and reset', function()
    local seed, timers, t0, wrong, fired = 7, {}, time.monotonic(), 0, 0
    local function rnd(n)
      seed = (seed * 1103515245 + 12345) % 2 ^ 31
      return math.floor(seed / 65536) % n
    end
    local due = {}
    for i = 1, 3000 do
      due[i] = rnd(10000) / 100 + 1
      timers[i] = time.after_func(due[i], function()
        fired = fired + 1
        if not due[i] or math.abs(time.monotonic() - t0 - due[i]) > util.NEAR then
          wrong = wrong + 1
        end
      end)
    end
    local expected = 3000
    for _ = 1, 6000 do
      local i = rnd(3000) + 1
      if rnd(3) == 0 then
        due[i] = rnd(10000) / 100 + 1
        if not timers[i]:reset(due[i]) then expected = expected + 1 end
      elseif timers[i]:stop() then
        expected = expected - 1
        due[i] = nil
      end
    end
    weft.sleep(200)
    assert.same({ 0, expected }, { wrong, fired })
    assert.is_true(expected > 500 and expected < 2500)
  end)

  it('takes any number of starts and stops', function()
    local t = time.timer(1)
    for i = 1, 1000 do
      if i % 3 == 0 then t:stop() else t:reset(i % 7 + 1) end
    end
    t:reset(2)
    near(2, (elapsed(t.c.recv, t.c)))
    weft.sleep(100)
    assert.is_nil((t.c:try_recv()))
  end)
end)

describe('after_func', function()
  it('runs the function in a task of its own, at its time', function()
    local at, id
    local t0 = time.monotonic()
    time.after_func(3, function()
      at, id = time.monotonic(), weft.id()
      weft.sleep(1)
    end)
    weft.sleep(10)
    near(3, at - t0)
    assert.are_not.equal(weft.id(), id)
  end)

  it('stop keeps it from starting', function()
    local ran = 0
    local t = time.after_func(3, function() ran = ran + 1 end)
    weft.sleep(1)
    assert.is_true(t:stop())
    assert.is_false(t:stop())
    weft.sleep(10)
    assert.equals(0, ran)
  end)

  it('stop says false once it has fired', function()
    local t = time.after_func(1, function() end)
    weft.sleep(2)
    assert.is_false(t:stop())
  end)

  it('reset runs it later, or again', function()
    local log, t0 = {}, time.monotonic()
    local t = time.after_func(2, function() log[#log + 1] = time.monotonic() - t0 end)
    weft.sleep(1)
    assert.is_true(t:reset(4))
    weft.sleep(5)
    assert.equals(1, #log)
    near(5, log[1])
    assert.is_false(t:reset(1))
    weft.sleep(2)
    assert.equals(2, #log)
    near(7, log[2])
  end)

  it('runs at once for 0 or less, after the caller blocks', function()
    local ran = 0
    time.after_func(0, function() ran = ran + 1 end)
    time.after_func(-1, function() ran = ran + 1 end)
    assert.equals(0, ran)
    settle()
    assert.equals(2, ran)
  end)

  it('is created by who called it', function()
    local id, created = nil, util.here(1)
    time.after_func(1, function()
      id = weft.id()
      weft.sleep(5)
    end)
    weft.sleep(2)
    util.has(util.task(id).created_by, created)
    weft.sleep(10)
  end)
end)
