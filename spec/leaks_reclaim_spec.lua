-- SPDX-License-Identifier: MIT
-- weft.leaks{reclaim=true}: the end of tasks that nothing could wake.
-- Subject: runtime/task/leaks.c

local weft = require 'weft'
local util = require 'support.util'
local leaks = require 'support.leaks'
local proc = require 'support.proc'
local sync = weft.sync
local park, settle, has = leaks.park, util.settle, util.has

local function for_ever() weft.chan():recv() end

-- The torture build runs ready tasks in any order: there deferred calls may take longer.
local function reclaim()
  local told = leaks.reclaim()
  if proc.torture() then settle() end
  return told
end

describe('reclaiming', function()
  it('ends the leaked tasks and no other, and tells of them', function()
    local ch, before = weft.chan(), weft.ntasks()
    local stays = park(function() ch:recv() end)
    local ids = {}
    for i = 1, 5 do ids[i] = park(for_ever) end
    local told = reclaim()
    assert.same(ids, leaks.ids(told))
    has(told[1].stack, "in function 'recv'", 'leaks_reclaim_spec.lua')
    assert.equals('chan receive', told[1].state)
    assert.equals(before + 1, weft.ntasks())
    assert.equals('chan receive', util.task(stays).state)
    assert.same({}, reclaim())
    ch:close()
    settle()
  end)

  it('runs deferred calls, the last one first, in their task, before it returns', function()
    local log = {}
    local id = park(function()
      weft.defer(function(x) log[#log + 1] = x .. weft.id() end, 'first of ')
      weft.defer(function(x) log[#log + 1] = x .. weft.id() end, 'last of ')
      for_ever()
    end)
    reclaim()
    assert.same({ 'last of ' .. id, 'first of ' .. id }, log)
    assert.is_nil(util.task(id))
  end)

  it('lets deferred calls wait', function()
    local log = {}
    local id = park(function()
      weft.defer(function() log[#log + 1] = 'last' end)
      weft.defer(function()
        log[#log + 1] = 'first'
        weft.sleep(5)
      end)
      for_ever()
    end)
    reclaim()
    assert.same({ 'first' }, log)
    assert.equals('sleep', util.task(id).state)
    weft.sleep(6)
    assert.same({ 'first', 'last' }, log)
    assert.is_nil(util.task(id))
  end)

  it('goes on where a task was among its deferred calls already', function()
    for _, fails in ipairs { false, true } do
      local log = {}
      local function keep(x) log[#log + 1] = x end
      local id = park(function()
        weft.defer(keep, 'a')
        weft.defer(function()
          weft.defer(keep, 'c')
          for_ever()
        end)
        weft.defer(keep, 'b')
        if fails then error 'a failure' end
      end)
      assert.same({ 'b' }, log)
      local told = reclaim()
      assert.same({ id }, leaks.ids(told))
      table.sort(log)
      assert.same({ 'a', 'b', 'c' }, log)
      assert.is_nil(util.task(id))
      settle()
      local panics = util.take_panics()
      assert.equals(fails and 1 or 0, #panics)
      if fails then has(panics[1].err, 'a failure') end
    end
  end)

  it('logs a deferred call that fails, and runs the others', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.go(function()
        weft.defer(print, 'the other')
        weft.defer(error, 'in a defer')
        weft.chan():recv()
      end)
      weft.sleep(0.01)
      weft.leaks { reclaim = true }
      weft.sleep(0.01)
      print(weft.ntasks())
    ]], { virtual = true })
    assert.same({ 0, 'the other\n1\n' }, { r.status, r.out })
    has(r.err, 'weft: a deferred call failed: in a defer')
  end)

  it('can be done where the asker cannot be suspended', function()
    local ran = {}
    local id = park(function()
      weft.defer(function() ran[1] = true end)
      for_ever()
    end)
    local told
    table.sort({ 1, 2 }, function(a, b)
      told = told or leaks.reclaim()
      return a < b
    end)
    assert.same({ id }, leaks.ids(told))
    assert.same({}, ran)
    assert.equals('ready', util.task(id).state)
    settle()
    assert.same({ true }, ran)
    assert.is_nil(util.task(id))
  end)

  it('ends tasks inside of user coroutines', function()
    local log, kept = {}, nil
    local id = park(function()
      weft.defer(function() log[1] = 'deferred' end)
      coroutine.wrap(function()
        kept = setmetatable({ coroutine.running() }, { __mode = 'v' })
        coroutine.wrap(function() weft.select() end)()
        log[2] = 'went on'
      end)()
    end)
    local co = kept[1]
    reclaim()
    assert.same({ 'deferred' }, log)
    assert.is_nil(util.task(id))
    local ok, why = coroutine.resume(co)
    assert.is_false(ok)
    has(why, 'cannot resume a coroutine that waits in')
  end)

  it('leaves nothing in the queues of what was waited on', function()
    for _, wait in ipairs {
      function(ch) ch:recv() end,
      function(ch) ch:send(1) end,
      function(ch) weft.select(ch, ch:sending(1), weft.chan()) end,
      function(ch) ch:recv((weft.context.with_cancel(weft.context.background()))) end,
    } do
      local ch
      park(function()
        local mine = weft.chan()
        weft.defer(function() ch = mine end)
        wait(mine)
      end)
      reclaim()
      util.nobody_waits(ch)
    end
  end)

  it('gives a lock that nobody can unlock to nobody', function()
    local m
    park(function()
      local mine = sync.mutex()
      weft.defer(function() m = mine end)
      mine:lock()
      park(function() mine:lock() end)
      for_ever()
    end)
    settle()
    assert.equals(2, #reclaim())
    assert.is_false(m:try_lock())
    m:unlock()
    assert.is_true(m:try_lock())
  end)

  it('counts a task of a waitgroup as done', function()
    local wg = sync.waitgroup()
    wg:go(for_ever)
    local waits = park(function() wg:wait() end)
    local told = reclaim()
    assert.equals(1, #told)
    settle()
    assert.is_nil(util.task(waits))
  end)

  it('lets a module be loaded anew whose loading was reclaimed', function()
    local first = true
    package.preload['weft.reclaim.spec'] = function()
      if first then
        first = false
        for_ever()
      end
      return 'loaded'
    end
    park(function() require 'weft.reclaim.spec' end)
    local value
    local waits = park(function() value = require 'weft.reclaim.spec' end)
    assert.equals(1, #reclaim())
    settle()
    assert.equals('loaded', value)
    assert.is_nil(util.task(waits))
    package.loaded['weft.reclaim.spec'], package.preload['weft.reclaim.spec'] = nil, nil
  end)

  it('uses no coroutine again that a script has seen', function()
    local seen
    park(function()
      weft.defer(function() seen = coroutine.running() end)
      for_ever()
    end)
    reclaim()
    local other
    park(function() other = coroutine.running() end)
    assert.not_equals(seen, other)
  end)
end)

describe('the Future of a reclaimed task', function()
  it('gives an error to whoever awaits it', function()
    local f, log = weft.async(function() for_ever() end), {}
    settle()
    local waits = park(function()
      local ok, err = f:try()
      log[1], log[2] = ok, err
    end)
    local told = reclaim()
    assert.equals(1, #told)
    settle()
    assert.is_false(log[1])
    has(log[2], ('task %d was reclaimed: nothing could wake it from its chan receive'):format(
      told[1].id))
    assert.is_nil(util.task(waits))
    has(select(2, pcall(f.await, f)), 'was reclaimed', "in function 'recv'")
    assert.equals(told[1].stack, f:traceback())
    assert.is_true(f:done():is_closed())
  end)

  it('is no panic when nobody awaits it', function()
    local function start() weft.async(for_ever) end
    start()
    settle()
    assert.equals(1, #reclaim())
    for _ = 1, 3 do collectgarbage() end
    settle()
    assert.same({}, util.take_panics())
  end)

  it('does so after the deferred calls, also those that were waiting', function()
    local log = {}
    local f = weft.async(function()
      weft.defer(function() log[#log + 1] = 'deferred' end)
      weft.defer(for_ever)
      return 'a result that does not count'
    end)
    settle()
    assert.equals(1, #reclaim())
    assert.same({ 'deferred' }, log)
    has(select(2, f:try()), 'was reclaimed')
  end)

  it('that had failed already has its own error', function()
    local f = weft.async(function()
      weft.defer(for_ever)
      error 'its own'
    end)
    settle()
    assert.equals(1, #reclaim())
    has(select(2, f:try()), 'its own')
  end)
end)

describe('what is reclaimed', function()
  it('is free: tasks, objects and memory', function()
    local function round(n)
      for i = 1, n do
        weft.go(function()
          weft.defer(function() end)
          local ctx = weft.context.with_cancel(weft.context.background())
          if i % 2 == 0 then coroutine.wrap(function() weft.chan():recv(ctx) end)() end
          weft.chan(1):recv()
        end)
      end
      settle()
      local found = reclaim()
      settle()
      return #found
    end
    local function measure()
      for _ = 1, 3 do collectgarbage() end
      local stats = weft.stats()
      return stats.bytes, stats.objects, weft.ntasks()
    end
    assert.equals(500, round(500))
    local bytes, objects, tasks = measure()
    for _ = 1, 5 do assert.equals(500, round(500)) end
    local bytes_after, objects_after, tasks_after = measure()
    assert.equals(objects, objects_after)
    assert.equals(tasks, tasks_after)
    assert.is_true(bytes_after - bytes < 50000, bytes_after - bytes .. ' bytes more')
  end)

  it('may be asked for while the program is closed: nothing runs any more', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.go(function() weft.defer(print, 'deferred') weft.select() end)
      weft.go(function() weft.chan():recv() end)
      weft.go(function() weft.sleep(5) end)
      weft.yield()
      kept = newproxy(true)
      getmetatable(kept).__gc = function()
        print(pcall(weft.tasks))
        print((pcall(weft.leaks, { reclaim = true })))
      end
    ]])
    assert.equals(0, r.status)
    has(r.out, 'true\ttable', 'true\n')
    assert.is_nil(r.out:find('deferred', 1, true))
    assert.equals('', r.err)
  end)

  it('is done by the next step where the host asks', function()
    local r = proc.run([[
      local weft = require 'weft'
      rawset(_G, 'log', {})
      local mt = { __tostring = function()
        local told = weft.leaks { reclaim = true }
        return ('%d told, %d ran'):format(#told, #log)
      end }
      weft.go(function()
        weft.defer(function() log[1] = true end)
        weft.chan():recv()
      end)
      weft.sleep(0.01)
      error(setmetatable({}, mt))
    ]], { virtual = true })
    assert.equals(2, r.status)
    has(r.err, 'panic: 1 told, 0 ran')
  end)
end)
