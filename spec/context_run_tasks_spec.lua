-- SPDX-License-Identifier: MIT
-- A task's own context: what clean-up is, which tasks have it, and how one that it stops ends.
-- Subject: runtime/conc/scope.c runtime/task/own.c runtime/task/panic.c

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local context, sync, time = weft.context, weft.sync, weft.time
local settle, start, near, has = util.settle, util.start, util.near, util.has

local background = context.background()

local function open(parent) return context.with_cancel(parent or background) end

-- Starts fn(...) in a task under a context: what start knows of it, and the cancel function.
local function under(fn, ...)
  local ctx, cancel = open()
  return start(context.run, ctx, fn, ...), cancel, ctx
end

describe('clean-up', function()
  it('runs under without_cancel', function()
    local r, cancel = under(function()
      assert.is_false((pcall(weft.sleep, 1e6)))
      local quiet = context.without_cancel(context.with_value(context.current(), 'k', 'v'))
      local t = time.monotonic()
      local v = context.run(quiet, function()
        weft.sleep(2)
        return context.current():value('k')
      end)
      near(2, time.monotonic() - t)
      assert.is_false((pcall(weft.sleep, 1)))
      return v
    end)
    cancel()
    weft.sleep(3)
    assert.is_true(r.ok)
    assert.equals('v', r[1])
  end)

  it('of weft.defer is not stopped', function()
    local cleaned, value
    local ctx, cancel = open()
    local ch = weft.chan()
    context.run(context.with_value(ctx, 'k', 'v'), weft.go, function()
      weft.defer(function()
        weft.sleep(1)
        value = context.current():value('k')
        cleaned = ch:recv()
      end)
      weft.sleep(1e6)
    end)
    settle()
    cancel()
    ch:send('cleaned')
    settle()
    assert.equals('cleaned', cleaned)
    assert.equals('v', value)
  end)

  it('of after_func is not stopped', function()
    local ran, value
    local ctx, cancel = open()
    context.run(context.with_value(ctx, 'k', 'v'), function()
      context.after_func(ctx, function()
        weft.sleep(1)
        ran, value = true, context.current():value('k')
      end)
    end)
    cancel()
    weft.sleep(2)
    assert.is_true(ran)
    assert.equals('v', value)
  end)
end)

describe('tasks that are started inside', function()
  it('have it: go, async, map, waitgroup:go, time.after_func', function()
    local ctx, cancel = open()
    local seen, stopped = {}, 0
    local function work(name)
      seen[name] = context.current()
      local ok, err = pcall(weft.sleep, 1e6)
      assert.is_false(ok)
      has(err, 'context canceled')
      stopped = stopped + 1
    end
    weft.go(function()
      pcall(context.run, ctx, function()
        weft.go(work, 'go')
        weft.go(function() weft.go(work, 'grandchild') end)
        weft.async(work, 'async')
        sync.waitgroup():go(work, 'waitgroup')
        time.after_func(1, function() work 'timer' end)
        weft.map({ 'map' }, work)
      end)
    end)
    weft.sleep(2)
    cancel()
    settle()
    for _, name in ipairs { 'go', 'grandchild', 'async', 'waitgroup', 'timer', 'map' } do
      assert.equals(ctx, seen[name])
    end
    assert.equals(6, stopped)
  end)

  it('keep it when run has returned', function()
    local ctx, cancel = open()
    local r
    context.run(ctx, function() weft.go(function() r = { pcall(weft.sleep, 1e6) } end) end)
    settle()
    assert.is_nil(r)
    cancel()
    settle()
    assert.is_false(r[1])
  end)

  it('have what their creator has, not who happens to end a context', function()
    local ctx, cancel = open()
    local seen
    context.after_func(ctx, function() seen = context.current() end)
    context.run(open(), cancel)
    settle()
    assert.equals(background, seen)
  end)

  it('end quietly when it stops them', function()
    local r = proc.run [[
      local weft = require 'weft'
      local ctx, cancel = weft.context.with_cancel(weft.context.background())
      weft.context.run(ctx, function()
        weft.go(function() weft.sleep(100) end)
        weft.go(function() local _, err = pcall(weft.sleep, 100) error(err) end)
        weft.async(function() weft.sleep(100) end)
        weft.sync.waitgroup():go(function() weft.defer(print, 'deferred') weft.chan():recv() end)
      end)
      weft.sleep(1)
      cancel()
      weft.sleep(1)
      collectgarbage()
      collectgarbage()
      print(weft.ntasks())
    ]]
    assert.equals('', r.err)
    assert.equals(0, r.status)
    assert.equals('deferred\n1\n', r.out)
  end)

  it('fail with any other error as ever', function()
    local r = proc.run [[
      local weft = require 'weft'
      local ctx, cancel = weft.context.with_cancel(weft.context.background())
      weft.context.run(ctx, weft.go, function()
        pcall(weft.sleep, 100)
        error 'broken'
      end)
      weft.sleep(1)
      cancel()
      weft.sleep(1)
    ]]
    assert.equals(2, r.status)
    has(r.err, 'panic: ', 'broken')
  end)

  it('panic with the error of a context that is not theirs', function()
    local r = proc.run [[
      local weft = require 'weft'
      local ctx, cancel = weft.context.with_cancel(weft.context.background())
      cancel()
      weft.context.run(ctx, weft.sleep, 1)
    ]]
    assert.equals(2, r.status)
    has(r.err, 'panic: ', 'context canceled')
  end)

  it('panic when another one than their own has ended', function()
    local r = proc.run [[
      local weft = require 'weft'
      local context = weft.context
      local alive = context.with_cancel(context.background())
      local ctx, cancel = context.with_cancel(context.background())
      cancel()
      context.run(alive, weft.go, function() context.run(ctx, weft.sleep, 1) end)
      weft.sleep(1)
    ]]
    assert.equals(2, r.status)
    has(r.err, 'panic: ', 'context canceled')
  end)
end)
