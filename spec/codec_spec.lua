-- SPDX-License-Identifier: MIT
-- weft.check and weft.register as a script sees them. What crosses, and how it arrives, is in
-- spec/c/crossing, where there are two VMs.
-- Subject: runtime/lib/codec.c

local weft = require 'weft'
local util = require 'support.util'
local has, raises = util.has, util.raises

describe('weft.check', function()
  it('says how many bytes would be sent', function()
    local function f(s) return s end
    local ok, empty = weft.check(f)
    assert.is_true(ok)
    assert.is_true(empty > 0)
    local _, more = weft.check(f, ('x'):rep(1000))
    assert.is_true(more >= empty + 1000 and more < empty + 1010)
    local _, large = weft.check(f, ('x'):rep(1e6))
    assert.is_true(large >= empty + 1e6 and large < empty + 1e6 + 10)
  end)

  it('starts nothing', function()
    local n = weft.ntasks()
    assert.is_true((weft.check(function() error 'must not run' end)))
    weft.yield()
    assert.equals(n, weft.ntasks())
  end)

  it('says why not, with the path', function()
    local co = coroutine.create(print)
    local ok, why = weft.check(print, 1, { items = { 1, 2, co } })
    assert.is_nil(ok)
    assert.equals('arg 2.items[3]: coroutine', why)
    local function worker() return co end
    assert.equals("upvalue 'co' of worker: coroutine", select(2, weft.check(worker)))
  end)

  it('refuses what nobody could see, with variable and line', function()
    local count = 0
    local function worker() count = count + 1 end
    local ok, why = weft.check(worker)
    assert.is_nil(ok)
    has(why, "worker: assigns the captured variable 'count' at ", util.here(-3))
  end)

  it('takes C functions, and modules by name', function()
    assert.is_true((weft.check(print, string, weft, weft.sleep, weft.time, io.stdout)))
    local _, bytes = weft.check(print, weft)
    assert.is_true(bytes < 100)
  end)

  it('checks its argument', function()
    raises(function() weft.check() end,
      "bad argument #1 to 'check' (function expected, got no value)")
    raises(function() weft.check(1) end,
      "bad argument #1 to 'check' (function expected, got number)")
  end)

  it('can be called outside of what can block', function()
    local list = { 2, 1 }
    table.sort(list, function(a, b)
      assert(weft.check(print, { a, b }))
      return a < b
    end)
    assert.equals(1, list[1])
  end)
end)

describe('weft.register', function()
  it('lets tables with the metatable cross', function()
    local T = {}
    local ok, why = weft.check(print, { setmetatable({}, T) })
    assert.is_nil(ok)
    has(why, 'arg 1[1]: table with a metatable that is not registered (weft.register)')
    weft.register('codec_spec.T', T)
    assert.is_true((weft.check(print, { setmetatable({}, T) })))
  end)

  it('is told a name once', function()
    local A, B = {}, {}
    weft.register('codec_spec.A', A)
    weft.register('codec_spec.A', A)
    raises(function() weft.register('codec_spec.A', B) end,
      "'register': the name 'codec_spec.A' is another metatable's")
  end)

  it('checks its arguments', function()
    raises(function() weft.register(1, {}) end, "bad argument #1 to 'register' (string expected")
    raises(function() weft.register('x', 1) end,
      "bad argument #2 to 'register' (metatable expected")
    raises(function() weft.register('x', {}, 1) end,
      "bad argument #3 to 'register' (name of a module expected")
  end)
end)
