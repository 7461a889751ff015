-- SPDX-License-Identifier: MIT
-- weft.sync: mutexes.
-- Subject: lua/weft/internal/sync/mutex.lua

local weft = require 'weft'
local util = require 'support.util'
local context, sync = weft.context, weft.sync
local settle, start, raises, has, near = util.settle, util.start, util.raises, util.has, util.near

-- What a program says that ends in a deadlock on the mutex `m`; its lines begin with the third.
local function deadlock(code)
  local r = require 'support.proc'.run([[
      local weft = require 'weft'
      local m = weft.name(weft.sync.mutex(), 'the ledger')
]] .. code)
  assert.equals(2, r.status)
  has(r.err, 'deadlock', 'mutex on the ledger')
  return r.err
end

describe('mutex', function()
  it('is held by one at a time', function()
    local m, inside, broken, wg = sync.mutex(), 0, 0, sync.waitgroup()
    for _ = 1, 10 do
      wg:go(function()
        for _ = 1, 20 do
          m:lock()
          inside = inside + 1
          if inside ~= 1 then broken = broken + 1 end
          weft.yield()
          inside = inside - 1
          m:unlock()
        end
      end)
    end
    wg:wait()
    assert.equals(0, broken)
  end)

  it('lock gives true, try_lock true or false', function()
    local m = sync.mutex()
    assert.is_true(m:lock())
    assert.is_false(m:try_lock())
    m:unlock()
    assert.is_true(m:try_lock())
    assert.is_false(m:try_lock())
    m:unlock()
  end)

  it('lock waits for unlock', function()
    local m = sync.mutex()
    m:lock()
    weft.go(function()
      weft.sleep(2)
      m:unlock()
    end)
    local dt, v = util.elapsed(m.lock, m)
    near(2, dt)
    assert.is_true(v)
    m:unlock()
  end)

  it('unlock raises when it is not locked, and nothing changes', function()
    local m = sync.mutex()
    raises(function() m:unlock() end, 'unlock')
    m:lock()
    m:unlock()
    raises(function() m:unlock() end, 'unlock')
    assert.is_true(m:try_lock())
    m:unlock()
  end)

  it('may be unlocked by another task', function()
    local m = sync.mutex()
    m:lock()
    start(m.unlock, m)
    assert.is_true(m:try_lock())
    m:unlock()
  end)

  it('is served first in, first out', function()
    local m, log = sync.mutex(), {}
    m:lock()
    for i = 1, 5 do
      start(function()
        m:lock()
        log[#log + 1] = i
        weft.sleep(1)
        m:unlock()
      end)
    end
    m:unlock()
    weft.sleep(10)
    assert.same({ 1, 2, 3, 4, 5 }, log)
  end)

  it('nobody overtakes a waiter, try_lock included', function()
    local m, log = sync.mutex(), {}
    m:lock()
    local r = start(function()
      m:lock()
      log[#log + 1] = 'waiter'
      weft.sleep(1)
      m:unlock()
    end)
    m:unlock()
    assert.is_false(m:try_lock())
    m:lock()
    log[#log + 1] = 'late comer'
    m:unlock()
    assert.same({ 'waiter', 'late comer' }, log)
    settle()
    assert.is_true(r.done)
  end)

  it('lock stops for its context, and has no effect', function()
    local m = sync.mutex()
    m:lock()
    local ctx = context.with_timeout(context.background(), 2)
    local dt, v, err = util.elapsed(m.lock, m, ctx)
    near(2, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    m:unlock()
    assert.same({ nil, 'context deadline exceeded' }, { m:lock(ctx) })
    assert.is_true(m:try_lock())
    m:unlock()
  end)

  it('one that gives up lets those behind it go on', function()
    local m = sync.mutex()
    m:lock()
    local ctx, cancel = context.with_cancel(context.background())
    local first, second = start(m.lock, m, ctx), start(m.lock, m)
    cancel()
    settle()
    assert.same({ true, nil, 'context canceled' }, { first.done, first[1], first[2] })
    assert.is_false(second.done)
    m:unlock()
    settle()
    assert.is_true(second[1])
    m:unlock()
    assert.is_true(m:try_lock())
    m:unlock()
  end)

  it('a lock that was handed over before the cancel is held', function()
    local m = sync.mutex()
    m:lock()
    local ctx, cancel = context.with_cancel(context.background())
    local r = start(m.lock, m, ctx)
    m:unlock()
    cancel()
    settle()
    assert.is_true(r[1])
    assert.is_false(m:try_lock())
    m:unlock()
    assert.is_true(m:try_lock())
    m:unlock()
  end)
end)

describe('mutex: misuse', function()
  it('raises for a bad self and bad arguments', function()
    local m = sync.mutex()
    raises(function() m.lock() end, 'lock', 'mutex expected', 'm:lock(...)')
    raises(function() m.try_lock({}) end, 'try_lock', 'mutex expected')
    raises(function() m.unlock(sync.waitgroup()) end, 'unlock', 'mutex expected')
    raises(function() m.with(1, print) end, 'with', 'mutex expected')
    raises(function() m:with() end, 'with', 'function')
    raises(function() m:lock(1) end, 'lock', 'context')
    assert.is_true(m:try_lock())
    m:unlock()
  end)

  it('that takes it apart is an error, and no crash', function()
    local m = sync.mutex()
    m[0] = nil
    m[1] = 1
    raises(function() m:lock() end, 'overwritten')
    m = sync.mutex()
    m[1] = 'x'
    raises(function() weft.spawn(print, m) end, 'overwritten')
    m = sync.mutex()
    assert.is_true(m:lock())
    weft.parallel(function() return m:try_lock() end):await()
    m[0] = sync.waitgroup()[0]
    raises(function() m:unlock() end, 'overwritten')
  end)
end)

describe('mutex:with', function()
  it('runs the function while it holds the lock, and gives its results', function()
    local m = sync.mutex()
    local held
    local got = util.pack(m:with(function(...)
      held = not m:try_lock()
      return select('#', ...), nil, ...
    end, 'a', nil))
    assert.is_true(held)
    assert.same({ n = 4, 2, nil, 'a', nil }, got)
    assert.is_true(m:try_lock())
    m:unlock()
  end)

  it('unlocks on an error, and raises what was raised', function()
    local m, why = sync.mutex(), {}
    local ok, err = pcall(m.with, m, function() error(why) end)
    assert.is_false(ok)
    assert.is_true(rawequal(why, err))
    ok, err = pcall(function() m:with(function() error 'on purpose' end) end)
    assert.is_false(ok)
    has(err, 'sync_mutex_spec.lua:', 'on purpose')
    assert.is_true(m:try_lock())
    m:unlock()
  end)

  it('waits for the lock, and the function may block', function()
    local m, log, wg = sync.mutex(), {}, sync.waitgroup()
    for i = 1, 3 do
      wg:go(function()
        m:with(function()
          log[#log + 1] = i
          weft.sleep(1)
          log[#log + 1] = i
        end)
      end)
    end
    near(3, (util.elapsed(wg.wait, wg)))
    assert.equals(6, #log)
    for i = 1, 6, 2 do assert.equals(log[i], log[i + 1]) end
  end)

  it('unlocks also when the function blocked and then failed', function()
    local m = sync.mutex()
    local r = start(function()
      m:with(function()
        weft.sleep(1)
        error 'on purpose'
      end)
    end)
    assert.is_false(m:try_lock())
    weft.sleep(2)
    assert.is_false(r.ok)
    has(r.err, 'on purpose')
    assert.is_true(m:try_lock())
    m:unlock()
  end)

  it('lets a coroutine inside yield out of it and come back', function()
    local m = sync.mutex()
    local gen = coroutine.wrap(function()
      m:with(function()
        coroutine.yield 'inside'
        weft.sleep(1)
        coroutine.yield 'still'
      end)
      return 'outside'
    end)
    assert.equals('inside', gen())
    assert.is_false(m:try_lock())
    assert.equals('still', gen())
    assert.equals('outside', gen())
    assert.is_true(m:try_lock())
    m:unlock()
  end)
end)

describe('mutex: reports say who holds it', function()
  -- Unlocks for the one who waits, and then for that one, which has ended with it.
  local function pass_on(m, waiter)
    m:unlock()
    settle()
    assert.is_true(waiter[1])
    m:unlock()
  end

  it('when that task has ended, and where it was locked first', function()
    local m = sync.mutex()
    local r = start(function() m:lock() end)
    local at = util.here(-1)
    local waiter = start(m.lock, m)
    has(weft.stacks(), ('held by task %d, which has ended; first locked at %s\n'):format(r.id, at))
    assert.equals(r.id, util.task(waiter.id).holder)
    pass_on(m, waiter)
  end)

  it('when the lock was handed over, and the very line', function()
    local m, go_on = sync.mutex(), weft.chan()
    m:lock()
    local r = start(function()
      m:lock()
      go_on:recv()
      m:unlock()
    end)
    local at = util.here(-4)
    local waiter = start(m.lock, m)
    has(weft.stacks(), ('held by task %d; first locked at '):format(weft.id()))
    m:unlock()
    settle()
    has(weft.stacks(), ('held by task %d; locked at %s\n'):format(r.id, at))
    go_on:send(true)
    settle()
    assert.is_true(waiter[1])
    m:unlock()
  end)

  it('who has it now, not who had it before', function()
    local m = sync.mutex()
    start(function()
      m:lock()
      m:unlock()
    end)
    m:lock()
    local waiter = start(m.lock, m)
    assert.equals(weft.id(), util.task(waiter.id).holder)
    m:unlock()
    settle()
    m:unlock()
    assert.is_true(m:try_lock())
    waiter = start(m.lock, m)
    assert.equals(weft.id(), util.task(waiter.id).holder)
    m:unlock()
    settle()
    m:unlock()
  end)

  it('also when it has crossed: the first line anywhere, or the very one of who waited', function()
    local m = sync.mutex()
    local at = weft.parallel(function() return m:try_lock() and m:unlock() end):await() == nil
      and util.here(-1)
    local r = start(function() m:lock() end)
    local waiter = start(function() m:lock() end)
    local waited_at = util.here(-1)
    has(weft.stacks(), ('held by task %d, which has ended; first locked at %s\n'):format(r.id, at))
    m:unlock()
    settle()
    local last = start(m.lock, m)
    assert.equals(waiter.id, util.task(last.id).holder)
    has(weft.stacks(), ('held by task %d, which has ended; locked at %s\n'):format(waiter.id,
      waited_at))
    m:unlock()
    settle()
    m:unlock()
  end)

  local function cross(m) weft.parallel(function() return m ~= nil end):await() end

  it('when it crosses while it is locked', function()
    local m = sync.mutex()
    local r = start(function() m:lock() end)
    local at = util.here(-1)
    local waiter = start(function() m:lock() end)
    local waited_at = util.here(-1)
    cross(m)
    has(weft.stacks(), ('held by task %d, which has ended; first locked at %s\n'):format(r.id, at))
    local last = start(m.lock, m)
    m:unlock()
    settle()
    has(weft.stacks(), ('held by task %d, which has ended; locked at %s\n'):format(waiter.id,
      waited_at))
    pass_on(m, last)
  end)

  it('when it crosses after it was handed over', function()
    local m = sync.mutex()
    m:lock()
    local r = start(function() m:lock() end)
    local at = util.here(-1)
    local waiter = start(m.lock, m)
    m:unlock()
    settle()
    cross(m)
    has(weft.stacks(), ('held by task %d, which has ended; locked at %s\n'):format(r.id, at))
    pass_on(m, waiter)
  end)

  it('and a place that a script has written over is none', function()
    for _, place in ipairs { 1e6, -1, 0 / 0, 'x', {} } do
      local m = sync.mutex()
      start(function() m:lock() end)
      rawset(m, 3, place)
      local waiter = start(m.lock, m)
      has(weft.stacks(), 'which has ended\n')
      cross(m)
      has(weft.stacks(), 'which has ended\n')
      pass_on(m, waiter)
    end
  end)

  it('and a task that a script has written over is none', function()
    for _, task in ipairs { 1e300, -1, 0 / 0, 1 / 0 } do
      local m = sync.mutex()
      start(function() m:lock() end)
      rawset(m, 2, task)
      local waiter = start(m.lock, m)
      assert.is_nil(weft.stacks():find('held by', 1, true))
      raises(function() weft.spawn(function() return m end) end, 'insides of a sync object were')
      pass_on(m, waiter)
    end
  end)

  it('in the deadlock that comes of it', function()
    has(deadlock [[
      weft.async(function() m:lock() end):await()
      m:lock()
    ]], ':3\n', 'held by task 2, which has ended; first locked at')
  end)
end)

describe('sync objects', function()
  it('are all different', function()
    assert.are_not.equal(sync.mutex(), sync.mutex())
    assert.are_not.equal(sync.waitgroup(), sync.waitgroup())
  end)

  it('have labels', function()
    local m = sync.mutex()
    assert.equals(m, weft.name(m, 'label'))
  end)
end)

describe('mutex: a deadlock', function()
  it('names the task that failed under pcall, and where it locked', function()
    has(deadlock [[
      pcall(function()
        m:lock()
        error 'broken'
      end)
      weft.async(function() m:lock() end):await()
    ]], 'held by task 1; first locked at', ':4\n')
  end)

  it('names the holder also when the mutex has crossed', function()
    has(deadlock [[
      weft.parallel(function() m:lock() end):await()
      m:lock()
    ]], ':3\n', 'held by task 2, which has ended; first locked at')
  end)
end)

describe('locks over cores', function()
  local function waiting(state)
    local n = 0
    for _, t in ipairs(weft.tasks()) do
      if t.state == state then n = n + 1 end
    end
    return n
  end

  for state, case in pairs {
    mutex = { sync.mutex, 'lock', 'try_lock', 'unlock' },
    rwmutex = { sync.rwmutex, 'lock', 'try_lock', 'unlock' },
    semaphore = { function() return sync.semaphore(1) end, 'acquire', 'try_acquire', 'release' },
  } do
    it('are served first in, first out, wherever who waits is: ' .. state, function()
      local make, take, try, give = unpack(case)
      local o, log, futures = make(), weft.chan(5), {}
      o[take](o)
      local function queue_up(i)
        o[take](o)
        log:send(i)
        o[give](o)
      end
      for i = 1, 4 do
        futures[i] = (i % 2 == 1 and weft.parallel or weft.async)(queue_up, i)
        while waiting(state) < i do weft.sleep(0.001) end
      end
      o[give](o)
      assert.is_false(o[try](o))
      queue_up(5)
      for i = 1, 5 do assert.equals(i, log:recv()) end
      for i = 1, 4 do futures[i]:await() end
    end)
  end
end)
