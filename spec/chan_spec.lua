-- SPDX-License-Identifier: MIT
-- Channels: send, recv, their try_ forms, buffers, order, close, iteration, views.

local weft = require 'weft'
local ffi = require 'ffi'
local util = require 'support.util'
local context = weft.context
local settle, start, raises = util.settle, util.start, util.raises

local function chan_of(cap, ...)
  local ch = weft.chan(cap)
  for i = 1, select('#', ...) do ch:send((select(i, ...))) end
  return ch
end

local function drain(ch)
  local list = {}
  while true do
    local v, err = ch:try_recv()
    if v == nil then return list, err end
    list[#list + 1] = v
  end
end

describe('chan: creation', function()
  it('is unbuffered without a capacity', function()
    local ch = weft.chan()
    assert.equals(0, ch:cap())
    assert.equals(0, ch:len())
    assert.is_false(ch:is_closed())
  end)

  it('has the capacity that was asked for', function()
    assert.equals(0, weft.chan(0):cap())
    assert.equals(3, weft.chan(3):cap())
    assert.equals(2, weft.chan(2.0):cap())
    assert.equals(100000, weft.chan(100000):cap())
  end)

  it('makes a different channel each time', function()
    assert.are_not.equal(weft.chan(), weft.chan())
  end)
end)

describe('chan: values', function()
  it('go by reference and unchanged, of every type', function()
    local ch = weft.chan(1)
    local co = coroutine.create(function() end)
    local values = { true, false, 0, -0.5, math.huge, '', 'a\0b', {}, print, function() end, co,
      io.stdout, ffi.new 'int64_t', 12LL, ch, weft.chan(), newproxy(true) }
    for _, v in ipairs(values) do
      assert.is_true(ch:send(v))
      local got = ch:recv()
      assert.is_true(rawequal(got, v), 'buffered ' .. type(v))
    end
    local un = weft.chan()
    for _, v in ipairs(values) do
      local r = start(un.recv, un)
      assert.is_true(un:send(v))
      settle()
      assert.is_true(rawequal(r[1], v), 'to a waiting receiver ' .. type(v))
      r = start(un.send, un, v)
      assert.is_true(rawequal((un:recv()), v), 'from a waiting sender ' .. type(v))
      settle()
      assert.same({ true, true }, { r.ok, r[1] })
    end
  end)

  it('may be NaN', function()
    local ch = chan_of(1, 0 / 0)
    local v = ch:recv()
    assert.are_not.equal(v, v)
  end)

  it('come as exactly one result', function()
    assert.equals(1, select('#', chan_of(1, 5):recv()))
    assert.equals(1, select('#', chan_of(1, 5):try_recv()))
    local ch = weft.chan()
    local r = start(ch.recv, ch)
    ch:send 'x'
    settle()
    assert.same({ 1, 'x' }, { r.n, r[1] })
  end)

  it('are not kept alive by the channel once taken', function()
    local ch = weft.chan(4)
    local weak = setmetatable({}, { __mode = 'v' })
    local ctx, cancel = context.with_cancel(context.background())
    local takes = { ch.recv, ch.try_recv, weft.select, function() return ch:recv(ctx) end }
    local function through(i)
      weak[i] = { i }
      ch:send(weak[i])
      takes[i](ch)
    end
    local function past_a_sender(i)
      for k = 1, 5 do
        local v = { k }
        weak[10 * i + k] = v
        if k < 5 then ch:send(v) else start(ch.send, ch, v) end
      end
      for _ = 1, 5 do takes[i](ch) end
      settle()
    end
    for i = 1, #takes do
      through(i)
      past_a_sender(i)
    end
    cancel()
    local function fill() return { {}, {}, {}, {} } end
    fill()
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
    assert.equals(0, ch:len())
  end)

  it('are kept alive while they lie in the buffer or with a waiting sender', function()
    local buffered, un = weft.chan(1), weft.chan()
    buffered:send { 'b' }
    local r = start(function() return un:send { 'u' } end)
    collectgarbage()
    collectgarbage()
    assert.same({ 'b' }, buffered:recv())
    assert.same({ 'u' }, un:recv())
    settle()
    assert.is_true(r[1])
  end)
end)

describe('chan: unbuffered', function()
  it('send blocks until the value is taken', function()
    local ch = weft.chan()
    local s = start(ch.send, ch, 1)
    assert.is_false(s.done)
    assert.equals(0, ch:len())
    assert.equals(1, ch:recv())
    settle()
    assert.same({ true, true }, { s.ok, s[1] })
  end)

  it('recv blocks until a value is sent', function()
    local ch = weft.chan()
    local r = start(ch.recv, ch)
    assert.is_false(r.done)
    assert.is_true(ch:send 'v')
    settle()
    assert.same({ true, 'v' }, { r.ok, r[1] })
  end)

  it('send hands its value straight to the waiting receiver', function()
    local ch = weft.chan()
    local r = start(ch.recv, ch)
    assert.is_true(ch:try_send 'mine')
    -- the receiver has not run yet, and nobody can take its value away
    assert.same({ nil, 'empty' }, { ch:try_recv() })
    settle()
    assert.equals('mine', r[1])
  end)

  it('serves waiting receivers first in, first out', function()
    local ch, rs = weft.chan(), {}
    for i = 1, 5 do rs[i] = start(ch.recv, ch) end
    for i = 1, 5 do
      assert.is_true(ch:try_send(i))
    end
    settle()
    for i = 1, 5 do assert.equals(i, rs[i][1]) end
  end)

  it('serves waiting senders first in, first out', function()
    local ch, ss = weft.chan(), {}
    for i = 1, 5 do ss[i] = start(ch.send, ch, i) end
    assert.same({ 1, 2, 3 }, { ch:recv(), ch:try_recv(), (ch:recv()) })
    settle()
    assert.same({ true, true, true, false, false },
      { ss[1].done, ss[2].done, ss[3].done, ss[4].done, ss[5].done })
    assert.same({ 4, 5 }, { ch:recv(), (ch:recv()) })
  end)
end)

describe('chan: buffered', function()
  it('send blocks only when the buffer is full', function()
    local ch = weft.chan(2)
    local dt = util.elapsed(function()
      assert.is_true(ch:send 'a')
      assert.is_true(ch:send 'b')
    end)
    assert.equals(0, dt)
    assert.equals(2, ch:len())
    local s = start(ch.send, ch, 'c')
    assert.is_false(s.done)
    assert.equals(2, ch:len())
    assert.equals('a', ch:recv())
    settle()
    assert.is_true(s[1])
    assert.same({ 'b', 'c' }, drain(ch))
  end)

  it('keeps the order of values round and round the buffer', function()
    local ch, sent, got = weft.chan(3), 0, 0
    for round = 1, 50 do
      for _ = 1, 1 + round % 3 do
        sent = sent + 1
        ch:send(sent)
      end
      for _ = 1, 1 + round % 3 do
        got = got + 1
        assert.equals(got, (ch:recv()))
      end
      assert.equals(0, ch:len())
    end
    assert.equals(sent, got)
  end)

  it('lets blocked senders in behind the buffered values, in order', function()
    local ch = chan_of(2, 1, 2)
    local ss = {}
    for i = 3, 6 do ss[i] = start(ch.send, ch, i) end
    for i = 1, 6 do
      assert.equals(i, (ch:recv()))
      assert.equals(math.min(2, 6 - i), ch:len())
    end
    settle()
    for i = 3, 6 do assert.is_true(ss[i][1]) end
  end)

  it('hands a value to a receiver that waits, past the empty buffer', function()
    local ch = weft.chan(2)
    local r1, r2 = start(ch.recv, ch), start(ch.recv, ch)
    ch:try_send 'x'
    ch:try_send 'y'
    ch:try_send 'z'
    assert.equals(1, ch:len())
    settle()
    assert.same({ 'x', 'y' }, { r1[1], r2[1] })
    assert.same({ 'z' }, drain(ch))
  end)

  it('tells its length and capacity', function()
    local ch = weft.chan(2)
    for i = 0, 2 do
      assert.equals(i, ch:len())
      assert.equals(2, ch:cap())
      ch:try_send(i)
    end
    ch:recv()
    assert.equals(1, ch:len())
  end)
end)

describe('chan: try_send and try_recv', function()
  it('try_send on an unbuffered channel needs a waiting receiver', function()
    local ch = weft.chan()
    assert.same({ false, 'full' }, { ch:try_send(1) })
    local r = start(ch.recv, ch)
    assert.is_true(ch:try_send(2))
    assert.same({ false, 'full' }, { ch:try_send(3) })
    settle()
    assert.equals(2, r[1])
    util.nobody_waits(ch)
  end)

  it('try_send on a buffered channel needs room', function()
    local ch = weft.chan(1)
    assert.is_true(ch:try_send(1))
    assert.same({ false, 'full' }, { ch:try_send(2) })
    assert.same({ 1 }, drain(ch))
  end)

  it('try_recv on an empty channel gives nil, "empty"', function()
    assert.same({ n = 2, nil, 'empty' }, util.pack(weft.chan():try_recv()))
    assert.same({ n = 2, nil, 'empty' }, util.pack(weft.chan(1):try_recv()))
  end)

  it('try_recv takes from a waiting sender, who goes on', function()
    local ch = weft.chan()
    local s = start(ch.send, ch, 'v')
    assert.equals('v', ch:try_recv())
    settle()
    assert.is_true(s[1])
    assert.same({ nil, 'empty' }, { ch:try_recv() })
  end)

  it('try_recv takes the oldest value and lets a blocked sender in', function()
    local ch = chan_of(1, 'old')
    local s = start(ch.send, ch, 'new')
    assert.equals('old', ch:try_recv())
    assert.equals(1, ch:len())
    settle()
    assert.is_true(s[1])
    assert.same({ 'new' }, drain(ch))
  end)

  it('try_recv on a closed channel drains it, then gives the reason', function()
    local ch = chan_of(2, 1, 2)
    ch:close()
    assert.equals(1, ch:try_recv())
    assert.equals(2, ch:try_recv())
    assert.same({ nil, 'closed' }, { ch:try_recv() })
    local why = {}
    local failed = weft.chan()
    failed:close(why)
    local v, err = failed:try_recv()
    assert.is_nil(v)
    assert.equals(why, err)
  end)

  it('try_send on a closed channel raises as send does', function()
    local ch = weft.chan(1)
    ch:close()
    raises(function() ch:try_send(1) end, 'send on closed channel')
    assert.equals(0, ch:len())
  end)

  it('do not block and do not take time', function()
    local ch = weft.chan()
    assert.equals(0, (util.elapsed(function() ch:try_send(1) ch:try_recv() end)))
  end)
end)

describe('chan: nil', function()
  it('cannot be sent, in any way, and nothing changes', function()
    local ch = weft.chan(1)
    raises(function() ch:send(nil) end, 'send', 'nil')
    raises(function() ch:send() end, 'send')
    raises(function() ch:try_send(nil) end, 'try_send', 'nil')
    raises(function() ch:try_send() end, 'try_send')
    assert.equals(0, ch:len())
    util.nobody_waits(ch)
    local un = weft.chan()
    local r = start(un.recv, un)
    assert.is_false((pcall(un.send, un, nil)))
    assert.is_false(r.done)
    un:send 'x'
    settle()
    assert.equals('x', r[1])
  end)

  it('false can', function()
    local ch = chan_of(1, false)
    assert.is_false(ch:recv())
    ch:send(false)
    assert.is_false(ch:try_recv())
  end)
end)

describe('chan: contexts', function()
  it('a cancel wakes a blocked recv with nil and the reason', function()
    local ch = weft.chan()
    local ctx, cancel = context.with_cancel(context.background())
    local r = start(ch.recv, ch, ctx)
    assert.is_false(r.done)
    cancel()
    settle()
    assert.same({ true, 2, nil, 'context canceled' }, { r.ok, r.n, r[1], r[2] })
    util.nobody_waits(ch)
  end)

  it('a cancel wakes a blocked send, and its value is not given', function()
    for cap = 0, 1 do
      local ch = weft.chan(cap)
      if cap == 1 then ch:send 'first' end
      local ctx, cancel = context.with_cancel(context.background())
      local s = start(ch.send, ch, 'lost', ctx)
      assert.is_false(s.done)
      cancel()
      settle()
      assert.same({ true, 2, nil, 'context canceled' }, { s.ok, s.n, s[1], s[2] })
      assert.same(cap == 1 and { 'first' } or {}, drain(ch))
      util.nobody_waits(ch)
    end
  end)

  it('a deadline wakes them at its time', function()
    local ch = weft.chan()
    local ctx = context.with_timeout(context.background(), 5)
    local dt, v, err = util.elapsed(ch.recv, ch, ctx)
    util.near(5, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    ctx = context.with_timeout(context.background(), 7)
    dt, v, err = util.elapsed(ch.send, ch, 1, ctx)
    util.near(7, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    util.nobody_waits(ch)
  end)

  it('one that is cancelled already stops calls that need not wait', function()
    local ch, ctx = chan_of(2, 'here'), util.cancelled()
    assert.same({ n = 2, nil, 'context canceled' }, util.pack(ch:recv(ctx)))
    assert.equals(1, ch:len())
    assert.same({ n = 2, nil, 'context canceled' }, util.pack(ch:send('more', ctx)))
    assert.same({ 'here' }, drain(ch))
    local un = weft.chan()
    local r = start(un.recv, un)
    assert.same({ nil, 'context canceled' }, { un:send('no', ctx) })
    settle()
    assert.is_false(r.done)
    un:send 'yes'
    settle()
    assert.equals('yes', r[1])
  end)

  it('a value that was handed over before the cancel is returned', function()
    local ch = weft.chan()
    local ctx, cancel = context.with_cancel(context.background())
    local r = start(ch.recv, ch, ctx)
    assert.is_true(ch:try_send 'kept')
    cancel()
    settle()
    assert.same({ 1, 'kept' }, { r.n, r[1] })
  end)

  it('a value that was taken before the cancel counts as sent', function()
    local ch = weft.chan()
    local ctx, cancel = context.with_cancel(context.background())
    local s = start(ch.send, ch, 'taken', ctx)
    assert.equals('taken', ch:try_recv())
    cancel()
    settle()
    assert.same({ 1, true }, { s.n, s[1] })
  end)

  it('one that gives up leaves the others in their order', function()
    local ch, rs, cancels = weft.chan(), {}, {}
    for i = 1, 5 do
      local ctx, cancel = context.with_cancel(context.background())
      cancels[i], rs[i] = cancel, start(ch.recv, ch, ctx)
    end
    cancels[1]()
    cancels[3]()
    cancels[5]()
    settle()
    ch:send 'second'
    ch:send 'fourth'
    settle()
    assert.same({ 'second', 'fourth' }, { rs[2][1], rs[4][1] })
    for _, i in ipairs { 1, 3, 5 } do assert.equals('context canceled', rs[i][2]) end
    util.nobody_waits(ch)
    cancels[2]()
    cancels[4]()
  end)

  it('one that gives up sending leaves the other senders in their order', function()
    local ch = weft.chan()
    local ctx, cancel = context.with_cancel(context.background())
    local a, b, c = start(ch.send, ch, 'a'), start(ch.send, ch, 'b', ctx), start(ch.send, ch, 'c')
    cancel()
    settle()
    assert.same({ 'a', 'c' }, drain(ch))
    settle()
    assert.same({ true, nil, true }, { a[1], b[1], c[1] })
  end)

  it('a live context changes nothing', function()
    local ch = weft.chan(1)
    local ctx, cancel = context.with_cancel(context.background())
    assert.is_true(ch:send('v', ctx))
    assert.equals('v', (ch:recv(ctx)))
    cancel()
    assert.equals(0, ch:len())
  end)

  it('nil stands for no context', function()
    local ch = weft.chan(1)
    assert.is_true(ch:send('v', nil))
    assert.equals('v', (ch:recv(nil)))
  end)
end)
