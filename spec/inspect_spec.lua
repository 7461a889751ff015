-- SPDX-License-Identifier: MIT
-- Looking from outside: ntasks, id, tasks, stacks, name, stats, versions, modules as fields.
-- Subject: runtime/lib/report.c

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local time = weft.time
local settle, start, has, raises = util.settle, util.start, util.has, util.raises

describe('ntasks', function()
  it('counts live tasks, unstarted ones and the caller included', function()
    local n = weft.ntasks()
    assert.is_true(n >= 2) -- main and this
    weft.go(function() weft.sleep(1) end)
    assert.equals(n + 1, weft.ntasks())
    settle()
    assert.equals(n + 1, weft.ntasks())
    weft.sleep(2)
    assert.equals(n, weft.ntasks())
  end)

  it('goes down when a task fails', function()
    local n = weft.ntasks()
    weft.go(function() error 'on purpose' end)
    local f = weft.async(function() error 'on purpose' end)
    assert.equals(n + 2, weft.ntasks())
    f:try()
    settle()
    assert.equals(n, weft.ntasks())
    util.take_panics()
  end)

  it('does not count timers, tickers and contexts', function()
    local n = weft.ntasks()
    local t, k = time.timer(100), time.ticker(10)
    local _, cancel = weft.context.with_timeout(weft.context.background(), 100)
    settle()
    assert.equals(n, weft.ntasks())
    t:stop()
    k:stop()
    cancel()
  end)

  it('is 1 in a program that is only main', function()
    local r = proc.run "local weft = require 'weft' print(weft.ntasks(), weft.id())"
    assert.same({ 0, '1\t1\n' }, { r.status, r.out })
  end)
end)

describe('id', function()
  it('is a number of its own for every task, the same for all its life', function()
    local ids, changed = {}, 0
    for _ = 1, 100 do
      weft.go(function()
        local id = weft.id()
        assert(type(id) == 'number' and not ids[id])
        ids[id] = true
        weft.sleep(1)
        if weft.id() ~= id then changed = changed + 1 end
      end)
    end
    weft.sleep(2)
    local n = 0
    for _ in pairs(ids) do n = n + 1 end
    assert.same({ 100, 0 }, { n, changed })
    assert.is_nil(ids[weft.id()])
  end)

  it('is the task\'s inside its coroutines', function()
    local id = weft.id()
    assert.equals(id, coroutine.wrap(function() return (weft.id()) end)())
  end)

  it('is not given again to another task', function()
    local seen = {}
    for _ = 1, 200 do
      weft.go(function()
        assert(not seen[weft.id()])
        seen[weft.id()] = true
      end)
      settle()
    end
    assert.same({}, util.take_panics())
  end)
end)

describe('tasks', function()
  it('lists every task once, main included', function()
    local a, b = start(weft.sleep, 1), start(weft.sleep, 1)
    local seen = {}
    for _, t in ipairs(weft.tasks()) do
      assert.is_nil(seen[t.id])
      seen[t.id] = t
    end
    assert.is_true(seen[1] and seen[weft.id()] and seen[a.id] and seen[b.id] and true)
    assert.equals(weft.ntasks(), #weft.tasks())
    weft.sleep(2)
    assert.is_nil(util.task(a.id))
  end)

  it('tells the state of each', function()
    local ch, full = weft.chan(), weft.chan(1)
    full:send 'v'
    local m, wg = weft.sync.mutex(), weft.sync.waitgroup()
    m:lock()
    wg:add(1)
    local f = weft.async(function() weft.sleep(5) end)
    local waits = {
      ['chan receive'] = start(function() return ch:recv() end),
      ['chan send'] = start(function() return full:send 'w' end),
      ['select'] = start(function() return weft.select(ch, weft.chan()) end),
      ['sleep'] = start(function() return weft.sleep(5) end),
      ['mutex'] = start(function() return m:lock() end),
      ['waitgroup'] = start(function() return wg:wait() end),
      ['await'] = start(function() return f:await() end),
    }
    for state, r in pairs(waits) do assert.equals(state, util.task(r.id).state) end
    assert.equals('running', util.task(weft.id()).state)
    assert.equals('await', util.task(1).state) -- main waits for this test
    local ready_id
    weft.go(function() ready_id = weft.id() end)
    local ready = 0
    for _, t in ipairs(weft.tasks()) do
      if t.state == 'ready' then ready = ready + 1 end
    end
    assert.equals(1, ready)
    ch:close()
    full:recv()
    m:unlock()
    wg:done()
    weft.sleep(6)
    assert.is_nil(util.task(ready_id))
  end)

  it('tells since when each is in that state, on the clock of monotonic()', function()
    local ch = weft.chan()
    local t0 = time.monotonic()
    local r = start(function() return ch:recv() end)
    weft.sleep(10)
    util.near(t0, util.task(r.id).since, 'since')
    ch:send(1)
    settle()
    r = start(function()
      weft.sleep(1)
      return ch:recv()
    end)
    local t1 = time.monotonic()
    weft.sleep(5)
    util.near(t1 + 1, util.task(r.id).since, 'since')
    ch:send(1)
    settle()
  end)

  it('tells where each waits and where it was created', function()
    local ch, line = weft.chan(), nil
    local id
    local function waits()
      id = weft.id()
      line = util.here(1)
      ch:recv()
    end
    local created = util.here(1)
    weft.go(waits)
    settle()
    local t = util.task(id)
    assert.equals(line, t.where)
    assert.equals(('task %d at %s'):format(weft.id(), created), t.created_by)
    assert.is_not_nil(t.vm)
    ch:send(1)
    settle()
  end)

  it('tells where each waits also inside a coroutine and behind pcall', function()
    local ch, line, id = weft.chan(), nil, nil
    weft.go(function()
      id = weft.id()
      coroutine.wrap(function()
        pcall(function()
          line = util.here(1)
          ch:recv()
        end)
      end)()
    end)
    settle()
    assert.equals(line, util.task(id).where)
    ch:send(1)
    settle()
  end)

  it('gives a table of the caller\'s own', function()
    local list = weft.tasks()
    local n = #list
    list[1], list[2] = nil, nil
    assert.equals(n, #weft.tasks())
  end)
end)

describe('stacks', function()
  it('tells every task with its state, its creator and its whole stack', function()
    local ch, inner, outer, id = weft.chan(), nil, nil, nil
    local function innermost()
      inner = util.here(1)
      ch:recv()
      return true
    end
    local function task()
      id = weft.id()
      outer = util.here(1)
      innermost()
      return true
    end
    local created = util.here(1)
    weft.go(task)
    settle()
    local text = weft.stacks()
    has(text, 'chan receive', inner, outer, 'task ' .. id, created)
    for _, t in ipairs(weft.tasks()) do has(text, 'task ' .. t.id) end
    ch:send(1)
    settle()
  end)

  it('tells the stacks of coroutines in a task', function()
    local ch, inner, outer = weft.chan(), nil, nil
    local r = start(function()
      local gen = coroutine.wrap(function()
        inner = util.here(1)
        ch:recv()
        return true
      end)
      outer = util.here(1)
      gen()
      return true
    end)
    has(weft.stacks(), inner, outer, 'task ' .. r.id)
    ch:send(1)
    settle()
  end)

  it('tells the label of what is waited on', function()
    local jobs = weft.name(weft.chan(), 'jobs-label')
    local m = weft.name(weft.sync.mutex(), 'mutex-label')
    local wg = weft.name(weft.sync.waitgroup(), 'group-label')
    m:lock()
    wg:add(1)
    assert.is_nil(weft.stacks():find('jobs-label', 1, true))
    start(jobs.recv, jobs)
    start(m.lock, m)
    start(wg.wait, wg)
    has(weft.stacks(), 'jobs-label', 'mutex-label', 'group-label')
    jobs:close()
    m:unlock()
    wg:done()
    settle()
    assert.is_nil(weft.stacks():find('jobs-label', 1, true))
  end)
end)

describe('name', function()
  it('returns the object, and changes nothing else about it', function()
    local ch = weft.chan(1)
    assert.equals(ch, weft.name(ch, 'a'))
    assert.equals(ch, weft.name(ch, 'b'))
    ch:send 'v'
    assert.equals('v', ch:recv())
    local ctx, cancel = weft.context.with_cancel(weft.context.background())
    assert.equals(ctx, weft.name(ctx, 'c'))
    cancel()
  end)

  it('refuses what is not shareable, and labels that are no text', function()
    for _, v in ipairs { {}, 5, 'text', print } do
      local function call() weft.name(v, 'label') end
      raises(call, "bad argument #1 to 'name' (", 'expected, got ')
    end
    raises(function() weft.name(weft.chan()) end, "bad argument #2 to 'name' (string expected")
    raises(function() weft.name(weft.chan(), {}) end, "bad argument #2 to 'name' (string exp")
  end)
end)

describe('stats', function()
  it('is a table of counters', function()
    local s = weft.stats()
    for _, k in ipairs { 'tasks', 'workers', 'switches', 'parks', 'polls', 'timers' } do
      assert.is_number(s[k], k)
    end
    for k, v in pairs(s) do
      assert.is_string(k)
      assert.is_true(type(v) == 'number' or type(v) == 'table', k)
    end
  end)

  it('counts what happens', function()
    local before = weft.stats()
    local ch = weft.chan()
    start(function() for _ in ch do weft.yield() end end)
    for i = 1, 50 do ch:send(i) end
    ch:close()
    settle()
    local after = weft.stats()
    assert.is_true(after.switches - before.switches >= 50)
    assert.is_true(after.parks - before.parks >= 2)
    assert.equals(weft.nworkers(), after.workers)
  end)

  it('knows the bytes of every VM, of others as of when they did something last', function()
    local r = proc.run([[
      local weft = require 'weft'
      local s = weft.stats()
      assert(s.vm_bytes[1] == s.bytes and s.bytes > 10000 and next(s.vm_bytes, 1) == nil)
      weft.go(weft.sleep, 1000)  -- so that main's worker takes no isolated task
      weft.yield()
      local gate = weft.chan()
      weft.spawn(function()
        local kept = {}
        for i = 1, 2000 do kept[i] = ('x'):rep(1000) .. i end
        gate:recv()
        kept = #kept
        collectgarbage()
      end)
      local function wait_until(fits)
        local seen
        for _ = 1, 5000 do
          seen = weft.stats().vm_bytes[3]
          if seen and fits(seen) then return end
          weft.sleep(0.001)
        end
        error('the other VM has ' .. tostring(seen) .. ' bytes')
      end
      wait_until(function(bytes) return bytes > 2e6 end)
      gate:send(true)
      wait_until(function(bytes) return bytes < 1e6 end)
      local main, own, bytes = weft.parallel(function()
        local stats = require 'weft'.stats()
        return stats.vm_bytes[1], stats.vm_bytes[3], stats.bytes
      end):await()
      assert(main > 10000 and main < 1e6 and own == bytes)
      print 'fine'
    ]], { options = { '--workers=2' } })
    assert.same({ 0, 'fine\n', '' }, { r.status, r.out, r.err })
  end)
end)

describe('weft', function()
  it('has its modules as fields', function()
    for _, name in ipairs { 'time', 'context', 'sync' } do
      assert.equals(require('weft.' .. name), weft[name], name)
    end
    assert.equals(weft, require 'weft')
  end)

  it('has a version', function()
    assert.is_string(weft._VERSION)
    assert.is_truthy(weft._VERSION:find('%d'))
  end)

  it('tells its workers', function()
    local n = weft.nworkers()
    assert.is_true(n >= 1 and n % 1 == 0)
  end)
end)
