-- SPDX-License-Identifier: MIT
-- weft.broadcast: who gets what, slow subscribers by each policy, leaving, contexts, other cores.

local weft = require 'weft'
local util = require 'support.util'
local context, broadcast = weft.context, weft.broadcast
local raises, near, settle, start = util.raises, util.near, util.settle, util.start

-- Everything that comes out until the end, in a task.
local function reader(ch, pause)
  local got = {}
  weft.go(function()
    for v in ch do
      got[#got + 1] = v
      if pause then weft.sleep(pause) end
    end
    got.ended = true
  end)
  return got
end

local function drain(ch)
  local got = {}
  while true do
    local v = ch:try_recv()
    if v == nil then return got end
    got[#got + 1] = v
  end
end

describe('broadcast', function()
  it('gives every value to everybody, in order', function()
    local b, got, leave = broadcast.new(), {}, {}
    for i = 1, 5 do
      local ch, unsubscribe = b:subscribe(i - 1)
      got[i], leave[i] = reader(ch), unsubscribe
    end
    for v = 1, 20 do assert.is_true(b:publish(v)) end
    for i = 1, 5 do leave[i]() end
    settle()
    for i = 1, 5 do
      assert.equals(20, #got[i])
      for v = 1, 20 do assert.equals(v, got[i][v]) end
      assert.is_true(got[i].ended)
    end
  end)

  it('to nobody is done at once', function()
    assert.same({ 0, true }, { util.elapsed(function() return broadcast.new():publish(1) end) })
  end)

  it('gives what was published after the subscription only', function()
    local b = broadcast.new()
    b:publish(1)
    local ch = b:subscribe(5)
    b:publish(2)
    assert.same({ 2 }, drain(ch))
  end)

  it('gives false, and tables as they are', function()
    local b, t = broadcast.new(), {}
    local x, y = b:subscribe(2), b:subscribe(2)
    b:publish(t)
    b:publish(false)
    assert.is_true(rawequal(t, x:recv()) and rawequal(t, y:recv()))
    assert.is_false(x:recv())
  end)

  it('all get what several publish in the same order', function()
    local b, got = broadcast.new(), {}
    local leave = {}
    for i = 1, 3 do
      local ch
      ch, leave[i] = b:subscribe(i - 1)
      got[i] = reader(ch, i / 10)
    end
    local wg = weft.sync.waitgroup()
    for p = 1, 4 do
      wg:go(function()
        for v = 1, 10 do b:publish(p * 100 + v) end
      end)
    end
    wg:wait()
    for i = 1, 3 do leave[i]() end
    weft.sleep(1)
    assert.equals(40, #got[1])
    assert.same(got[1], got[2])
    assert.same(got[1], got[3])
  end)

  it('the channel is there to receive from only', function()
    local ch, unsubscribe = broadcast.new():subscribe()
    raises(function() ch:close() end, 'close', 'receive-only')
    raises(function() ch:send(1) end, 'send', 'receive-only')
    unsubscribe()
  end)
end)

describe('broadcast: a slow subscriber', function()
  it('keeps the publisher, not those who are quick', function()
    local b = broadcast.new()
    local slow, leave_slow = b:subscribe(1)
    local quick, leave_quick = b:subscribe()
    local got = reader(quick)
    b:publish(1)
    local r = start(b.publish, b, 2)
    weft.sleep(5)
    assert.is_false(r.done)
    assert.same({ 1, 2 }, got)
    assert.equals(1, slow:recv())
    settle()
    assert.same({ true, true, 2 }, { r.done, r[1], slow:recv() })
    leave_slow()
    leave_quick()
  end)

  it('keeps nobody who is ready before it', function()
    local b = broadcast.new()
    local first = b:subscribe()
    local second = b:subscribe()
    local third = b:subscribe()
    local r = start(b.publish, b, 1)
    assert.same({ 1, 1 }, { third:recv(), second:recv() })
    assert.is_false(r.done)
    assert.equals(1, first:recv())
    settle()
    assert.is_true(r[1])
  end)

  it('with drop_oldest has the newest', function()
    local b = broadcast.new()
    local ch, one = b:subscribe(3, 'drop_oldest'), b:subscribe(nil, 'drop_oldest')
    for v = 1, 10 do near(0, (util.elapsed(b.publish, b, v))) end
    assert.same({ 8, 9, 10 }, drain(ch))
    assert.same({ 10 }, drain(one))
  end)

  it('with drop_newest has the oldest', function()
    local b = broadcast.new()
    local ch = b:subscribe(3, 'drop_newest')
    for v = 1, 10 do near(0, (util.elapsed(b.publish, b, v))) end
    assert.same({ 1, 2, 3 }, drain(ch))
  end)

  it('with drop_newest and no room gets what it waits for', function()
    local b = broadcast.new()
    local ch, leave = b:subscribe(0, 'drop_newest')
    b:publish(1)
    local r = start(ch.recv, ch)
    b:publish(2)
    settle()
    assert.equals(2, r[1])
    leave()
  end)
end)

describe('broadcast: unsubscribe', function()
  it('closes the channel; what is in it can still be taken', function()
    local b = broadcast.new()
    local ch, leave = b:subscribe(2)
    b:publish(1)
    leave()
    b:publish(2)
    assert.same({ 1 }, { ch:recv() })
    assert.same({ nil, 'closed' }, { ch:recv() })
    leave()
  end)

  it('frees a publisher that waits, which goes on to the others', function()
    local b = broadcast.new()
    local _, leave = b:subscribe()
    local other = b:subscribe()
    local r = start(b.publish, b, 1)
    leave()
    assert.equals(1, other:recv())
    settle()
    assert.is_true(r[1])
    assert.is_true(start(b.publish, b, 2).done == false)
    assert.equals(2, other:recv())
  end)

  it('while a value is on its way takes nothing from anybody else', function()
    local b, got, leave = broadcast.new(), {}, {}
    for i = 1, 10 do
      local ch
      ch, leave[i] = b:subscribe(i % 3)
      got[i] = reader(ch, 1)
    end
    weft.go(function()
      for v = 1, 10 do b:publish(v) end
    end)
    for i = 1, 9, 2 do
      weft.sleep(1.3)
      leave[i]()
    end
    weft.sleep(100)
    for i = 2, 10, 2 do
      assert.equals(10, #got[i])
      leave[i]()
    end
    settle()
  end)

  it('many who come and go leave nothing behind', function()
    local b = broadcast.new()
    b:subscribe(1)
    for _ = 1, 1000 do
      local _, leave = b:subscribe()
      leave()
    end
    assert.is_true(#b.subs < 10)
    near(0, (util.elapsed(b.publish, b, 1)))
  end)
end)

describe('broadcast: contexts', function()
  it('publish gives up; who had room has it', function()
    local b = broadcast.new()
    local slow, quick = b:subscribe(), b:subscribe(1)
    local ctx = context.with_timeout(context.background(), 2)
    local dt, v, err = util.elapsed(b.publish, b, 'v', ctx)
    near(2, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    assert.equals('v', quick:recv())
    assert.same({ nil, 'empty' }, { slow:try_recv() })
  end)

  it('publish gives up also while another one publishes', function()
    local b = broadcast.new()
    local ch = b:subscribe()
    local first = start(b.publish, b, 1)
    local ctx = context.with_timeout(context.background(), 2)
    near(2, (util.elapsed(b.publish, b, 2, ctx)))
    assert.equals(1, ch:recv())
    settle()
    assert.is_true(first[1])
  end)

  it('one that has ended publishes nothing', function()
    local b = broadcast.new()
    local ch = b:subscribe(1)
    assert.same({ nil, 'context canceled' }, { b:publish(1, util.cancelled()) })
    assert.equals(0, ch:len())
  end)
end)

describe('broadcast in a task with a context of its own', function()
  it('publish raises when that ends, and the next one can publish', function()
    local b = broadcast.new()
    local ch = b:subscribe()
    local ctx = context.with_timeout(context.background(), 2)
    local dt, ok, err = util.elapsed(pcall, context.run, ctx, b.publish, b, 1)
    near(2, dt)
    assert.is_false(ok)
    util.has(err, 'context deadline exceeded')
    local r = start(b.publish, b, 2)
    assert.equals(2, ch:recv())
    settle()
    assert.is_true(r[1])
  end)
end)

describe('broadcast over cores', function()
  it('subscribers may be anywhere', function()
    local b, sums, leave = broadcast.new(), {}, {}
    for i = 1, 4 do
      local ch
      ch, leave[i] = b:subscribe(i - 1)
      sums[i] = weft.parallel(function()
        local sum = 0
        for v in ch do sum = sum + v.n end
        return sum
      end)
    end
    for v = 1, 100 do b:publish { n = v } end
    for i = 1, 4 do
      leave[i]()
      assert.equals(5050, sums[i]:await())
    end
  end)

  it('what cannot cross raises, and the next one can publish', function()
    local b = broadcast.new()
    local ch, leave = b:subscribe()
    local sum = weft.parallel(function()
      local n = 0
      for _ in ch do n = n + 1 end
      return n
    end)
    raises(function() b:publish(coroutine.create(print)) end, 'coroutine')
    assert.is_true(b:publish(1))
    leave()
    assert.equals(1, sum:await())
  end)
end)

describe('broadcast: misuse', function()
  it('raises at the caller\'s line', function()
    local b = broadcast.new()
    raises(function() b:publish(nil) end, "bad argument #1 to 'publish' (a value other than nil")
    raises(function() b:publish(1, 5) end, "bad argument #2 to 'publish' (context expected, got")
    for _, n in ipairs { -1, 0.5, 0 / 0, math.huge, 'x' } do
      raises(function() b:subscribe(n) end, "bad argument #1 to 'subscribe' (integer >= 0")
    end
    raises(function() b:subscribe(1e9) end, "bad argument #1 to 'subscribe' (integer up to 1e8")
    raises(function() b:subscribe(0, 'drop_oldest') end, "'subscribe' (integer >= 1 expected")
    raises(function() b:subscribe(1, 'drop') end, "bad argument #2 to 'subscribe'", '"block"')
    raises(function() b:subscribe(1, 5) end, "bad argument #2 to 'subscribe'")
    raises(function() b.publish(1) end, "calling 'publish' on bad self (broadcast expected")
    raises(function() b.subscribe() end, "calling 'subscribe' on bad self (broadcast expected")
    near(0, (util.elapsed(b.publish, b, 1)))
  end)

  it('is a field of weft and a module', function()
    assert.equals(require 'weft.broadcast', broadcast)
  end)
end)

describe('broadcast: what goes wrong', function()
  it('publish that cannot wait raises, and the next one can publish', function()
    local b = broadcast.new()
    local ch, leave = b:subscribe()
    local ok, err = pcall(table.sort, { 2, 1 }, function() b:publish(1) end)
    assert.is_false(ok)
    util.has(err, 'C-call boundary')
    local r = start(b.publish, b, 2)
    assert.equals(2, ch:recv())
    settle()
    assert.is_true(r[1])
    leave()
  end)

  it('unsubscribe does nothing the second time', function()
    local b = broadcast.new()
    local ch, leave = b:subscribe(1)
    local other = b:subscribe(1)
    leave()
    leave()
    assert.is_true(b:publish(1))
    assert.same({ nil, 'closed' }, { ch:recv() })
    assert.equals(1, other:recv())
  end)

  it('only the channel crosses', function()
    local b = broadcast.new()
    local ch, leave = b:subscribe(1)
    raises(function() weft.spawn(function() return b end) end, "'spawn': upvalue 'b'")
    raises(function() weft.spawn(function() return leave end) end, "'spawn': upvalue 'leave'")
    assert.is_true(b:publish(1))
    assert.equals(1, weft.parallel(function() return (ch:recv()) end):await())
    leave()
  end)
end)
