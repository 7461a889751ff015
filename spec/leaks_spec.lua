-- SPDX-License-Identifier: MIT
-- weft.leaks: what of Lua counts as a reference by which a parked task can still be woken.

local weft = require 'weft'
local util = require 'support.util'
local leaks = require 'support.leaks'
local context = weft.context
local holds, ignores, is_leaked, settle = leaks.holds, leaks.ignores, leaks.is_leaked, util.settle

-- The one place that the tests below put things in: a local of this file, and so an upvalue of
-- functions that busted has.
local place

local function forget() place = nil end

describe('leaks', function()
  it('finds a task that waits on what nobody else has, and tells of it', function()
    local id = leaks.waiter(function() end)
    local found = weft.leaks()
    assert.same({ id }, leaks.ids(found))
    local known = util.task(id)
    assert.equals('chan receive', found[1].state)
    for _, field in ipairs { 'state', 'since', 'where', 'created_by', 'vm' } do
      assert.equals(known[field], found[1][field])
    end
    util.has(found[1].stack, 'stack traceback:', "in function 'recv'", 'support/leaks.lua')
    leaks.reclaim()
  end)

  it('gives an empty array when there is none', function()
    place = weft.chan()
    local id = leaks.park(function() place:recv() end)
    assert.same({}, weft.leaks())
    assert.same({}, weft.leaks { reclaim = true })
    assert.equals('chan receive', util.task(id).state)
    place:close()
    settle()
    forget()
  end)

  it('changes nothing by asking', function()
    local first = leaks.waiter(function(ch) place = ch end)
    local second = leaks.waiter(function() end)
    for _ = 1, 3 do assert.same({ second }, leaks.ids(weft.leaks())) end
    assert.equals('chan receive', util.task(first).state)
    assert.equals('chan receive', util.task(second).state)
    assert.equals('full', select(2, weft.chan():try_send(1)))
    assert.is_true(place:try_send(1))
    settle()
    assert.is_nil(util.task(first))
    forget()
    leaks.reclaim()
  end)

  it('leaves a collector that was stopped as it was', function()
    collectgarbage 'stop'
    weft.leaks()
    local weak = setmetatable({ {} }, { __mode = 'v' })
    -- More than the collector would wait for: the heap as it is once over, and again.
    local last = {}
    for i = 1, 3 * collectgarbage 'count' do last[i % 8] = ('x'):rep(1000) .. i end
    local kept = weak[1] ~= nil and last[0] ~= nil
    collectgarbage 'restart'
    assert.is_true(kept and #last > 0)
  end)

  it('orders what it finds by number', function()
    local ids = {}
    for i = 1, 30 do ids[i] = leaks.waiter(function() end) end
    assert.same(ids, leaks.ids(weft.leaks()))
    leaks.reclaim()
  end)

  it('raises for what is no table of options, at the line of the call', function()
    util.raises(function() weft.leaks(1) end,
      "bad argument #1 to 'leaks' (table of options expected, got number)")
    util.raises(function() weft.leaks { reclaim = 1 } end,
      "bad argument #1 to 'leaks' (reclaim as boolean expected, got number)")
  end)
end)

describe('a task can be woken through', function()
  it('a field of a table, and tables in it', function()
    holds(function(ch) place = { deep = { { ch } } } end, forget)
  end)

  it('a key of a table', function()
    holds(function(ch) place = { [ch] = true } end, forget)
  end)

  it('a global', function()
    holds(function(ch) rawset(_G, 'WEFT_SPEC', ch) end,
      function() rawset(_G, 'WEFT_SPEC', nil) end)
  end)

  it('the values and keys of weak tables, which can be read', function()
    holds(function(ch) place = setmetatable({ ch }, { __mode = 'v' }) end, forget)
    holds(function(ch) place = setmetatable({ [ch] = 1 }, { __mode = 'k' }) end, forget)
  end)

  it('metatables', function()
    holds(function(ch) place = setmetatable({}, { __index = { ch } }) end, forget)
    holds(function(ch) place = setmetatable({}, { hidden = ch }) end, forget)
  end)

  it('the metatables that all values of a type have', function()
    local samples = { 1, true, print, coroutine.create(print), 'nil' }
    for i, sample in ipairs(samples) do
      local value = sample
      if i == #samples then value = nil end
      holds(function(ch) debug.setmetatable(value, { hidden = ch }) end,
        function() debug.setmetatable(value, nil) end)
    end
    holds(function(ch) getmetatable('').hidden = ch end,
      function() getmetatable('').hidden = nil end)
  end)

  it('upvalues', function()
    holds(function(ch) place = function() return ch end end, forget)
    holds(function(ch)
      place = function() return function() return ch end end
    end, forget)
  end)

  it('upvalues of C functions', function()
    holds(function(ch)
      place = coroutine.wrap(function() coroutine.yield(ch) end)
      place()
      place = string.gmatch and place
    end, forget)
  end)

  it('the environment of a function', function()
    holds(function(ch) place = setfenv(function() end, { hidden = ch }) end, forget)
  end)

  it('the environment of a coroutine', function()
    holds(function(ch)
      place = coroutine.create(function() end)
      debug.setfenv(place, { hidden = ch })
    end, forget)
  end)

  it('userdata: its metatable and its environment', function()
    holds(function(ch)
      place = newproxy(true)
      getmetatable(place).hidden = ch
    end, function()
      forget()
      collectgarbage()  -- the table that remembers proxies' metatables is weak
    end)
    holds(function(ch)
      place = newproxy()
      debug.setmetatable(place, { hidden = ch })
    end, forget)
    holds(function(ch)
      place = newproxy()
      debug.setfenv(place, { hidden = ch })
    end, forget)
  end)

  it('modules, loaded or to be loaded', function()
    holds(function(ch) package.loaded['weft.spec'] = { ch } end,
      function() package.loaded['weft.spec'] = nil end)
    holds(function(ch) package.preload['weft.spec'] = function() return ch end end,
      function() package.preload['weft.spec'] = nil end)
  end)

  it('the registry', function()
    holds(function(ch) debug.getregistry().WEFT_SPEC = ch end,
      function() debug.getregistry().WEFT_SPEC = nil end)
  end)

  it('the debug hook', function()
    local before = { debug.gethook() }
    holds(function(ch) debug.sethook(function() return ch end, 'c') end,
      function() debug.sethook(unpack(before)) end)
  end)

  it("weft.on_panic's function", function()
    holds(function(ch) weft.on_panic(function() return ch end) end,
      function() weft.on_panic(util.on_panic) end)
  end)

  it('functions that C code may call back', function()
    local ffi = require 'ffi'
    local cb
    holds(function(ch) cb = ffi.cast('int (*)(void)', function() return ch and 1 end) end,
      function() cb:free() end)
  end)

  it('metatypes and finalisers of cdata', function()
    local ffi = require 'ffi'
    holds(function(ch) place = ffi.gc(ffi.new 'int[1]', function() return ch end) end, function()
      ffi.gc(place, nil)
      forget()
    end)
    local mt = { __index = {} }
    ffi.metatype('struct { int weft_leaks_spec; }', mt)
    holds(function(ch) mt.__index.hidden = ch end, function() mt.__index.hidden = nil end)
  end)

  it('the finaliser of a proxy, as long as that exists', function()
    local hold = weft.chan()
    local id = leaks.waiter(function(ch)
      leaks.park(function()
        local p = newproxy(true)
        getmetatable(p).__gc = function() ch:close() end
        hold:recv()
        return p
      end)
    end)
    assert.is_false(is_leaked(id))
    hold:close()
    settle()
    collectgarbage()
    settle()
    assert.is_nil(util.task(id))
  end)

  it('the finaliser of garbage, which runs first', function()
    local id = leaks.waiter(function(ch)
      local function drop() getmetatable(newproxy(true)).__gc = function() ch:close() end end
      drop()
    end)
    settle()
    assert.is_false(is_leaked(id))
    settle()
    assert.is_nil(util.task(id))
  end)

  it('a finaliser that makes its successor', function()
    local rounds = 0
    local function start(ch)
      local function finaliser()
        rounds = rounds + 1
        if rounds == 20 then
          ch:close()
        else
          getmetatable(newproxy(true)).__gc = finaliser
        end
      end
      finaliser()
    end
    local id = leaks.waiter(start)
    while rounds < 20 do
      assert.is_false(is_leaked(id))
      collectgarbage()
    end
    settle()
    assert.is_nil(util.task(id))
  end)
end)

describe('a task can be woken through what is behind', function()
  it('a buffered value', function()
    holds(function(ch)
      place = weft.chan(3)
      place:send(ch)
    end, forget)
  end)

  it('the error that a channel was closed with', function()
    for capacity = 0, 1 do
      holds(function(ch)
        place = weft.chan(capacity)
        place:close { hidden = ch }
      end, forget)
    end
  end)

  it('a view', function()
    holds(function(ch) place = ch:send_only() end, forget)
    holds(function(ch) place = ch:recv_only() end, forget)
  end)

  it('a send case', function()
    holds(function(ch) place = ch:sending(1) end, forget)
    holds(function(ch) place = weft.chan():sending(ch) end, forget)
  end)

  it('values and causes of contexts', function()
    holds(function(ch) place = context.with_value(context.background(), 'key', ch) end, forget)
    holds(function(ch)
      local cancel
      place, cancel = context.with_cancel(context.background())
      cancel(ch)
    end, forget)
  end)

  it('the results, and the error, of a Future', function()
    holds(function(ch)
      place = weft.async(function() return ch end)
      settle()
    end, forget)
    holds(function(ch)
      place = weft.async(function() error({ hidden = ch }, 0) end)
      place:try()
    end, forget)
  end)
end)

describe('what does not count:', function()
  it('the task itself, its coroutine, its deferred calls', function()
    ignores(function() end)
    local id = leaks.park(function()
      local ch = weft.chan()
      weft.defer(function() ch:close() end)
      local function get() return ch end
      pcall(function(_) return get():recv() end, { ch })
    end)
    assert.is_true(is_leaked(id))
    leaks.reclaim()
  end)

  it('the registry as a value that somebody has', function()
    place = debug.getregistry()
    ignores(function() end)
    ignores(function(ch) pcall(coroutine.wrap(function() error({ ch }, 0) end)) end)
    forget()
  end)

  it('the error that went by last, kept for its trace', function()
    ignores(function(ch)
      pcall(coroutine.wrap(function() error({ ch }, 0) end))
    end)
  end)

  it('the stacks of tasks that have ended', function()
    ignores(function(ch)
      leaks.park(function(x) return x end, ch)
      leaks.park(function(x) local _ = { x } end, ch)
    end)
  end)
end)
