-- SPDX-License-Identifier: MIT
-- Channels between workers: what crosses on them, order, waiting on either side, closing, select,
-- and how a channel with values and waiters becomes shared.
-- Subject: runtime/conc/shared.c runtime/conc/stub.c runtime/conc/share.c runtime/conc/wait_all.c

local weft = require 'weft'
local util = require 'support.util'
local context = weft.context
local settle, start, raises = util.settle, util.start, util.raises

-- Makes the channel shared, and forgets about it elsewhere.
local function share(ch)
  weft.parallel(function(c) return c:cap() end, ch):await()
  return ch
end

describe('shared chan: values', function()
  it('are copied, whatever they are', function()
    local ch, back = weft.chan(), weft.chan(2)
    local f = weft.parallel(function()
      for v in ch do back:send { v } end
      back:close()
    end)
    local t = { 1, x = { y = 'z' } }
    t.self = t
    local values = { 1, 2 ^ 60, -0.5, 'text', ('long'):rep(3000), true, false, t }
    weft.go(function()
      for i = 1, #values do ch:send(values[i]) end
      ch:close()
    end)
    for i = 1, #values do
      local v = back:recv()[1]
      if i < #values then
        assert.equals(values[i], v)
      else
        assert.is_true(v ~= t and v.self == v and v.x.y == 'z')
      end
    end
    f:await()
    assert.same({ n = 2, nil, 'closed' }, util.pack(back:recv()))
  end)

  it('of one sender come in order', function()
    for _, capacity in ipairs { 0, 1, 7, 128 } do
      local ch = weft.chan(capacity)
      local senders = {}
      for s = 1, 3 do
        senders[s] = weft.parallel(function()
          for i = 1, 500 do ch:send { s, i } end
        end)
      end
      local last = { 0, 0, 0 }
      for _ = 1, 1500 do
        local v = ch:recv()
        assert.equals(last[v[1]] + 1, v[2])
        last[v[1]] = v[2]
      end
      for s = 1, 3 do senders[s]:await() end
      assert.equals('empty', select(2, ch:try_recv()))
    end
  end)

  it('are as many as the channel has room for, however many that is', function()
    local ch = share(weft.chan(3000))
    for i = 1, 3000 do assert.is_true(ch:try_send(i)) end
    assert.same({ false, 'full' }, { ch:try_send(3001) })
    assert.equals(3000, ch:len())
    for i = 1, 3000 do assert.equals(i, ch:recv()) end
    assert.equals(0, ch:len())
  end)

  it('go through many hands', function()
    local first = weft.chan()
    local ch, stages = first, {}
    for s = 1, 8 do
      local from, to = ch, weft.chan(s % 3)
      stages[s] = weft.parallel(function()
        for v in from do to:send(v + 1) end
        to:close()
      end)
      ch = to
    end
    weft.go(function()
      for i = 1, 100 do first:send(i) end
      first:close()
    end)
    local n = 0
    for v in ch do
      n = n + 1
      assert.equals(n + 8, v)
    end
    assert.equals(100, n)
    for s = 1, 8 do stages[s]:await() end
  end)

  it('that cannot cross raise at the send, which has no effect', function()
    local ch = share(weft.chan(1))
    local co = coroutine.create(print)
    raises(function() ch:send { x = co } end,
      "'send' on a channel that has crossed: value.x: coroutine")
    raises(function() ch:try_send(co) end, 'value: coroutine')
    raises(function() weft.select(ch:sending(co)) end, 'value: coroutine')
    raises(function() ch:close { co } end, "'close' on a channel", 'value[1]: coroutine')
    assert.equals(0, ch:len())
    assert.is_true(ch:try_send(1))
  end)

  it('that cannot be unpacked give the receiver the error', function()
    local ch = share(weft.chan())
    local Type = {}
    weft.register('shared_chan_spec.missing', Type, 'no_such_module_anywhere')
    local value = setmetatable({}, Type)
    local function receive(c)
      local ok, err = pcall(function() return (c:recv()) end)
      return ok, tostring(err)
    end
    local function receive_by_select(c)
      local ok, err = pcall(require 'weft'.select, c)
      return ok, tostring(err)
    end
    for _, how in ipairs { receive, receive_by_select } do
      -- Who waits, and who finds it there.
      for _, capacity in ipairs { 0, 1 } do
        local c = share(weft.chan(capacity))
        local f
        if capacity == 0 then
          f = weft.parallel(how, c)
          settle()
          c:send(value)
        else
          c:send(value)
          f = weft.parallel(how, c)
        end
        local ok, err = f:await()
        assert.is_false(ok)
        assert.is_truthy(err:find('no_such_module_anywhere', 1, true))
        assert.equals('empty', select(2, c:try_recv()))
      end
    end
    assert.equals('empty', select(2, ch:try_recv()))
  end)
end)

describe('shared chan: identity', function()
  it('is kept when it comes back', function()
    for _, ch in ipairs { weft.chan(), weft.chan(3), weft.time.after(1000) } do
      local back = weft.parallel(function(c) return { c, same = c == c } end, ch):await()
      assert.is_true(rawequal(ch, back[1]))
    end
  end)

  it('of a view is that of its channel', function()
    local ch = weft.chan(1)
    local s, r = weft.parallel(function(a, b)
      a:send('through')
      return a, b
    end, ch:send_only(), ch:recv_only()):await()
    assert.is_true(s == ch:send_only() and r == ch:recv_only())
    assert.equals('through', r:recv())
  end)

  it('takes the label along', function()
    local ch = weft.name(weft.chan(), 'jobs')
    assert.equals("chan 'jobs'", weft.parallel(function() return tostring(ch) end):await())
  end)
end)

describe('shared chan: closing', function()
  it('wakes receivers on all sides with the error', function()
    local ch = weft.chan()
    local far = {}
    for i = 1, 3 do
      far[i] = weft.parallel(function()
        local v, err = ch:recv()
        return v, err.why
      end)
    end
    local near = start(ch.recv, ch)
    ch:close { why = 'enough' }
    for i = 1, 3 do assert.same({ n = 2, nil, 'enough' }, util.pack(far[i]:await())) end
    settle()
    assert.equals('enough', near[2].why)
    assert.equals('enough', select(2, ch:recv()).why)
  end)

  it('raises in senders on all sides', function()
    local ch = weft.chan()
    local far = weft.parallel(function() return pcall(ch.send, ch, 1) end)
    local near = start(ch.send, ch, 2)
    settle()
    ch:close()
    local ok, err = far:await()
    assert.is_false(ok)
    assert.is_truthy(err:find('send on closed channel', 1, true))
    settle()
    assert.is_truthy(near.err:find('send on closed channel', 1, true))
    raises(function() ch:close() end, 'close of closed channel')
    raises(function() ch:send(1) end, 'send on closed channel')
  end)

  it('keeps what is buffered', function()
    local ch = weft.chan(3)
    weft.parallel(function()
      ch:send(1)
      ch:send(2)
      ch:close('over')
    end):await()
    local sum = 0
    local ok, err = pcall(function() for v in ch do sum = sum + v end end)
    assert.equals(3, sum)
    assert.is_false(ok)
    assert.equals('over', err)
  end)
end)

describe('shared chan: select', function()
  it('mixes channels that are shared and ones that are not', function()
    local far, near, quit = share(weft.chan()), weft.chan(), weft.chan()
    local r = start(weft.select, far, near, quit:sending(1))
    near:send('near')
    settle()
    assert.same({ 2, 'near' }, { r[1], r[2] })
    r = start(weft.select, far, near, quit:sending(1))
    weft.parallel(function() far:send('far') end):await()
    settle()
    assert.same({ 1, 'far' }, { r[1], r[2] })
    assert.equals('empty', select(2, quit:try_recv()))
    assert.equals('full', select(2, near:try_send(1)))
    assert.equals('full', select(2, far:try_send(1)))
  end)

  it('meets a select of another worker', function()
    local a, b = weft.chan(), weft.chan()
    local far = weft.parallel(function()
      local got = 0
      for _ = 1, 200 do
        local i, v = weft.select(a, b)
        got = got + (i == 1 and v or -v)
      end
      return got
    end)
    local sent = 0
    for i = 1, 200 do
      local k = weft.select(a:sending(i), b:sending(i))
      sent = sent + (k == 1 and i or -i)
    end
    assert.equals(sent, (far:await()))
  end)

  it('that both send and receive never meet themselves', function()
    local ch = weft.chan()
    local function play(n)
      local sent, got = 0, 0
      for i = 1, n do
        local k, v = weft.select(ch, ch:sending(i))
        if k == 1 then got = got + v else sent = sent + i end
      end
      return sent, got
    end
    local f = weft.parallel(play, 300)
    local sent, got = play(300)
    local far_sent, far_got = f:await()
    assert.equals(sent, far_got)
    assert.equals(far_sent, got)
  end)
end)

describe('shared chan: contexts', function()
  it('end a wait, and the operation has had no effect', function()
    local ch = share(weft.chan())
    local ctx, cancel = context.with_cancel(context.background())
    local r, s = start(ch.recv, ch, ctx), start(ch.recv, ch, ctx)
    cancel()
    settle()
    assert.same({ nil, 'context canceled' }, { r[1], r[2] })
    assert.same({ nil, 'context canceled' }, { s[1], s[2] })
    assert.equals('full', select(2, ch:try_send(1)))
    ctx = context.with_timeout(context.background(), 1)
    assert.same({ n = 2, nil, 'context deadline exceeded' }, util.pack(ch:send(1, ctx)))
    assert.equals('empty', select(2, ch:try_recv()))
  end)
end)

describe('shared chan: becoming shared', function()
  it('takes along what is buffered and who waits', function()
    local ch = weft.chan(2)
    ch:send('a')
    ch:send { 'b' }
    local waiting = start(ch.send, ch, 'c')
    local got = weft.parallel(function()
      return ch:recv() .. ch:recv()[1] .. ch:recv()
    end):await()
    assert.equals('abc', got)
    settle()
    assert.is_true(waiting[1])
    local empty = weft.chan()
    local first, second = start(empty.recv, empty), start(empty.recv, empty)
    weft.parallel(function()
      empty:send(1)
      empty:send(2)
    end):await()
    settle()
    assert.same({ 1, 2 }, { first[1], second[1] })
  end)

  it('changes nothing when something in it cannot cross', function()
    local co = coroutine.create(print)
    local inner, outer = weft.chan(1), weft.chan(2)
    inner:send { co }
    outer:send(inner)
    raises(function() weft.spawn(function() outer:recv() end) end, 'buffered value[1]: coroutine')
    assert.equals('weft.chan (buffered)', getmetatable(outer))
    assert.equals('weft.chan (buffered)', getmetatable(inner))
    assert.is_true(rawequal(inner, outer:recv()))
    assert.equals(co, inner:recv()[1])
  end)

  it('happens to code that is compiled already', function()
    local ch = weft.chan(64)
    local sum = 0
    local function turn(n)
      for i = 1, n do
        ch:send(i)
        sum = sum + ch:recv()
      end
    end
    turn(1000)
    assert.equals(500500, sum)
    share(ch)
    turn(1000)
    assert.equals(1001000, sum)
    local f = weft.parallel(function() return ch:recv() + ch:recv() end)
    ch:send(1)
    ch:send(2)
    assert.equals(3, (f:await()))
  end)
end)

describe('shared chan: timers', function()
  it('fire on other workers', function()
    local ch = weft.time.after(3)
    local f = weft.parallel(function() return type(ch:recv()) end)
    ch = nil
    collectgarbage()
    collectgarbage()
    assert.equals('number', (f:await()))
    local ticker = weft.time.ticker(1)
    local ticks = ticker.c
    local n = weft.parallel(function()
      local n = 0
      for _ = 1, 5 do
        ticks:recv()
        n = n + 1
      end
      return n
    end):await()
    assert.equals(5, n)
    ticker:stop()
  end)

  it('who waited before it crossed gets the error of a value that cannot be read here', function()
    local ch = weft.chan()
    local waits = weft.async(function() return select('#', ch:recv()), ch:recv() end)
    weft.sleep(1e-3)  -- it waits by then
    local function send(c)
      local U = {}
      require 'weft'.register('shared_chan_spec.U', U, 'wf_not_here')
      c:send(setmetatable({}, U))
    end
    weft.parallel(send, ch):await()
    weft.parallel(function(c) c:send 'more' end, ch):await()
    assert.same({ 2, 'more' }, { waits:await() })
    waits = weft.async(pcall, ch.recv, ch)
    weft.sleep(1e-3)  -- it waits by then
    weft.parallel(send, ch):await()
    local ok, err = waits:await()
    assert.is_false(ok)
    assert.is_truthy(err:find('wf_not_here', 1, true))
  end)
end)
