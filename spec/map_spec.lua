-- SPDX-License-Identifier: MIT
-- weft.map: order, limits, failures, contexts.

local weft = require 'weft'
local util = require 'support.util'
local context = weft.context
local raises, has = util.raises, util.has

local function numbers(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

-- Counts how many calls run at once; body(item, i) sleeps as long as it likes.
local function gauge(body)
  local g = { now = 0, peak = 0, calls = 0 }
  function g.fn(item, i)
    g.now, g.calls = g.now + 1, g.calls + 1
    g.peak = math.max(g.peak, g.now)
    local v, err = body(item, i)
    g.now = g.now - 1
    return v, err
  end
  return g
end

describe('map', function()
  it('gives the results in order, with their number', function()
    local out = weft.map({ 'a', 'b', 'c' }, function(v, i) return v .. i end)
    assert.same({ n = 3, 'a1', 'b2', 'c3' }, out)
  end)

  it('keeps the order whatever the calls take', function()
    local dt, out = util.elapsed(weft.map, { 3, 1, 2 }, function(s)
      weft.sleep(s)
      return s * 10
    end)
    util.near(3, dt)
    assert.same({ n = 3, 30, 10, 20 }, out)
  end)

  it('of nothing is nothing', function()
    assert.same({ n = 0 }, weft.map({}, error))
  end)

  it('keeps the places of nil results, and false', function()
    local out = weft.map({ 1, 2, 3, 4 }, function(v)
      if v == 2 or v == 4 then return nil end
      if v == 3 then return false end
      return v
    end)
    assert.same({ n = 4, 1, nil, false, nil }, out)
    assert.equals(4, out.n)
  end)

  it('keeps the first result of each call', function()
    assert.same({ n = 2, 1, 2 }, weft.map({ 1, 2 }, function(v) return v, 'more' end))
  end)

  it('does not touch the list', function()
    local list = numbers(5)
    weft.map(list, function(v) return -v end)
    assert.same(numbers(5), list)
  end)

  it('runs at most 16 at a time', function()
    local g = gauge(function() weft.sleep(1) end)
    local dt = util.elapsed(weft.map, numbers(40), g.fn)
    util.near(3, dt)
    assert.same({ 16, 40, 0 }, { g.peak, g.calls, g.now })
  end)

  it('runs at most `limit` at a time', function()
    for limit, time in pairs { 12, 6, 4, [12] = 1, [100] = 1 } do
      local g = gauge(function() weft.sleep(1) end)
      local dt = util.elapsed(weft.map, numbers(12), g.fn, { limit = limit })
      util.near(time, dt)
      assert.same({ math.min(limit, 12), 12 }, { g.peak, g.calls })
    end
  end)

  it('starts the next as soon as one ends', function()
    local function sleeps(s) weft.sleep(s) end
    local dt = util.elapsed(weft.map, { 5, 1, 1, 1, 1, 1 }, sleeps, { limit = 2 })
    util.near(5, dt)
  end)

  it('runs in tasks of this VM', function()
    local ids, n = {}, 0
    weft.map(numbers(3), function()
      ids[weft.id()] = true
      weft.sleep(1)
    end)
    for _ in pairs(ids) do n = n + 1 end
    assert.equals(3, n)
    assert.is_nil(ids[weft.id()])
  end)

  it('leaves no task behind', function()
    local n = weft.ntasks()
    weft.map(numbers(100), function() weft.yield() end)
    assert.equals(n, weft.ntasks())
  end)

  it('may be nested', function()
    local out = weft.map({ 1, 2, 3 }, function(v)
      local inner = weft.map(numbers(v), function(w)
        weft.sleep(1)
        return w
      end)
      return inner.n
    end)
    assert.same({ n = 3, 1, 2, 3 }, out)
  end)
end)

describe('map: failures', function()
  it('an error raised gives nil, the error and the place', function()
    local out, err, i = weft.map({ 'a', 'b' }, function(v)
      if v == 'b' then error 'on purpose' end
    end)
    assert.is_nil(out)
    has(err, 'on purpose')
    assert.equals(2, i)
  end)

  it('an error value is given as it is', function()
    local why = {}
    local out, err, i = weft.map({ 1 }, function() error(why) end)
    assert.same({ nil, 1 }, { out, i })
    assert.is_true(rawequal(why, err))
  end)

  it('nil and an error returned are a failure too', function()
    local why = {}
    local out, err, i = weft.map({ 1, 2, 3 }, function(v)
      if v == 3 then return nil, why end
      return v
    end)
    assert.is_nil(out)
    assert.is_true(rawequal(why, err))
    assert.equals(3, i)
    assert.same({ n = 3, nil, 'text', 1 },
      util.pack(weft.map({ 1 }, function() return nil, 'text' end)))
  end)

  it('the first in time is the one reported', function()
    local out, err, i = weft.map({ 3, 2, 1 }, function(s)
      weft.sleep(s)
      return nil, 'failed after ' .. s
    end)
    assert.same({ nil, 'failed after 1', 3 }, { out, err, i })
    weft.sleep(10)
  end)

  it('keep the rest from starting', function()
    local started = 0
    local out, err, i = weft.map(numbers(100), function(v)
      started = started + 1
      weft.sleep(1)
      if v == 2 then return nil, 'stop' end
    end, { limit = 4 })
    assert.same({ nil, 'stop', 2 }, { out, err, i })
    weft.sleep(10)
    assert.is_true(started <= 8, started .. ' were started')
  end)

  it('of others after the first are no panic', function()
    weft.map(numbers(5), function(v)
      weft.sleep(v)
      error('failed ' .. v)
    end)
    weft.sleep(10)
    assert.same({}, util.take_panics())
  end)
end)

describe('map: contexts', function()
  it('a cancel gives nil and the reason, and keeps the rest from starting', function()
    local ctx = context.with_timeout(context.background(), 2.5)
    local started = 0
    local dt, out, err = util.elapsed(weft.map, numbers(100), function()
      started = started + 1
      weft.sleep(1, ctx)
    end, { limit = 2, ctx = ctx })
    util.near(2.5, dt)
    assert.same({ nil, 'context deadline exceeded' }, { out, err })
    weft.sleep(10)
    assert.equals(6, started)
  end)

  it('a cancel keeps the rest from starting also where the calls wake before map does', function()
    local parent = context.with_timeout(context.background(), 2.5)
    local ctx = context.with_cancel(parent)
    local started = 0
    local out, err = weft.map(numbers(100), function()
      started = started + 1
      weft.sleep(1, parent)
    end, { limit = 2, ctx = ctx })
    assert.same({ nil, 'context deadline exceeded' }, { out, err })
    weft.sleep(10)
    assert.equals(6, started)
  end)

  it('one that is cancelled already starts nothing', function()
    local out, err = weft.map({ 1, 2 }, function() error 'no call expected' end,
      { ctx = util.cancelled() })
    assert.same({ nil, 'context canceled' }, { out, err })
    weft.sleep(1)
    assert.same({}, util.take_panics())
  end)

  it('one that stays alive changes nothing', function()
    local ctx, cancel = context.with_cancel(context.background())
    assert.same({ n = 1, 2 }, weft.map({ 1 }, function(v) return v + 1 end, { ctx = ctx }))
    cancel()
  end)
end)

describe('map: misuse', function()
  it('raises at the caller\'s line and starts nothing', function()
    local n = weft.ntasks()
    raises(function() weft.map() end, "bad argument #1 to 'map' (table expected, got n")
    raises(function() weft.map(5, print) end, "bad argument #1 to 'map' (table expected, got ")
    raises(function() weft.map({}) end, "bad argument #2 to 'map' (function expected, got n")
    raises(function() weft.map({}, 'f') end, "bad argument #2 to 'map' (function expected, got s")
    raises(function() weft.map({ 1 }, print, 5) end, "bad argument #3 to 'map' (table")
    for _, limit in ipairs { 0, -1, 1.5, 'x' } do
      local function call() weft.map({ 1 }, print, { limit = limit }) end
      raises(call, 'map', 'limit', 'expected, got')
    end
    raises(function() weft.map({ 1 }, print, { ctx = 5 }) end, 'map', 'ctx', 'got number')
    assert.equals(n, weft.ntasks())
  end)
end)
