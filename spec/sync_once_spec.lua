-- SPDX-License-Identifier: MIT
-- weft.sync: once, once_func, once_value.
-- Subject: lua/weft/internal/sync/once.lua

local weft = require 'weft'
local util = require 'support.util'
local sync = weft.sync
local settle, start, raises, has = util.settle, util.start, util.raises, util.has

describe('once', function()
  it('calls one function, once, with its arguments', function()
    local o, got, n = sync.once(), nil, 0
    local function fn(...)
      n = n + 1
      got = util.pack(...)
    end
    assert.is_true(o:call(fn, 1, nil, 3, nil))
    assert.is_true(o:call(fn, 2))
    assert.is_true(o:call(error))
    assert.same({ 1, { n = 4, 1, nil, 3, nil } }, { n, got })
  end)

  it('others wait for the first', function()
    local o, n = sync.once(), 0
    local function slow()
      weft.sleep(2)
      n = n + 1
    end
    local rs = {}
    for i = 1, 4 do rs[i] = start(o.call, o, slow) end
    for i = 1, 4 do assert.is_false(rs[i].done) end
    assert.equals('once', util.task(rs[2].id).state)
    weft.sleep(2)
    for i = 1, 4 do assert.is_true(rs[i][1]) end
    assert.equals(1, n)
  end)

  it('a failure is raised to the one that called it; the others go on', function()
    local o, why = sync.once(), {}
    local first = start(o.call, o, function()
      weft.sleep(1)
      error(why)
    end)
    local second = start(o.call, o, error)
    assert.is_false(second.done)
    weft.sleep(2)
    assert.is_false(first.ok)
    assert.is_true(rawequal(why, first.err))
    assert.is_true(second[1])
    assert.is_true(o:call(error))
  end)

  it('raises for a call inside its own function, which goes on', function()
    local o, err = sync.once(), nil
    o:call(function()
      err = raises(function() o:call(print) end, 'call', 'inside the function')
    end)
    has(err, 'sync_once_spec.lua')
    assert.is_true(o:call(error))
    local v
    v = sync.once_value(function() return v() end)
    local ok, why = pcall(v)
    assert.is_false(ok)
    has(why, 'once_value', 'inside the function')
  end)

  it('raises for bad arguments and a bad self', function()
    local o = sync.once()
    raises(function() o:call() end, 'call', 'function')
    raises(function() o.call(sync.mutex(), print) end, 'call', 'once expected', 'o:call(...)')
    raises(function() sync.once_func(1) end, 'once_func', 'function')
    raises(function() sync.once_value() end, 'once_value', 'function')
    local n = 0
    o:call(function() n = n + 1 end)
    assert.equals(1, n)
  end)
end)

describe('once_func and once_value', function()
  it('run their function at the first call', function()
    local n = 0
    local f = sync.once_func(function() n = n + 1 return 'lost' end)
    assert.equals(0, n)
    assert.is_true(f())
    assert.is_true(f())
    assert.equals(1, n)
    local v = sync.once_value(function() n = n + 1 return n, nil, 'x', nil end)
    assert.same({ n = 4, 2, nil, 'x', nil }, util.pack(v()))
    assert.same({ n = 4, 2, nil, 'x', nil }, util.pack(v()))
  end)

  it('others wait for the value', function()
    local v = sync.once_value(function()
      weft.sleep(1)
      return {}
    end)
    local a, b = start(v), start(v)
    weft.sleep(2)
    assert.is_true(a[1] ~= nil and rawequal(a[1], b[1]))
    assert.is_true(rawequal(a[1], v()))
  end)

  it('raise the same failure at every call', function()
    for _, make in ipairs { sync.once_func, sync.once_value } do
      local n, why = 0, {}
      local f = make(function()
        n = n + 1
        error(why)
      end)
      for _ = 1, 3 do
        local ok, err = pcall(f)
        assert.is_true(not ok and rawequal(why, err))
      end
      assert.equals(1, n)
    end
  end)
end)

describe('once over cores', function()
  it('is done by one of all tasks; the others wait', function()
    local o, n, inside = sync.once(), sync.int(), sync.int()
    local futures = {}
    for i = 1, 6 do
      futures[i] = weft.parallel(function()
        o:call(function()
          inside:add(1)
          require('weft').sleep(0.001)
          n:add(1)
        end)
        return n:load()
      end)
    end
    for i = 1, 6 do assert.equals(1, futures[i]:await()) end
    assert.equals(1, inside:load())
    assert.is_true(o:call(error))
  end)

  it('that runs here is waited for there, and the other way round', function()
    local o, go_on = sync.once(), weft.chan()
    local here = start(o.call, o, function() go_on:recv() end)
    local there = weft.parallel(function() return o:call(error) end)
    settle()
    go_on:send(1)
    assert.is_true(there:await())
    assert.is_true(here[1])
    local p = sync.once()
    there = weft.parallel(function() return p:call(function() go_on:recv() end) end)
    local begun = false
    while not begun do
      begun = weft.parallel(function() return getmetatable(p) and true end):await()
    end
    go_on:send(1)
    there:await()
    assert.is_true(p:call(error))
  end)

  it('a failure there is raised there, and is done', function()
    local o = sync.once()
    local f = weft.parallel(function() o:call(function() error('on purpose', 0) end) end)
    local ok, err = f:try()
    assert.same({ false, 'on purpose' }, { ok, err })
    assert.is_true(o:call(error))
  end)

  it('once_value gives copies of its results everywhere', function()
    local n = sync.int()
    local v = sync.once_value(function()
      n:add(1)
      return { 7 }, nil, 'x'
    end)
    local futures = {}
    for i = 1, 4 do futures[i] = weft.parallel(function() return v() end) end
    for i = 1, 4 do assert.same({ n = 3, { 7 }, nil, 'x' }, util.pack(futures[i]:await())) end
    assert.same({ n = 3, { 7 }, nil, 'x' }, util.pack(v()))
    assert.equals(1, n:load())
  end)

  it('what was done before it crossed goes along', function()
    local v = sync.once_value(function() return 1, { 2 } end)
    v()
    assert.same({ n = 2, 1, { 2 } }, util.pack(weft.parallel(function() return v() end):await()))
    local failed = sync.once_func(function() error('on purpose', 0) end)
    assert.is_false((pcall(failed)))
    local ok, err = weft.parallel(function() return pcall(failed) end):await()
    assert.same({ false, 'on purpose' }, { ok, err })
  end)

  it('raises for a call inside its own function, which goes on', function()
    local err = weft.parallel(function()
      local o, own, why = require 'weft'.sync.once(), require 'support.util', nil
      require 'weft'.parallel(function() return o ~= nil end):await()
      assert(getmetatable(o) == 'weft.once (shared)')
      o:call(function() why = own.raises(function() o:call(print) end, 'inside the function') end)
      assert(o:call(error))
      return why
    end):await()
    has(err, 'sync_once_spec.lua', "'call'")
  end)

  it('results that cannot cross are an error for everybody', function()
    local v = sync.once_value(function() return coroutine.create(print) end)
    local ok, err = weft.parallel(function() return pcall(v) end):await()
    assert.is_false(ok)
    has(err, 'cannot return result', 'coroutine')
    assert.same({ false, err }, { pcall(v) })
    local w = sync.once_value(function() return coroutine.create(print) end)
    w()
    raises(function() weft.spawn(w) end, 'once, result', 'coroutine')
    assert.equals('thread', type(w()))
  end)
end)
