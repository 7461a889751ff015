-- SPDX-License-Identifier: MIT
-- Channels between two VMs, which take turns: step() runs what is ready in the other one.
package.path = 'spec/c/crossing/?.lua;' .. package.path
local weft = require 'weft'
local support = require 'support'
local case, equal, raises, has = support.case, support.equal, support.raises, support.has

local box = require 'box'
local settle, start, share, out = box.settle, box.start, box.share, box.out
local send_there, recv_there = box.send_there, box.recv_there

case('a value there and back', function()
  for _, capacity in ipairs { 0, 3 } do
    local ch = weft.chan(capacity)
    recv_there(ch, 3)
    start(function()
      ch:send { x = 1, y = { 2 } }
      ch:send 'text'
      ch:send(4.5)
    end)
    settle()
    local got = out()
    equal(true, support.alike({ { { x = 1, y = { 2 } } }, { 'text' }, { 4.5 } }, got))
    send_there(ch, 1, ('long'):rep(1000), { false })
    settle()
    local r = start(function() return ch:recv(), ch:recv(), ch:recv() end)
    settle()
    equal(1, r[2])
    equal(('long'):rep(1000), r[3])
    equal(false, r[4][1])
    equal(true, support.alike({ { true, true }, { true, true }, { true, true } }, out()))
  end
end)

case('a channel that comes back is the same', function()
  local a, b, t = weft.chan(), weft.chan(2), weft.time.after(100)
  for _, ch in ipairs { a, b, t } do
    local same, label = there(function(c) return c, tostring(c) end, ch)
    equal(ch, same)
    has(label, 'capacity')
    equal(true, rawequal(ch, same))
    equal(ch, pass(ch))
  end
  -- Whatever it is that comes back: there, too.
  equal(true, there(function(x, y) return rawequal(x, y) end, a, a))
  there_unchecked(function(x) package.loaded.box.kept = x end, a)
  equal(true, there_unchecked(function(x) return package.loaded.box.kept == x end, a))
  there_unchecked(function() package.loaded.box.kept = nil; collectgarbage(); collectgarbage() end)
  equal(false, there_unchecked(function(x) return package.loaded.box.kept == x end, a))
  local made = there(function() return require 'weft'.chan(1) end)
  equal(made, pass(made))
  equal(1, made:cap())
end)

case('views cross as views', function()
  local ch = weft.chan(3)
  local s, r = pass(ch:send_only(), ch:recv_only())
  equal('weft.chan (send only)', getmetatable(s))
  equal('weft.chan (receive only)', getmetatable(r))
  equal(true, s == ch:send_only() and r == ch:recv_only())
  equal(true, s ~= weft.chan(3):send_only())
  raises("'recv' on a send-only channel", function() return s.recv end)
  there(function(a) a:send(7) end, ch:send_only())
  equal(7, r:recv())
  raises("'send' on a receive-only channel", there, function(b) b:send(1) end, ch:recv_only())
  ch:send(8)
  equal(8, there(function(b) local _, v = require 'weft'.select(b) return v end, r))
end)

case('labels cross, and later ones are seen where it arrives later', function()
  local ch = weft.name(weft.chan(), 'jobs')
  equal("chan 'jobs'", there(function(c) return tostring(c) end, ch))
  weft.name(ch, 'renamed')
  there(function() collectgarbage() collectgarbage() end)
  equal("chan 'renamed'", there(function(c) return tostring(c) end, ch))
end)

case('everything a channel can do, on both sides', function()
  local ch = weft.chan(2)
  local function look(c)
    local weft = require 'weft'
    local function both(f, ...)
      return tostring((f(...))) .. ' ' .. tostring((select(2, f(...))))
    end
    local r = {}
    r[#r + 1] = both(c.try_recv, c)
    c:send(1)
    r[#r + 1] = tostring(c:try_send(2))
    r[#r + 1] = both(c.try_send, c, 3)
    r[#r + 1] = c:len() .. ' of ' .. c:cap()
    r[#r + 1] = tostring(c:try_recv())
    r[#r + 1] = tostring(c:recv())
    r[#r + 1] = tostring(c:is_closed())
    local i = weft.select(c, weft.default)
    r[#r + 1] = tostring(i)
    r[#r + 1] = tostring((weft.select(c:sending(5), weft.default)))
    local _, v = weft.select(weft.chan(), c)
    r[#r + 1] = tostring(v)
    r[#r + 1] = tostring((select(2, pcall(c.send, c, nil)))):gsub('^.-: ', '')
    return table.concat(r, '\n')
  end
  share(ch)
  local here = look(ch)
  equal(here, there(look, ch))
  equal(here, (look(weft.chan(2))))
  equal(here, (look(ch)))
end)

case('closing', function()
  for _, capacity in ipairs { 0, 2 } do
    local ch = share(weft.chan(capacity))
    local r1, r2 = start(ch.recv, ch), start(ch.recv, ch)
    there(function(c) c:close { why = 'enough' } end, ch)
    settle()
    equal(nil, r1[2])
    equal('enough', r1[3].why)
    equal('enough', r2[3].why)
    local v, err = ch:recv()
    equal(nil, v)
    equal('enough', err.why)
    equal(true, ch:is_closed())
    raises('close of closed channel', ch.close, ch)
    raises('close of closed channel', there, function(c) c:close() end, ch)
    raises('send on closed channel', ch.send, ch, 1)
    raises('send on closed channel', there, function(c) c:send(1) end, ch)
    raises('send on closed channel', there, function(c) c:try_send(1) end, ch)
    raises('send on closed channel', there,
      function(c) require 'weft'.select(c:sending(1)) end, ch)
  end
  local ch = share(weft.chan())
  local s1, s2 = start(ch.send, ch, 1), start(ch.send, ch, 2)
  there(function(c) c:close() end, ch)
  settle()
  has(s1[2], 'send on closed channel')
  has(s2[2], 'send on closed channel')
  equal('closed', select(2, ch:try_recv()))
end)

case('iteration', function()
  local ch = share(weft.chan(4))
  there(function(c) c:send(1) c:send(2) c:close() end, ch)
  local sum = 0
  for v in ch do sum = sum + v end
  equal(3, sum)
  ch = share(weft.chan(4))
  there(function(c) c:send(5) c:close('broken') end, ch)
  raises('broken', function() for v in ch:iter() do sum = sum + v end end)
  equal(8, sum)
end)

case('values that cannot cross are refused and change nothing', function()
  local ch = share(weft.chan(1))
  local co = coroutine.create(print)
  raises("'send' on a channel that has crossed: value.x: coroutine", ch.send, ch, { x = co })
  raises('value: coroutine', ch.try_send, ch, co)
  raises('value: coroutine', weft.select, ch:sending(co))
  raises("'close' on a channel that has crossed: value[1]: coroutine", ch.close, ch, { co })
  equal(0, ch:len())
  equal(false, ch:is_closed())
  ch:send(1)
  raises('value: coroutine', weft.select, ch:sending(co), weft.chan())
  equal(1, ch:recv())
end)

case('promotion takes what is buffered along, in order', function()
  local ch = weft.chan(4)
  ch:send(0)
  ch:send(1)
  ch:recv()
  ch:send { 2 }
  ch:send('three')
  ch:send(4)
  local late = start(ch.send, ch, 5)
  equal('1 2 three 4 5', there(function(c)
    return table.concat({ c:recv(), c:recv()[1], c:recv(), c:recv(), c:recv() }, ' ')
  end, ch))
  settle()
  equal(true, late.done)
  equal(0, ch:len())
end)

case('promotion takes waiting receivers along, in order', function()
  local ch = weft.chan()
  local a, b, c = start(ch.recv, ch), start(ch.recv, ch), start(ch.recv, ch)
  there(function(x) x:send('a') x:send('b') end, ch)
  settle()
  equal('a', a[2])
  equal('b', b[2])
  equal(false, c.done)
  ch:send('c')
  settle()
  equal('c', c[2])
end)

case('promotion takes waiting senders along, in order', function()
  local ch = weft.chan()
  local a, b = start(ch.send, ch, { 'a' }), start(ch.send, ch, 'b')
  equal('ab', there(function(x) return x:recv()[1] .. x:recv() end, ch))
  settle()
  equal(true, a[2])
  equal(true, b[2])
end)

case('promotion takes selects along', function()
  local a, b, c = weft.chan(), weft.chan(), weft.chan(1)
  local r = start(weft.select, a, b, c)
  share(b)  -- one of its channels has crossed, two have not
  c:send('local')
  settle()
  equal(3, r[2])
  equal('local', r[3])
  r = start(weft.select, a, b, c)
  share(a)
  share(c)
  there(function(x) x:send('c') end, c)
  settle()
  equal(3, r[2])
  equal('c', r[3])
  equal(0, c:len())
  -- It stands in no queue any more.
  equal('full', select(2, a:try_send(1)))
  equal('full', select(2, b:try_send(1)))
  local s = start(weft.select, a:sending('from select'), b)
  equal('from select', there(function(x) return (x:try_recv()) end, a))
  settle()
  equal(1, s[2])
  equal(true, s[3])
end)

case('a promotion that is refused changes nothing', function()
  local co = coroutine.create(print)
  local ch, other = weft.name(weft.chan(2), 'jobs'), weft.chan(1)
  other:send('kept')
  ch:send(other)
  ch:send { x = co }
  has(refused(print, ch), "channel 'jobs', buffered value.x: coroutine")
  raises('buffered value.x: coroutine', pass, ch)
  equal('weft.chan (buffered)', getmetatable(ch))
  equal('weft.chan (buffered)', getmetatable(other))
  equal(2, ch:len())
  equal(other, ch:recv())
  equal(co, ch:recv().x)
  equal('kept', other:recv())
  local s = start(ch.send, weft.chan(), 1)
  local u = weft.chan()
  s = start(u.send, u, co)
  has(refused(print, u), 'channel, value that waits to be sent: coroutine')
  equal('weft.chan', getmetatable(u))
  equal(co, u:recv())
  settle()
  equal(true, s[2])
  local closed = weft.chan()
  closed:close { co }
  has(refused(print, closed), 'closing error[1]: coroutine')
  equal(co, select(2, closed:recv())[1])
  -- weft.check asks without changing anything.
  local asked = weft.chan(1)
  asked:send(1)
  equal(true, weft.check(print, asked))
  equal('weft.chan (buffered)', getmetatable(asked))
  equal(1, asked:recv())
end)

case('a channel in its own buffer', function()
  local ch = weft.chan(2)
  ch:send(ch)
  ch:send { ch }
  share(ch)
  equal(true, there(function(c) return rawequal(c:recv(), c) end, ch))
  equal(true, rawequal(ch:recv()[1], ch))
end)

case('a chain of channels goes at once, however long', function()
  local ch
  for _ = 1, 100000 do
    local outer = weft.chan(1)
    if ch then outer:send(ch) end
    ch = outer
  end
  share(ch)
  ch = nil
  collectgarbage()
  collectgarbage()
  there_unchecked(function()
    package.loaded.box.kept = nil
    collectgarbage()
    collectgarbage()
  end)
end)

case('channels that only hold each other go', function()
  local function forget()
    for _ = 1, 2 do
      collectgarbage()
      there_unchecked(function()
        package.loaded.box.kept = nil
        collectgarbage()
        collectgarbage()
      end)
    end
  end
  forget()
  local before = cores()
  local outside = share(weft.chan(1))
  for _ = 1, 10 do
    local a, b, c = weft.chan(2), weft.chan(1), weft.chan(1)
    a:send(b)
    a:send { a, ('long'):rep(2000) }
    b:send(c)
    c:send { { a, b } }
    share(a)
  end
  do  -- a ring that somebody has, by one of its channels
    local a, b = weft.chan(1), weft.chan(1)
    a:send(b)
    b:send { a, 'kept' }
    outside:send(a)
  end
  share(outside)
  equal(before + 1 + 30 + 2, cores())
  forget()
  equal(before + 3, cores())
  equal('kept', outside:recv():recv():recv()[2])
  outside = nil
  forget()
  equal(before, cores())
end)

case('a large buffer grows as it fills', function()
  local ch = share(weft.chan(5000))
  for i = 1, 700 do ch:send(i) end
  for i = 1, 500 do equal(i, ch:recv()) end
  for i = 701, 5500 do ch:send(i) end
  equal('full', select(2, ch:try_send(0)))
  for i = 501, 5500 do equal(i, ch:recv()) end
  equal('empty', select(2, ch:try_recv()))
end)

case('a value of a select may hold the channel of another case', function()
  local ch, near = share(weft.chan()), weft.chan()
  local r = start(weft.select, ch:sending { near }, near)
  there(function(c) c:recv()[1]:try_send('back') end, ch)
  settle()
  equal(1, r[2])
  r = start(weft.select, ch:sending { weft.chan() }, near)
  near:send 'near'
  settle()
  equal(2, r[2])
end)

case('contexts', function()
  local ch = share(weft.chan())
  local ctx, cancel = weft.context.with_cancel(weft.context.background())
  local r, s = start(ch.recv, ch, ctx), nil
  cancel()
  settle()
  equal(nil, r[2])
  equal('context canceled', r[3])
  ctx, cancel = weft.context.with_cancel(weft.context.background())
  s = start(ch.send, ch, 1, ctx)
  cancel()
  settle()
  equal('context canceled', s[3])
  -- The operation has had no effect.
  equal('empty', select(2, ch:try_recv()))
  equal('full', select(2, ch:try_send(1)))
  -- A value that was handed over before the cancel is returned.
  ctx, cancel = weft.context.with_cancel(weft.context.background())
  r = start(ch.recv, ch, ctx)
  there(function(c) c:send('in time') end, ch)
  cancel()
  settle()
  equal('in time', r[2])
  -- In a select as well.
  ctx, cancel = weft.context.with_cancel(weft.context.background())
  r = start(weft.select, ch, ctx:done())
  cancel()
  settle()
  equal(2, r[2])
  equal('full', select(2, ch:try_send(1)))
end)

case('a local channel goes on to the next when its first waiter is another\'s', function()
  local far, near = share(weft.chan()), weft.chan()
  local first, second = start(weft.select, far, near), start(near.recv, near)
  there(function(c) c:send('far') end, far)  -- its mail has not been opened yet
  near:send('near')
  settle()
  equal(1, first[2])
  equal('far', first[3])
  equal('near', second[2])
end)

case('the cases of a select have the same chance', function()
  local ch, other = share(weft.chan(1)), share(weft.chan())
  local count = { 0, 0, 0 }
  for _ = 1, 300 do
    ch:send(1)
    local i = weft.select(ch, ch, other)
    count[i] = count[i] + 1
  end
  equal(true, count[1] > 100 and count[2] > 100)
  count = { 0, 0, 0 }
  for _ = 1, 300 do
    local r = start(weft.select, other, ch, ch)
    ch:send(1)
    settle()
    count[r[2]] = count[r[2]] + 1
  end
  equal(0, count[1])
  equal(true, count[2] > 100 and count[3] > 100)
end)

case('a select does not meet itself', function()
  local ch = share(weft.chan())
  equal(3, (weft.select(ch, ch:sending(1), weft.default)))
  local r = start(weft.select, ch, ch:sending(1))
  settle()
  equal(false, r.done)
  ch:send(2)
  settle()
  equal(1, r[2])
  equal(2, r[3])
end)

case('timers', function()
  local after = share(weft.time.after(5))
  equal('empty', select(2, after:try_recv()))
  weft.time.sleep(6)
  equal(1, after:len())
  equal('number', type(after:recv()))
  local ticker = weft.time.ticker(1)
  share(ticker.c)
  weft.time.sleep(3.5)
  equal(1, ticker.c:len())
  equal('number', there(function(c) return type(c:recv()) end, ticker.c))
  raises('only weft sends', there, function(c) c:send(1) end, ticker.c)
  raises('weft closes itself', there, function(c) c:close() end, ticker.c)
  equal('number', type(ticker.c:recv()))
  ticker:stop()
  equal('empty', select(2, ticker.c:try_recv()))
  -- It fires for others when nobody here has it any more.
  do
    local mine = weft.time.after(5)
    there_unchecked(function(c) package.loaded.box.kept = c end, mine)
  end
  collectgarbage()
  collectgarbage()
  weft.time.sleep(6)
  equal('number', there_unchecked(function() return type(package.loaded.box.kept:recv()) end))
end)

case('what waits on a channel that has crossed is shown, and is no leak', function()
  local ch = weft.name(share(weft.chan()), 'far')
  local r = start(ch.recv, ch)
  local seen
  for _, t in ipairs(weft.tasks()) do if t.label == 'far' then seen = t end end
  equal('chan receive', seen.state)
  has(weft.stacks(), 'chan receive on far')
  local id = seen.id
  for _, t in ipairs(weft.leaks()) do equal(true, t.id ~= id) end
  ch:send(1)
  settle()
  equal(1, r[2])
end)
