-- SPDX-License-Identifier: MIT
-- Select: what waits, meets, wakes and loses; send cases; conservation of values.

local weft = require 'weft'
local util = require 'support.util'
local time = weft.time
local settle, start, raises, has = util.settle, util.start, util.raises, util.has
local select_ = weft.select

local function full(...)
  local ch = weft.chan(select('#', ...))
  for i = 1, select('#', ...) do ch:send((select(i, ...))) end
  return ch
end

describe('select: waiting', function()
  it('blocks until a case can go ahead', function()
    local a, b = weft.chan(), weft.chan()
    weft.go(function()
      weft.sleep(3)
      b:send 'late'
    end)
    local dt, i, v = util.elapsed(select_, a, b)
    util.near(3, dt)
    assert.same({ 2, 'late' }, { i, v })
  end)

  it('is done by exactly one of the cases, and leaves the others', function()
    local a, b, c = weft.chan(), weft.chan(), weft.chan(1)
    c:send 'full'
    local r = start(select_, a, b, c:sending 'no')
    assert.is_false(r.done)
    a:send 'v'
    settle()
    assert.same({ 1, 'v' }, { r[1], r[2] })
    util.nobody_waits(a)
    util.nobody_waits(b)
    assert.equals('full', c:recv())
    util.nobody_waits(c)
  end)

  it('stands in line with other receivers, first in, first out', function()
    local ch, other = weft.chan(), weft.chan()
    local r1 = start(ch.recv, ch)
    local r2 = start(select_, other, ch)
    local r3 = start(ch.recv, ch)
    for i = 1, 3 do ch:try_send(i) end
    settle()
    assert.same({ 1, 2, 2, 3 }, { r1[1], r2[1], r2[2], r3[1] })
  end)

  it('stands in line with other senders, first in, first out', function()
    local ch, other = weft.chan(), weft.chan()
    local s1 = start(ch.send, ch, 1)
    local s2 = start(select_, other, ch:sending(2))
    local s3 = start(ch.send, ch, 3)
    assert.same({ 1, 2, 3 }, { ch:recv(), ch:recv(), (ch:recv()) })
    settle()
    assert.same({ true, 2, true, true }, { s1[1], s2[1], s2[2], s3[1] })
  end)

  it('leaves its place in line when another case is served', function()
    local ch, other = weft.chan(), weft.chan()
    local r1 = start(select_, ch, other)
    local r2 = start(ch.recv, ch)
    other:send 'x'
    ch:send 'v'
    settle()
    assert.same({ 2, 'x', 'v' }, { r1[1], r1[2], r2[1] })
  end)

  it('goes on once only when two of its cases become ready at once', function()
    local a, b = weft.chan(), weft.chan()
    local r = start(select_, a, b)
    assert.is_true(a:try_send 'a')
    assert.same({ false, 'full' }, { b:try_send 'b' })
    settle()
    assert.same({ 1, 'a' }, { r[1], r[2] })
  end)

  it('does not meet itself', function()
    local ch = weft.chan()
    assert.equals(3, (select_(ch, ch:sending 'mine', weft.default)))
    local r = start(select_, ch, ch:sending 'mine')
    assert.is_false(r.done)
    ch:send 'yours'
    settle()
    assert.same({ 1, 'yours' }, { r[1], r[2] })
    r = start(select_, ch:sending 'mine', ch)
    assert.equals('mine', (ch:recv()))
    settle()
    assert.same({ 1, true }, { r[1], r[2] })
    util.nobody_waits(ch)
  end)

  it('meets another select', function()
    local a, b = weft.chan(), weft.chan()
    local r1 = start(select_, a:sending 'x', b)
    local r2 = start(select_, a, b:sending 'y')
    assert.same({ true, true }, { r1.done, r2.done })
    if r1[1] == 1 then
      assert.same({ true, 1, 'x' }, { r1[2], r2[1], r2[2] })
    else
      assert.same({ 'y', 2, true }, { r1[2], r2[1], r2[2] })
    end
    util.nobody_waits(a)
    util.nobody_waits(b)
  end)

  it('wakes when a channel closes', function()
    local a, b = weft.chan(), weft.chan()
    local r = start(select_, a, b)
    b:close 'why'
    settle()
    assert.same({ 2, nil, 'why' }, { r[1], r[2], r[3] })
    util.nobody_waits(a)
  end)

  it('wakes for a buffer that gets room', function()
    local ch = full 'old'
    local r = start(select_, weft.chan(), ch:sending 'new')
    assert.is_false(r.done)
    assert.equals('old', ch:recv())
    settle()
    assert.same({ 2, true }, { r[1], r[2] })
    assert.equals('new', ch:recv())
  end)

  it('wakes for a timer', function()
    local dt, i = util.elapsed(select_, weft.chan(), time.after(4))
    util.near(4, dt)
    assert.equals(2, i)
  end)
end)

describe('select: send cases', function()
  it('on a closed channel are ready and raise when chosen', function()
    local ch = weft.chan(1)
    ch:close()
    raises(function() weft.select(ch:sending 'v') end, 'send on closed channel')
    raises(function() weft.select(ch:sending 'v', weft.default) end, 'send on closed channel')
    raises(function() weft.select { s = ch:sending 'v' } end, 'send on closed channel')
    local filled = full 'v'
    filled:close()
    for _, other in ipairs { weft.chan(), filled } do
      if not other:is_closed() then other:close() end
      raises(function() weft.select(other:sending 'w') end, 'send on closed channel')
      raises(function() weft.select(weft.chan(), other:sending 'w', weft.default) end, 'send on')
    end
    local raised, n = 0, 400
    for _ = 1, n do
      local other = full 'v'
      if not pcall(select_, ch:sending 'v', other) then
        raised = raised + 1
        assert.equals(1, other:len())
      end
    end
    assert.is_true(raised > n * 0.35 and raised < n * 0.65, raised .. ' of ' .. n)
  end)

  it('raise when their channel closes while the select waits', function()
    local ch, other = weft.chan(), weft.chan()
    local r = start(function()
      raises(function() weft.select(other, ch:sending 'v') end, 'send on closed channel')
    end)
    assert.is_false(r.done)
    ch:close()
    settle()
    assert.same({ true, nil }, { r.ok, r.err })
    util.nobody_waits(other)
  end)

  it('do nothing by themselves', function()
    local ch = weft.chan(1)
    local case = ch:sending 'v'
    settle()
    assert.equals(0, ch:len())
    assert.is_not_nil(case)
  end)

  it('may be many on one channel, each with its value', function()
    local ch, seen = weft.chan(1), {}
    for _ = 1, 200 do
      local i = select_(ch:sending 'a', ch:sending 'b', ch:sending 'c')
      local v = ch:recv()
      assert.equals(({ 'a', 'b', 'c' })[i], v)
      seen[i] = true
    end
    assert.same({ true, true, true }, seen)
  end)

  it('may be kept and used again', function()
    local ch = weft.chan(1)
    local case = ch:sending 'v'
    for _ = 1, 3 do
      assert.same({ 1, true }, { select_(case) })
      assert.equals('v', ch:recv())
    end
  end)

  it('carry false, but not nil', function()
    local ch = weft.chan(1)
    select_(ch:sending(false))
    assert.is_false(ch:recv())
    local ok, err = pcall(function() select_(ch:sending(nil), weft.default) end)
    assert.is_false(ok)
    has(err, 'nil')
    assert.equals(0, ch:len())
  end)

  it('that are not chosen have no effect', function()
    local out, inn = weft.chan(10), full 'v'
    local sent = 0
    for _ = 1, 10 do
      inn:try_send 'v'
      if select_(out:sending 's', inn) == 1 then sent = sent + 1 end
    end
    assert.equals(sent, out:len())
  end)
end)

describe('select: conservation', function()
  it('every value that selects exchange arrives exactly once', function()
    local chans, seen, wg = {}, {}, weft.sync.waitgroup()
    for i = 1, 4 do chans[i] = weft.chan(i % 2) end
    local sent = {}
    for p = 1, 10 do
      wg:go(function()
        for k = 1, 100 do
          local v = p * 1000 + k
          select_(chans[1]:sending(v), chans[2]:sending(v), chans[3]:sending(v),
            chans[4]:sending(v))
          sent[v] = true
        end
      end)
    end
    local quit, readers = weft.chan(), weft.sync.waitgroup()
    for _ = 1, 5 do
      readers:go(function()
        while true do
          local i, v = select_(chans[1], chans[2], chans[3], chans[4], quit)
          if i == 5 then return end
          seen[v] = (seen[v] or 0) + 1
        end
      end)
    end
    wg:wait()
    settle()
    quit:close()
    readers:wait()
    local n = 0
    for v in pairs(sent) do
      assert.equals(1, seen[v])
      n = n + 1
    end
    assert.equals(1000, n)
    for _, ch in ipairs(chans) do util.nobody_waits(ch) end
  end)
end)
