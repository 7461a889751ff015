-- SPDX-License-Identifier: MIT
-- Select: both forms, default, nil cases, chances.

local weft = require 'weft'
local util = require 'support.util'
local context = weft.context
local settle, start, raises = util.settle, util.start, util.raises
local select_ = weft.select

local function full(...)
  local ch = weft.chan(select('#', ...))
  for i = 1, select('#', ...) do ch:send((select(i, ...))) end
  return ch
end

-- How often each key of `counts` may come when n draws have these chances: five deviations.
local function chances(counts, n, expected)
  local seen = 0
  for k, p in pairs(expected) do
    local got, sd = counts[k] or 0, math.sqrt(n * p * (1 - p))
    if math.abs(got - n * p) > 5 * sd then
      error(('case %s: %d of %d, expected about %d'):format(k, got, n, n * p), 2)
    end
    seen = seen + got
  end
  assert.equals(n, seen)
end

describe('select: positions', function()
  it('returns the position of the case that is ready, and its value', function()
    assert.same({ 2, 'v' }, { select_(weft.chan(), full 'v') })
    assert.same({ 1, 'v' }, { select_(full 'v', weft.chan()) })
    assert.same({ 1, false }, { select_(full(false)) })
  end)

  it('gives true for a send case, and sends', function()
    local ch = weft.chan(1)
    assert.same({ 2, true }, { select_(weft.chan(), ch:sending 'v') })
    assert.equals('v', ch:recv())
  end)

  it('gives nil and the reason for a closed channel', function()
    local ch, why, broken = weft.chan(), {}, weft.chan()
    ch:close()
    assert.same({ n = 3, 1, nil, 'closed' }, util.pack(select_(ch, weft.chan())))
    broken:close(why)
    local i, v, err = select_(weft.chan(), broken)
    assert.same({ 2, nil }, { i, v })
    assert.equals(why, err)
  end)

  it('drains a closed channel first', function()
    local ch = full('a', 'b')
    ch:close()
    assert.same({ 1, 'a' }, { select_(ch) })
    assert.same({ 1, 'b' }, { select_(ch) })
    assert.same({ 1, nil, 'closed' }, { select_(ch) })
  end)

  it('meets a waiting sender and a waiting receiver', function()
    local ch = weft.chan()
    local s = start(ch.send, ch, 'v')
    assert.same({ 1, 'v' }, { select_(ch, weft.chan()) })
    settle()
    assert.is_true(s[1])
    local r = start(ch.recv, ch)
    assert.same({ 2, true }, { select_(weft.chan(), ch:sending 'w') })
    settle()
    assert.equals('w', r[1])
    util.nobody_waits(ch)
  end)

  it('takes a cancelled context as a case', function()
    local ctx, cancel = context.with_cancel(context.background())
    local ch = weft.chan()
    local r = start(select_, ch, ctx:done())
    assert.is_false(r.done)
    cancel()
    settle()
    assert.same({ 2, nil }, { r[1], r[2] })
    assert.equals(2, (select_(ch, ctx:done())))
    util.nobody_waits(ch)
  end)

  it('works with many cases', function()
    local cases, last = {}, weft.chan()
    for i = 1, 199 do cases[i] = weft.chan() end
    cases[200] = last
    local r = start(select_, unpack(cases))
    last:send 'v'
    settle()
    assert.same({ 200, 'v' }, { r[1], r[2] })
    for i = 1, 199 do util.nobody_waits(cases[i]) end
  end)
end)

describe('select: default', function()
  it('is chosen, by its position, when nothing is ready', function()
    local a, b = weft.chan(), weft.chan(1)
    assert.same({ 3 }, { select_(a, b, weft.default) })
    assert.equals(1, (select_(weft.default)))
    assert.equals(2, (select_(a:sending 'v', weft.default)))
    util.nobody_waits(a)
    util.nobody_waits(b)
  end)

  it('is not chosen when something is', function()
    for _ = 1, 100 do
      assert.equals(1, (select_(full 'v', weft.default)))
      assert.equals(1, (select_(weft.chan(1):sending 'v', weft.default)))
    end
    local ch = weft.chan()
    ch:close()
    assert.equals(1, (select_(ch, weft.default)))
  end)

  it('raises anywhere but last, and nothing happens', function()
    local ch = full 'v'
    raises(function() weft.select(weft.default, ch) end, 'select', 'default')
    raises(function() weft.select(ch, weft.default, weft.chan()) end, 'select', 'default')
    raises(function() weft.select(weft.default, weft.default) end, 'select', 'default')
    raises(function() weft.select(weft.default, nil, ch) end, 'select', 'default')
    assert.equals(1, ch:len())
  end)

  it('does not block', function()
    assert.equals(0, (util.elapsed(select_, weft.chan(), weft.default)))
  end)
end)

describe('select: nil cases', function()
  it('are never ready and keep their position', function()
    assert.same({ 2, 'v' }, { select_(nil, full 'v') })
    assert.same({ 3, 'v' }, { select_(nil, nil, full 'v', nil) })
    assert.equals(3, (select_(nil, nil, weft.default)))
    assert.equals(2, (select_(nil, weft.default)))
    local ch = weft.chan()
    local r = start(select_, nil, ch, nil)
    ch:send 'v'
    settle()
    assert.same({ 2, 'v' }, { r[1], r[2] })
  end)

  it('turn cases off and on', function()
    local a, b, got = full(1, 2), full(3, 4), {}
    a:close()
    b:close()
    while a or b do
      local i, v = select_(a, b)
      if v then
        got[#got + 1] = v
      elseif i == 1 then
        a = nil
      else
        b = nil
      end
    end
    table.sort(got)
    assert.same({ 1, 2, 3, 4 }, got)
  end)
end)

describe('select: names', function()
  it('returns the name of the case, then as the other form', function()
    local jobs, quit = full 'job', weft.chan()
    assert.same({ 'job', 'job' }, { select_ { job = jobs, quit = quit } })
    quit:close()
    assert.same({ n = 3, 'quit', nil, 'closed' },
      util.pack(select_ { job = jobs, quit = quit }))
    assert.same({ 'out', true }, { select_ { out = jobs:sending 'v', none = weft.chan() } })
    assert.equals('v', jobs:recv())
  end)

  it('returns "default" when nothing is ready', function()
    local ch = weft.chan(1)
    assert.equals('default', (select_ { job = ch, default = true }))
    ch:send 'v'
    assert.same({ 'job', 'v' }, { select_ { job = ch, default = true } })
    assert.equals('default', (select_ { default = true }))
  end)

  it('waits without a default', function()
    local a, b = weft.chan(), weft.chan()
    local r = start(select_, { a = a, b = b })
    assert.is_false(r.done)
    b:send 'v'
    settle()
    assert.same({ 'b', 'v' }, { r[1], r[2] })
    util.nobody_waits(a)
    util.nobody_waits(b)
  end)

  it('chooses uniformly', function()
    local counts, n = {}, 4000
    local cases = { a = weft.chan(), b = weft.chan(), c = weft.chan(), d = weft.chan() }
    for _, ch in pairs(cases) do ch:close() end
    for _ = 1, n do
      local name = select_(cases)
      counts[name] = (counts[name] or 0) + 1
    end
    chances(counts, n, { a = 0.25, b = 0.25, c = 0.25, d = 0.25 })
  end)

  it('leaves the table of cases as it was', function()
    local a = full 'v'
    local cases = { a = a, default = true }
    select_(cases)
    select_(cases)
    assert.same({ true, true }, { cases.a == a, cases.default })
    cases.a, cases.default = nil, nil
    assert.is_nil(next(cases))
  end)
end)

describe('select: chances', function()
  it('are equal among what is ready', function()
    for _, k in ipairs { 2, 3, 8 } do
      local cases, counts, expected, n = {}, {}, {}, 4000
      for i = 1, k do
        cases[i], expected[i] = weft.chan(), 1 / k
        cases[i]:close()
      end
      for _ = 1, n do
        local i = select_(unpack(cases))
        counts[i] = (counts[i] or 0) + 1
      end
      chances(counts, n, expected)
    end
  end)

  it('are equal between receive and send cases, and nil cases have none', function()
    local counts, n = {}, 4000
    local inn, out = weft.chan(1), weft.chan(1)
    for _ = 1, n do
      inn:try_send 'v'
      out:try_recv()
      local i = select_(nil, inn, weft.chan(), out:sending 'w')
      counts[i] = (counts[i] or 0) + 1
    end
    chances(counts, n, { [2] = 0.5, [4] = 0.5 })
  end)

  it('count each case of a channel that stands in several', function()
    local a, b, counts, n = weft.chan(), weft.chan(), {}, 6000
    a:close()
    b:close()
    for _ = 1, n do
      local i = select_(a, b, a)
      counts[i] = (counts[i] or 0) + 1
    end
    chances(counts, n, { 1 / 3, 1 / 3, 1 / 3 })
  end)

  it('count each such case also when they become ready while it waits', function()
    local a, b, counts, n = weft.chan(), weft.chan(), {}, 2000
    for _ = 1, n do
      local r = start(select_, a, b, a, a)
      a:send 'v'
      settle()
      counts[r[1]] = (counts[r[1]] or 0) + 1
    end
    chances(counts, n, { 1 / 3, 0, 1 / 3, 1 / 3 })
    util.nobody_waits(a)
    util.nobody_waits(b)
  end)

  it('count each such send case too, and send the value of the one returned', function()
    local ch, counts, n = weft.chan(), {}, 2000
    for _ = 1, n do
      local r = start(select_, ch:sending 'one', ch:sending 'two')
      local v = ch:recv()
      settle()
      assert.equals(v, r[1] == 1 and 'one' or 'two')
      counts[r[1]] = (counts[r[1]] or 0) + 1
    end
    chances(counts, n, { 0.5, 0.5 })
  end)

  it('count each such case when the channel closes while it waits', function()
    local counts, n = {}, 2000
    for _ = 1, n do
      local ch = weft.chan()
      local r = start(select_, ch, ch)
      ch:close()
      settle()
      counts[r[1]] = (counts[r[1]] or 0) + 1
    end
    chances(counts, n, { 0.5, 0.5 })
  end)

  it('starve nobody', function()
    local a, b, seen = weft.chan(1), weft.chan(1), {}
    for _ = 1, 200 do
      a:try_send(1)
      b:try_send(1)
      seen[(select_(a, b))] = true
    end
    assert.same({ true, true }, seen)
  end)
end)
