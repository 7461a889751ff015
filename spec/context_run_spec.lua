-- SPDX-License-Identifier: MIT
-- A task's own context: what a call that is given none does when it ends, who has it, and what is
-- as before where nobody has one.
-- Subject: runtime/conc/scope.c lua/weft/internal/scope.lua

local weft = require 'weft'
local util = require 'support.util'
local context, sync, time = weft.context, weft.sync, weft.time
local settle, start, near, has, raises = util.settle, util.start, util.near, util.has, util.raises

local background = context.background()

local function open(parent) return context.with_cancel(parent or background) end

-- Starts fn(...) in a task under a context: what start knows of it, and the cancel function.
local function under(fn, ...)
  local ctx, cancel = open()
  return start(context.run, ctx, fn, ...), cancel, ctx
end

-- Calls `wait` in a task whose context ends while it waits there, and then once more: both raise
-- the error at its line. `wait` is one line.
local function stops(wait)
  local first, second
  local r, cancel = under(function()
    first = raises(wait, 'context canceled')
    second = raises(wait, 'context canceled')
  end)
  assert.is_false(r.done)
  cancel()
  settle()
  if not r.ok then error(r.err, 2) end
  assert.equals(first, second)
  assert.is_truthy(first:find(':%d+: context canceled$'))
end

describe('run', function()
  it('gives fn its arguments and returns its results', function()
    local function f(...) return select('#', ...), ... end
    local r = util.pack(context.run(background, f, 1, nil, 'x', nil))
    assert.same({ n = 5, 4, 1, nil, 'x', nil }, r)
  end)

  it('raises what fn raises, the very value', function()
    local value = {}
    local ok, err = pcall(context.run, background, error, value)
    assert.is_false(ok)
    assert.equals(value, err)
    assert.equals(background, context.current())
  end)

  it('makes the context current, inside and no longer', function()
    local outer, inner = open(), context.with_value(background, 'k', 'v')
    assert.equals(background, context.current())
    context.run(outer, function()
      assert.equals(outer, context.current())
      context.run(inner, function()
        assert.equals(inner, context.current())
        assert.equals('v', context.current():value('k'))
        weft.sleep(1)
        assert.equals(inner, context.current())
      end)
      pcall(context.run, inner, error, 'x')
      assert.equals(outer, context.current())
    end)
    assert.equals(background, context.current())
  end)

  it('with the context of somebody else is for this task alone', function()
    local ctx = open()
    local other
    weft.go(function()
      weft.sleep(1)
      other = context.current()
    end)
    context.run(ctx, function() weft.sleep(2) end)
    assert.equals(background, other)
  end)
end)

describe('a blocking call without a context', function()
  it('raises when the task\'s own ends: recv, send', function()
    local ch, full = weft.chan(), weft.chan(1)
    full:send(1)
    stops(function() ch:recv() end)
    stops(function() ch:send(1) end)
    stops(function() full:send(1) end)
    full:recv()
    stops(function() full:recv() end)
    stops(function() ch:recv_only():recv() end)
    stops(function() ch:send_only():send(1) end)
    assert.is_false((ch:try_send(1)))
    assert.is_nil((ch:try_recv()))
    assert.equals(0, full:len())
  end)

  it('raises when the task\'s own ends: loops over a channel', function()
    local ch, buffered = weft.chan(), weft.chan(1)
    stops(function() for _ in ch do error 'none' end end)
    stops(function() for _ in buffered do error 'none' end end)
    stops(function() for _ in ch:iter() do error 'none' end end)
    stops(function() for _ in ch.recv, ch do error 'none' end end)
  end)

  it('raises when the task\'s own ends: select', function()
    local a, b = weft.chan(), weft.chan()
    stops(function() weft.select(a) end)
    stops(function() weft.select(a, b:sending(1)) end)
    stops(function() weft.select(a, b, a, b, a, b, a, b, a, b, a, b) end)
    stops(function() weft.select { a = a, b = b:sending(1) } end)
    stops(function() weft.select() end)
    stops(function() weft.select(nil, nil) end)
    assert.is_false((b:try_send(1)))
    assert.is_nil((a:try_recv()))
    assert.is_nil((b:try_recv()))
  end)

  it('raises when the task\'s own ends: sleep, sync, Futures', function()
    local m, wg = sync.mutex(), sync.waitgroup()
    local ch = weft.chan()
    local future = weft.async(function() return (ch:recv()) end)
    m:lock()
    wg:add(1)
    stops(function() weft.sleep(math.huge) end)
    stops(function() time.sleep(1e6) end)
    stops(function() m:lock() end)
    stops(function() m:with(error, 'locked') end)
    stops(function() wg:wait() end)
    stops(function() future:await() end)
    stops(function() future:try() end)
    stops(function() weft.map({ 1 }, function() weft.sleep(1e6) end) end)
    m:unlock()
    assert.is_true(m:try_lock())
    m:unlock()
    ch:send('still there')
    assert.equals('still there', (future:await()))
  end)

  it('raises where it need not have waited, once it has ended', function()
    local ch, buffered, m, wg = weft.chan(), weft.chan(2), sync.mutex(), sync.waitgroup()
    local done = weft.async(function() return 1 end)
    buffered:send(1)
    for _ = 1, 2 do weft.go(function() ch:send('sent') end) end
    settle()
    local r, cancel, ctx = under(function() weft.chan():recv(context.current()) end)
    cancel()
    settle()
    assert.is_true(r.ok)
    context.run(ctx, function()
      for _ = 1, 100 do  -- compiled as well
        raises(function() ch:recv() end, 'context canceled')
        raises(function() buffered:recv() end, 'context canceled')
        raises(function() buffered:send(2) end, 'context canceled')
        raises(function() weft.select(ch, buffered) end, 'context canceled')
        raises(function() weft.sleep(0) end, 'context canceled')
        raises(function() weft.yield() end, 'context canceled')
        raises(function() done:await() end, 'context canceled')
        raises(function() wg:wait() end, 'context canceled')
        raises(function() weft.map({ 1 }, error) end, 'context canceled')
        raises(function() weft.blocking(error) end, 'context canceled')
      end
      -- What is no blocking call goes on.
      assert.equals('sent', (ch:try_recv()))
      assert.is_true((buffered:try_send(2)))
      assert.equals(1, (weft.select(ch, weft.default)))
      assert.is_true(m:try_lock())
      raises(function() m:lock() end, 'context canceled')
      m:unlock()
      raises(function() m:lock() end, 'context canceled')
    end)
    assert.equals(1, (buffered:recv()))
    assert.equals(2, (buffered:recv()))
    assert.equals(1, (done:await()))
  end)

  it('raises for a deadline, with its error', function()
    local ctx = context.with_timeout(background, 3, 'too slow')
    local t = time.monotonic()
    local err = raises(function() context.run(ctx, function() weft.chan():recv() end) end)
    has(err, 'context deadline exceeded')
    near(3, time.monotonic() - t)
    assert.equals('too slow', (ctx:cause()))
  end)

  it('raises where it need not wait, whoever has run meanwhile', function()
    local wait, buffered = weft.chan(), weft.chan(3)
    for i = 1, 3 do buffered:send(i) end
    local r, cancel = under(function()
      wait:recv()
      return buffered:recv()
    end)
    context.run(background, settle)
    wait:send(1)
    cancel()
    settle()
    assert.is_false(r.ok)
    assert.equals(3, buffered:len())
  end)

  it('returns a value that was handed over before the cancel', function()
    local ch = weft.chan()
    local r, cancel = under(function() return ch:recv() end)
    ch:send('value')
    cancel()
    settle()
    assert.is_true(r.ok)
    assert.equals('value', r[1])
  end)

  it('is as ever under a context that lives', function()
    context.run(open(), function()
      local ch, b = weft.chan(), weft.chan(1)
      weft.go(function()
        for i = 1, 10 do ch:send(i) end
        ch:close('end')
      end)
      for i = 1, 10 do assert.equals(i, (ch:recv())) end
      local v, err = ch:recv()
      assert.is_nil(v)
      assert.equals('end', err)
      raises(function() ch:send(1) end, 'send on closed channel')
      assert.is_true(b:send(1))
      assert.equals(1, select('#', b:recv()))
      assert.is_true(weft.sleep(1))
      local sum = 0
      weft.go(function() for i = 1, 4 do b:send(i) end b:close() end)
      for v2 in b do sum = sum + v2 end
      assert.equals(10, sum)
      assert.same({ n = 2, 2, 4 }, (weft.map({ 1, 2 }, function(x) return 2 * x end)))
    end)
  end)
end)

describe('a context that is given', function()
  it('wins over the task\'s own', function()
    local given, cancel_given = open()
    local r, cancel = under(function()
      local function one(...) return { ... } end
      local ch = weft.chan()
      return one(ch:recv(given)), one(ch:send(1, given)), one(weft.sleep(1e6, given)),
        one(sync.waitgroup():wait(given))
    end)
    cancel()
    settle()
    assert.is_false(r.done)
    cancel_given()
    settle()
    assert.is_true(r.ok)
    assert.same({ nil, 'context canceled' }, r[1])
    assert.same({ nil, 'context canceled' }, r[2])
    assert.same({ nil, 'context canceled' }, r[3])
    assert.is_nil(r[4][1])
  end)

  it('wins also when it is the very same', function()
    local r, cancel = under(function() return weft.chan():recv(context.current()) end)
    cancel()
    settle()
    assert.is_true(r.ok)
    assert.is_nil(r[1])
    assert.equals('context canceled', r[2])
  end)
end)

describe('a pcall', function()
  it('only delays', function()
    local n = 0
    local r, cancel = under(function()
      local ch = weft.chan()
      for _ = 1, 5 do
        if not pcall(ch.recv, ch) then n = n + 1 end
      end
      if not pcall(weft.sleep, 1) then n = n + 1 end
      ch:recv()
      n = 100
    end)
    cancel()
    settle()
    assert.is_false(r.ok)
    assert.equals(6, n)
    has(r.err, 'context canceled')
  end)

  it('stays around calls of the C functions themselves', function()
    local r, cancel = under(function()
      local out = {}
      for _, call in ipairs { weft.sleep, weft.chan().recv, weft.select } do
        local ok, err = pcall(call, call == weft.sleep and 1e6 or weft.chan())
        assert.is_false(ok)
        out[#out + 1] = err
      end
      return #out
    end)
    cancel()
    settle()
    assert.is_true(r.ok)
    assert.equals(3, r[1])
  end)
end)

describe('inside coroutines', function()
  it('a wait raises in the coroutine', function()
    local r, cancel = under(function()
      local co = coroutine.create(function()
        local ok, err = pcall(function() weft.chan():recv() end)
        coroutine.yield(ok, err)
        weft.sleep(1)
      end)
      local _, ok, err = coroutine.resume(co)
      assert.is_false(ok)
      has(err, 'context canceled')
      return coroutine.resume(co)
    end)
    cancel()
    settle()
    assert.is_true(r.ok)
    assert.is_false(r[1])
    has(r[2], 'context canceled')
  end)

  it('run works, and a yield out of it is refused', function()
    local ctx = open()
    local co = coroutine.wrap(function()
      local v = context.run(ctx, function()
        weft.sleep(1)
        raises(function() coroutine.yield(1) end, 'yield out of context.run')
        return context.current()
      end)
      coroutine.yield(v)
      return context.current()
    end)
    assert.equals(ctx, co())
    assert.equals(background, context.current())
    assert.equals(background, co())
  end)

  it('a generator goes on inside', function()
    local ctx = open()
    local sum = 0
    context.run(ctx, function()
      for v in coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i) end end) do
        sum = sum + v
      end
      assert.equals(ctx, context.current())
    end)
    assert.equals(6, sum)
  end)
end)

describe('a debug hook of the script', function()
  it('stays where it is', function()
    local hooked = 0
    local function hook() hooked = hooked + 1 end
    local r, cancel = under(function()
      debug.sethook(hook, '', 10)
      local ok = pcall(weft.sleep, 1e6)
      local fn, mask, count = debug.gethook()
      debug.sethook()
      return ok, fn == hook, mask, count
    end)
    cancel()
    settle()
    assert.is_true(r.ok)
    assert.same({ false, true, '', 10 }, { r[1], r[2], r[3], r[4] })
  end)
end)

describe('leaks', function()
  it('a task whose own context can still end is none', function()
    local r, cancel = under(function() weft.chan():recv() end)
    assert.same({}, weft.leaks())
    cancel()
    settle()
    assert.is_false(r.ok)
  end)

  it('a task whose own context nobody can end is one', function()
    local r = start(function()
      return context.run((open()), function() weft.chan():recv() end)
    end)
    collectgarbage()
    local leaks = weft.leaks { reclaim = true }
    assert.equals(1, #leaks)
    assert.equals(r.id, leaks[1].id)
  end)

  it('what a task can come to by its own context counts', function()
    local r
    local function make()
      local ch = weft.chan()
      r = start(function() return ch:recv() end)
      context.run(context.with_value(background, 'ch', ch), weft.go, function()
        weft.sleep(1)
        context.current():value('ch'):send('here')
      end)
    end
    make()
    collectgarbage()
    assert.same({}, weft.leaks())
    weft.sleep(2)
    assert.equals('here', r[1])
  end)
end)

describe('misuse', function()
  it('is told at the line of the caller', function()
    raises(function() context.run() end, "'run'", 'context expected')
    raises(function() context.run({}, print) end, "'run'", 'context expected')
    raises(function() context.run(background) end, "'run'", 'function expected')
    raises(function() context.run(background, 'x') end, "'run'", 'function expected, got string')
    assert.equals(background, context.current())
  end)
end)
