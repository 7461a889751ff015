-- SPDX-License-Identifier: MIT
-- weft.sync: int, bool, value.
-- Subject: lua/weft/internal/sync/atomic.lua lua/weft/internal/sync/value.lua
-- runtime/conc/word.c runtime/conc/box.c

local weft = require 'weft'
local util = require 'support.util'
local sync = weft.sync
local raises = util.raises

local MOST = 2 ^ 53 - 1

-- The object as it was, and once it has crossed.
local function share(o)
  weft.parallel(function() return o ~= nil end):await()
  return o
end

local function same(o) return o end

for form, make in pairs { ['local'] = same, ['shared'] = share } do
  describe(form .. ' int', function()
    it('does what its calls say', function()
      local n = make(sync.int())
      assert.equals(0, n:load())
      n:store(5)
      assert.same({ 7, 4, 4 }, { n:add(2), n:add(-3), n:load() })
      assert.same({ 4, -1 }, { n:swap(-1), n:load() })
      assert.is_false(n:compare_and_swap(1, 2))
      assert.is_true(n:compare_and_swap(-1, 2))
      assert.equals(2, n:load())
      assert.equals(9, make(sync.int(9)):load())
    end)

    it('counts exactly below 2^53, and says so beyond', function()
      local n = make(sync.int(MOST - 1))
      assert.equals(MOST, n:add(1))
      raises(function() n:add(1) end, 'add', '2^53 or beyond')
      assert.equals(MOST, n:load())
      n:store(-MOST)
      raises(function() n:add(-1) end, 'add', '2^53 or beyond')
      assert.equals(-MOST, n:swap(0))
    end)

    it('raises for what is no integer, and for a bad self', function()
      local n = make(sync.int(3))
      for _, v in ipairs { 0.5, 0 / 0, 1 / 0, -1 / 0, '1', true } do
        raises(function() n:add(v) end, 'add', 'integer')
        raises(function() n:store(v) end, 'store', 'integer')
        raises(function() n:swap(v) end, 'swap', 'integer')
        raises(function() n:compare_and_swap(v, 1) end, 'argument #1', 'compare_and_swap')
        raises(function() n:compare_and_swap(3, v) end, 'argument #2', 'compare_and_swap')
        raises(function() sync.int(v) end, 'int', 'integer')
      end
      for _, name in ipairs { 'load', 'store', 'swap', 'compare_and_swap', 'add' } do
        raises(function() n[name]({}) end, name, 'int expected', 'n:' .. name)
      end
      raises(function() n:add() end, 'add', 'integer')
      assert.equals(3, n:load())
    end)
  end)

  describe(form .. ' bool', function()
    it('does what its calls say', function()
      local b = make(sync.bool())
      assert.is_false(b:load())
      b:store(true)
      assert.is_true(b:load())
      assert.is_true(b:swap(false))
      assert.is_false(b:compare_and_swap(true, false))
      assert.is_true(b:compare_and_swap(false, true))
      assert.is_true(b:load())
      assert.is_true(make(sync.bool(true)):load())
    end)

    it('raises for what is no boolean, and for a bad self', function()
      local b = make(sync.bool(true))
      raises(function() b:store(1) end, 'store', 'boolean')
      raises(function() b:store() end, 'store', 'boolean')
      raises(function() b:swap(nil) end, 'swap', 'boolean')
      raises(function() b:compare_and_swap(1, true) end, 'argument #1', 'boolean')
      raises(function() b:compare_and_swap(true, 'x') end, 'argument #2', 'boolean')
      raises(function() sync.bool(0) end, 'bool', 'boolean')
      for _, name in ipairs { 'load', 'store', 'swap', 'compare_and_swap' } do
        raises(function() b[name](sync.int()) end, name, 'bool expected', 'b:' .. name)
      end
      assert.is_true(b:load())
    end)
  end)

  describe(form .. ' value', function()
    it('holds whatever can cross', function()
      local v, ch = make(sync.value()), weft.chan()
      assert.is_nil(v:load())
      for _, x in ipairs { 1, 'text', ('long'):rep(100), true, false, ch, math.floor } do
        v:store(x)
        assert.equals(x, v:load())
      end
      v:store(nil)
      assert.is_nil(v:load())
      assert.equals('x', make(sync.value('x')):load())
      v:store(function(x) return x + 1 end)
      assert.equals(3, v:load()(2))
    end)

    it('copies tables in and out', function()
      local t = { 1, x = { 2 } }
      local v = make(sync.value(t))
      t[1] = 'changed'
      local a, b = v:load(), v:load()
      assert.same({ 1, x = { 2 } }, a)
      assert.is_false(rawequal(a, b))
      a.x[1] = 'changed'
      assert.same({ 1, x = { 2 } }, v:load())
      local before = v:swap { 3 }
      assert.same({ { 1, x = { 2 } }, { 3 } }, { before, v:load() })
    end)

    it('compares and swaps what can be compared', function()
      local ch = weft.chan()
      local v = make(sync.value())
      local last
      for _, x in ipairs { 1, -0.5, 'text', ('long'):rep(100), true, ch } do
        assert.is_false(v:compare_and_swap('other', 0))
        assert.is_true(v:compare_and_swap(last, x))
        last = x
      end
      v:store(0)
      assert.is_true(v:compare_and_swap(-0, { 1 }))
      assert.is_false(v:compare_and_swap(nil, 1))
      assert.same({ 1 }, v:load())
      v:store(0 / 0)
      assert.is_false(v:compare_and_swap(0 / 0, 1))
      v:store(weft.chan())
      assert.is_false(v:compare_and_swap(ch, 1))
    end)

    it('raises for what cannot cross or be compared, and is as before', function()
      local v, co = make(sync.value(1)), coroutine.create(print)
      raises(function() v:store(co) end, "'store': value: coroutine")
      raises(function() v:swap { x = co } end, "'swap': value.x: coroutine")
      raises(function() v:compare_and_swap(1, co) end, "'compare_and_swap': value: coroutine")
      raises(function() v:compare_and_swap({}, 1) end, 'argument #1', 'compare_and_swap', 'table')
      raises(function() v:compare_and_swap(print, 1) end, 'argument #1', 'function')
      raises(function() sync.value(co) end, "'value': value: coroutine")
      raises(function() v:store(weft.async(print)) end, 'store', 'wait queue')
      for _, name in ipairs { 'load', 'store', 'swap', 'compare_and_swap' } do
        raises(function() v[name](1) end, name, 'value expected', 'v:' .. name)
      end
      assert.equals(1, v:load())
    end)
  end)
end

describe('atomics over cores', function()
  it('lose no addition, and no swap', function()
    local STEPS, MANY = 20000, 3e5
    local n, m, futures = sync.int(), sync.int(), {}
    for i = 1, 4 do
      futures[i] = weft.async(weft.blocking, function()  -- on a thread of its own
        local got = 0
        for _ = 1, MANY do n:add(1) end
        for k = 1, STEPS do
          got = got + m:swap(k)
          local v = n:load()
          while not n:compare_and_swap(v, v + 1) do v = n:load() end
        end
        return got
      end)
    end
    local got = 0
    for i = 1, 4 do got = got + futures[i]:await() end
    assert.equals(4 * (MANY + STEPS), n:load())
    assert.equals(4 * (STEPS * (STEPS + 1) / 2), got + m:load())
  end)

  it('value is stored as a whole', function()
    local v = sync.value { 0, 0 }
    local stop = sync.bool()
    local readers = {}
    for i = 1, 2 do
      readers[i] = weft.parallel(function()
        local n = 0
        repeat
          local t = v:load()
          if t[1] ~= t[2] then error 'torn' end
          n = n + 1
        until stop:load()
        return n
      end)
    end
    for i = 1, 500 do v:store { i, i } end
    stop:store(true)
    for i = 1, 2 do assert.is_true(readers[i]:await() > 0) end
    assert.same({ 500, 500 }, v:load())
  end)
end)

it('what a script has put in the place of a count does not cross', function()
  for _, make in ipairs { weft.sync.int, weft.sync.waitgroup } do
    for _, v in ipairs { 'x', {}, 0 / 0 } do
      local object = make()
      rawset(object, 1, v)
      local ok, err = pcall(weft.spawn, print, object)
      assert.is_false(ok)
      util.has(err, 'the insides of a sync object were overwritten')
    end
  end
end)
