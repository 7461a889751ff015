-- SPDX-License-Identifier: MIT
-- What a task's own context (context.run) does to its waits in objects of weft.sync, local and
-- shared: they raise, and have had no effect.
-- Subject: lua/weft/internal/sync/gate.lua lua/weft/internal/sync/cond.lua

local weft = require 'weft'
local util = require 'support.util'
local context, sync = weft.context, weft.sync
local settle, start, has = util.settle, util.start, util.has

local CANCELED = 'context canceled'

local function share(o)
  weft.parallel(function() return o ~= nil end):await()
  return o
end

-- A task that runs fn(...) under a context of its own; what ends that.
local function stoppable(fn, ...)
  local ctx, cancel = context.with_cancel(context.background())
  return start(context.run, ctx, fn, ...), cancel
end

for form, make in pairs { ['local'] = function(o) return o end, ['shared'] = share } do
  describe(form .. ' sync objects under a task\'s own context', function()
    it('raise for a wait that it ends', function()
      local m, rw, s, wg = make(sync.mutex()), make(sync.rwmutex()), make(sync.semaphore(1)),
        make(sync.waitgroup())
      m:lock()
      rw:lock()
      s:acquire()
      wg:add(1)
      for _, wait in ipairs {
        function() m:lock() end, function() rw:lock() end, function() rw:rlock() end,
        function() s:acquire() end, function() wg:wait() end, function() m:with(print) end,
      } do
        local r, cancel = stoppable(wait)
        assert.is_false(r.done)
        cancel()
        settle()
        assert.is_false(r.ok)
        has(r.err, 'sync_context_spec.lua', CANCELED)
      end
      m:unlock()
      rw:unlock()
      s:release()
      assert.is_true(m:try_lock() and rw:try_lock() and s:try_acquire())
    end)

    it('raise where they need not wait, and take nothing', function()
      local m, rw, s = make(sync.mutex()), make(sync.rwmutex()), make(sync.semaphore(1))
      for _, take in ipairs {
        function() m:lock() end, function() rw:lock() end, function() rw:rlock() end,
        function() s:acquire() end, function() s:acquire(1) end,
      } do
        local ok, err = pcall(context.run, util.cancelled(), take)
        assert.is_false(ok)
        has(err, 'sync_context_spec.lua', CANCELED)
      end
      assert.is_true(m:try_lock() and rw:try_lock() and s:try_acquire())
    end)

    it('a writer that is stopped lets the readers behind it go on', function()
      local rw, s = make(sync.rwmutex()), make(sync.semaphore(3))
      rw:rlock()
      s:acquire()
      local writer, stop_writer = stoppable(function() rw:lock() end)
      local many, stop_many = stoppable(function() s:acquire(3) end)
      local reader, few = start(rw.rlock, rw), start(s.acquire, s)
      assert.is_false(reader.done or few.done)
      stop_writer()
      stop_many()
      settle()
      assert.is_false(writer.ok or many.ok)
      assert.is_true(reader[1] and few[1])
    end)

    it('a cond that is waited for has its mutex again', function()
      local m = make(sync.mutex())
      local c = make(sync.cond(m))
      local held
      local r, cancel = stoppable(function()
        m:lock()
        local ok, err = pcall(c.wait, c)
        held = not m:try_lock()
        m:unlock()
        if not ok then error(err, 0) end
      end)
      m:lock()
      cancel()
      settle()
      assert.is_nil(held)
      m:unlock()
      settle()
      assert.is_true(held)
      assert.is_false(r.ok)
      has(r.err, CANCELED)
      assert.is_true(m:try_lock())
    end)

    it('with waits no longer, and gives back what a function held that is stopped', function()
      for _, case in ipairs {
        { make(sync.mutex()), 'with', 'try_lock' }, { make(sync.rwmutex()), 'with', 'try_lock' },
        { make(sync.rwmutex()), 'rwith', 'try_lock' },
        { make(sync.semaphore(1)), 'with', 'try_acquire', 'release' },
      } do
        local o, with, try, free = unpack(case)
        local held, cancel = stoppable(o[with], o, weft.sleep, 1e6)
        local stopped, stop = stoppable(o[with == 'rwith' and 'with' or with], o, error)
        assert.is_false(o[try](o))
        stop()
        settle()
        assert.same({ true, false, false }, { stopped.done, stopped.ok, held.done })
        has(stopped.err, CANCELED)
        cancel()
        settle()
        assert.same({ true, false }, { held.done, held.ok })
        has(held.err, CANCELED)
        assert.is_true(o[try](o))
        o[free or 'unlock'](o)
      end
    end)

    it('a once goes on without who is stopped as it waits', function()
      local o, gate = make(sync.once()), weft.chan()
      local v = make(sync.once_value(function() return (gate:recv()) end))
      local f = make(sync.once_func(function() gate:recv() end))
      for _, call in ipairs {
        function() return o:call(function() gate:recv() end) end, v, f,
      } do
        local runner = start(call)
        local stopped, cancel = stoppable(call)
        local other = start(call)
        cancel()
        settle()
        assert.same({ true, false }, { stopped.done, stopped.ok })
        has(stopped.err, CANCELED)
        assert.is_false(runner.done or other.done)
        gate:send(true)
        settle()
        assert.is_true(runner[1] and other[1])
        assert.is_true((call()))
      end
    end)

    it('a once whose function is stopped has been done; the others go on', function()
      local o = make(sync.once())
      local r, cancel = stoppable(o.call, o, weft.sleep, 1e6)
      local other = start(o.call, o, error)
      assert.is_false(other.done)
      cancel()
      settle()
      assert.is_false(r.ok)
      has(r.err, CANCELED)
      assert.is_true(other[1])
      assert.is_true(o:call(error))
    end)

    it('a context that is given wins', function()
      local m, rw = make(sync.mutex()), make(sync.rwmutex())
      local ok, locked, rlocked = pcall(context.run, util.cancelled(), function()
        local all = context.background()
        return m:lock(all), rw:rlock(all)
      end)
      assert.same({ true, true, true }, { ok, locked, rlocked })
      m:unlock()
      rw:runlock()
    end)
  end)
end
