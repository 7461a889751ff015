-- SPDX-License-Identifier: MIT
-- Contexts: cancel, causes, timeouts, deadlines, values, what a cancel wakes.

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local context, time = weft.context, weft.time
local settle, start, near, has, raises = util.settle, util.start, util.near, util.has, util.raises

local background = context.background()

local function open(parent)
  return context.with_cancel(parent or background)
end

describe('background and todo', function()
  it('are never cancelled and hold nothing', function()
    for _, ctx in ipairs { context.background(), context.todo() } do
      assert.is_nil((ctx:err()))
      assert.is_nil((ctx:cause()))
      assert.is_nil((ctx:deadline()))
      assert.is_nil((ctx:value('key')))
      assert.is_false(ctx:done():is_closed())
      assert.equals(2, (weft.select(ctx:done(), weft.default)))
    end
  end)

  it('change no call', function()
    local ch = weft.chan(1)
    assert.is_true(ch:send(1, background))
    assert.equals(1, (ch:recv(context.todo())))
    assert.is_true(weft.sleep(1, background))
  end)

  it('a wait on the background\'s done is for ever', function()
    local r = proc.run [[
      local context = require 'weft.context'
      context.background():done():recv()
    ]]
    assert.equals(2, r.status)
    has(r.err, 'all tasks are asleep - deadlock!')
  end)
end)

describe('constants', function()
  it('are the reasons', function()
    assert.equals('context canceled', context.Canceled)
    assert.equals('context deadline exceeded', context.DeadlineExceeded)
  end)
end)

describe('with_cancel', function()
  it('is alive until cancel is called', function()
    local ctx, cancel = open()
    assert.is_nil((ctx:err()))
    assert.is_nil((ctx:cause()))
    assert.is_nil((ctx:deadline()))
    assert.is_false(ctx:done():is_closed())
    cancel()
    assert.equals('context canceled', (ctx:err()))
    assert.equals('context canceled', (ctx:cause()))
    assert.is_true(ctx:done():is_closed())
  end)

  it('wakes who waits for done', function()
    local ctx, cancel = open()
    local done = ctx:done()
    local r = start(function()
      local v, err = done:recv()
      return v, err ~= nil
    end)
    local s = start(function() for _ in ctx:done():iter() do error 'no value' end end)
    assert.is_false(r.done or s.done)
    cancel()
    settle()
    assert.same({ 2, nil, true }, { r.n, r[1], r[2] })
    assert.is_true(s.done)
  end)

  it('gives the same done each time', function()
    local ctx, cancel = open()
    local done = ctx:done()
    assert.equals(done, ctx:done())
    cancel()
    assert.equals(done, ctx:done())
  end)

  it('cancels once: the first cause stays', function()
    local ctx, cancel = open()
    cancel 'first'
    cancel 'second'
    cancel()
    assert.equals('first', (ctx:cause()))
    assert.equals('context canceled', (ctx:err()))
    local other, cancel_other = open()
    cancel_other()
    cancel_other 'late'
    assert.equals('context canceled', (other:cause()))
  end)

  it('takes any value as the cause', function()
    for _, cause in ipairs { {}, 'text', 42, true, false, print } do
      local ctx, cancel = open()
      cancel(cause)
      assert.is_true(rawequal(cause, (ctx:cause())))
      assert.equals('context canceled', (ctx:err()))
    end
  end)

  it('takes its parent\'s end over, cause included, but gives nothing up', function()
    local parent, cancel = open()
    local child = open(parent)
    local sibling, cancel_sibling = open(parent)
    local grandchild = open(child)
    cancel_sibling 'sibling only'
    assert.same({ nil, nil, nil }, { parent:err(), child:err(), (grandchild:err()) })
    cancel 'the parent\'s'
    for _, ctx in ipairs { parent, child, grandchild } do
      assert.equals('context canceled', (ctx:err()))
      assert.equals('the parent\'s', (ctx:cause()))
      assert.is_true(ctx:done():is_closed())
    end
    assert.equals('sibling only', (sibling:cause()))
  end)

  it('of a cancelled parent is born cancelled', function()
    local child = open(util.cancelled 'why')
    assert.equals('context canceled', (child:err()))
    assert.equals('why', (child:cause()))
    assert.is_true(child:done():is_closed())
  end)

  it('may be cancelled by any task', function()
    local ctx, cancel = open()
    weft.go(function()
      weft.sleep(2)
      cancel()
    end)
    near(2, (util.elapsed(function() ctx:done():recv() end)))
  end)

  it('takes many children and deep families', function()
    local parent, cancel = open()
    local children, leaf = {}, parent
    for i = 1, 5000 do children[i] = open(parent) end
    for _ = 1, 5000 do leaf = open(leaf) end
    local r = start(function() return (leaf:done():recv()) end)
    cancel 'all'
    for i = 1, 5000 do assert.equals('all', (children[i]:cause())) end
    assert.equals('all', (leaf:cause()))
    settle()
    assert.is_true(r.done)
  end)

  it('done cannot be closed or sent to, and lives on', function()
    local ctx, cancel = open()
    raises(function() ctx:done():close() end, 'close')
    raises(function() ctx:done():close 'why' end, 'close')
    assert.is_false((pcall(function() ctx:done():send(1) end)))
    assert.is_false((pcall(function() ctx:done():try_send(1) end)))
    assert.is_false(ctx:done():is_closed())
    assert.is_nil((ctx:err()))
    raises(function() background:done():close() end, 'close')
    cancel()
    raises(function() ctx:done():close() end, 'close')
    assert.is_true(ctx:done():is_closed())
  end)

  it('children that are dropped without a cancel do no harm', function()
    local parent, cancel = open()
    local function drop() for _ = 1, 100 do open(parent) end end
    drop()
    collectgarbage()
    collectgarbage()
    cancel 'x'
    assert.equals('x', (parent:cause()))
  end)

  it('children that have ended, or that nobody has, are gone while the parent lives', function()
    local parent, cancel = open()
    local function count()
      collectgarbage()
      collectgarbage()
      return weft.stats().objects
    end
    local function make()
      for i = 1, 100 do
        local _, end_it = open(parent)
        if i % 2 == 0 then end_it() end
      end
    end
    make()
    local before = count()
    for _ = 1, 5 do make() end
    assert.equals(before, count())
    assert.is_nil(parent:err())
    cancel()
  end)

  it('a parent that only its child knows still counts', function()
    local child, cancel
    do
      local parent
      parent, cancel = open()
      child = context.with_value(parent, 'k', 'v')
    end
    collectgarbage()
    collectgarbage()
    cancel 'x'
    assert.same({ 'x', 'v' }, { child:cause(), (child:value 'k') })
  end)
end)

describe('with_timeout', function()
  it('ends by itself, at its time', function()
    local ctx = context.with_timeout(background, 3)
    assert.is_nil((ctx:err()))
    near(3, (util.elapsed(function() ctx:done():recv() end)))
    assert.equals('context deadline exceeded', (ctx:err()))
    assert.equals('context deadline exceeded', (ctx:cause()))
  end)

  it('takes a cause', function()
    local why = {}
    local ctx = context.with_timeout(background, 1, why)
    assert.is_nil((ctx:cause()))
    weft.sleep(2)
    assert.equals('context deadline exceeded', (ctx:err()))
    assert.is_true(rawequal(why, (ctx:cause())))
  end)

  it('is cancelled before that by cancel, with its own cause', function()
    local ctx, cancel = context.with_timeout(background, 5, 'too late')
    cancel 'enough'
    assert.same({ 'context canceled', 'enough' }, { ctx:err(), (ctx:cause()) })
    weft.sleep(10)
    assert.same({ 'context canceled', 'enough' }, { ctx:err(), (ctx:cause()) })
  end)

  it('tells its deadline on now()\'s clock', function()
    local ctx, cancel = context.with_timeout(background, 7)
    near(time.now() + 7, (ctx:deadline()))
    local child = open(ctx)
    near(time.now() + 7, (child:deadline()))
    near(time.now() + 7, (context.with_value(child, 'k', 1):deadline()))
    cancel()
  end)

  it('of 0 or less is over at once', function()
    for _, s in ipairs { 0, -1 } do
      local ctx = context.with_timeout(background, s, 'c')
      assert.same({ 'context deadline exceeded', 'c' }, { ctx:err(), (ctx:cause()) })
      assert.is_true(ctx:done():is_closed())
    end
  end)

  it('never outlives its parent, nor lengthens its time', function()
    local parent = context.with_timeout(background, 2, 'parent')
    local child = context.with_timeout(parent, 10, 'child')
    near(time.now() + 2, (child:deadline()))
    near(2, (util.elapsed(function() child:done():recv() end)))
    assert.same({ 'context deadline exceeded', 'parent' }, { child:err(), (child:cause()) })
    parent = context.with_timeout(background, 10)
    child = context.with_timeout(parent, 1)
    near(1, (util.elapsed(function() child:done():recv() end)))
    assert.is_nil((parent:err()))
    near(9, (util.elapsed(function() parent:done():recv() end)))
  end)

  it('is absolute: waking up in between does not restart it', function()
    local ctx, ch, n = context.with_timeout(background, 5.5), weft.chan(), 0
    local feeder = start(function()
      while ch:send(1, ctx) do weft.sleep(1) end
    end)
    near(5.5, (util.elapsed(function()
      for _ in ch:iter(ctx) do n = n + 1 end
    end)))
    assert.equals(6, n)
    weft.sleep(2)
    assert.is_true(feeder.done)
  end)

  it('err looks at the clock itself', function()
    local r = proc.run [[
      local weft = require 'weft'
      local context, time = weft.context, weft.time
      local ctx = context.with_timeout(context.background(), 0.02, 'cause')
      local m = time.monotonic()
      while time.monotonic() - m < 0.04 do end
      print(ctx:err(), ctx:cause())
    ]]
    assert.same({ 0, 'context deadline exceeded\tcause\n' }, { r.status, r.out })
    r = proc.run [[
      local weft = require 'weft'
      local context, time = weft.context, weft.time
      local parent = context.with_timeout(context.background(), 0.02, 'cause')
      local child = context.with_value(context.with_cancel(parent), 'k', 'v')
      local late = context.with_timeout(parent, 50)
      local m = time.monotonic()
      while time.monotonic() - m < 0.04 do end
      local ch = weft.chan(1)
      ch:send 'stays'
      print(ch:recv(late), (select(2, ch:recv(late))), ch:len())
      print(child:err(), child:cause(), late:err(), late:cause(), (parent:err()))
    ]]
    local exceeded = 'context deadline exceeded'
    assert.equals('nil\t' .. exceeded .. '\t1\n' .. (exceeded .. '\tcause\t'):rep(2) .. exceeded
      .. '\n', r.out)
  end)

  it('math.huge never ends', function()
    local ctx, cancel = context.with_timeout(background, math.huge)
    weft.sleep(1e5)
    assert.is_nil((ctx:err()))
    cancel()
    assert.equals('context canceled', (ctx:err()))
  end)
end)

describe('with_deadline', function()
  it('ends at that time of now()', function()
    local ctx = context.with_deadline(background, time.now() + 4, 'c')
    near(time.now() + 4, (ctx:deadline()))
    near(4, (util.elapsed(function() ctx:done():recv() end)))
    assert.same({ 'context deadline exceeded', 'c' }, { ctx:err(), (ctx:cause()) })
  end)

  it('in the past is over at once', function()
    local ctx = context.with_deadline(background, time.now() - 1)
    assert.equals('context deadline exceeded', (ctx:err()))
    assert.equals('context deadline exceeded', (ctx:cause()))
  end)

  it('can be cancelled before', function()
    local ctx, cancel = context.with_deadline(background, time.now() + 4)
    cancel 'x'
    assert.same({ 'context canceled', 'x' }, { ctx:err(), (ctx:cause()) })
  end)
end)

describe('with_value', function()
  it('holds a value for itself and its children', function()
    local ctx = context.with_value(background, 'k', 'v')
    local child = open(ctx)
    assert.equals('v', (ctx:value 'k'))
    assert.equals('v', (child:value 'k'))
    assert.is_nil((ctx:value 'other'))
    assert.is_nil((background:value 'k'))
  end)

  it('takes any key and any value, and does not mix them up', function()
    local k1, k2 = {}, {}
    local ctx = context.with_value(background, k1, 'one')
    ctx = context.with_value(ctx, k2, k2)
    ctx = context.with_value(ctx, 1, 'number')
    ctx = context.with_value(ctx, '1', 'string')
    ctx = context.with_value(ctx, print, false)
    assert.equals('one', (ctx:value(k1)))
    assert.equals(k2, (ctx:value(k2)))
    assert.equals('number', (ctx:value(1)))
    assert.equals('string', (ctx:value '1'))
    assert.is_false((ctx:value(print)))
    assert.is_nil((ctx:value {}))
  end)

  it('hides the parent\'s value of that key, for its own children only', function()
    local parent = context.with_value(background, 'k', 'outer')
    local child = context.with_value(parent, 'k', 'inner')
    assert.same({ 'outer', 'inner', 'inner' },
      { parent:value 'k', child:value 'k', (open(child):value 'k') })
  end)

  it('ends with its parent', function()
    local parent, cancel = open()
    local ctx = context.with_value(parent, 'k', 'v')
    assert.is_nil((ctx:err()))
    cancel 'c'
    assert.same({ 'context canceled', 'c', 'v' }, { ctx:err(), ctx:cause(), (ctx:value 'k') })
    assert.is_true(ctx:done():is_closed())
    local ch = weft.chan()
    assert.same({ nil, 'context canceled' }, { ch:recv(ctx) })
  end)

  it('takes many', function()
    local ctx = background
    for i = 1, 5000 do ctx = context.with_value(ctx, i, -i) end
    assert.same({ -1, -2500, -5000 }, { ctx:value(1), ctx:value(2500), (ctx:value(5000)) })
  end)
end)

describe('without_cancel', function()
  it('keeps the values and forgets the end', function()
    local parent, cancel = context.with_timeout(context.with_value(background, 'k', 'v'), 5)
    local ctx = context.without_cancel(parent)
    cancel 'gone'
    assert.same({ nil, nil, nil, 'v' },
      { ctx:err(), ctx:cause(), (ctx:deadline()), (ctx:value 'k') })
    assert.is_nil((ctx:err()))
    assert.is_nil((ctx:cause()))
    assert.is_nil((ctx:deadline()))
    assert.equals('v', (ctx:value 'k'))
    assert.is_false(ctx:done():is_closed())
    assert.is_true(weft.sleep(10, ctx))
  end)

  it('of a cancelled one is alive, and can have ends of its own', function()
    local ctx = context.without_cancel(util.cancelled())
    assert.is_nil((ctx:err()))
    local child, cancel = open(ctx)
    cancel 'x'
    assert.equals('x', (child:cause()))
    assert.is_nil((ctx:err()))
  end)
end)

describe('context.after_func', function()
  it('runs the function in a task of its own when the context ends', function()
    local ctx = context.with_timeout(background, 3)
    local t0, at, id = time.monotonic(), nil, nil
    context.after_func(ctx, function()
      at, id = time.monotonic(), weft.id()
      weft.sleep(1)
    end)
    weft.sleep(10)
    near(3, at - t0)
    assert.are_not.equal(weft.id(), id)
  end)

  it('runs it soon for a context that has ended, not before the caller blocks', function()
    local ran = 0
    local stop = context.after_func(util.cancelled(), function() ran = ran + 1 end)
    assert.equals(0, ran)
    settle()
    assert.equals(1, ran)
    assert.is_false(stop())
  end)

  it('stop keeps it from starting, and says so', function()
    local ctx, cancel = open()
    local ran = 0
    local stop = context.after_func(ctx, function() ran = ran + 1 end)
    local stop_other = context.after_func(ctx, function() ran = ran + 10 end)
    assert.is_true(stop())
    assert.is_false(stop())
    cancel()
    settle()
    assert.equals(10, ran)
    assert.is_false(stop_other())
  end)

  it('does not keep the function waiting for ever: no end, no call', function()
    local ctx, cancel = open()
    local ran = 0
    local stop = context.after_func(ctx, function() ran = ran + 1 end)
    weft.sleep(100)
    assert.equals(0, ran)
    assert.is_true(stop())
    cancel()
    settle()
    assert.equals(0, ran)
  end)
end)

describe('a cancel', function()
  it('wakes every kind of blocking call with nil and the reason', function()
    local ctx, cancel = open()
    local ch, m, wg = weft.chan(), weft.sync.mutex(), weft.sync.waitgroup()
    m:lock()
    wg:add(1)
    local f = weft.async(function() weft.sleep(100) end)
    local rs = {
      recv = start(function() return ch:recv(ctx) end),
      sleep = start(function() return weft.sleep(50, ctx) end),
      time_sleep = start(function() return time.sleep(50, ctx) end),
      lock = start(function() return m:lock(ctx) end),
      wait = start(function() return wg:wait(ctx) end),
      await = start(function() return f:await(ctx) end),
      try = start(function() return f:try(ctx) end),
      send = start(function() return weft.chan():send(1, ctx) end),
    }
    weft.sleep(1)
    for name, r in pairs(rs) do assert.is_false(r.done, name) end
    local at = time.monotonic()
    cancel 'a cause'
    settle()
    for name, r in pairs(rs) do
      assert.same({ true, true, 2, nil, 'context canceled' },
        { r.done, r.ok, r.n, r[1], r[2] }, name)
      near(at, r.at, name)
    end
    util.nobody_waits(ch)
    wg:done()
    m:unlock()
    f:await()
  end)
end)
