-- SPDX-License-Identifier: MIT
-- Tasks: go, yield, defer, panics that are caught, names and numbers.
-- Subject: runtime/task/task.c

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local settle, start, has = util.settle, util.start, util.has

describe('go', function()
  it('runs the function as a task, with its arguments', function()
    local got
    weft.go(function(...) got = util.pack(...) end, 1, nil, 'x', nil)
    settle()
    assert.same({ n = 4, 1, nil, 'x', nil }, got)
  end)

  it('returns nothing', function()
    assert.equals(0, select('#', weft.go(function() end)))
    settle()
  end)

  it('does not start it before the caller blocks', function()
    local ran = false
    weft.go(function() ran = true end)
    for _ = 1, 1000 do assert.is_false(ran) end
    settle()
    assert.is_true(ran)
  end)

  it('shares upvalues, globals and tables with its creator', function()
    local n, t = 0, {}
    rawset(_G, 'go_spec_global', 'before')
    weft.go(function()
      n = n + 1
      t.x = 'set'
      assert(rawget(_G, 'go_spec_global') == 'before')
      rawset(_G, 'go_spec_global', 'after')
    end)
    settle()
    assert.same({ 1, 'set', 'after' }, { n, t.x, rawget(_G, 'go_spec_global') })
    rawset(_G, 'go_spec_global', nil)
  end)

  it('goes on from inside tasks, and tasks outlive their creator', function()
    local log = {}
    weft.go(function()
      weft.go(function()
        weft.sleep(2)
        log[#log + 1] = 'grandchild'
      end)
      log[#log + 1] = 'child'
    end)
    weft.sleep(3)
    assert.same({ 'child', 'grandchild' }, log)
  end)

  it('takes many tasks', function()
    local n = 0
    for i = 1, 20000 do weft.go(function(k) n = n + k end, i) end
    settle()
    assert.equals(20000 * 20001 / 2, n)
  end)

  it('starts C functions and functions with upvalues alike', function()
    local ch = weft.chan(1)
    weft.go(ch.send, ch, 'v')
    assert.equals('v', (ch:recv()))
    local t = {}
    weft.go(rawset, t, 'k', 'set')
    settle()
    assert.equals('set', t.k)
  end)

  it('starts a recycled task as if it were new', function()
    local seen = {}
    for i = 1, 100 do
      weft.go(function(...)
        seen[i] = select('#', ...)
        local deep = { pcall(error, 'x') }
        return i, deep
      end)
      settle()
    end
    for i = 1, 100 do assert.equals(0, seen[i]) end
  end)

  it('plain code between two blocking calls is atomic', function()
    local busy, broken, n = false, 0, 0
    for _ = 1, 20 do
      weft.go(function()
        for _ = 1, 10 do
          if busy then broken = broken + 1 end
          busy = true
          for k = 1, 1000 do n = n + k % 2 end
          busy = false
          weft.yield()
        end
      end)
    end
    settle()
    assert.same({ 0, 100000 }, { broken, n })
  end)
end)

describe('yield', function()
  it('lets other ready tasks run', function()
    local ran = false
    weft.go(function() ran = true end)
    for _ = 1, 1000 do
      if ran then break end
      weft.yield()
    end
    assert.is_true(ran)
  end)

  it('takes no time, alone or not', function()
    assert.equals(0, (util.elapsed(function()
      for _ = 1, 100 do weft.yield() end
    end)))
  end)

  it('gives everybody a turn', function()
    local turns, stop = { 0, 0, 0 }, false
    for i = 1, 3 do
      weft.go(function()
        while not stop do
          turns[i] = turns[i] + 1
          weft.yield()
        end
      end)
    end
    for _ = 1, 3000 do weft.yield() end
    stop = true
    settle()
    for i = 1, 3 do assert.is_true(turns[i] > 300, i .. ' had ' .. turns[i]) end
  end)
end)

describe('defer', function()
  it('runs when the task ends, last one first', function()
    local log = {}
    weft.go(function()
      weft.defer(function() log[#log + 1] = 'first' end)
      weft.defer(function() log[#log + 1] = 'second' end)
      log[#log + 1] = 'body'
      weft.sleep(1)
      log[#log + 1] = 'end'
    end)
    settle()
    assert.same({ 'body' }, log)
    weft.sleep(2)
    assert.same({ 'body', 'end', 'second', 'first' }, log)
  end)

  it('passes its arguments', function()
    local got
    start(function() weft.defer(function(...) got = util.pack(...) end, nil, 2, nil) end)
    assert.same({ n = 3, nil, 2, nil }, got)
  end)

  it('runs when the task fails', function()
    local log = {}
    weft.go(function()
      weft.defer(function() log[#log + 1] = 'deferred' end)
      error 'on purpose'
    end)
    settle()
    assert.same({ 'deferred' }, log)
    assert.equals(1, #util.take_panics())
  end)

  it('runs before those who wait for the task go on', function()
    local log = {}
    local f = weft.async(function()
      weft.defer(function() log[#log + 1] = 'deferred' end)
      return 'result'
    end)
    assert.equals('result', f:await())
    assert.same({ 'deferred' }, log)
    local wg = weft.sync.waitgroup()
    wg:go(function() weft.defer(function() log[#log + 1] = 'group' end) end)
    wg:wait()
    assert.same({ 'deferred', 'group' }, log)
  end)

  it('may block, and has the number of its task', function()
    local ch, id, deferred_id = weft.chan(), nil, nil
    weft.go(function()
      id = weft.id()
      weft.defer(function()
        weft.sleep(1)
        deferred_id = weft.id()
        ch:send 'from the deferred call'
      end)
    end)
    assert.equals('from the deferred call', (ch:recv()))
    assert.equals(id, deferred_id)
    settle()
  end)

  it('belongs to the task, also inside a coroutine', function()
    local log = {}
    weft.go(function()
      coroutine.wrap(function()
        weft.defer(function() log[#log + 1] = 'deferred' end)
      end)()
      log[#log + 1] = 'body goes on'
    end)
    settle()
    assert.same({ 'body goes on', 'deferred' }, log)
  end)

  it('runs what deferred calls defer', function()
    local log = {}
    start(function()
      weft.defer(function()
        log[#log + 1] = 'outer'
        weft.defer(function() log[#log + 1] = 'inner' end)
      end)
    end)
    settle()
    assert.same({ 'outer', 'inner' }, log)
  end)

  it('is not passed on to the next task in the same place', function()
    local n = 0
    for _ = 1, 50 do
      weft.go(function() weft.defer(function() n = n + 1 end) end)
      settle()
      weft.go(function() end)
      settle()
    end
    assert.equals(50, n)
  end)

  it('runs many', function()
    local n = 0
    start(function()
      for i = 1, 1000 do
        weft.defer(function()
          assert(n == 1000 - i)
          n = n + 1
        end)
      end
    end)
    assert.equals(1000, n)
  end)

  it('lets the others run when one fails, and reports it', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.go(function()
        weft.defer(function() print 'last' end)
        weft.defer(function() error 'broken clean-up' end)
        weft.defer(function() print 'first' end)
      end)
      weft.sleep(0.001)
    ]], { virtual = true })
    assert.equals('first\nlast\n', r.out)
    has(r.err, 'broken clean-up')
    assert.is_true(r.status == 0 or r.status == 2, 'status ' .. r.status)
  end)

  it('of main runs at its end, and when main fails', function()
    local code = "local weft = require 'weft' weft.defer(print, 'clean') "
    local r = proc.run(code .. "print 'body'")
    assert.same({ 0, 'body\nclean\n', '' }, { r.status, r.out, r.err })
    r = proc.run(code .. "error 'main fails'")
    assert.same({ 2, 'clean\n' }, { r.status, r.out })
    has(r.err, 'main fails')
  end)
end)

describe('on_panic', function()
  local function with_handler(handler, body)
    weft.on_panic(handler)
    local ok, err = pcall(body)
    weft.on_panic(util.on_panic)
    if not ok then error(err, 0) end
  end

  it('is called with the error, its traceback and the task', function()
    local err, traceback, task, id
    with_handler(function(...) err, traceback, task = ... end, function()
      local function fails() error 'on purpose' end
      weft.go(function()
        id = weft.id()
        fails()
      end)
      settle()
    end)
    has(err, 'go_spec.lua:', 'on purpose')
    has(traceback, 'go_spec.lua:')
    assert.equals(id, task)
  end)

  it('gets the very value that was raised', function()
    local why, got = {}, nil
    with_handler(function(err) got = err end, function()
      weft.go(function() error(why) end)
      settle()
    end)
    assert.equals(why, got)
  end)

  it('ends only that task', function()
    local others = 0
    for _ = 1, 3 do
      weft.go(function()
        weft.sleep(1)
        others = others + 1
      end)
    end
    weft.go(function() error 'on purpose' end)
    weft.sleep(2)
    assert.equals(3, others)
    assert.equals(1, #util.take_panics())
  end)

  it('is called for tasks of a waitgroup and of after_func too', function()
    local wg = weft.sync.waitgroup()
    wg:go(function() error 'in a group' end)
    wg:wait()
    weft.time.after_func(1, function() error 'in a timer' end)
    weft.sleep(2)
    local panics = util.take_panics()
    assert.equals(2, #panics)
    has(panics[1].err, 'in a group')
    has(panics[2].err, 'in a timer')
  end)

  it('is called each time', function()
    for i = 1, 10 do weft.go(function() error(i, 0) end) end
    settle()
    local sum = 0
    for _, p in ipairs(util.take_panics()) do sum = sum + p.err end
    assert.equals(55, sum)
  end)

  it('ends nothing of the program: status 0, nothing on standard error', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.on_panic(function(err, traceback, task)
        print(err, type(traceback), task)
      end)
      local id
      weft.go(function() id = weft.id() error('gone', 0) end)
      weft.sleep(0.001)
      print('main goes on', id)
    ]], { virtual = true })
    local id = r.out:match('main goes on\t(%d+)')
    assert.same({ 0, '' }, { r.status, r.err })
    assert.equals('gone\tstring\t' .. id .. '\nmain goes on\t' .. id .. '\n', r.out)
  end)

  it('takes the place of the handler before', function()
    local first, second = 0, 0
    with_handler(function() first = first + 1 end, function()
      weft.on_panic(function() second = second + 1 end)
      weft.go(function() error 'on purpose' end)
      settle()
    end)
    assert.same({ 0, 1 }, { first, second })
  end)
end)

describe('a panic', function()
  local function panics(code, ...)
    local r = proc.run("local weft = require 'weft' " .. code, { virtual = true })
    assert.equals(2, r.status)
    has(r.err, ...)
    return r
  end

  it('writes the message, the traceback and where the task was created', function()
    local r = panics([[

      local function deep() error 'on purpose' end
      local function task() deep() end
      weft.go(task)
      weft.sleep(0.001)
      print 'not reached'
    ]], 'panic: ', 'on purpose', 'stack traceback')
    has(r.err, 'panic: ' .. r.where(2) .. ': on purpose')
    has(r.err, r.where(3))
    has(r.err, 'created by task 1 at ' .. r.where(4))
    assert.is_true(r.err:find('panic: ', 1, true) == 1)
    assert.equals('', r.out)
  end)

  it('names the task that created it, main or another', function()
    local r = panics([[

      weft.go(function()
        print(weft.id())
        weft.go(function() error 'grandchild' end)
        weft.sleep(1)
      end)
      weft.sleep(1)
    ]], 'grandchild')
    has(r.err, ('created by task %s at %s'):format(r.out:match('%d+'), r.where(4)))
  end)

  it('is what an uncaught error of main is', function()
    local r = panics("\n error 'main fails'", 'main fails', 'stack traceback')
    has(r.err, 'panic: ' .. r.where(2) .. ': main fails')
  end)

  it('comes from waitgroup:go and time.after_func too, with their creator', function()
    local r = panics([[

      local wg = weft.sync.waitgroup()
      wg:go(function() error 'grouped' end)
      wg:wait()
    ]], 'grouped')
    has(r.err, 'panic: ' .. r.where(3) .. ': grouped', 'created by task 1 at ' .. r.where(3))
    r = panics([[

      weft.time.after_func(0.001, function() error 'timed' end)
      weft.sleep(1)
    ]], 'timed')
    has(r.err, 'panic: ' .. r.where(2) .. ': timed', 'created by task 1 at ' .. r.where(2))
  end)

  it('ends the program at once, whatever other tasks do', function()
    local r = panics([[
      weft.go(function() weft.sleep(30) print 'not reached' end)
      weft.go(function() error 'on purpose' end)
      weft.sleep(30)
    ]], 'on purpose')
    assert.equals('', r.out)
  end)

  it('flushes what was printed', function()
    local r = panics("io.write 'kept' error 'on purpose'", 'on purpose')
    assert.equals('kept', r.out)
  end)

  it('is not an error that was caught', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.go(function() print(pcall(error, 'caught', 0)) end)
      weft.sleep(0.001)
    ]], { virtual = true })
    assert.same({ 0, 'false\tcaught\n', '' }, { r.status, r.out, r.err })
  end)
end)
