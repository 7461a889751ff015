-- SPDX-License-Identifier: MIT
-- Futures: async, await, try, traceback, done, failures that nobody looked at.

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local context = weft.context
local settle, start, has = util.settle, util.start, util.has

describe('async', function()
  it('starts a task as go does, and returns a Future', function()
    local got
    local f = weft.async(function(...) got = util.pack(...) end, 1, nil, 3, nil)
    assert.is_nil(got)
    f:await()
    assert.same({ n = 4, 1, nil, 3, nil }, got)
  end)
end)

describe('await', function()
  it('returns the results, all of them, nil too', function()
    local f = weft.async(function() return 1, nil, 'x', nil end)
    assert.same({ n = 4, 1, nil, 'x', nil }, util.pack(f:await()))
    f = weft.async(function() return {}, false end)
    assert.same({ n = 2, {}, false }, util.pack(f:await()))
  end)

  it('returns many results', function()
    local list = {}
    for i = 1, 200 do list[i] = i end
    local f = weft.async(function() return unpack(list) end)
    assert.same(list, { f:await() })
  end)

  it('waits until the task ends', function()
    local f = weft.async(function()
      weft.sleep(4)
      return 'late'
    end)
    local dt, v = util.elapsed(f.await, f)
    util.near(4, dt)
    assert.equals('late', v)
  end)

  it('gives the same again, at once', function()
    local t = {}
    local f = weft.async(function() return t, 2 end)
    for _ = 1, 3 do
      local a, b = f:await()
      assert.equals(t, a)
      assert.equals(2, b)
    end
    f = weft.async(function() error 'on purpose' end)
    local _, e1 = pcall(f.await, f)
    local _, e2 = pcall(f.await, f)
    has(e1, 'on purpose')
    assert.equals(e1, e2)
  end)

  it('gives the same to everybody who waits', function()
    local t, rs = {}, {}
    local f = weft.async(function()
      weft.sleep(1)
      return t
    end)
    for i = 1, 5 do rs[i] = start(f.await, f) end
    weft.sleep(2)
    for i = 1, 5 do assert.equals(t, rs[i][1]) end
  end)

  it('raises a string with the task\'s traceback appended', function()
    local where
    local function deep()
      where = util.here(1)
      error 'on purpose'
    end
    local f = weft.async(function() deep() end)
    local ok, err = pcall(f.await, f)
    assert.is_false(ok)
    assert.equals(1, (err:find(where .. ': on purpose', 1, true)))
    has(err, 'stack traceback')
    local _, behind = err:find('on purpose', 1, true)
    assert.is_truthy(err:find(where, behind, true), 'the traceback names the line: ' .. err)
  end)

  it('raises any other value as it is', function()
    for _, why in ipairs { {}, 42, true, print, newproxy(true) } do
      local f = weft.async(function() error(why, 0) end)
      local ok, err = pcall(f.await, f)
      assert.is_false(ok)
      assert.is_true(rawequal(why, err), type(why))
    end
    local f = weft.async(function() error(nil) end)
    assert.same({ n = 2, false, nil }, util.pack(pcall(f.await, f)))
    local printable = setmetatable({}, { __tostring = function() return 't' end })
    f = weft.async(function() error(printable) end)
    local _, err = pcall(f.await, f)
    assert.is_true(rawequal(printable, err))
  end)

  it('stops waiting when its context is cancelled; the task goes on', function()
    local f = weft.async(function()
      weft.sleep(10)
      return 'v'
    end)
    local ctx = context.with_timeout(context.background(), 3)
    local dt, v, err = util.elapsed(f.await, f, ctx)
    util.near(3, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    dt, v = util.elapsed(f.await, f)
    util.near(7, dt)
    assert.equals('v', v)
  end)

  it('gives nil and the reason for a context that is cancelled already', function()
    local f = weft.async(function() return 'v' end)
    f:await()
    assert.same({ n = 2, nil, 'context canceled' }, util.pack(f:await(util.cancelled())))
    assert.equals('v', (f:await()))
  end)

  it('crosses tasks: a future may be awaited anywhere', function()
    local ch = weft.chan(1)
    weft.go(function()
      ch:send(weft.async(function()
        weft.sleep(1)
        return 'v'
      end))
    end)
    assert.equals('v', (ch:recv()):await())
  end)

  it('may wait for a chain of futures', function()
    local f = weft.async(function() return 0 end)
    for _ = 1, 100 do
      local inner = f
      f = weft.async(function() return inner:await() + 1 end)
    end
    assert.equals(100, f:await())
  end)
end)

describe('try', function()
  it('gives true and the results', function()
    local f = weft.async(function() return nil, 2, nil end)
    assert.same({ n = 4, true, nil, 2, nil }, util.pack(f:try()))
    f = weft.async(function() end)
    assert.same({ n = 1, true }, util.pack(f:try()))
  end)

  it('gives false and the very value', function()
    local why = {}
    local f = weft.async(function() error(why) end)
    local ok, err = f:try()
    assert.is_false(ok)
    assert.equals(why, err)
    f = weft.async(function() error('text', 0) end)
    assert.same({ n = 2, false, 'text' }, util.pack(f:try()))
    assert.same({ n = 2, false, 'text' }, util.pack(f:try()))
  end)

  it('waits, and stops waiting for its context', function()
    local f = weft.async(function()
      weft.sleep(2)
      error('late', 0)
    end)
    local ctx = context.with_timeout(context.background(), 1)
    local dt, ok, err = util.elapsed(f.try, f, ctx)
    util.near(1, dt)
    assert.same({ nil, 'context deadline exceeded' }, { ok, err })
    dt, ok, err = util.elapsed(f.try, f)
    util.near(1, dt)
    assert.same({ false, 'late' }, { ok, err })
  end)
end)

describe('errors that others see first', function()
  it('are the very errors', function()
    local why = {}
    local function lose(err)
      getmetatable(newproxy(true)).__gc = function() error(err, 0) end
    end
    local f = weft.async(function()
      lose(why)
      collectgarbage()
      collectgarbage()
    end)
    local _, err = f:try()
    assert.is_true(err == nil or rawequal(err, why), tostring(err))
    f = weft.async(function()
      return load(function() error('of the reader', 0) end)
    end)
    assert.same({ true, nil, 'of the reader' }, { f:try() })
  end)
end)

describe('traceback', function()
  it('is the failed task\'s', function()
    local where
    local function deep()
      where = util.here(1)
      error {}
    end
    local f = weft.async(function()
      deep()
      return true
    end)
    f:try()
    has(f:traceback(), 'stack traceback', where)
    assert.equals(f:traceback(), f:traceback())
  end)
end)

describe('done', function()
  it('is a channel closed at the end', function()
    local f = weft.async(function() weft.sleep(2) end)
    assert.is_false(f:done():is_closed())
    local dt, v = util.elapsed(function() return (f:done():recv()) end)
    util.near(2, dt)
    assert.is_nil(v)
    assert.is_true(f:done():is_closed())
  end)

  it('is closed also when the task fails', function()
    local f = weft.async(function()
      weft.sleep(1)
      error 'on purpose'
    end)
    local done = f:done()
    local dt, i = util.elapsed(weft.select, weft.chan(), done)
    util.near(1, dt)
    assert.equals(2, i)
    assert.is_false((f:try()))
  end)

  it('is closed when asked for only afterwards', function()
    local f = weft.async(function() end)
    f:await()
    assert.is_true(f:done():is_closed())
    assert.equals(1, (weft.select(f:done())))
  end)

  it('stands in a select beside other futures', function()
    local function after(s, v)
      return weft.async(function()
        weft.sleep(s)
        return v
      end)
    end
    local a, b = after(3, 'a'), after(1, 'b')
    local i = weft.select(a:done(), b:done())
    assert.equals(2, i)
    assert.equals('b', ({ a, b })[i]:await())
    assert.equals('a', a:await())
  end)
end)

describe('a failed Future that nobody awaited', function()
  it('panics when it is collected', function()
    local function lose() weft.async(function() error('lost', 0) end) end
    lose()
    settle()
    for _ = 1, 10 do
      collectgarbage()
      settle()
    end
    local panics = util.take_panics()
    assert.equals(1, #panics)
    has(panics[1].err, 'lost')
  end)

  it('panics when the program ends: status 2', function()
    local r = proc.run([[
      local weft = require 'weft'
      f = weft.async(function() error 'lost' end)
      weft.sleep(0.001)
      print 'main ends'
    ]], { virtual = true })
    assert.same({ 2, 'main ends\n' }, { r.status, r.out })
    has(r.err, 'panic: ' .. r.where(2) .. ': lost')
  end)

  it('ends the program when it is collected in the middle: status 2', function()
    local r = proc.run([[
      local weft = require 'weft'
      local function lose() weft.async(function() error 'lost' end) end
      lose()
      weft.yield()
      for i = 1, 100 do
        collectgarbage()
        weft.sleep(0.001)
      end
      print 'not reached'
    ]], { virtual = true })
    assert.same({ 2, '' }, { r.status, r.out })
    has(r.err, 'panic: ', 'lost')
  end)

  it('is told in a deadlock report', function()
    local r = proc.run [[
      local weft = require 'weft'
      f = weft.async(function() error 'lost' end)
      weft.chan():recv()
    ]]
    assert.equals(2, r.status)
    has(r.err, 'all tasks are asleep - deadlock!', 'lost')
  end)

  it('is no panic once it was looked at by await or try', function()
    local r = proc.run [[
      local weft = require 'weft'
      local a = weft.async(function() error 'one' end)
      local b = weft.async(function() error 'two' end)
      print(pcall(a.await, a))
      print(b:try())
      a, b = nil, nil
      collectgarbage()
      collectgarbage()
      weft.sleep(0.001)
    ]]
    assert.same({ 0, '' }, { r.status, r.err })
  end)

  it('is no panic when somebody already waits as it fails', function()
    local f = weft.async(function()
      weft.sleep(1)
      error('awaited', 0)
    end)
    local r = start(function() return f:try() end)
    f = nil
    weft.sleep(2)
    assert.same({ false, 'awaited' }, { r[1], r[2] })
    assert.is_nil(f)
    collectgarbage()
    collectgarbage()
    settle()
    assert.same({}, util.take_panics())
  end)

  it('is no panic when it succeeded', function()
    local function lose() weft.async(function() return 'unused' end) end
    lose()
    settle()
    collectgarbage()
    collectgarbage()
    settle()
    assert.same({}, util.take_panics())
  end)
end)
