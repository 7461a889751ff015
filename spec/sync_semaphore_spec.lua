-- SPDX-License-Identifier: MIT
-- weft.sync: semaphores.
-- Subject: lua/weft/internal/sync/semaphore.lua lua/weft/internal/sync/gate.lua

local weft = require 'weft'
local util = require 'support.util'
local context, sync = weft.context, weft.sync
local settle, start, raises, near = util.settle, util.start, util.raises, util.near

-- All n units are free, and nobody waits.
local function is_free(s, n)
  assert.is_true(s:try_acquire(n))
  s:release(n)
end

describe('semaphore', function()
  it('is held by at most n', function()
    local s, inside, most, wg = sync.semaphore(3), 0, 0, sync.waitgroup()
    for _ = 1, 10 do
      wg:go(function()
        for _ = 1, 10 do
          s:acquire()
          inside = inside + 1
          most = math.max(most, inside)
          weft.sleep(1)
          inside = inside - 1
          s:release()
        end
      end)
    end
    wg:wait()
    assert.equals(3, most)
    is_free(s, 3)
  end)

  it('acquire gives true, try_acquire true or false', function()
    local s = sync.semaphore(3)
    assert.is_true(s:acquire())
    assert.is_true(s:acquire(2))
    assert.is_false(s:try_acquire())
    s:release(2)
    assert.is_false(s:try_acquire(3))
    assert.is_true(s:try_acquire(2))
    s:release(3)
    is_free(s, 3)
  end)

  it('who wants many is not overtaken by those who want few', function()
    local s, log = sync.semaphore(3), {}
    s:acquire(2)
    local function take(k)
      return start(function()
        s:acquire(k)
        log[#log + 1] = k or 1
      end)
    end
    local many = take(3)
    local few = take()
    assert.is_false(s:try_acquire())
    s:release()
    settle()
    assert.is_false(many.done or few.done)
    s:release()
    settle()
    assert.is_true(many.done)
    assert.is_false(few.done)
    s:release(2)
    settle()
    assert.same({ 3, 1 }, log)
    s:release(2)
    is_free(s, 3)
  end)

  it('units that come free go to as many as they are enough for', function()
    local s, log = sync.semaphore(4), {}
    s:acquire(4)
    for _, k in ipairs { 1, 2, 2, 1 } do
      start(function()
        s:acquire(k)
        log[#log + 1] = k
      end)
    end
    s:release(4)
    settle()
    table.sort(log)
    assert.same({ 1, 2 }, log)  -- the third needs 2, and holds back the fourth
    s:release()
    settle()
    assert.equals(3, #log)
    s:release()
    settle()
    assert.equals(4, #log)
    s:release(4)
    is_free(s, 4)
  end)

  it('acquire stops for its context, with or without a count, and has no effect', function()
    local s = sync.semaphore(2)
    s:acquire(2)
    local function timeout() return (context.with_timeout(context.background(), 2)) end
    local function gives_up(...)
      local dt, v, err = util.elapsed(s.acquire, s, ...)
      near(2, dt)
      assert.same({ nil, 'context deadline exceeded' }, { v, err })
    end
    gives_up(timeout())
    gives_up(2, timeout())
    gives_up(nil, timeout())
    s:release(2)
    assert.same({ nil, 'context canceled' }, { s:acquire(util.cancelled()) })
    assert.same({ nil, 'context canceled' }, { s:acquire(1, util.cancelled()) })
    is_free(s, 2)
  end)

  it('one that gives up lets those behind it go on', function()
    local s = sync.semaphore(3)
    s:acquire(1)
    local ctx, cancel = context.with_cancel(context.background())
    local many = start(s.acquire, s, 3, ctx)
    local few = { start(s.acquire, s), start(s.acquire, s) }
    local last = start(s.acquire, s)
    cancel()
    settle()
    assert.same({ nil, 'context canceled' }, { many[1], many[2] })
    assert.is_true(few[1][1] and few[2][1])
    assert.is_false(last.done)
    s:release(3)
    settle()
    assert.is_true(last[1])
    s:release()
    is_free(s, 3)
  end)

  it('has forgotten who gave up', function()
    local s = sync.semaphore(1)
    s:acquire()
    local ctx, cancel = context.with_cancel(context.background())
    local r = start(s.acquire, s, ctx)
    cancel()
    settle()
    assert.is_true(r.done)
    s:release()
    assert.is_true(s:acquire())
    assert.is_false(s:try_acquire())
    s:release()
    is_free(s, 1)
  end)

  it('one that has given up holds nobody back, even before it has run again', function()
    local s = sync.semaphore(2)
    s:acquire()
    for _, name in ipairs { 'acquire', 'try_acquire' } do
      local ctx, cancel = context.with_cancel(context.background())
      local r = start(s.acquire, s, 2, ctx)
      cancel()
      assert.is_true(s[name](s))
      assert.is_false(r.done)
      s:release()
      settle()
      assert.is_true(r.done)
    end
    s:release()
    is_free(s, 2)
  end)

  it('units that were handed over before the cancel are held', function()
    local s = sync.semaphore(2)
    s:acquire(2)
    local ctx, cancel = context.with_cancel(context.background())
    local r = start(s.acquire, s, 2, ctx)
    s:release(2)
    cancel()
    settle()
    assert.is_true(r[1])
    assert.is_false(s:try_acquire())
    s:release(2)
    is_free(s, 2)
  end)

  it('with releases on errors too, and gives results', function()
    local s, why = sync.semaphore(1), {}
    local held
    local got = util.pack(s:with(function(...)
      held = not s:try_acquire()
      return select('#', ...), nil, ...
    end, 'a', nil))
    assert.is_true(held)
    assert.same({ n = 4, 2, nil, 'a', nil }, got)
    local ok, err = pcall(s.with, s, function() error(why) end)
    assert.is_false(ok)
    assert.is_true(rawequal(why, err))
    is_free(s, 1)
  end)

  it('shows what a task waits in', function()
    local s = weft.name(sync.semaphore(1), 'slots')
    s:acquire()
    local r = start(s.acquire, s)
    local t = util.task(r.id)
    assert.same({ 'semaphore', 'slots' }, { t.state, t.label })
    s:release()
    settle()
    s:release()
  end)
end)

describe('semaphore: misuse', function()
  it('raises where it is made', function()
    for _, n in ipairs { 0, -1, 1.5, 0 / 0, math.huge, '2', {} } do
      raises(function() sync.semaphore(n) end, 'semaphore', 'integer')
    end
    raises(function() sync.semaphore() end, 'semaphore', 'integer')
  end)

  it('raises for more than there is or is held, and changes nothing', function()
    local s = sync.semaphore(2)
    raises(function() s:acquire(3) end, 'acquire', '3 units', 'has 2')
    raises(function() s:try_acquire(3) end, 'try_acquire', '3 units', 'has 2')
    raises(function() s:release() end, 'release', '1 units', '0 are held')
    s:acquire()
    raises(function() s:release(2) end, 'release', '2 units', '1 are held')
    s:release()
    is_free(s, 2)
  end)

  it('raises for a bad self and bad arguments', function()
    local s = sync.semaphore(2)
    for _, name in ipairs { 'acquire', 'try_acquire', 'release', 'with' } do
      raises(function() s[name](sync.mutex()) end, name, 'semaphore expected', 's:' .. name)
    end
    for _, name in ipairs { 'acquire', 'try_acquire', 'release' } do
      for _, k in ipairs { 0, -1, 1.5, 0 / 0, '1' } do
        raises(function() s[name](s, k) end, name, 'integer >= 1')
      end
    end
    raises(function() s:with() end, 'with', 'function')
    raises(function() s:acquire(1, 1) end, 'acquire', 'context')
    raises(function() s:acquire({}) end, 'acquire', 'context')
    is_free(s, 2)
  end)
end)
