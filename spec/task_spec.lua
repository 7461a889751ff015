-- SPDX-License-Identifier: MIT
-- The end of a task that fails: its deferred calls, and who is told.

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'

describe('deferred calls of a task that fails', function()
  it('run in their order, those included that they defer themselves', function()
    local log = {}
    local function note(what) log[#log + 1] = what end
    weft.go(function()
      weft.defer(note, 'last')
      weft.defer(function()
        note 'second'
        weft.defer(function()
          note 'third'
          weft.defer(note, 'fourth')
        end)
        weft.sleep(1)
      end)
      weft.defer(note, 'first')
      error 'on purpose'
    end)
    weft.sleep(2)
    util.has(util.take_panics()[1].err, 'on purpose')
    assert.same({ 'first', 'second', 'last', 'third', 'fourth' }, log)
  end)

  it('run before its Future fails, those included that they defer themselves', function()
    local log = {}
    local function note(what) log[#log + 1] = what end
    local f = weft.async(function()
      weft.defer(function()
        note 'first'
        weft.defer(note, 'second')
        weft.sleep(1)
      end)
      error('on purpose', 0)
    end)
    assert.same({ false, 'on purpose' }, { f:try() })
    assert.same({ 'first', 'second' }, log)
  end)

  it('may fail too: the panic is that of the task', function()
    local r = proc.run [[
      local weft = require 'weft'
      weft.go(function()
        weft.defer(print, 'others run')
        weft.defer(error, 'a deferred one')
        error 'the task itself'
      end)
      weft.sleep(1)
    ]]
    assert.same({ 2, 'others run\n' }, { r.status, r.out })
    util.has(r.err, 'a deferred call failed: a deferred one', 'panic: ', 'the task itself')
  end)
end)

describe('on_panic', function()
  it('with nil is as it was without: a panic ends the program', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.on_panic(function(err) print('caught', err) end)
      weft.go(error, 'first')
      weft.sleep(0.001)
      weft.on_panic(nil)
      weft.go(error, 'second')
      weft.sleep(1)
      print 'not reached'
    ]], { virtual = true })
    assert.same({ 2, 'caught\tfirst\n' }, { r.status, r.out })
    util.has(r.err, 'panic: second')
  end)
end)
