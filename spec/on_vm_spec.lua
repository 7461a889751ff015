-- SPDX-License-Identifier: MIT
-- weft.on_vm: what is made ready in every VM for isolated tasks.
-- Subject: runtime/task/isolated.c

local weft = require 'weft'
local proc = require 'support.proc'
local util = require 'support.util'

-- Runs a script that ends by writing what the isolated tasks have said.
local function run(code)
  local r = proc.run("local weft = require 'weft'\n" .. code)
  assert.equals('', r.err)
  assert.equals(0, r.status)
  return r.out
end

describe('weft.on_vm', function()
  it('sets globals, for every task there', function()
    assert.equals('1 two 3 4\n1 two 3 4\n', run [[
      local up = 'two'
      known = 2
      local function helper() from_helper = 4 end
      weft.on_vm(function()
        one, two = 1, up
        known = known + 1
        helper()
      end)
      assert(one == nil and two == nil and known == 2 and from_helper == nil)
      known = nil  -- or the tasks would bring along this one
      for _ = 1, 2 do
        print(weft.parallel(function()
          return table.concat({ one, two, known, from_helper }, ' ')
        end):await())
      end]])
  end)

  it('sets searchers and registered types', function()
    assert.equals('5\ttrue\n', run [[
      weft.on_vm(function()
        local T = {}
        require 'weft'.register('T', T)
        package.preload.given = function() return { five = 5, T = T } end
      end)
      local T = {}
      weft.register('T', T)
      print(weft.parallel(function(t)
        local given = require 'given'
        return given.five, getmetatable(t) == given.T
      end, setmetatable({}, T)):await())]])
  end)

  it('runs them in their order', function()
    assert.equals('abc\n', run [[
      weft.on_vm(function() word = 'a' end)
      weft.on_vm(function() word = word .. 'b' end)
      weft.on_vm(function() word = word .. 'c' end)
      print(weft.parallel(function() return word end):await())]])
  end)

  it('its error is a panic, whatever its type', function()
    local told = "setmetatable({}, { __tostring = function() return 'told' end })"
    for _, case in ipairs { { "'words'", 'words' }, { '{}', 'error object is a table value' },
      { 'nil', 'error object is a nil value' }, { told, 'panic: told\n' } } do
      local r = proc.run(([[
        local weft = require 'weft'
        weft.on_vm(function() error(%s) end)
        weft.parallel(function() end):await()
        weft.sleep(5)
      ]]):format(case[1]))
      assert.equals(2, r.status)
      util.has(r.err, 'panic: ', case[2], 'weft.on_vm')
    end
  end)

  it('its error goes to on_panic, and the program goes on', function()
    assert.equals('from afar\ttrue\n5\n', run [[
      local ch = weft.chan(1)
      weft.on_panic(function(err, trace)
        ch:send(err .. '\t' .. tostring(trace:find('weft.on_vm', 1, true) ~= nil))
      end)
      weft.on_vm(function() error('from afar', 0) end)
      local f = weft.parallel(function() return 5 end)
      print(ch:recv())
      print(f:await())]])
  end)

  it('refuses what nobody could see', function()
    local count, list = 0, {}
    util.raises(function() weft.on_vm(function() count = count + 1 end) end,
      "'on_vm': function at ", "assigns the captured variable 'count'")
    util.raises(function() weft.on_vm(function() list[1] = 1 end) end,
      "stores into the captured variable 'list'")
    assert.same({ 0, {} }, { count, list })
  end)

  it('checks its argument', function()
    util.raises(function() weft.on_vm() end,
      "bad argument #1 to 'on_vm' (function expected, got no value)")
  end)
end)
