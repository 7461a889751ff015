-- SPDX-License-Identifier: MIT
-- weft.errgroup: what counts as a failure, the context, limits, isolated tasks.

local weft = require 'weft'
local util = require 'support.util'
local context, errgroup = weft.context, weft.errgroup
local raises, near, has, settle = util.raises, util.near, util.has, util.settle
local start, background = util.start, context.background()

local function sleeps(s) weft.sleep(s) end

describe('errgroup', function()
  it('wait gives true when all have ended, and not before', function()
    local g, ended = errgroup.new(), 0
    for i = 1, 5 do
      assert.is_true(g:go(function()
        weft.sleep(i)
        ended = ended + 1
      end))
    end
    local dt, v, err = util.elapsed(g.wait, g)
    near(5, dt)
    assert.same({ true, nil, 5 }, { v, err, ended })
  end)

  it('wait of nothing gives true at once', function()
    assert.same({ 0, true }, { util.elapsed(function() return errgroup.new():wait() end) })
  end)

  it('go passes the arguments on', function()
    local g, got = errgroup.new(), nil
    g:go(function(...) got = util.pack(...) end, 1, nil, 3, nil)
    g:wait()
    assert.same({ n = 4, 1, nil, 3, nil }, got)
  end)

  it('wait waits for deferred calls as well', function()
    local g, cleaned = errgroup.new(), false
    g:go(function()
      weft.defer(function()
        weft.sleep(2)
        cleaned = true
      end)
    end)
    g:wait()
    assert.is_true(cleaned)
  end)

  it('can be used again, and keeps its failure', function()
    local g = errgroup.new()
    g:go(sleeps, 1)
    assert.is_true(g:wait())
    g:go(function() return nil, 'late' end)
    assert.same({ nil, 'late' }, { g:wait() })
    assert.same({ nil, 'late' }, { g:wait() })
  end)

  it('several may wait', function()
    local g = errgroup.new()
    g:go(sleeps, 3)
    local a, b = util.start(g.wait, g), util.start(g.wait, g)
    weft.sleep(4)
    assert.same({ true, true }, { a[1], b[1] })
  end)

  it('reports where its tasks were started', function()
    local g, by = errgroup.new(), nil
    local quit = weft.chan()
    g:go(function() quit:recv() end)
    local here = util.here(-1)
    for _, task in ipairs(weft.tasks()) do
      if task.created_by:find(here, 1, true) then by = task.created_by end
    end
    quit:close()
    g:wait()
    has(by, here)
  end)
end)

describe('errgroup: a failure', function()
  local why = {}
  local function first(fn)
    local g = errgroup.new()
    g:go(fn)
    return g:wait()
  end

  it('is an error raised, whatever its value', function()
    local here
    local v, err = first(function()
      here = util.here(1)
      error 'on purpose'
    end)
    assert.same({ nil, here .. ': on purpose' }, { v, err })
    v, err = first(function() error(why) end)
    assert.is_nil(v)
    assert.is_true(rawequal(why, err))
    has(select(2, first(function() error(nil) end)), 'nil value')
    assert.same({}, util.take_panics())
  end)

  it('is nil or false with an error', function()
    assert.same({ nil, 'a' }, { first(function() return nil, 'a' end) })
    assert.same({ nil, 'b' }, { first(function() return false, 'b' end) })
    local _, err = first(function() return nil, why end)
    assert.is_true(rawequal(why, err))
  end)

  it('is a lone string', function()
    assert.same({ nil, 'c' }, { first(function() return 'c' end) })
  end)

  it('is nothing else', function()
    for _, fn in ipairs {
      function() end, function() return nil end, function() return false end,
      function() return true end, function() return 'a', 'b' end, function() return 1 end,
      function() return {} end, function() return true, 'x' end,
    } do
      assert.is_true(first(fn))
    end
  end)

  it('that comes first in time is the one that wait gives', function()
    local g = errgroup.new()
    for s = 3, 1, -1 do
      g:go(function()
        weft.sleep(s)
        return nil, 'failed after ' .. s
      end)
    end
    local dt, _, err = util.elapsed(g.wait, g)
    near(3, dt)
    assert.equals('failed after 1', err)
  end)

  it('cancels the context, with itself as the cause', function()
    local g, ctx = errgroup.with_context(background)
    local stopped
    g:go(function()
      stopped = util.pack(weft.sleep(100, ctx))
      return nil, 'second'
    end)
    g:go(function()
      weft.sleep(2)
      error(why)
    end)
    local dt, v, err = util.elapsed(g.wait, g)
    near(2, dt)
    assert.is_nil(v)
    assert.is_true(rawequal(why, err))
    assert.is_true(rawequal(why, ctx:cause()))
    assert.same({ n = 2, nil, 'context canceled' }, stopped)
  end)
end)

describe('errgroup: with_context', function()
  it('the context lives until wait returns', function()
    local g, ctx = errgroup.with_context(background)
    g:go(sleeps, 1)
    weft.sleep(2)
    assert.is_nil(ctx:err())
    assert.is_true(g:wait())
    assert.same({ 'context canceled', 'context canceled' }, { ctx:err(), ctx:cause() })
  end)

  it('the parent ends it, which is no failure by itself', function()
    local parent, cancel = context.with_cancel(background)
    local g, ctx = errgroup.with_context(parent)
    g:go(function() ctx:done():recv() end)
    cancel 'enough'
    assert.is_true(g:wait())
    assert.equals('enough', ctx:cause())
  end)

  it('a group that has ended leaves its parent alone', function()
    local parent, cancel = context.with_cancel(background)
    local g = errgroup.with_context(parent)
    g:go(function() return nil, 'x' end)
    g:wait()
    assert.is_nil(parent:err())
    cancel()
  end)
end)

describe('errgroup: wait with a context', function()
  it('stops for it; the tasks go on', function()
    local g, ctx = errgroup.with_context(background)
    g:go(function()
      weft.sleep(10)
      return nil, 'late'
    end)
    local short = context.with_timeout(background, 3)
    local dt, v, err = util.elapsed(g.wait, g, short)
    near(3, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    assert.is_nil(ctx:err())
    assert.same({ nil, 'late' }, { g:wait() })
  end)

  it('of which the end has come already gives that', function()
    local g = errgroup.new()
    assert.same({ nil, 'context canceled' }, { g:wait(util.cancelled()) })
  end)
end)

describe('errgroup: set_limit', function()
  local function gauge(g, n, how)
    local now, peak = 0, 0
    for _ = 1, n do
      how(g, function()
        now = now + 1
        peak = math.max(peak, now)
        weft.sleep(1)
        now = now - 1
      end)
    end
    g:wait()
    return peak
  end

  it('go waits for a place', function()
    local g = errgroup.new()
    g:set_limit(3)
    local dt, peak = util.elapsed(gauge, g, 12, g.go)
    near(4, dt)
    assert.equals(3, peak)
  end)

  it('a place is free when the task has ended, however it ends', function()
    local g = errgroup.new()
    g:set_limit(1)
    g:go(function() error 'x' end)
    g:go(function() return 'y' end)
    near(0, (util.elapsed(g.go, g, sleeps, 1)))
    near(1, (util.elapsed(g.go, g, sleeps, 1)))
    g:wait()
  end)

  it('try_go starts only what has a place', function()
    local g, ran = errgroup.new(), 0
    local function task()
      ran = ran + 1
      weft.sleep(1)
    end
    g:set_limit(2)
    assert.same({ true, true, false }, { g:try_go(task), g:try_go(task), g:try_go(task) })
    g:wait()
    assert.is_true(g:try_go(task))
    g:wait()
    assert.equals(3, ran)
  end)

  it('try_go without a limit always starts', function()
    local g = errgroup.new()
    for _ = 1, 50 do assert.is_true(g:try_go(sleeps, 1)) end
    near(1, (util.elapsed(g.wait, g)))
  end)

  it('math.huge takes it away', function()
    local g = errgroup.new()
    g:set_limit(1)
    g:set_limit(math.huge)
    assert.equals(20, gauge(g, 20, g.go))
  end)

  it('a failure does not keep go from starting, as in Go', function()
    local g, ctx = errgroup.with_context(background)
    local seen
    g:set_limit(1)
    g:go(function() return nil, 'x' end)
    g:go(function() seen = ctx:err() end)
    assert.same({ nil, 'x' }, { g:wait() })
    assert.equals('context canceled', seen)
  end)

  it('go gives up waiting for a place when the context given to `new` ends', function()
    local ctx, cancel = context.with_cancel(background)
    local g, ran = errgroup.new(ctx), false
    g:set_limit(1)
    g:go(sleeps, 5)
    local r = util.start(g.go, g, function() ran = true end)
    cancel()
    settle()
    assert.same({ true, nil, 'context canceled' }, { r.done, r[1], r[2] })
    assert.is_true(g:wait())
    assert.is_false(ran)
  end)

  it('raises while tasks run', function()
    local g = errgroup.new()
    g:go(sleeps, 1)
    raises(function() g:set_limit(2) end, 'set_limit', '1 tasks', 'still run')
    g:wait()
    g:set_limit(2)
  end)

  it('takes integers from 1', function()
    local g = errgroup.new()
    for _, n in ipairs { 0, -1, 1.5, 0 / 0, -math.huge, 'x' } do
      raises(function() g:set_limit(n) end, "bad argument #1 to 'set_limit' (integer >= 1 exp")
    end
    raises(function() g:set_limit() end, "bad argument #1 to 'set_limit'", 'got nil')
    assert.equals(2, gauge(g, 2, g.go))
  end)
end)

describe('errgroup: isolated tasks', function()
  it('are waited for; their failures count', function()
    local g, ctx = errgroup.with_context(background)
    g:spawn(function(n) return n > 1 or n end, 1)
    g:spawn(function(a, b) return nil, a .. b end, 'from ', 'afar')
    assert.same({ nil, 'from afar' }, { g:wait() })
    assert.equals('from afar', ctx:cause())
  end)

  it('that raise fail with the very error', function()
    local g = errgroup.new()
    g:spawn(function() error('on purpose', 0) end)
    assert.same({ nil, 'on purpose' }, { g:wait() })
    g = errgroup.new()
    g:spawn(function() error { code = 7 } end)
    local _, err = g:wait()
    assert.same({ code = 7 }, err)
  end)

  it('have places like others', function()
    local g, n = errgroup.new(), weft.ntasks()
    g:set_limit(1)
    local gate = weft.chan()
    g:spawn(function() gate:recv() end)
    assert.is_false(g:try_go(sleeps, 1))
    gate:close()
    g:wait()
    assert.is_true(g:try_go(sleeps, 1))
    g:wait()
    assert.equals(n, weft.ntasks())
  end)

  it('that cannot start are refused at the line of the call, and take no place', function()
    local g, co = errgroup.new(), coroutine.create(print)
    g:set_limit(1)
    raises(function() g:spawn(function() return co end) end, "'spawn'", "upvalue 'co'")
    raises(function() g:spawn(print, co) end, "'spawn'", 'arg 1: coroutine')
    near(0, (util.elapsed(g.go, g, sleeps, 1)))
    assert.is_true(g:wait())
  end)
end)

describe('errgroup in a task with a context of its own', function()
  it('its tasks are stopped with it, and it can be waited for elsewhere', function()
    local ctx, cancel = context.with_cancel(background)
    local g = errgroup.new()
    local r = start(context.run, ctx, function()
      g:go(sleeps, 100)
      g:spawn(function() return nil, 'from afar' end)
      return g:wait()
    end)
    cancel()
    settle()
    assert.same({ true, false }, { r.done, r.ok })
    has(r.err, 'context canceled')
    assert.is_nil((g:wait()))
  end)

  it('an isolated task is waited for all the same', function()
    local ctx, cancel = context.with_cancel(background)
    local g, gate = errgroup.new(), weft.chan()
    context.run(ctx, g.spawn, g, function()
      return gate:recv(weft.context.background())
    end)
    settle()
    cancel()
    local r = start(g.wait, g)
    assert.is_false(r.done)
    gate:close 'its own error'
    while not r.done do weft.yield() end
    assert.same({ nil, 'its own error' }, { r[1], r[2] })
  end)
end)

describe('errgroup: misuse', function()
  it('raises at the caller\'s line and starts nothing', function()
    local g, n = errgroup.new(), weft.ntasks()
    raises(function() errgroup.new(5) end, "bad argument #1 to 'new' (context expected, got nu")
    raises(function() errgroup.with_context() end, "'with_context' (context expected, got nil")
    raises(function() g:go() end, "bad argument #1 to 'go' (function expected, got nil")
    raises(function() g:spawn('f') end, "bad argument #1 to 'spawn' (function expected, got s")
    raises(function() g:try_go({}) end, "bad argument #1 to 'try_go' (function expected, got t")
    raises(function() g:wait(5) end, "'wait' (context expected, got number")
    raises(function() g.go(print) end, "calling 'go' on bad self (errgroup expected, got func")
    raises(function() g.wait() end, "calling 'wait' on bad self (errgroup expected")
    assert.equals(n, weft.ntasks())
    assert.is_true(g:wait())
  end)

  it('is a field of weft and a module', function()
    assert.equals(require 'weft.errgroup', weft.errgroup)
  end)
end)

describe('errgroup: a place that is waited for', function()
  local function full()
    local g, gate = errgroup.new(), weft.chan()
    g:set_limit(1)
    g:go(function() gate:recv() end)
    return g, gate
  end

  for _, name in ipairs { 'go', 'spawn' } do
    it(name .. ' raises when the task\'s own context ends, and starts nothing', function()
      local g, gate = full()
      local ctx, cancel = context.with_cancel(background)
      local r = start(context.run, ctx, g[name], g, error)
      assert.is_false(r.done)
      cancel()
      settle()
      assert.same({ true, false }, { r.done, r.ok })
      has(r.err, 'context canceled')
      gate:close()
      assert.is_true(g:wait())
      assert.is_true(g:try_go(sleeps, 0))  -- it has left no place taken
      assert.is_true(g:wait())
    end)

    it(name .. ' that cannot wait raises, and starts nothing', function()
      local g, gate = full()
      local ok, err = pcall(table.sort, { 2, 1 }, function() g[name](g, error) end)
      assert.is_false(ok)
      has(err, 'C-call boundary')
      gate:close()
      assert.is_true(g:wait())
      assert.is_true(g:try_go(sleeps, 0))
      assert.is_true(g:wait())
    end)
  end

  it('spawn gives up when the context given to `new` ends', function()
    local ctx, cancel = context.with_cancel(background)
    local g, gate = errgroup.new(ctx), weft.chan()
    g:set_limit(1)
    g:spawn(function() gate:recv() end)
    local r = start(g.spawn, g, error)
    cancel()
    settle()
    assert.same({ true, nil, 'context canceled' }, { r.done, r[1], r[2] })
    gate:close()
    assert.is_true(g:wait())
  end)
end)

describe('errgroup over cores', function()
  it('works there as here, but is of one VM', function()
    local g = errgroup.new()
    raises(function() weft.spawn(function() return g end) end, "'spawn': upvalue 'g'")
    local err, sum, cause = weft.parallel(function()
      local group, ctx = require 'weft.errgroup'.with_context(require 'weft.context'.background())
      local n, total = require 'weft'.sync.int(), 0
      group:set_limit(2)
      for i = 1, 5 do group:go(function() total = total + i end) end
      for i = 1, 5 do group:spawn(function() n:add(i) end) end
      group:go(function() return nil, 'enough' end)
      local _, why = group:wait()
      return why, total + n:load(), ctx:cause()
    end):await()
    assert.same({ 'enough', 30, 'enough' }, { err, sum, cause })
  end)
end)
