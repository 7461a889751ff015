-- SPDX-License-Identifier: MIT
-- weft.sync: rwmutexes.
-- Subject: lua/weft/internal/sync/rwmutex.lua lua/weft/internal/sync/gate.lua

local weft = require 'weft'
local util = require 'support.util'
local context, sync = weft.context, weft.sync
local settle, start, raises, has, near = util.settle, util.start, util.raises, util.has, util.near

-- Nobody has it, and nobody waits.
local function is_free(m)
  assert.is_true(m:try_lock())
  m:unlock()
end

describe('rwmutex', function()
  it('is read by many at a time, and written by one alone', function()
    local m, readers, writers, most, wg = sync.rwmutex(), 0, 0, 0, sync.waitgroup()
    for i = 1, 12 do
      wg:go(function()
        for _ = 1, 10 do
          if i % 4 == 0 then
            m:lock()
            writers = writers + 1
            assert.same({ 1, 0 }, { writers, readers })
            weft.sleep(1)
            writers = writers - 1
            m:unlock()
          else
            m:rlock()
            readers = readers + 1
            most = math.max(most, readers)
            assert.equals(0, writers)
            weft.sleep(1)
            readers = readers - 1
            m:runlock()
          end
        end
      end)
    end
    wg:wait()
    assert.is_true(most > 1)
    is_free(m)
  end)

  it('all of its locks give true; the try_ ones false where they would wait', function()
    local m = sync.rwmutex()
    assert.is_true(m:rlock())
    assert.is_true(m:try_rlock())
    assert.is_false(m:try_lock())
    m:runlock()
    m:runlock()
    assert.is_true(m:lock())
    assert.is_false(m:try_rlock())
    assert.is_false(m:try_lock())
    m:unlock()
    assert.is_true(m:try_lock())
    m:unlock()
  end)

  it('a writer that waits holds back new readers, and is not overtaken', function()
    local m, log = sync.rwmutex(), {}
    m:rlock()
    local w = start(function()
      m:lock()
      log[#log + 1] = 'writer'
      weft.sleep(1)
      m:unlock()
    end)
    assert.is_false(m:try_rlock())
    local readers = {}
    for i = 1, 3 do
      readers[i] = start(function()
        m:rlock()
        log[#log + 1] = 'reader'
        weft.sleep(1)
        m:runlock()
      end)
    end
    assert.same({}, log)
    m:runlock()
    assert.is_false(m:try_rlock())
    near(2, (util.elapsed(weft.sleep, 2)))
    settle()
    assert.same({ 'writer', 'reader', 'reader', 'reader' }, log)
    assert.is_true(w.done and readers[1].done and readers[2].done and readers[3].done)
    is_free(m)
  end)

  it('is served first in, first out', function()
    local m, log = sync.rwmutex(), {}
    m:lock()
    for i, kind in ipairs { 'r', 'r', 'w', 'r', 'w', 'w', 'r' } do
      start(function()
        if kind == 'r' then m:rlock() else m:lock() end
        log[#log + 1] = kind .. i
        weft.sleep(1)
        if kind == 'r' then m:runlock() else m:unlock() end
      end)
    end
    m:unlock()
    weft.sleep(10)
    local first = { log[1], log[2] }
    table.sort(first)  -- both readers go at once
    assert.same({ 'r1', 'r2' }, first)
    assert.same('w3 r4 w5 w6 r7', table.concat(log, ' ', 3))
  end)

  it('locks stop for their context, and have no effect', function()
    local m = sync.rwmutex()
    m:lock()
    for _, name in ipairs { 'rlock', 'lock' } do
      local ctx = context.with_timeout(context.background(), 2)
      local dt, v, err = util.elapsed(m[name], m, ctx)
      near(2, dt)
      assert.same({ nil, 'context deadline exceeded' }, { v, err })
    end
    m:unlock()
    for _, name in ipairs { 'rlock', 'lock' } do
      assert.same({ nil, 'context canceled' }, { m[name](m, util.cancelled()) })
    end
    is_free(m)
  end)

  it('a writer that gives up lets the readers behind it go on', function()
    local m = sync.rwmutex()
    m:rlock()
    local ctx, cancel = context.with_cancel(context.background())
    local writer = start(m.lock, m, ctx)
    local readers = { start(m.rlock, m), start(m.rlock, m) }
    local second = start(m.lock, m)
    local behind = start(m.rlock, m)
    cancel()
    settle()
    assert.same({ nil, 'context canceled' }, { writer[1], writer[2] })
    assert.is_true(readers[1][1] and readers[2][1])
    assert.is_false(second.done or behind.done)
    for _ = 1, 3 do m:runlock() end
    settle()
    assert.is_true(second[1])
    assert.is_false(behind.done)
    m:unlock()
    settle()
    assert.is_true(behind[1])
    m:runlock()
    is_free(m)
  end)

  it('a lock that was handed over before the cancel is held', function()
    local m = sync.rwmutex()
    m:lock()
    local ctx, cancel = context.with_cancel(context.background())
    local r = start(m.rlock, m, ctx)
    m:unlock()
    cancel()
    settle()
    assert.is_true(r[1])
    assert.is_false(m:try_lock())
    m:runlock()
    is_free(m)
  end)

  it('with and rwith unlock on errors too, and give results', function()
    local m, why = sync.rwmutex(), {}
    for name, other in pairs { with = 'try_rlock', rwith = 'try_lock' } do
      local held
      local got = util.pack(m[name](m, function(...)
        held = not m[other](m)
        return select('#', ...), nil, ...
      end, 'a', nil))
      assert.is_true(held)
      assert.same({ n = 4, 2, nil, 'a', nil }, got)
      local ok, err = pcall(m[name], m, function() error(why) end)
      assert.is_false(ok)
      assert.is_true(rawequal(why, err))
      is_free(m)
    end
    m:rwith(function()
      assert.is_true(m:try_rlock())
      m:runlock()
    end)
  end)

  it('shows what a task waits in', function()
    local m = weft.name(sync.rwmutex(), 'the cache')
    m:lock()
    local r = start(m.rlock, m)
    local t = util.task(r.id)
    assert.same({ 'rwmutex', 'the cache' }, { t.state, t.label })
    has(weft.stacks(), 'rwmutex on the cache')
    m:unlock()
    settle()
    m:runlock()
  end)
end)

describe('rwmutex: misuse', function()
  it('unlocking what is not locked, or not in that way, raises and changes nothing', function()
    local m = sync.rwmutex()
    raises(function() m:unlock() end, 'unlock of unlocked rwmutex')
    raises(function() m:runlock() end, 'runlock of rwmutex that nobody reads')
    m:rlock()
    raises(function() m:unlock() end, 'unlock of unlocked rwmutex')
    m:runlock()
    m:lock()
    raises(function() m:runlock() end, 'runlock of rwmutex that nobody reads')
    assert.is_false(m:try_rlock())
    m:unlock()
    is_free(m)
  end)

  it('raises for a bad self and bad arguments', function()
    local m = sync.rwmutex()
    for _, name in ipairs { 'rlock', 'lock', 'runlock', 'unlock', 'try_rlock', 'try_lock', 'with',
      'rwith' } do
      raises(function() m[name](sync.mutex()) end, name, 'rwmutex expected', 'm:' .. name)
    end
    raises(function() m:with(1) end, 'with', 'function')
    raises(function() m:rwith() end, 'rwith', 'function')
    raises(function() m:lock(1) end, 'lock', 'context')
    raises(function() m:rlock(true) end, 'rlock', 'context')
    is_free(m)
  end)
end)
