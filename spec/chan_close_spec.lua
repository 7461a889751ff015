-- SPDX-License-Identifier: MIT
-- Channels: close, closing errors, iteration, one-way views, many tasks.

local weft = require 'weft'
local util = require 'support.util'
local context = weft.context
local settle, start, raises, has = util.settle, util.start, util.raises, util.has

local function chan_of(cap, ...)
  local ch = weft.chan(cap)
  for i = 1, select('#', ...) do ch:send((select(i, ...))) end
  return ch
end

local function closed(err)
  local ch = weft.chan()
  ch:close(err)
  return ch
end

describe('close', function()
  it('is seen by is_closed at once, drained or not', function()
    local ch = chan_of(1, 'v')
    assert.is_false(ch:is_closed())
    ch:close()
    assert.is_true(ch:is_closed())
    assert.equals('v', ch:recv())
    assert.is_true(ch:is_closed())
  end)

  it('leaves what is buffered to be received, then nil, "closed"', function()
    local ch = chan_of(3, 'a', 'b')
    ch:close()
    assert.equals(2, ch:len())
    assert.equals('a', ch:recv())
    assert.equals('b', ch:recv())
    assert.same({ n = 2, nil, 'closed' }, util.pack(ch:recv()))
    assert.same({ n = 2, nil, 'closed' }, util.pack(ch:recv()))
  end)

  it('gives its error, the very value, instead of "closed"', function()
    local why = { code = 7 }
    local ch = chan_of(1, 'v')
    ch:close(why)
    assert.equals('v', ch:recv())
    local v, err = ch:recv()
    assert.is_nil(v)
    assert.equals(why, err)
    assert.same({ nil, 'broken pipe' }, { closed 'broken pipe':recv() })
  end)

  it('wakes every blocked receiver', function()
    local ch, rs = weft.chan(), {}
    for i = 1, 4 do rs[i] = start(ch.recv, ch) end
    ch:close()
    settle()
    for i = 1, 4 do
      assert.same({ true, 2, nil, 'closed' }, { rs[i].ok, rs[i].n, rs[i][1], rs[i][2] })
    end
    local why, failing = {}, weft.chan(2)
    local r = start(failing.recv, failing)
    failing:close(why)
    settle()
    assert.is_nil(r[1])
    assert.equals(why, r[2])
  end)

  it('makes blocked senders raise, at their line, and drops their values', function()
    for cap = 0, 1 do
      local ch = weft.chan(cap)
      if cap == 1 then ch:send 'in' end
      local ss = {}
      for i = 1, 3 do
        ss[i] = start(function()
          raises(function() ch:send 'out' end, 'send on closed channel')
        end)
        assert.is_false(ss[i].done)
      end
      ch:close()
      settle()
      for i = 1, 3 do assert.same({ true, nil }, { ss[i].ok, ss[i].err }) end
      if cap == 1 then assert.equals('in', ch:recv()) end
      assert.same({ nil, 'closed' }, { ch:recv() })
    end
  end)

  it('makes a blocked sender raise whatever the closing error is', function()
    local ch = weft.chan()
    local s = start(function() ch:send(1) end)
    ch:close 'my reason'
    settle()
    assert.is_false(s.ok)
    has(s.err, 'send on closed channel')
  end)

  it('makes later sends raise', function()
    for cap = 0, 1 do
      local ch = weft.chan(cap)
      ch:close()
      raises(function() ch:send(1) end, 'send on closed channel')
      raises(function() ch:try_send(1) end, 'send on closed channel')
      assert.equals(0, ch:len())
    end
  end)

  it('raises the second time, and the first reason stays', function()
    local ch = weft.chan()
    ch:close 'first'
    raises(function() ch:close() end, 'close of closed channel')
    raises(function() ch:close 'second' end, 'close of closed channel')
    assert.same({ nil, 'first' }, { ch:recv() })
  end)

  it('lets a value handed over before it be received', function()
    local ch = weft.chan()
    local r = start(ch.recv, ch)
    ch:try_send 'v'
    ch:close()
    settle()
    assert.equals('v', r[1])
  end)

  it('leaves a sender whose value was taken before it alone', function()
    local ch = weft.chan()
    local s = start(ch.send, ch, 'v')
    assert.equals('v', ch:try_recv())
    ch:close()
    settle()
    assert.same({ true, true }, { s.ok, s[1] })
  end)

  it('may come from a task that is not the sender', function()
    local ch = weft.chan()
    weft.go(function()
      weft.sleep(1)
      ch:close()
    end)
    local dt, v, err = util.elapsed(ch.recv, ch)
    util.near(1, dt)
    assert.same({ nil, 'closed' }, { v, err })
  end)

  it('keeps the values that blocked senders had not placed out of the buffer', function()
    local ch = chan_of(1, 'in')
    local s = start(ch.send, ch, 'waiting')
    ch:close()
    settle()
    assert.is_false(s.ok)
    local got = {}
    for v in ch do got[#got + 1] = v end
    assert.same({ 'in' }, got)
  end)
end)

describe('iteration', function()
  it('goes on until the channel is closed and drained', function()
    local ch, got = weft.chan(2), {}
    weft.go(function()
      for i = 1, 10 do ch:send(i) end
      ch:close()
    end)
    for v in ch do got[#got + 1] = v end
    assert.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, got)
  end)

  it('goes on by ch:iter() as well', function()
    local ch, got = chan_of(2, 'a', 'b'), {}
    ch:close()
    for v in ch:iter() do got[#got + 1] = v end
    assert.same({ 'a', 'b' }, got)
  end)

  it('does not stop at false', function()
    local ch, n = chan_of(3, false, true, false), 0
    ch:close()
    for v in ch do
      assert.is_boolean(v)
      n = n + 1
    end
    assert.equals(3, n)
  end)

  it('raises the error that the channel was closed with, after the values', function()
    local why = { 'reason' }
    for _, form in ipairs { 'call', 'iter' } do
      local ch, got = chan_of(2, 1, 2), {}
      ch:close(why)
      local ok, err = pcall(function()
        if form == 'call' then
          for v in ch do got[#got + 1] = v end
        else
          for v in ch:iter() do got[#got + 1] = v end
        end
      end)
      assert.is_false(ok)
      assert.equals(why, err)
      assert.same({ 1, 2 }, got)
    end
    local ok, err = pcall(function() for _ in closed 'text' do error 'no value expected' end end)
    assert.is_false(ok)
    has(err, 'text')
  end)

  it('raises that error also when it waits as the channel is closed', function()
    local ch, why = weft.chan(), {}
    local r = start(function() for _ in ch do error 'no value expected' end end)
    ch:close(why)
    settle()
    assert.is_false(r.ok)
    assert.equals(why, r.err)
  end)

  it('stops when its context is cancelled, and takes nothing more', function()
    local ch, got = chan_of(3, 1, 2, 3), {}
    local ctx, cancel = context.with_cancel(context.background())
    for v in ch:iter(ctx) do
      got[#got + 1] = v
      if v == 2 then cancel() end
    end
    assert.same({ 1, 2 }, got)
    assert.equals(1, ch:len())
    ctx = context.with_timeout(context.background(), 3)
    ch:recv()
    local dt = util.elapsed(function() for _ in ch:iter(ctx) do error 'no value expected' end end)
    util.near(3, dt)
    util.nobody_waits(ch)
  end)

  it('may be left by break; the rest stays', function()
    local ch = chan_of(3, 1, 2, 3)
    for v in ch do
      if v == 2 then break end
    end
    assert.equals(3, ch:recv())
    util.nobody_waits(ch)
  end)

  it('is shared fairly by several loops: each value goes to one of them', function()
    local ch, count, wg = weft.chan(), {}, weft.sync.waitgroup()
    for _ = 1, 3 do
      wg:go(function()
        for v in ch do count[v] = (count[v] or 0) + 1 end
      end)
    end
    for i = 1, 30 do ch:send(i) end
    ch:close()
    wg:wait()
    for i = 1, 30 do assert.equals(1, count[i]) end
  end)
end)

describe('views', function()
  it('send_only sends, recv_only receives, on the same channel', function()
    local ch = weft.chan(2)
    local out, inn = ch:send_only(), ch:recv_only()
    assert.is_true(out:send 'a')
    assert.is_true(out:try_send 'b')
    assert.same({ false, 'full' }, { out:try_send 'c' })
    assert.equals('a', inn:recv())
    assert.equals('b', inn:try_recv())
    assert.same({ nil, 'empty' }, { inn:try_recv() })
    ch:send 'd'
    assert.equals('d', inn:recv())
    out:send 'e'
    assert.equals('e', ch:recv())
  end)

  it('both tell len and cap', function()
    local ch = chan_of(3, 1, 2)
    assert.same({ 2, 3 }, { ch:send_only():len(), ch:send_only():cap() })
    assert.same({ 2, 3 }, { ch:recv_only():len(), ch:recv_only():cap() })
  end)

  it('block and wake like the channel, contexts included', function()
    local ch = weft.chan()
    local out, inn = ch:send_only(), ch:recv_only()
    local r = start(inn.recv, inn)
    out:send 'v'
    settle()
    assert.equals('v', r[1])
    local s = start(out.send, out, 'w')
    assert.equals('w', (inn:recv()))
    settle()
    assert.is_true(s[1])
    local ctx = context.with_timeout(context.background(), 2)
    local dt, v, err = util.elapsed(inn.recv, inn, ctx)
    util.near(2, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    assert.same({ nil, 'context deadline exceeded' }, { out:send(1, ctx) })
    util.nobody_waits(ch)
  end)

  it('the sending view closes, with an error too', function()
    local ch = weft.chan()
    ch:send_only():close 'done'
    assert.is_true(ch:is_closed())
    assert.same({ nil, 'done' }, { ch:recv_only():recv() })
    raises(function() ch:send_only():close() end, 'close of closed channel')
  end)

  it('the receiving view iterates', function()
    local ch, got = chan_of(2, 1, 2), {}
    ch:close()
    local inn = ch:recv_only()
    for v in inn do
      got[#got + 1] = v
      if v == 1 then break end
    end
    for v in inn:iter() do got[#got + 1] = v end
    assert.same({ 1, 2 }, got)
  end)

  it('both stand in a select for their direction', function()
    local ch = weft.chan(1)
    local out, inn = ch:send_only(), ch:recv_only()
    assert.same({ 1, true }, { weft.select(out:sending 'v', inn) })
    assert.same({ 2, 'v' }, { weft.select(out:sending 'w', inn) })
  end)

  it('refuse the other direction and say which call', function()
    local ch = chan_of(1, 'kept')
    local out, inn = ch:send_only(), ch:recv_only()
    raises(function() out:recv() end, 'recv')
    raises(function() out:try_recv() end, 'recv')
    raises(function() out:iter() end, 'iter')
    assert.is_false((pcall(function() for _ in out do error 'no value expected' end end)))
    assert.is_false((pcall(weft.select, out, weft.default)))
    raises(function() inn:send(1) end, 'send')
    raises(function() inn:try_send(1) end, 'send')
    raises(function() inn:sending(1) end, 'sending')
    raises(function() inn:close() end, 'close')
    assert.is_false(ch:is_closed())
    assert.equals(1, ch:len())
    assert.equals('kept', ch:recv())
  end)

  it('keep their channel alive', function()
    local out, inn
    do
      local ch = chan_of(2, 'v')
      out, inn = ch:send_only(), ch:recv_only()
    end
    collectgarbage()
    collectgarbage()
    assert.equals('v', inn:recv())
    out:send 'w'
    assert.equals('w', inn:recv())
  end)
end)

describe('iteration of an empty loop body', function()
  it('is a plain wait for the end', function()
    local ch = weft.chan()
    weft.go(function()
      weft.sleep(2)
      ch:close()
    end)
    util.near(2, (util.elapsed(function() for _ in ch do error 'no value expected' end end)))
  end)
end)

describe('chan: many tasks', function()
  it('every value is received exactly once', function()
    for _, cap in ipairs { 0, 1, 7 } do
      local ch, seen, wg = weft.chan(cap), {}, weft.sync.waitgroup()
      for p = 0, 19 do
        wg:go(function()
          for i = 1, 50 do ch:send(p * 50 + i) end
        end)
      end
      local readers = weft.sync.waitgroup()
      for _ = 1, 7 do
        readers:go(function()
          for v in ch do seen[v] = (seen[v] or 0) + 1 end
        end)
      end
      wg:wait()
      ch:close()
      readers:wait()
      for i = 1, 1000 do assert.equals(1, seen[i]) end
      assert.is_nil(seen[1001])
    end
  end)

  it('ping-pong goes both ways', function()
    local a, b = weft.chan(), weft.chan()
    weft.go(function()
      for v in a do b:send(v + 1) end
      b:close()
    end)
    local v = 0
    for _ = 1, 1000 do
      a:send(v)
      v = b:recv()
    end
    a:close()
    assert.equals(1000, v)
    assert.same({ nil, 'closed' }, { b:recv() })
  end)
end)
