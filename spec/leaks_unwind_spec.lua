-- SPDX-License-Identifier: MIT
-- What a reclaimed task leaves undone in weft's own functions is done for it.
-- Subject: runtime/task/unwind.c

local weft = require 'weft'
local util = require 'support.util'
local leaks = require 'support.leaks'
local proc = require 'support.proc'
local sync, settle, has = weft.sync, util.settle, util.has

local function for_ever() weft.chan():recv() end

-- Reclaims the one leaked task, and lets all go on that can.
local function reclaim(n)
  local told = leaks.reclaim()
  settle()
  assert.equals(n or 1, #told)
  return told
end

local function cross(object)
  weft.spawn(function(o) return o end, object)
  settle()
  return object
end

-- The forms of an object: as it is in one VM, and when it has crossed.
local function each_form(make, fn)
  fn(make())
  fn(cross(make()))
end

describe('the lock of a reclaimed task', function()
  local function freed(make, with, try, unlock)
    each_form(make, function(lock)
      leaks.park(function() lock[with](lock, for_ever) end)
      assert.is_false(lock[try](lock))
      local got
      local waits = with == 'rwith' and 'lock' or with
      weft.go(function()
        if waits == 'lock' then lock:lock() else lock[waits](lock, function() end) end
        got = true
      end)
      settle()
      assert.is_nil(got)
      reclaim()
      assert.is_true(got)
      if waits == 'lock' then lock:unlock() end
      assert.is_true(lock[try](lock))
      lock[unlock](lock)
    end)
  end

  it('is given back: mutex:with', function() freed(sync.mutex, 'with', 'try_lock', 'unlock') end)

  it('is given back: rwmutex:with', function()
    freed(sync.rwmutex, 'with', 'try_lock', 'unlock')
  end)

  it('is given back: rwmutex:rwith', function()
    freed(sync.rwmutex, 'rwith', 'try_lock', 'unlock')
  end)

  it('is given back: semaphore:with', function()
    freed(function() return sync.semaphore(1) end, 'with', 'try_acquire', 'release')
  end)

  it('is given back from within coroutines, after loops that were compiled', function()
    local m, other = sync.mutex(), sync.mutex()
    for _ = 1, 200 do m:with(function() other:with(function() end) end) end
    leaks.park(function()
      local co = coroutine.wrap(function()
        m:with(function()
          coroutine.wrap(function() other:with(for_ever) end)()
        end)
      end)
      co()
    end)
    assert.same({ false, false }, { m:try_lock(), other:try_lock() })
    reclaim()
    assert.same({ true, true }, { m:try_lock(), other:try_lock() })
  end)

  it('is not touched by one that waits for it', function()
    local r = proc.run([[
      local weft = require 'weft'
      local kept = {}
      local function start(make, lock)
        weft.go(function()
          local mine = make()
          weft.defer(function() kept[#kept + 1] = mine end)
          mine[lock](mine)
          weft.go(function() mine:with(print, 'got it') end)
          weft.chan():recv()
        end)
      end
      start(weft.sync.mutex, 'lock')
      start(weft.sync.rwmutex, 'lock')
      start(function() return weft.sync.semaphore(1) end, 'acquire')
      weft.sleep(0.01)
      print(#weft.leaks { reclaim = true })
      weft.sleep(0.01)
      for _, m in ipairs(kept) do print((m.try_lock or m.try_acquire)(m)) end
    ]], { virtual = true })
    assert.same({ 0, '6\nfalse\nfalse\nfalse\n', '' }, { r.status, r.out, r.err })
  end)

  it('is given back before deferred calls run, those of an errgroup too', function()
    local outer, inner, log = sync.mutex(), sync.mutex(), {}
    local function hold()
      weft.defer(function() log[#log + 1] = outer:try_lock() and inner:try_lock() end)
      outer:with(function() inner:with(for_ever) end)
    end
    leaks.park(hold)
    reclaim()
    assert.same({ true }, log)
    outer:unlock()
    inner:unlock()
    local g = weft.errgroup.new()
    g:go(hold)
    settle()
    reclaim()
    assert.same({ true, true }, log)
  end)

  it('is given back by a deferred call that holds it, and the others run', function()
    local m, log = sync.mutex(), {}
    leaks.park(function()
      weft.defer(function() log[#log + 1] = 'last' end)
      weft.defer(function() m:with(for_ever) end)
      weft.defer(function() log[#log + 1] = 'first' end)
    end)
    assert.is_false(m:try_lock())
    reclaim()
    assert.is_true(m:try_lock())
    assert.same({ 'first', 'last' }, log)
  end)
end)

describe('a once', function()
  it('has been done when the task that ran its function is reclaimed', function()
    each_form(sync.once, function(once)
      leaks.park(function() once:call(for_ever) end)
      local result
      weft.go(function() result = once:call(error, 'not called') end)
      settle()
      assert.is_nil(result)
      reclaim()
      assert.is_true(result)
    end)
  end)

  it('that keeps a value gives the error to everybody', function()
    local value = sync.once_value(for_ever)
    leaks.park(function() value() end)
    local err
    weft.go(function() err = select(2, pcall(value)) end)
    settle()
    assert.is_nil(err)
    local told = reclaim()
    has(err, ('task %d was reclaimed'):format(told[1].id))
    has(select(2, pcall(value)), 'was reclaimed')
  end)
end)

local function defer_slowly(log)
  weft.defer(function()
    weft.sleep(1)
    log[1] = 'deferred'
  end)
end

describe('an errgroup', function()
  it('counts a reclaimed task as failed, after its deferred calls', function()
    local g, ctx = weft.errgroup.with_context(weft.context.background())
    local log = {}
    g:go(function()
      defer_slowly(log)
      for_ever()
    end)
    weft.go(function()
      local ok, err = g:wait()
      log[2] = { ok, err }
    end)
    settle()
    local told = reclaim()
    weft.sleep(2)
    assert.equals('deferred', log[1])
    assert.is_nil(log[2][1])
    has(log[2][2], ('task %d was reclaimed: nothing could wake it'):format(told[1].id))
    assert.equals(log[2][2], ctx:cause())
  end)

  it('counts a task off that is reclaimed among its deferred calls', function()
    local g = weft.errgroup.new()
    local log = {}
    g:go(function()
      defer_slowly(log)
      weft.defer(for_ever)
      return true
    end)
    weft.go(function() log[2] = g:wait() end)
    settle()
    reclaim()
    assert.is_nil(log[2])
    weft.sleep(2)
    assert.same({ 'deferred', true }, log)
  end)

  it('gives the place of a reclaimed task to the next', function()
    local g = weft.errgroup.new()
    g:set_limit(1)
    g:go(for_ever)
    settle()
    local ran
    weft.go(function() g:go(function() ran = true end) end)
    settle()
    assert.is_nil(ran)
    reclaim()
    assert.is_true(ran)
    has(select(2, g:wait()), 'was reclaimed')
    assert.is_true(g:try_go(function() return true end))
    settle()
  end)
end)

describe('others who rely on a reclaimed task', function()
  it('of singleflight get its error, and the next one calls', function()
    local flights, err = weft.singleflight.new(), nil
    leaks.park(function() flights:call('key', for_ever) end)
    weft.go(function() err = select(2, pcall(flights.call, flights, 'key', error)) end)
    settle()
    assert.is_nil(err)
    reclaim()
    has(err, 'was reclaimed')
    assert.equals('anew', (flights:call('key', function() return 'anew' end)))
  end)

  it('of map get its error', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.go(function()
        weft.sleep(1)
        print(#weft.leaks { reclaim = true })
      end)
      local function fn(v)
        if v == 'b' then weft.chan():recv() end
        return v
      end
      print(weft.map({ 'a', 'b', 'c' }, fn, { limit = 2 }))
    ]], { virtual = true })
    assert.equals('', r.err)
    has(r.out, '2\n', 'nil\ttask ', 'was reclaimed: nothing could wake it', '\t2\n')
  end)
end)

it('a clean-up that fails is logged', function()
  local r = proc.run([[
    local weft = require 'weft'
    local m = weft.sync.mutex()
    weft.go(function()
      m:with(function()
        m:unlock()
        weft.chan():recv()
      end)
    end)
    weft.sleep(0.01)
    weft.leaks { reclaim = true }
    weft.sleep(0.01)
    print(weft.ntasks(), m:try_lock())
  ]], { virtual = true })
  assert.same({ 0, '1\ttrue\n' }, { r.status, r.out })
  has(r.err, 'weft: clean-up of a reclaimed task failed:', 'unlock of unlocked mutex')
end)
