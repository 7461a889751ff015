-- SPDX-License-Identifier: MIT
-- weft.sync: maps and pools.
-- Subject: lua/weft/internal/sync/map.lua lua/weft/internal/sync/pool.lua runtime/conc/dict.c

local weft = require 'weft'
local util = require 'support.util'
local sync = weft.sync
local raises = util.raises

local function share(o)
  weft.parallel(function() return o ~= nil end):await()
  return o
end

local function same(o) return o end

local LONG = ('key'):rep(50)

-- A map with these, filled before it crosses or after.
local function filled(make, entries)
  local before, after = sync.map(), make(sync.map())
  for k, v in pairs(entries) do
    before:store(k, v)
    after:store(k, v)
  end
  return { make(before), after }
end

for form, make in pairs { ['local'] = same, ['shared'] = share } do
  describe(form .. ' map', function()
    it('holds values by strings, numbers and booleans', function()
      local ch = weft.chan()
      local entries = { a = 1, [1] = 'x', [-0.5] = true, [true] = false, [false] = ch,
        [LONG] = LONG, [''] = '' , ['1'] = 'string', [1 / 0] = 'inf' }
      for _, m in ipairs(filled(make, entries)) do
        for k, v in pairs(entries) do assert.equals(v, m:load(k)) end
        assert.equals(9, m:len())
        assert.is_nil(m:load('b'))
        assert.is_nil(m:load(2))
        m:store(0, 'zero')
        assert.equals('zero', m:load(-0))
        m:store(-0, 'again')
        assert.same({ 'again', 10 }, { m:load(0), m:len() })
      end
    end)

    it('does what its calls say', function()
      local m = make(sync.map())
      assert.same({ 1, false }, { m:load_or_store('a', 1) })
      assert.same({ 1, true }, { m:load_or_store('a', 2) })
      assert.same({ 1, 3 }, { m:swap('a', 3), m:load('a') })
      assert.is_nil(m:swap('b', 4))
      assert.equals(2, m:len())
      assert.equals(4, m:load_and_delete('b'))
      assert.is_nil(m:load_and_delete('b'))
      m:delete('b')
      m:delete('a')
      assert.equals(0, m:len())
      m:store('a', false)
      assert.same({ false, true }, { m:load_or_store('a', 2) })
    end)

    it('compares and swaps', function()
      local m = make(sync.map())
      assert.is_false(m:compare_and_swap('a', 1, 2))
      assert.is_true(m:compare_and_swap('a', nil, 1))
      assert.is_false(m:compare_and_swap('a', nil, 2))
      assert.is_false(m:compare_and_swap('a', '1', 2))
      assert.is_true(m:compare_and_swap('a', 1, LONG))
      assert.is_true(m:compare_and_swap('a', LONG, { 1 }))
      assert.is_false(m:compare_and_swap('a', LONG, 1))
      assert.same({ 1 }, m:load('a'))
      assert.equals(1, m:len())
    end)

    it('copies tables in and out', function()
      local t = { 1, x = { 2 } }
      for _, m in ipairs(filled(make, { a = t })) do
        local a = m:load('a')
        assert.same({ 1, x = { 2 } }, a)
        a.x = nil
        assert.same({ 1, x = { 2 } }, m:load('a'))
        local c = m:load_or_store('b', t)
        assert.is_true(not rawequal(c, t) and c.x[1] == 2)
        assert.same({ 1, x = { 2 } }, m:swap('a', { 5 }))
        assert.same({ 5 }, m:load_and_delete('a'))
        m:store('b', 7)
        assert.equals(7, m:load('b'))
      end
      t[1] = 'changed'
    end)

    it('range visits what was there and still is', function()
      local m = make(sync.map())
      for i = 1, 50 do m:store(i, { i }) end
      local seen, n = {}, 0
      m:range(function(k, v)
        n = n + 1
        assert.is_nil(seen[k])
        seen[k] = v[1]
        m:delete(k % 50 + 1)
        m:store('new' .. k, 1)
      end)
      assert.is_true(n >= 25 and n < 50)
      for k, v in pairs(seen) do assert.equals(k, v) end
      n = 0
      m:range(function()
        n = n + 1
        return n < 3
      end)
      assert.equals(3, n)
      sync.map():range(error)
    end)

    it('range raises what its function raises, and its function may wait', function()
      local m, why = make(sync.map()), {}
      for i = 1, 10 do m:store(i, i) end
      local ok, err = pcall(m.range, m, function() error(why) end)
      assert.is_true(not ok and rawequal(why, err))
      local n = 0
      weft.go(function()
        for i = 1, 9 do m:delete(i) end
        m:store('late', 1)
      end)
      m:range(function(k)
        if k == 'late' then return end
        n = n + 1
        weft.sleep(1)
      end)
      assert.is_true(n == 1 or n == 2, n)  -- the first that it came to, and 10
      assert.same({ 2, 10 }, { m:len(), m:load(10) })
    end)

    it('grows and shrinks', function()
      local m = make(sync.map())
      for i = 1, 2000 do m:store('key' .. i, i) end
      assert.equals(2000, m:len())
      for i = 1, 2000 do assert.equals(i, m:load('key' .. i)) end
      for i = 1, 1999 do m:delete('key' .. i) end
      assert.same({ 1, 2000 }, { m:len(), m:load('key2000') })
    end)

    it('raises for bad keys and values, and is as before', function()
      local m, co = make(sync.map()), coroutine.create(print)
      m:store('a', 1)
      for _, name in ipairs { 'load', 'store', 'load_or_store', 'load_and_delete', 'swap',
        'delete', 'compare_and_swap' } do
        raises(function() m[name](m, nil, 1, 1) end, 'argument #1', name, 'got nil')
        raises(function() m[name](m, {}, 1, 1) end, 'argument #1', 'string, number or boolean')
        raises(function() m[name](m, 0 / 0, 1, 1) end, 'argument #1', name, 'not NaN')
        raises(function() m[name](sync.int(), 'a', 1) end, name, 'map expected', 'm:' .. name)
      end
      for _, name in ipairs { 'store', 'load_or_store', 'swap' } do
        raises(function() m[name](m, 'b', nil) end, 'argument #2', name, 'other than nil')
        raises(function() m[name](m, 'b', co) end, ("'%s': value: coroutine"):format(name))
      end
      raises(function() m:compare_and_swap('a', 1, nil) end, 'argument #3', 'other than nil')
      raises(function() m:compare_and_swap('a', 1, co) end, 'value: coroutine')
      raises(function() m:compare_and_swap('a', {}, 1) end, 'argument #2', 'table')
      raises(function() m:range() end, 'range', 'function')
      raises(function() m.len(1) end, 'len', 'map expected')
      assert.same({ 1, 1, nil }, { m:len(), m:load('a'), m:load('b') })
    end)
  end)
end

describe('map over cores', function()
  it('loses no compare_and_swap', function()
    local m, futures = sync.map(), {}
    for i = 1, 4 do
      futures[i] = weft.parallel(function()
        local mine = 0
        for k = 1, 1000 do
          local key = 'k' .. k % 3
          repeat
            local v = m:load(key)
          until m:compare_and_swap(key, v, (v or 0) + 1)
          if not select(2, m:load_or_store(k, i)) then mine = mine + 1 end
        end
        return mine
      end)
    end
    local mine = 0
    for i = 1, 4 do mine = mine + futures[i]:await() end
    assert.equals(1000, mine)
    assert.equals(4000, m:load('k0') + m:load('k1') + m:load('k2'))
    assert.equals(1003, m:len())
  end)

  it('is stored into, deleted from and ranged over at once', function()
    local m, stop = sync.map(), sync.bool()
    local churn = {}
    for i = 1, 3 do
      churn[i] = weft.parallel(function()
        local n = 0
        repeat
          n = n + 1
          m:store('k' .. n % 97, { i, n, 'k' .. n % 97 })
          m:delete('k' .. (n * 31) % 97)
          m:swap(n % 13, ('x'):rep(n % 200))
        until stop:load()
        return n
      end)
    end
    m:store('fixed', { 0, 0, 'fixed' })
    for _ = 1, 100 do
      local fixed = false
      m:range(function(k, v)
        if type(k) == 'string' and v[3] ~= k then error('another key\'s value: ' .. k) end
        fixed = fixed or k == 'fixed'
      end)
      assert.is_true(fixed)
    end
    stop:store(true)
    for i = 1, 3 do churn[i]:await() end
  end)

  it('with a value that cannot cross any more does not become shared', function()
    local m = sync.map()
    local ch = weft.chan(1)
    m:store('ch', ch)
    ch:send(coroutine.create(print))
    raises(function() weft.spawn(print, m) end, 'spawn', 'channel, buffered value: coroutine')
    assert.equals('thread', type(ch:recv()))
    assert.equals('weft.map', getmetatable(m))
    assert.equals(ch, m:load('ch'))
    assert.equals(ch, share(m):load('ch'))
  end)
end)

describe('pool', function()
  it('gives back what was put, else makes something new', function()
    local n = 0
    local p = sync.pool(function()
      n = n + 1
      return { n }
    end)
    local a, b = p:get(), p:get()
    assert.same({ 1, 2 }, { a[1], b[1] })
    p:put(a)
    assert.is_true(rawequal(a, p:get()))
    assert.equals(3, p:get()[1])
    assert.is_nil(sync.pool():get())
  end)

  it('keeps nothing for ever', function()
    local p = sync.pool()
    local weak = setmetatable({ {} }, { __mode = 'v' })
    p:put(weak[1])
    for _ = 1, 4 do collectgarbage() end
    assert.is_nil(weak[1])
    assert.is_nil(p:get())
    p:put(1)
    collectgarbage()
    p:put(2)
    assert.equals(2, p:get())
  end)

  it('raises for misuse, and does not cross', function()
    local p = sync.pool()
    raises(function() p:put(nil) end, 'put', 'other than nil')
    raises(function() p.get({}) end, 'get', 'pool expected', 'p:get(...)')
    raises(function() p.put(1, 2) end, 'put', 'pool expected')
    raises(function() sync.pool(1) end, 'pool', 'function')
    raises(function() weft.spawn(print, p) end, 'spawn', 'arg 1')
  end)
end)
