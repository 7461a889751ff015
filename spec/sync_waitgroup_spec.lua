-- SPDX-License-Identifier: MIT
-- weft.sync: waitgroups.
-- Subject: lua/weft/internal/sync/waitgroup.lua

local weft = require 'weft'
local util = require 'support.util'
local context, sync = weft.context, weft.sync
local settle, start, raises, near = util.settle, util.start, util.raises, util.near

describe('waitgroup', function()
  it('wait blocks until the counter is zero', function()
    local wg = sync.waitgroup()
    wg:add(2)
    local r = start(wg.wait, wg)
    assert.is_false(r.done)
    wg:done()
    settle()
    assert.is_false(r.done)
    wg:done()
    settle()
    assert.same({ true, 1, true }, { r.ok, r.n, r[1] })
  end)

  it('wait returns at once when it is zero', function()
    local wg = sync.waitgroup()
    local dt, v = util.elapsed(wg.wait, wg)
    assert.equals(0, dt)
    assert.is_true(v)
  end)

  it('wakes everybody who waits', function()
    local wg, rs = sync.waitgroup(), {}
    wg:add(1)
    for i = 1, 5 do rs[i] = start(wg.wait, wg) end
    wg:done()
    settle()
    for i = 1, 5 do assert.is_true(rs[i][1]) end
  end)

  it('add takes negative numbers and zero', function()
    local wg = sync.waitgroup()
    wg:add(3)
    wg:add(0)
    local r = start(wg.wait, wg)
    wg:add(-2)
    settle()
    assert.is_false(r.done)
    wg:add(-1)
    settle()
    assert.is_true(r.done)
  end)

  it('can be used again', function()
    local wg, n = sync.waitgroup(), 0
    for round = 1, 3 do
      for _ = 1, 10 do
        wg:go(function()
          weft.sleep(1)
          n = n + 1
        end)
      end
      near(1, (util.elapsed(wg.wait, wg)))
      assert.equals(round * 10, n)
    end
  end)

  it('go runs the function as a task with its arguments, counted', function()
    local wg, got = sync.waitgroup(), nil
    wg:go(function(...)
      weft.sleep(2)
      got = util.pack(...)
    end, 1, nil, 3, nil)
    near(2, (util.elapsed(wg.wait, wg)))
    assert.same({ n = 4, 1, nil, 3, nil }, got)
  end)

  it('go counts at once, before the task starts', function()
    local wg, ran = sync.waitgroup(), false
    wg:go(function() ran = true end)
    assert.is_false(ran)
    wg:wait()
    assert.is_true(ran)
  end)

  it('go counts down also when the task fails', function()
    local wg = sync.waitgroup()
    wg:go(function() error 'on purpose' end)
    wg:go(function()
      weft.sleep(1)
      error 'on purpose'
    end)
    near(1, (util.elapsed(wg.wait, wg)))
    settle()
    assert.equals(2, #util.take_panics())
  end)

  it('raises on a negative counter, at the caller\'s line, and names the function', function()
    local wg = sync.waitgroup()
    raises(function() wg:done() end, 'done', 'negative')
    raises(function() wg:add(-1) end, 'add', 'negative')
  end)

  it('is as before when the counter would have become negative', function()
    local wg = sync.waitgroup()
    assert.is_false((pcall(wg.done, wg)))
    assert.is_false((pcall(wg.add, wg, -1)))
    assert.equals(0, (util.elapsed(wg.wait, wg)))
    wg:add(2)
    assert.is_false((pcall(wg.add, wg, -3)))
    wg:done()
    local r = start(wg.wait, wg)
    assert.is_false(r.done)
    wg:done()
    settle()
    assert.is_true(r.done)
  end)

  it('wait stops for its context, and the others go on waiting', function()
    local wg = sync.waitgroup()
    wg:add(1)
    local ctx = context.with_timeout(context.background(), 3)
    local other = start(wg.wait, wg)
    local dt, v, err = util.elapsed(wg.wait, wg, ctx)
    near(3, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
    assert.is_false(other.done)
    wg:done()
    settle()
    assert.is_true(other[1])
    assert.same({ nil, 'context deadline exceeded' }, { wg:wait(ctx) })
  end)

  it('may be waited for and added to by its own tasks\' tasks', function()
    local wg, n = sync.waitgroup(), 0
    local function tree(depth)
      n = n + 1
      if depth == 0 then return end
      for _ = 1, 2 do wg:go(tree, depth - 1) end
    end
    wg:go(tree, 8)
    wg:wait()
    assert.equals(2 ^ 9 - 1, n)
  end)

  it('raises for bad arguments and a bad self', function()
    local wg = sync.waitgroup()
    for _, n in ipairs { 0.5, 0 / 0, math.huge, '1', {} } do
      raises(function() wg:add(n) end, 'add', 'integer')
    end
    raises(function() wg:add() end, 'add', 'integer')
    raises(function() wg:go() end, 'go', 'function')
    raises(function() wg:spawn(1) end, 'spawn', 'function')
    raises(function() wg.done() end, 'done', 'waitgroup expected', 'wg:done(...)')
    raises(function() wg.wait({}) end, 'wait', 'waitgroup expected')
    raises(function() wg:wait(1) end, 'wait', 'context')
  end)
end)

describe('waitgroup:spawn', function()
  it('runs the function in another VM, counted, with its arguments', function()
    local wg, ch = sync.waitgroup(), weft.chan(10)
    for i = 1, 5 do
      wg:spawn(function(a, ...) ch:send { a, select('#', ...), ... } end, i, nil, 'x', nil)
    end
    wg:wait()
    ch:close()
    local sum, n = 0, 0
    for v in ch do
      n, sum = n + 1, sum + v[1]
      assert.same({ 3, nil, 'x', nil }, { v[2], v[3], v[4], v[5] })
    end
    assert.same({ 5, 15 }, { n, sum })
  end)

  it('counts at once, and down when the task ends, not before', function()
    local wg, go_on = sync.waitgroup(), weft.chan()
    wg:spawn(function() go_on:recv() end)
    local r = start(wg.wait, wg)
    assert.is_false(r.done)
    go_on:send(1)
    wg:wait()
    settle()
    assert.is_true(r[1])
  end)

  it('counts down also when the task fails', function()
    local wg = sync.waitgroup()
    wg:spawn(function() error 'on purpose' end)
    wg:wait()
    settle()
    weft.parallel(function() end):await()  -- the panic has come home by then
    local panics = util.take_panics()
    assert.equals(1, #panics)
    util.has(panics[1].err, 'on purpose')
  end)

  it('says what cannot cross, and has not counted', function()
    local wg, co = sync.waitgroup(), coroutine.create(print)
    raises(function() wg:spawn(function() return co end) end, "'spawn': upvalue 'co' of function")
    raises(function() wg:spawn(print, co) end, 'spawn', 'arg 1: coroutine')
    assert.is_true(wg:wait())
    local n = 0
    raises(function() wg:spawn(function() n = n + 1 end) end, "'spawn'", 'n')
    assert.is_true(wg:wait())
  end)
end)

describe('waitgroup over cores', function()
  it('go and spawn count from there, until their tasks have ended', function()
    local n = weft.ntasks()
    local function tasks_left(count)
      while weft.ntasks() ~= n + count do weft.yield() end
      settle()
    end
    for first = 1, 2 do
      local wg, gates = sync.waitgroup(), { weft.chan(), weft.chan() }
      weft.parallel(function()
        wg:go(function() gates[1]:recv() end)
        wg:spawn(function() gates[2]:recv() end)
      end):await()
      local r = start(wg.wait, wg)
      tasks_left(3)
      gates[first]:send(true)
      tasks_left(2)
      assert.is_false(r.done)
      gates[3 - first]:send(true)
      assert.is_true(wg:wait())
      tasks_left(0)
      assert.is_true(r[1])
    end
  end)
end)
