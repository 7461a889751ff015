-- SPDX-License-Identifier: MIT
-- weft.sync: conditions.
-- Subject: lua/weft/internal/sync/cond.lua

local weft = require 'weft'
local util = require 'support.util'
local context, sync = weft.context, weft.sync
local settle, start, raises, near = util.settle, util.start, util.raises, util.near

-- A task that waits once, under the lock, and says what came of it.
local function waiter(m, c, ctx)
  return start(function()
    m:lock()
    local ok, err = c:wait(ctx)
    local held = not m:try_lock()
    m:unlock()
    return ok, err, held
  end)
end

describe('cond', function()
  it('wait unlocks the mutex, and holds it again when it returns', function()
    local m = sync.mutex()
    local c = sync.cond(m)
    local r = waiter(m, c)
    assert.equals('cond', util.task(r.id).state)
    assert.is_true(m:try_lock())
    c:signal()
    settle()
    assert.is_false(r.done)
    m:unlock()
    settle()
    assert.same({ true, nil, true }, { r[1], r[2], r[3] })
    assert.is_true(m:try_lock())
    m:unlock()
  end)

  it('signal wakes the one that has waited longest, broadcast all', function()
    local m = sync.mutex()
    local c, rs = sync.cond(m), {}
    for i = 1, 5 do rs[i] = waiter(m, c) end
    c:signal()
    settle()
    assert.same({ true, false, false }, { rs[1].done, rs[2].done, rs[5].done })
    c:signal()
    settle()
    assert.same({ true, false, false }, { rs[2].done, rs[3].done, rs[5].done })
    c:broadcast()
    settle()
    for i = 1, 5 do assert.is_true(rs[i][1]) end
  end)

  it('signals that nobody waits for are gone', function()
    local m = sync.mutex()
    local c = sync.cond(m)
    c:signal()
    c:broadcast()
    local r = waiter(m, c)
    assert.is_false(r.done)
    c:signal()
    settle()
    assert.is_true(r.done)
  end)

  it('serves a queue of producers and consumers', function()
    local m, queue, got, wg = sync.mutex(), {}, {}, sync.waitgroup()
    local c = sync.cond(m)
    for _ = 1, 4 do
      wg:go(function()
        for _ = 1, 25 do
          m:lock()
          while #queue == 0 do c:wait() end
          got[#got + 1] = table.remove(queue, 1)
          m:unlock()
        end
      end)
    end
    for i = 1, 100 do
      m:with(function() queue[#queue + 1] = i end)
      c:signal()
      if i % 7 == 0 then weft.yield() end
    end
    wg:wait()
    assert.equals(100, #got)
  end)

  it('wait stops for its context, uses up no signal, and holds the mutex', function()
    local m = sync.mutex()
    local c = sync.cond(m)
    local ctx, cancel = context.with_cancel(context.background())
    local first, second = waiter(m, c, ctx), waiter(m, c)
    m:lock()
    cancel()
    settle()
    assert.is_false(first.done)  -- it waits for the mutex
    c:signal()
    m:unlock()
    settle()
    assert.same({ n = 3, nil, 'context canceled', true },
      { n = first.n, first[1], first[2], first[3] })
    assert.is_true(second[1])
    m:lock()
    local dt, v, err = util.elapsed(c.wait, c, context.with_timeout(context.background(), 2))
    near(2, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    assert.same({ nil, 'context canceled' }, { c:wait(util.cancelled()) })
    assert.is_false(m:try_lock())
    m:unlock()
  end)

  it('a signal that came before the cancel counts', function()
    local m = sync.mutex()
    local c = sync.cond(m)
    local ctx, cancel = context.with_cancel(context.background())
    local r = waiter(m, c, ctx)
    c:signal()
    cancel()
    settle()
    assert.same({ true, nil, true }, { r[1], r[2], r[3] })
  end)
end)

describe('cond: misuse', function()
  it('wait without the mutex raises', function()
    local m = sync.mutex()
    local c = sync.cond(m)
    raises(function() c:wait() end, "'wait' on a cond whose mutex is not locked")
    assert.is_true(m:try_lock())
    m:unlock()
  end)

  it('wait that cannot block raises, and keeps the mutex', function()
    local m = sync.mutex()
    local c = sync.cond(m)
    m:lock()
    local ok, err = pcall(table.sort, { 1, 2 }, function() c:wait() end)
    assert.is_false(ok)
    util.has(err, "'wait' cannot block across a C-call boundary")
    assert.is_false(m:try_lock())
    m:unlock()
  end)

  it('raises for bad arguments and a bad self', function()
    local m = sync.mutex()
    local c = sync.cond(m)
    for _, bad in ipairs { 1, {}, sync.rwmutex() } do
      raises(function() sync.cond(bad) end, 'cond', 'mutex expected')
    end
    raises(function() sync.cond() end, 'cond', 'mutex expected')
    for _, name in ipairs { 'wait', 'signal', 'broadcast' } do
      raises(function() c[name](m) end, name, 'cond expected', 'c:' .. name)
    end
    m:lock()
    raises(function() c:wait(1) end, 'wait', 'context')
    assert.is_false(m:try_lock())
    m:unlock()
  end)
end)
