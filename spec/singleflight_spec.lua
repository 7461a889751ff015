-- SPDX-License-Identifier: MIT
-- weft.singleflight: one call for all who ask at the same time; what they get; forget.

local weft = require 'weft'
local util = require 'support.util'
local context, singleflight = weft.context, weft.singleflight
local raises, near, settle = util.raises, util.near, util.settle

-- n tasks that call g with the key at the same time; what each got.
local function crowd(g, n, key, fn)
  local rs = {}
  for i = 1, n do rs[i] = util.start(g.call, g, key, fn) end
  return rs
end

describe('singleflight', function()
  it('calls the function of one, and gives its value to all', function()
    local g, calls, value = singleflight.new(), 0, {}
    local rs = crowd(g, 5, 'key', function()
      calls = calls + 1
      weft.sleep(3)
      return value
    end)
    weft.sleep(4)
    assert.equals(1, calls)
    for i = 1, 5 do
      assert.is_true(rawequal(value, rs[i][1]))
      assert.same({ 2, true }, { rs[i].n, rs[i][2] })
    end
  end)

  it('shared is false for one who was alone', function()
    local g = singleflight.new()
    assert.same({ 'v', false }, { g:call('key', function() return 'v' end) })
    assert.same({ nil, false }, { g:call('key', function() end) })
    assert.same({ false, false }, { g:call('key', function() return false end) })
  end)

  it('calls again for those who come later', function()
    local g, calls = singleflight.new(), 0
    local function count()
      calls = calls + 1
      return calls
    end
    assert.equals(1, (g:call('key', count)))
    assert.equals(2, (g:call('key', count)))
  end)

  it('keeps keys apart, whatever they are', function()
    local g, calls, t = singleflight.new(), 0, {}
    for _, key in ipairs { 'a', 1, true, false, t, '1' } do
      util.start(g.call, g, key, function()
        calls = calls + 1
        weft.sleep(1)
      end)
    end
    weft.sleep(2)
    assert.equals(6, calls)
  end)

  it('a function may ask for other keys', function()
    local g = singleflight.new()
    local function add(n)
      if n == 0 then return 0 end
      return g:call(n - 1, function() return add(n - 1) end) + 1
    end
    assert.equals(10, add(10))
  end)
end)

describe('singleflight: a failure', function()
  it('that is returned goes to all as nil and the error', function()
    local g, why = singleflight.new(), {}
    local rs = crowd(g, 3, 'key', function()
      weft.sleep(1)
      return nil, why
    end)
    weft.sleep(2)
    for i = 1, 3 do
      assert.same({ true, 2, nil }, { rs[i].ok, rs[i].n, rs[i][1] })
      assert.is_true(rawequal(why, rs[i][2]))
    end
    assert.same({ false, 'no' }, { g:call('key', function() return false, 'no' end) })
  end)

  it('that is raised is raised in all, and strands nobody', function()
    local g, why = singleflight.new(), {}
    local rs = crowd(g, 3, 'key', function()
      weft.sleep(1)
      error(why)
    end)
    weft.sleep(2)
    for i = 1, 3 do
      assert.is_false(rs[i].ok)
      assert.is_true(rawequal(why, rs[i].err))
    end
    assert.equals(1, (g:call('key', function() return 1 end)))
  end)

  it('raised as text has its own position only', function()
    local here
    local ok, err = pcall(function()
      singleflight.new():call('key', function()
        here = util.here(1)
        error 'on purpose'
      end)
    end)
    assert.same({ false, here .. ': on purpose' }, { ok, err })
  end)
end)

describe('singleflight: forget', function()
  it('has the next call its function, while the first is under way', function()
    local g, calls = singleflight.new(), 0
    local function slow()
      calls = calls + 1
      local mine = calls
      weft.sleep(5)
      return mine
    end
    local a = util.start(g.call, g, 'key', slow)
    g:forget 'key'
    local b = util.start(g.call, g, 'key', slow)
    local c = util.start(g.call, g, 'key', slow)
    weft.sleep(6)
    assert.same({ 1, false }, { a[1], a[2] })
    assert.same({ 2, true, 2, true }, { b[1], b[2], c[1], c[2] })
  end)

  it('the call that was forgotten does not end the next one', function()
    local g, calls = singleflight.new(), 0
    local function call(s)
      return util.start(g.call, g, 'key', function()
        calls = calls + 1
        weft.sleep(s)
        return s
      end)
    end
    call(1)
    g:forget 'key'
    local second = call(10)
    weft.sleep(2)
    local third = call(1)
    weft.sleep(10)
    assert.same({ 2, 10, 10 }, { calls, second[1], third[1] })
  end)

  it('of a key that nobody asks for does nothing', function()
    singleflight.new():forget 'key'
  end)
end)

describe('singleflight: contexts', function()
  it('who waits gives up; the others get the value', function()
    local g, ctx = singleflight.new(), context.with_timeout(context.background(), 2)
    local function slow()
      weft.sleep(5)
      return 'v'
    end
    local first = util.start(g.call, g, 'key', slow)
    local dt, v, err = util.elapsed(g.call, g, 'key', slow, ctx)
    near(2, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    local last = util.start(g.call, g, 'key', slow)
    weft.sleep(4)
    assert.same({ 'v', true, 'v', true }, { first[1], first[2], last[1], last[2] })
  end)

  it('one that has ended calls nothing', function()
    local g = singleflight.new()
    local v, err = g:call('key', function() error 'no call expected' end, util.cancelled())
    assert.same({ nil, 'context canceled' }, { v, err })
  end)
end)

describe('singleflight: misuse', function()
  it('raises at the caller\'s line', function()
    local g = singleflight.new()
    local function fn() end
    raises(function() g:call(nil, fn) end, "bad argument #1 to 'call' (a key other than nil")
    raises(function() g:call(0 / 0, fn) end, "bad argument #1 to 'call' (a key other than nil")
    raises(function() g:call('key') end, "bad argument #2 to 'call' (function expected, got n")
    raises(function() g:call('key', fn, 5) end, "'call' (context expected, got number")
    for _, key in ipairs { false, 0 / 0 } do
      raises(function() g:forget(key or nil) end, "bad argument #1 to 'forget' (a key other than")
    end
    raises(function() g.call('key', fn) end, "calling 'call' on bad self (singleflight expected")
  end)

  it('a call for its own key raises instead of waiting for itself', function()
    local g = singleflight.new()
    local line
    local ok, err = pcall(g.call, g, 'key', function()
      line = util.here(1)
      g:call('key', function() end)
    end)
    assert.is_false(ok)
    util.has(err, line .. ": 'call': the function of a key calls for the same key")
    settle()
    assert.equals(1, (g:call('key', function() return 1 end)))
  end)

  it('is a field of weft and a module', function()
    assert.equals(require 'weft.singleflight', weft.singleflight)
  end)
end)

describe('singleflight in a task with a context of its own', function()
  it('who waits is stopped by raising; the others get the value', function()
    local g, gate = singleflight.new(), weft.chan()
    local function slow() return (gate:recv()) end
    local first = util.start(g.call, g, 'key', slow)
    local ctx, cancel = context.with_cancel(context.background())
    local stopped = util.start(context.run, ctx, g.call, g, 'key', slow)
    local last = util.start(g.call, g, 'key', slow)
    cancel()
    settle()
    assert.same({ true, false, false }, { stopped.done, stopped.ok, last.done })
    util.has(stopped.err, 'context canceled')
    gate:send 'v'
    settle()
    assert.same({ 'v', true, 'v', true }, { first[1], first[2], last[1], last[2] })
  end)

  it('who calls the function and is stopped strands nobody', function()
    local g = singleflight.new()
    local ctx, cancel = context.with_cancel(context.background())
    local first = util.start(context.run, ctx, g.call, g, 'key', weft.sleep)
    assert.is_false(first.ok)  -- sleep wants a number
    first = util.start(context.run, ctx, g.call, g, 'key', function() weft.sleep(1e6) end)
    local other = util.start(g.call, g, 'key', error)
    assert.is_false(other.done)
    cancel()
    settle()
    assert.same({ false, true, false }, { first.ok, other.done, other.ok })
    util.has(other.err, 'context canceled')
    assert.equals(1, (g:call('key', function() return 1 end)))
    raises(function() context.run(ctx, g.call, g, 'key', error) end, 'context canceled')
  end)
end)

describe('singleflight over cores', function()
  it('works there as here, but is of one VM', function()
    local g = singleflight.new()
    raises(function() weft.spawn(function() return g end) end, "'spawn': upvalue 'g'")
    local a, b, n = weft.parallel(function()
      local own = require 'weft'
      local flights, calls = own.singleflight.new(), 0
      local function slow()
        calls = calls + 1
        own.sleep(0.001)
        return calls
      end
      local first = own.async(function() return (flights:call('key', slow)) end)
      local second = own.async(function() return (flights:call('key', slow)) end)
      return first:await(), second:await(), calls
    end):await()
    assert.same({ n, n }, { a, b })
    assert.is_true(n == 1 or n == 2)  -- the second may come when all is over
  end)
end)

describe('singleflight: a wait that cannot be', function()
  it('raises, and the call goes on', function()
    local g, gate = singleflight.new(), weft.chan()
    local r = util.start(g.call, g, 'key', function() return (gate:recv()) end)
    local ok, err = pcall(table.sort, { 2, 1 }, function() g:call('key', error) end)
    assert.is_false(ok)
    util.has(err, 'C-call boundary')
    gate:send 'v'
    settle()
    assert.equals('v', r[1])
    assert.equals(1, (g:call('key', function() return 1 end)))
  end)
end)
