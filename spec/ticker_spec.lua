-- SPDX-License-Identifier: MIT
-- Tickers: time.ticker and time.tick; what counts as a timer in a deadlock; collected timers.
-- Subject: runtime/conc/tick.c

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local time = weft.time
local elapsed, near, start = util.elapsed, util.near, util.start

describe('ticker', function()
  it('ticks at every period, exactly', function()
    local k = time.ticker(2)
    local t0 = time.monotonic()
    for i = 1, 20 do
      assert.is_not_nil((k.c:recv()))
      near(2 * i, time.monotonic() - t0)
    end
    k:stop()
  end)

  it('keeps its beat whatever the receiver does in between', function()
    local k = time.ticker(2)
    local t0 = time.monotonic()
    k.c:recv()
    weft.sleep(1.5)
    k.c:recv()
    near(4, time.monotonic() - t0)
    k:stop()
  end)

  it('drops ticks for a slow receiver', function()
    local k = time.ticker(1)
    local t0 = time.monotonic()
    weft.sleep(10.5)
    local n = 0
    while k.c:try_recv() do n = n + 1 end
    assert.equals(1, n)
    k.c:recv()
    near(11, time.monotonic() - t0)
    k:stop()
  end)

  it('stop ends it and says whether it was running', function()
    local k = time.ticker(1)
    k.c:recv()
    assert.is_true(k:stop())
    assert.is_false(k:stop())
    weft.sleep(10)
    assert.is_nil((k.c:try_recv()))
  end)

  it('stop takes back a tick that nobody has received', function()
    local k = time.ticker(1)
    weft.sleep(1.5)
    assert.is_true(k:stop())
    assert.is_nil((k.c:try_recv()))
  end)

  it('stop does not close the channel', function()
    local k = time.ticker(1)
    local r = start(k.c.recv, k.c)
    k:stop()
    weft.sleep(10)
    assert.is_false(r.done)
    local t0 = time.monotonic()
    k:reset(3)
    weft.sleep(4)
    near(3, r.at - t0)
    k:stop()
  end)

  it('reset gives it another period from now on', function()
    local k = time.ticker(10)
    weft.sleep(5)
    assert.is_true(k:reset(2))
    local t0 = time.monotonic()
    for i = 1, 3 do
      k.c:recv()
      near(2 * i, time.monotonic() - t0)
    end
    k:stop()
  end)

  it('reset starts a stopped one again', function()
    local k = time.ticker(1)
    k:stop()
    assert.is_false(k:reset(3))
    near(3, (elapsed(k.c.recv, k.c)))
    near(3, (elapsed(k.c.recv, k.c)))
    k:stop()
  end)

  it('reset drops an old tick', function()
    local k = time.ticker(1)
    weft.sleep(1.5)
    k:reset(4)
    assert.is_nil((k.c:try_recv()))
    near(4, (elapsed(k.c.recv, k.c)))
    k:stop()
  end)

  it('refuses a period of 0 or less, and goes on as before', function()
    for _, s in ipairs { 0, -1, 0 / 0 } do
      local function call() time.ticker(s) end
      util.raises(call, "bad argument #1 to 'ticker' (", 'expected, got')
      local function call_tick() time.tick(s) end
      util.raises(call_tick, "bad argument #1 to 'tick' (", 'expected, got')
    end
    local k = time.ticker(2)
    util.raises(function() k:reset(0) end, "bad argument #1 to 'reset' (", 'got 0')
    util.raises(function() k:reset(-1) end, "bad argument #1 to 'reset' (", 'got -1')
    near(2, (elapsed(k.c.recv, k.c)))
    near(2, (elapsed(k.c.recv, k.c)))
    k:stop()
  end)

  it('serves several receivers, each tick one of them', function()
    local k, n, stop = time.ticker(1), { 0, 0 }, weft.chan()
    for i = 1, 2 do
      weft.go(function()
        while weft.select(k.c, stop) == 1 do n[i] = n[i] + 1 end
      end)
    end
    weft.sleep(10.5)
    stop:close()
    k:stop()
    assert.same({ 5, 5 }, n)
  end)
end)

describe('tick', function()
  it('is the channel of a ticker', function()
    local c = time.tick(3)
    local t0 = time.monotonic()
    for i = 1, 5 do
      c:recv()
      near(3 * i, time.monotonic() - t0)
    end
  end)

  it('goes on for as long as the channel is kept', function()
    local c = time.tick(1)
    for _ = 1, 5 do
      collectgarbage()
      near(1, (elapsed(c.recv, c)))
    end
  end)
end)

-- Whether this program ends by a deadlock (true) or in peace (false).
local function deadlocks(code)
  local r = proc.run("local weft = require 'weft' " .. code, { virtual = true })
  if r.status == 2 then
    util.has(r.err, 'all tasks are asleep - deadlock!')
    return true
  end
  assert.same({ 0, '' }, { r.status, r.err })
  return false
end

describe('a program that waits', function()
  it('is not deadlocked while a ticker runs', function()
    assert.is_false(deadlocks [[
      local k, ch = weft.time.ticker(1), weft.chan()
      weft.go(function()
        for _ = 1, 100 do k.c:recv() end
        ch:close()
      end)
      ch:recv()
    ]])
  end)

  it('is deadlocked when its ticker is stopped', function()
    assert.is_true(deadlocks [[
      local k = weft.time.ticker(1)
      k.c:recv()
      k:stop()
      k.c:recv()
    ]])
  end)

  it('is deadlocked when its only ticker was collected', function()
    assert.is_true(deadlocks [[
      local function lose() weft.time.ticker(1) weft.time.tick(1) weft.time.timer(1e9) end
      lose()
      for _ = 1, 5 do collectgarbage() weft.yield() end
      weft.chan():recv()
    ]])
  end)

  it('is deadlocked when nothing but lost tickers runs, collected yet or not', function()
    assert.is_true(deadlocks [[
      local function lose() weft.time.ticker(1) weft.time.tick(1) end
      lose()
      weft.chan():recv()
    ]])
  end)

  it('is not deadlocked while a timer, an after, or an after_func is to come', function()
    assert.is_false(deadlocks [[
      local ch = weft.chan()
      weft.time.after_func(1e5, function() ch:close() end)
      ch:recv()
      weft.time.after(1e5):recv()
      weft.time.timer(1e5).c:recv()
    ]])
  end)

  it('is deadlocked when its timer is stopped', function()
    assert.is_true(deadlocks [[
      local t = weft.time.timer(1)
      t:stop()
      t.c:recv()
    ]])
  end)

  it('is not deadlocked before its deadline, but after a cancel', function()
    assert.is_false(deadlocks [[
      local ctx = weft.context.with_timeout(weft.context.background(), 1e5)
      weft.chan():recv(ctx)
    ]])
    assert.is_true(deadlocks [[
      local ctx, cancel = weft.context.with_timeout(weft.context.background(), 1e5)
      cancel()
      weft.chan():recv()
    ]])
  end)
end)
