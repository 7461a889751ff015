-- SPDX-License-Identifier: MIT
-- Contexts that have crossed to other VMs: what they are there, and that an end on one core is one
-- on all.
-- Subject: runtime/conc/ctx_core.c runtime/conc/ctx_share.c runtime/conc/after.c
-- runtime/lib/face.c

local weft = require 'weft'
local util = require 'support.util'
local context, time = weft.context, weft.time
local settle, near, has, raises = util.settle, util.near, util.has, util.raises

local background = context.background()

local function open(parent) return context.with_cancel(parent or background) end

-- A task of another VM that calls the functions sent to it and sends back what they return.
local function far()
  local calls, results, before = weft.chan(), weft.chan(), weft.ntasks()
  local task = weft.parallel(function()
    for call in calls do results:send({ pcall(unpack(call, 1, 9)) }) end
  end)
  local M = {}
  function M.start(fn, ...) calls:send { fn, ... } end
  function M.finish()
    local r = results:recv()
    if not r[1] then error(r[2], 0) end
    return unpack(r, 2, 9)
  end
  function M.call(fn, ...)
    M.start(fn, ...)
    return M.finish()
  end
  function M.close()
    calls:close()
    task:await()
    while weft.ntasks() > before do weft.yield() end  -- it is still counted for a moment
  end
  return M
end

describe('a context in another VM', function()
  local there
  before_each(function() there = far() end)
  after_each(function() there.close() end)

  it('is the same when it comes back, with all that belongs to it', function()
    local ctx, cancel = open(context.with_value(open(), 'k', 1))
    local function echo(...) return ... end
    local c, f, d, b, t = there.call(echo, ctx, cancel, ctx:done(), background, context.todo())
    assert.equals(ctx, c)
    assert.equals(cancel, f)
    assert.equals(ctx:done(), d)
    assert.equals(background, b)
    assert.equals(context.todo(), t)
    assert.is_true(there.call(function(x, y, cancel1, cancel2)
      return x == y and x:done() == y:done() and cancel1 == cancel2
    end, ctx, ctx, cancel, cancel))
    assert.is_true(there.call(function(x, y)
      local own = require 'weft.context'
      return x == own.background() and y == own.todo()
    end, background, context.todo()))
  end)

  it('has the values, copied, and the deadline', function()
    local ctx = context.with_timeout(background, 100)
    local value = { 1, { 2 } }
    ctx = context.with_value(ctx, 'k', value)
    ctx = context.with_value(ctx, 7, 'seven')
    ctx = context.with_value(ctx, 'none', nil)
    local v, seven, none, at, same = there.call(function(x)
      local one, two = x:value('k'), x:value('k')
      return one, x:value(7), x:value('none'), x:deadline(), one == two
    end, ctx)
    assert.same(value, v)
    assert.equals('seven', seven)
    assert.is_nil(none)
    assert.equals(ctx:deadline(), at)
    assert.is_true(same)
    assert.equals(value, (ctx:value('k')))
  end)

  it('does not end with the parent that without_cancel has cut off', function()
    local parent, cancel = open(context.with_value(background, 'k', 'v'))
    local cut = context.without_cancel(parent)
    cancel()
    assert.is_nil((there.call(function(x) return (x:err()) end, cut)))
    assert.equals('v', (there.call(function(x) return x:value('k') end, cut)))
    assert.is_nil((cut:err()))
  end)

  it('sees a cancel as soon as it has returned, below as well', function()
    if weft.nworkers() == 1 then pending 'it keeps its thread while main goes on' end
    local ctx, cancel = open()
    local child = open(context.with_value(ctx, 'k', 1))
    there.call(function(x, y)
      _G.kept = { x, y, (require 'weft.context'.with_cancel(y)) }
    end, ctx, child)
    local ready, go = weft.chan(1), weft.chan(1)
    -- Looks without letting its VM open its mail.
    there.start(function(looked, channel)
      local x, y, z = unpack(_G.kept)
      local before = x:err() or y:err() or z:err()
      looked:send(1)
      while channel:len() == 0 do end
      return before or 0, (x:err()), (y:err()), (z:err()), x:cause(), z:cause(),
        y:done():is_closed(), (require 'weft'.select(z:done(), require 'weft'.default))
    end, ready, go)
    ready:recv()
    cancel('why')
    go:send(1)
    local n, e1, e2, e3, c1, c3, closed, i = there.finish()
    assert.equals(0, n)
    assert.same({ 'context canceled', 'context canceled', 'context canceled' }, { e1, e2, e3 })
    assert.equals('why', c1)
    assert.equals('why', c3)
    assert.is_true(closed)
    assert.equals(1, i)
  end)

  it('is ended from there', function()
    local ctx, cancel = open()
    local child = open(ctx)
    local woken = weft.chan(3)
    weft.go(function() child:done():recv() woken:send(1) end)
    weft.go(function() weft.sleep(1e6, child) woken:send(2) end)
    context.after_func(child, function() woken:send(3) end)
    settle()
    local e1, c1 = there.call(function(f, x)
      f({ 'table' })
      return (x:err()), x:cause()[1]
    end, cancel, ctx)
    assert.same({ 'context canceled', 'table' }, { e1, c1 })
    assert.equals('context canceled', (child:err()))
    local sum = woken:recv() + woken:recv() + woken:recv()
    assert.equals(6, sum)
    assert.same({ 'table' }, (child:cause()))
    assert.equals(child:cause(), (ctx:cause()))
  end)

  it('wakes calls that wait for it', function()
    local ctx, cancel = open()
    local ready = weft.chan()
    local shared = weft.chan()
    there.start(function(x, ch, r)
      local weft2 = require 'weft'
      local t = weft2.chan()
      local n = 0
      local function wait(call, ...)
        local v, err = call(...)
        if v == nil and err == 'context canceled' then n = n + 1 end
        t:send(1)
      end
      weft2.go(wait, t.recv, weft2.chan(), x)
      weft2.go(wait, t.send, weft2.chan(), 1, x)
      weft2.go(wait, ch.recv, ch, x)
      weft2.go(wait, weft2.sleep, 1e6, x)
      weft2.go(function() x:done():recv() n = n + 1 t:send(1) end)
      weft2.go(function() weft2.select(t, x:done()) n = n + 1 t:send(1) end)
      weft2.go(function() weft2.select(ch, x:done()) n = n + 1 t:send(1) end)
      weft2.sleep(1)
      r:send('ready')
      for _ = 1, 7 do t:recv() end
      return n
    end, ctx, shared, ready)
    ready:recv()
    cancel()
    assert.equals(7, (there.finish()))
    assert.is_false((shared:try_send(1)))
  end)

  it('ends at its deadline everywhere, with its cause', function()
    local ctx, cancel = context.with_timeout(background, 5, { 'late' })
    there.start(function(x)
      local weft2 = require 'weft'
      local before = weft2.time.monotonic()
      local _, err = weft2.chan():recv(x)
      return err, x:cause()[1], weft2.time.monotonic() - before
    end, ctx)
    ctx:done():recv()
    assert.equals('context deadline exceeded', (ctx:err()))
    local err, cause, t = there.finish()
    assert.equals('context deadline exceeded', err)
    assert.equals('late', cause)
    near(5, t)
    cancel()
    assert.same({ 'late' }, (ctx:cause()))
  end)

  it('ends at its deadline though nobody has it any more where it comes from', function()
    local function send()
      there.start(function(x)
        local _, err = require 'weft'.chan():recv(x)
        return err
      end, (context.with_timeout(background, 5)))
    end
    send()
    collectgarbage()
    collectgarbage()
    assert.equals('context deadline exceeded', (there.finish()))
  end)

  it('that has ended arrives as one', function()
    local ctx, cancel = open()
    local child = context.with_value(ctx, 'k', 'v')
    cancel(42)
    local err, cause, closed, first = there.call(function(x)
      local run = require 'weft'.chan(1)
      require 'weft.context'.after_func(x, function() run:send(true) end)
      return (x:err()), x:cause(), x:done():is_closed(), (run:recv())
    end, child)
    assert.same({ 'context canceled', 42, true, true }, { err, cause, closed, first })
  end)

  it('is one whoever derives from it', function()
    local ctx, cancel = open()
    local child = there.call(function(x)
      local c, f = require 'weft.context'.with_cancel(x)
      _G.cancel = f
      return c
    end, ctx)
    local own = open(child)
    there.call(function() _G.cancel('there') end)
    assert.equals('there', (own:cause()))
    assert.is_nil((ctx:err()))
    cancel()
    assert.equals('there', (own:cause()))
  end)

  it('stops after_func from there, once', function()
    local ctx, cancel = open()
    local ran = 0
    local stop = context.after_func(ctx, function() ran = ran + 1 end)
    local late = context.after_func(ctx, function() ran = ran + 10 end)
    local first, second, same = there.call(function(f, g)
      return f(), f(), g
    end, stop, late)
    assert.is_true(first)
    assert.is_false(second)
    assert.equals(late, same)
    assert.is_false(stop())
    cancel()
    settle()
    assert.equals(10, ran)
    assert.is_false((there.call(function(f) return f() end, late)))
    assert.is_false(late())
  end)

  it('runs after_func or is stopped there, while both VMs forget that at once', function()
    local n, ran, stopped, told = 30, 0, 0, weft.chan(30)
    for _ = 1, n do
      local ctx, cancel = open()
      weft.spawn(function(stop)
        told:send(stop())
        stop = nil
        collectgarbage()
        return stop
      end, context.after_func(ctx, function() ran = ran + 1 end))
      if ran % 2 == 0 then weft.yield() end
      cancel()
      collectgarbage()
    end
    for _ = 1, n do
      if told:recv() then stopped = stopped + 1 end
    end
    settle()
    assert.equals(n, ran + stopped)
  end)

  it('keeps identity through a chain that is deep', function()
    local ctx, cancel = open()
    local leaf = ctx
    for i = 1, 2000 do leaf = context.with_value(leaf, i, i) end
    there.call(function(x) _G.leaf = x end, leaf)
    cancel('deep')
    local err, cause, v = there.call(function()
      return (_G.leaf:err()), _G.leaf:cause(), _G.leaf:value(1)
    end)
    assert.same({ 'context canceled', 'deep', 1 }, { err, cause, v })
  end)

  it('is collected when nobody refers to it, while its parent lives', function()
    local parent = open()
    local seen = setmetatable({}, { __mode = 'k' })
    there.call(function(x)
      _G.parent, _G.seen = x, setmetatable({}, { __mode = 'k' })
    end, parent)
    local function make()
      for _ = 1, 50 do
        local child, cancel = open(parent)
        seen[child] = true
        there.call(function(x, f) _G.seen[x] = f ~= nil and x:err() == nil end, child, cancel)
      end
    end
    local function count(t)
      collectgarbage()
      collectgarbage()
      local n = 0
      for _ in pairs(t) do n = n + 1 end
      return n
    end
    make()
    -- The last ones may still lie on a stack.
    assert.is_true(count(seen) < 5)
    there.call(function() collectgarbage() end)
    assert.is_true(there.call(function(f) return f(_G.seen) end, count) < 5)
    assert.is_nil((parent:err()))
  end)

  it('runs tasks on other cores: current, and the end of it', function()
    local ctx, cancel = open(context.with_value(background, 'k', 'v'))
    local ready = weft.chan()
    local futures = {}
    local function work()
      local mine = require 'weft.context'.current()
      ready:send(mine)
      require 'weft'.go(function() require 'weft'.sleep(1e6) end)
      require 'weft'.sleep(1e6)
    end
    context.run(ctx, function()
      for i = 1, 3 do futures[i] = weft.parallel(work) end
      weft.spawn(work)
      for _ = 1, 4 do assert.equals(ctx, (ready:recv())) end
    end)
    cancel()
    for i = 1, 3 do
      local ok, err = futures[i]:try()
      assert.is_false(ok)
      has(err, 'context canceled')
    end
    local r = util.start(context.run, ctx, weft.blocking, work)
    assert.is_false(r.ok)
    has(r.err, 'context canceled')
  end)

  it('stops a call over cores by raising', function()
    for _, call in ipairs { weft.blocking, function(f) return weft.pmap({ 1, 2, 3 }, f) end } do
      local ctx, cancel = open()
      local ready = weft.chan(3)
      local r = util.start(context.run, ctx, call, function()
        ready:send(1)
        require 'weft'.sleep(1e6)
      end)
      ready:recv()
      cancel()
      settle()
      assert.is_false(r.ok)
      has(r.err, 'context canceled')
    end
  end)

  it('does not cross with a value that cannot, which is named', function()
    local ctx = context.with_value(open(), 'db', coroutine.create(print))
    local child = open(ctx)
    raises(function() weft.spawn(print, child) end, "'spawn'", "value of key 'db'", 'coroutine')
    raises(function() context.run(child, function() weft.spawn(print) end) end, "key 'db'")
    assert.is_nil((child:err()))
    local ch = weft.chan(1)
    ch:send(1, child)
    assert.equals(1, (ch:recv(child)))
  end)

  it('is not cancelled with a cause that cannot cross', function()
    local ctx, cancel = open()
    there.call(function(x) _G.ctx = x end, ctx)
    raises(function() cancel(coroutine.create(print)) end, "'cancel'", 'cause', 'coroutine')
    assert.is_nil((ctx:err()))
    assert.is_nil((ctx:cause()))
    cancel('plain')
    assert.equals('plain', (ctx:cause()))
  end)

  it('closes its done itself: nobody else can, there or here', function()
    local ctx, cancel = open()
    for _, name in ipairs { 'close', 'try_send' } do
      local ok, err = there.call(function(ch, method) return pcall(ch[method], ch, 1) end,
        ctx:done(), name)
      assert.is_false(ok)
      has(err, 'weft', name == 'close' and 'closes' or 'sends')
    end
    assert.is_false((ctx:done():is_closed()))
    assert.is_nil((ctx:err()))
    cancel()
    assert.is_true((there.call(function(ch) return (ch:is_closed()) end, ctx:done())))
  end)

  it('gets one cause, whoever is first', function()
    for _ = 1, 50 do
      local ctx, cancel = open()
      local go = weft.chan()
      there.start(function(f, x, ch)
        ch:recv()
        f('there')
        return x:cause(), (x:err())
      end, cancel, ctx, go)
      go:send(1)
      cancel('here')
      local cause, err = there.finish()
      assert.equals(cause, (ctx:cause()))
      assert.equals('context canceled', err)
    end
  end)
end)

describe('leaks', function()
  it('a wait for a context whose cancel function is in another VM is none', function()
    local keep = weft.chan(1)
    local function make()
      local ctx, cancel = open()
      keep:send(cancel)
      return ctx
    end
    local ctx = make()
    local there = far()
    there.call(function(ch) _G.cancel = ch:recv() end, keep)
    local r = util.start(function() return ctx:done():recv() end)
    collectgarbage()
    assert.same({}, weft.leaks())
    there.call(function() _G.cancel() end)
    settle()
    if not r.done then ctx:done():recv() end
    settle()
    assert.is_true(r.done)
    there.close()
  end)
end)

describe('time', function()
  it('a deadline that crosses keeps its moment', function()
    local ctx = context.with_deadline(background, time.now() + 7)
    weft.sleep(3)
    local there = far()
    local t = there.call(function(x)
      local weft2 = require 'weft'
      local before = weft2.time.monotonic()
      x:done():recv()
      return weft2.time.monotonic() - before
    end, ctx)
    near(4, t)
    there.close()
  end)
end)
