-- SPDX-License-Identifier: MIT
-- weft.rate: the bucket, waiting in line, deadlines, tokens given back, reservations.

local weft = require 'weft'
local util = require 'support.util'
local context, time, rate = weft.context, weft.time, weft.rate
local raises, near, has, start = util.raises, util.near, util.has, util.start
local background = context.background()

-- A limiter whose bucket is empty.
local function empty(per_second, burst)
  local lim = rate.limiter(per_second, burst)
  assert.is_true(lim:allow(burst))
  return lim
end

describe('rate: wait', function()
  it('lets as many through as the burst, then one at a time', function()
    local lim, t = rate.limiter(2, 3), time.monotonic()
    for i = 1, 7 do
      assert.is_true(lim:wait())
      near(math.max(0, i - 3) / 2, time.monotonic() - t)
    end
  end)

  it('fills up to the burst and no further', function()
    local lim = rate.limiter(10, 2)
    weft.sleep(1000)
    near(0, (util.elapsed(lim.wait, lim, 2)))
    near(0.1, (util.elapsed(lim.wait, lim)))
  end)

  it('takes several tokens', function()
    local lim = empty(4, 8)
    near(2, (util.elapsed(lim.wait, lim, 8)))
  end)

  it('keeps its rate however many wait', function()
    local lim, t, ends = rate.limiter(3, 1), time.monotonic(), {}
    local wg = weft.sync.waitgroup()
    for _ = 1, 31 do
      wg:go(function()
        lim:wait()
        table.insert(ends, time.monotonic() - t)
      end)
    end
    wg:wait()
    for i = 1, 31 do near((i - 1) / 3, ends[i]) end
  end)

  it('serves those who wait in the order in which they came', function()
    local lim, order = empty(1, 3), {}
    for i, n in ipairs { 3, 1, 2 } do
      start(function()
        lim:wait(n)
        order[#order + 1] = i
      end)
    end
    weft.sleep(3.5)
    assert.same({ 1 }, order)
    weft.sleep(1)
    assert.same({ 1, 2 }, order)
    weft.sleep(2)
    assert.same({ 1, 2, 3 }, order)
  end)

  it('of more than the burst fails at once', function()
    local lim = rate.limiter(1, 3)
    local dt, v, err = util.elapsed(lim.wait, lim, 4)
    near(0, dt)
    assert.is_nil(v)
    has(err, '4', 'burst', '3')
    assert.is_true(lim:allow(3))
  end)

  it('without a limit never waits', function()
    local lim = rate.limiter(math.huge, 1)
    for _ = 1, 100 do near(0, (util.elapsed(lim.wait, lim))) end
    assert.equals(0, lim:reserve())
  end)

  it('uses no time of its own while nobody asks', function()
    local lim = rate.limiter(1, 1)
    local before = weft.stats().timers
    weft.sleep(10)
    assert.is_true(lim:allow())
    assert.equals(before, weft.stats().timers)
  end)
end)

describe('rate: contexts', function()
  it('a deadline that comes too early fails at once', function()
    local lim = empty(1, 1)
    local ctx, cancel = context.with_timeout(background, 0.9)
    local dt, v, err = util.elapsed(lim.wait, lim, 1, ctx)
    near(0, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    cancel()
    ctx, cancel = context.with_timeout(background, 1.1)
    near(1, (util.elapsed(lim.wait, lim, 1, ctx)))
    cancel()
  end)

  it('those who wait already count for that', function()
    local lim = empty(1, 1)
    local first = start(lim.wait, lim)
    local ctx, cancel = context.with_timeout(background, 1.5)
    local dt, v = util.elapsed(lim.wait, lim, ctx)
    near(0, dt)
    assert.is_nil(v)
    cancel()
    weft.sleep(1)
    assert.is_true(first[1])
  end)

  it('a cancel gives the tokens back', function()
    local lim = empty(1, 2)
    local ctx, cancel = context.with_cancel(background)
    local first = start(lim.wait, lim, 2, ctx)
    local second = start(lim.wait, lim, 1)
    weft.sleep(1)
    assert.is_false(second.done)
    cancel()
    util.settle()
    assert.same({ nil, 'context canceled' }, { first[1], first[2] })
    assert.is_true(second[1])
    near(1, (util.elapsed(lim.wait, lim)))
  end)

  it('one in the middle of the line that gives up lets those behind it move up', function()
    local lim, t = empty(1, 1), time.monotonic()
    local ctx, cancel = context.with_cancel(background)
    local a = start(lim.wait, lim)
    local b = start(lim.wait, lim, 1, ctx)
    local c = start(lim.wait, lim)
    cancel()
    weft.sleep(5)
    assert.same({ true, nil, true }, { a[1], b[1], c[1] })
    near(t + 1, a.at)
    near(t + 2, c.at)
  end)

  it('many that give up at once take nothing', function()
    local lim, wg = empty(1, 1), weft.sync.waitgroup()
    local ctx, cancel = context.with_cancel(background)
    local refused = 0
    for _ = 1, 200 do
      wg:go(function()
        if not lim:wait(1, ctx) then refused = refused + 1 end
      end)
    end
    util.settle()
    cancel()
    wg:wait()
    assert.equals(200, refused)
    near(1, (util.elapsed(lim.wait, lim)))
  end)

  it('one that has ended already takes nothing', function()
    local lim = rate.limiter(1, 1)
    assert.same({ nil, 'context canceled' }, { lim:wait(1, util.cancelled()) })
    assert.same({ nil, 'context canceled' }, { lim:wait(util.cancelled()) })
    assert.is_true(lim:allow())
  end)
end)

describe('rate: allow', function()
  it('takes what is there and never waits', function()
    local lim = rate.limiter(10, 2)
    assert.same({ true, true, false }, { lim:allow(), lim:allow(), lim:allow() })
    weft.sleep(0.1)
    assert.same({ true, false }, { lim:allow(), lim:allow() })
    weft.sleep(0.15)
    assert.is_false(lim:allow(2))
    weft.sleep(0.05)
    assert.is_true(lim:allow(2))
    assert.is_false(lim:allow(3))
  end)

  it('a third of a second is enough for one of three a second', function()
    local lim = empty(3, 1)
    for _ = 1, 50 do
      weft.sleep(1 / 3)
      assert.is_true(lim:allow())
    end
  end)

  it('overtakes nobody', function()
    local lim = empty(1, 3)
    local r = start(lim.wait, lim, 3)
    weft.sleep(2)
    assert.is_false(lim:allow())
    weft.sleep(1)
    assert.is_true(r[1])
  end)

  it('in a loop lets time pass', function()
    local lim = empty(10, 1)
    local dt = util.elapsed(function()
      repeat until lim:allow()
    end)
    assert.is_true(dt > 0.099, dt)
  end)
end)

describe('rate: reserve', function()
  it('tells how long to wait for the tokens, which are taken', function()
    local lim = rate.limiter(2, 2)
    assert.equals(0, lim:reserve(2))
    near(0.5, lim:reserve())
    near(1.5, lim:reserve(2))
    near(2, (util.elapsed(lim.wait, lim)))
  end)

  it('of more than the burst is refused with a reason', function()
    local lim = rate.limiter(1, 2)
    local delay, why = lim:reserve(3)
    assert.is_nil(delay)
    has(why, '3', 'burst', '2')
    assert.is_true(lim:allow(2))
  end)

  it('stands in line behind those who wait, and before those who come later', function()
    local lim, t = empty(1, 1), time.monotonic()
    local a, b = start(lim.wait, lim), start(lim.wait, lim)
    near(3, lim:reserve(), 'a, b and itself')
    local c = start(lim.wait, lim)
    weft.sleep(5)
    near(t + 1, a.at)
    near(t + 2, b.at)
    near(t + 4, c.at)
    near(1, (util.elapsed(function() -- two came since, but the bucket holds one
      lim:wait()
      lim:wait()
    end)))
  end)

  it('keeps its tokens when those before it give up', function()
    local lim = empty(1, 1)
    local ctx, cancel = context.with_cancel(background)
    start(lim.wait, lim, 1, ctx)
    near(2, lim:reserve())
    cancel()
    util.settle()
    near(2, (util.elapsed(lim.wait, lim)))
  end)
end)

describe('rate in a task with a context of its own', function()
  it('wait raises when that ends, and has taken nothing', function()
    local lim = empty(1, 1)
    local ctx = context.with_timeout(background, 0.5)
    local dt, ok, err = util.elapsed(pcall, context.run, ctx, lim.wait, lim)
    near(0.5, dt)
    assert.is_false(ok)
    has(err, 'context deadline exceeded')
    near(0.5, (util.elapsed(lim.wait, lim)))
  end)
end)

describe('rate: misuse', function()
  it('raises at the caller\'s line', function()
    for _, r in ipairs { 0, -1, 0 / 0, 'x' } do
      raises(function() rate.limiter(r, 1) end, "bad argument #1 to 'limiter' (number > 0 expe")
    end
    for _, b in ipairs { 0, -1, 0.5, 0 / 0, math.huge, 'x' } do
      raises(function() rate.limiter(1, b) end, "bad argument #2 to 'limiter' (integer >= 1 ex")
    end
    raises(function() rate.limiter() end, "bad argument #1 to 'limiter'")
    raises(function() rate.limiter(1) end, "bad argument #2 to 'limiter'")
    local lim = rate.limiter(1, 5)
    for _, name in ipairs { 'wait', 'allow', 'reserve' } do
      local method = lim[name]
      for _, n in ipairs { 0, -1, 1.5, 0 / 0, 'x' } do
        raises(function() method(lim, n) end, "bad argument #1 to '" .. name .. "' (integer")
      end
      raises(function() method(5) end, "calling '" .. name .. "' on bad self (limiter expected")
    end
    raises(function() lim:wait(1, 5) end, "bad argument #2 to 'wait' (context expected, got num")
    assert.is_true(lim:allow(5))
  end)

  it('wait where it cannot wait raises, and takes nothing', function()
    local lim = empty(1, 1)
    local ok, err = pcall(table.sort, { 2, 1 }, function() lim:wait() end)
    assert.is_false(ok)
    has(err, 'wait')
    near(1, (util.elapsed(lim.wait, lim)))
  end)

  it('is a field of weft and a module', function()
    assert.equals(require 'weft.rate', rate)
  end)
end)

describe('rate over cores', function()
  it('works there as here, but a limiter is of one VM', function()
    local lim = rate.limiter(1, 1)
    raises(function() weft.spawn(function() return lim end) end, "'spawn': upvalue 'lim'")
    local first, second, dt = weft.parallel(function()
      local own = require 'weft'
      local limiter, t = own.rate.limiter(2, 1), own.time.monotonic()
      local one, two = limiter:wait(), limiter:wait()
      return one, two, own.time.monotonic() - t
    end):await()
    assert.same({ true, true }, { first, second })
    near(0.5, dt)
  end)
end)
