-- SPDX-License-Identifier: MIT
-- Isolated tasks: spawn, parallel, pmap, on_vm.
-- Subject: lua/weft/internal/future.lua, runtime/task/spawn.c, runtime/sched/workers.c

local weft = require 'weft'
local proc = require 'support.proc'
local util = require 'support.util'
local has = util.has

-- Runs code in a process of its own with that many workers.
local function run(n, code, options)
  options = options or {}
  table.insert(options, '--workers')
  table.insert(options, tostring(n))
  return proc.run("local weft = require 'weft' " .. code, { options = options })
end

local function prints(n, code, out, options)
  local r = run(n, code, options)
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

describe('parallel', function()
  it('gives the results back', function()
    assert.same({ n = 4, 1, nil, 'x', nil },
      util.pack(weft.parallel(function(a, b) return a, nil, b, nil end, 1, 'x'):await()))
    assert.equals(0, select('#', weft.parallel(function() end):await()))
  end)

  it('takes upvalues, globals and inner functions along', function()
    local base, t = 10, { 1, 2, 3 }
    local function double(x) return x * 2 end
    local function fact(n) return n < 2 and 1 or n * fact(n - 1) end
    local a, b, c = weft.parallel(function(...)
      local sum = base
      for _, v in ipairs(t) do sum = sum + double(v) end
      return sum, select('#', ...), fact(5)
    end, nil, nil):await()
    assert.same({ 22, 2, 120 }, { a, b, c })
  end)

  it('shares nothing', function()
    local t = { n = 1 }
    local back = weft.parallel(function(u) u.n = u.n + 1 return u end, t):await()
    assert.same({ 1, 2 }, { t.n, back.n })
    local g = weft.parallel(function() return rawget(_G, 'wf_never') end):await()
    assert.is_nil(g)
  end)

  it("raises the task's error, as it was, with its traceback and who made it", function()
    local ok, err = pcall(function()
      return weft.parallel(function() error 'boom' end):await()
    end)
    assert.is_false(ok)
    has(err, 'spawn_spec.lua:', 'boom', 'stack traceback', 'created by task')
    local value
    ok, value = weft.parallel(function() error { code = 7 } end):try()
    assert.same({ false, { code = 7 } }, { ok, value })
    ok, err = weft.parallel(function() error(coroutine.create(print)) end):try()
    assert.is_false(ok)
    has(err, 'thread')
  end)

  it('refuses a result that cannot cross, and names it', function()
    local ok, err = weft.parallel(function() return 1, { a = { io.tmpfile() } } end):try()
    assert.is_false(ok)
    has(err, 'result 2.a[1]', 'userdata')
  end)

  it('fails when what crosses cannot be read on the other side', function()
    local T = {}
    weft.register('spawn_spec.T', T, 'wf_no_such_module')
    local ok, err = weft.parallel(print, setmetatable({}, T)):try()
    assert.is_false(ok)
    has(err, 'wf_no_such_module')
    ok, err = weft.parallel(function()
      local U = {}
      require 'weft'.register('spawn_spec.U', U, 'wf_neither')
      return 'not this', setmetatable({}, U)
    end):try()
    assert.is_false(ok)
    has(err, 'wf_neither')
  end)

  it('runs deferred calls before the results go', function()
    local order = weft.parallel(function()
      local w, log = require 'weft', {}
      w.defer(function() log[#log + 1] = 'deferred' end)
      return log
    end):await()
    assert.same({ 'deferred' }, order)
  end)

  it('may block, with a clock of its own or the common one', function()
    local start = weft.time.monotonic()
    assert.equals(3, weft.parallel(function(s) require 'weft'.sleep(s) return s end, 3):await())
    util.near(3, weft.time.monotonic() - start)
  end)

  it('nests', function()
    local function fib(n)
      if n < 2 then return n end
      local w = require 'weft'
      local a, b = w.parallel(fib, n - 1), w.parallel(fib, n - 2)
      return a:await() + b:await()
    end
    assert.equals(55, weft.parallel(fib, 10):await())
  end)

  it('a failure that nobody awaits is a panic at the end', function()
    local r = run(2, [[
      local f = weft.parallel(function() error 'unheard' end)
      while not f.settled do weft.sleep(0.001) end
    ]])
    assert.equals(2, r.status)
    has(r.err, 'panic: ', 'unheard', 'in a Future that nobody awaited')
  end)

  it('await ends with its context, and the task goes on', function()
    prints(2, [[
      local ctx, cancel = weft.context.with_cancel(weft.context.background())
      local f = weft.parallel(function() require 'weft'.sleep(0.05) return 5 end)
      weft.go(cancel)
      print(f:await(ctx))
      print(f:await())
    ]], 'nil\tcontext canceled\n5\n')
  end)
end)

describe('spawn', function()
  it('refuses what could have no effect, with variable and line, and starts nothing', function()
    local seen, t = 0, {}
    for _, fn in ipairs {
      function() seen = seen + 1 end,
      function() t[1] = 1 end,
      function() table.insert(t, 1) end,
      function() return function() seen = 2 end end,
    } do
      local before = weft.stats().spawned
      local ok, err = pcall(weft.spawn, fn)
      assert.is_false(ok)
      has(err, "spawn_spec.lua:", "'spawn': ", 'captured variable')
      assert.equals(before, weft.stats().spawned)
    end
    assert.same({ 0, 0 }, { seen, #t })
  end)

  it('refuses what cannot cross, with the path', function()
    local co = coroutine.create(print)
    local ok, err = pcall(weft.spawn, function() return co end)
    assert.is_false(ok)
    has(err, "upvalue 'co'", 'coroutine')
    ok, err = pcall(weft.spawn, print, { items = { 1, io.tmpfile() } })
    assert.is_false(ok)
    has(err, 'arg 1.items[2]', 'userdata')
    ok, err = pcall(weft.spawn, 3)
    assert.is_false(ok)
    has(err, "bad argument #1 to 'spawn'", 'function')
  end)

  for _, n in ipairs { 1, 2, 4, 16 } do
    it(('an error is a panic that ends the program: %d workers'):format(n), function()
      local r = run(n, "weft.spawn(function() error 'far away' end) weft.chan():recv()")
      assert.equals(2, r.status)
      has(r.err, 'panic: ', 'far away', 'stack traceback', 'created by task 1 at ')
      assert.equals('', r.out)
    end)

    it(('on_panic gets it instead: %d workers'):format(n), function()
      prints(n, [[
        local ch = weft.chan()
        weft.on_panic(function(err, trace, task)
          local words, creator = err:gsub('^.*: ', ''), trace:find 'created by task 1' ~= nil
          ch:send(words .. tostring(creator) .. task)
        end)
        weft.spawn(function() error 'far' end)
        print(ch:recv())
      ]], 'fartrue2\n')
    end)

    it(('a task that can never go on is a deadlock: %d workers'):format(n), function()
      local r = run(n, [[
        weft.parallel(function() require 'weft'.chan():recv() end):await()
      ]])
      assert.equals(2, r.status)
      has(r.err, 'fatal error: all tasks are asleep - deadlock!', 'task 1 [await', 'chan receive',
        'in VM ')
    end)

    it(('no false alarm: %d workers'):format(n), function()
      prints(n, [[
        for round = 1, 300 do
          local f = {}
          for i = 1, 5 do
            f[i] = weft.parallel(function(k)
              local w = require 'weft'
              if k % 2 == 0 then w.sleep(0.0001) end
              local ch = w.chan()
              w.go(function() ch:send(k) end)
              return ch:recv()
            end, i)
          end
          for i = 1, 5 do assert(f[i]:await() == i) end
        end
        print 'done'
      ]], 'done\n')
    end)

    it(('the end of main ends everything: %d workers'):format(n), function()
      prints(n, [[
        weft.spawn(function() require 'weft'.chan():recv() end)
        weft.spawn(function() while true do require 'weft'.yield() end end)
        weft.parallel(function() end):await()
        print 'end'
      ]], 'end\n')
    end)
  end

  it('tasks that compute for ever do not keep the program', function()
    prints(2, [[
      for _ = 1, 2 do weft.spawn(function() while true do end end) end
      weft.sleep(0.05)
      print 'end'
    ]], 'end\n')
  end)

  -- Each waits for the others without letting go of its core.
  it('as many tasks run at once as there are workers', function()
    prints(4, [[
      local dir = os.tmpname()
      local f = {}
      for round = 1, 5 do
        for i = 1, 3 do
          f[i] = weft.parallel(function(me)
            io.open(dir .. round .. me, 'w'):close()
            for other = 1, 3 do
              local there
              repeat there = io.open(dir .. round .. other) until there
              there:close()
            end
          end, i)
        end
        weft.sleep(0.01)  -- with a timer, worker 0 takes none
        for i = 1, 3 do f[i]:await() end
        for i = 1, 3 do os.remove(dir .. round .. i) end
      end
      os.remove(dir)
      print 'done'
    ]], 'done\n')
  end)

  it('a busy main VM does not keep isolated tasks from their turn', function()
    prints(1, [[
      local done = false
      local f = weft.parallel(function() require 'weft'.yield() end)
      weft.go(function() f:await() done = true end)
      while not done do weft.yield() end
      print 'done'
    ]], 'done\n')
  end)

  it('a worker that is busy with a task is named where tasks are listed', function()
    prints(2, [[
      weft.spawn(function() while true do end end)
      local text
      repeat
        weft.sleep(0.001)
        text = weft.stacks()
      until text:find 'is busy'
      print(text:match '%(worker 1 is busy with a task')
    ]], '(worker 1 is busy with a task\n')
  end)

  it('of one whose task cannot be looked at no report says that it has ended', function()
    prints(2, [[
      local m, locked, text = weft.sync.mutex(), weft.sync.int(0)
      weft.spawn(function() m:lock() locked:add(1) while true do end end)
      repeat weft.sleep(0.001) until locked:load() == 1
      weft.go(function() m:lock() end)
      repeat
        weft.sleep(0.001)
        text = weft.stacks()
      until text:find 'is busy'
      print((text:match 'held by task [^\n]*':gsub(' /.*:', ' :'):gsub('%d+', 'N', 1)))
    ]], 'held by task N; first locked at :2\n')
  end)

  it('the virtual time of all VMs is one', function()
    prints(4, [[
      local t = weft.time.monotonic()
      local f = {}
      for i = 1, 20 do
        f[i] = weft.parallel(function(k)
          local w = require 'weft'
          local start = w.time.monotonic()
          for _ = 1, 10 do w.sleep(k) end
          return w.time.monotonic() - start
        end, i)
      end
      weft.sleep(50)
      for i = 1, 20 do assert(math.abs(f[i]:await() - 10 * i) < 1e-6) end
      print(weft.time.monotonic() - t)
    ]], '200\n', { '--clock=virtual' })
  end)

  it('a task is seen with its number, its VM and who made it', function()
    local seen = {}
    local f = weft.parallel(function() require 'weft'.sleep(5) end)
    weft.sleep(1)
    for _, t in ipairs(weft.tasks()) do
      if t.vm ~= 1 then seen[#seen + 1] = t end
    end
    assert.equals(1, #seen)
    assert.equals('sleep', seen[1].state)
    has(seen[1].created_by, 'spawn_spec.lua:')
    has(weft.stacks(), ('task %d [sleep'):format(seen[1].id), 'in VM ')
    f:await()
  end)
end)

describe('a VM that has nothing to do', function()
  it('collects its garbage', function()
    prints(1, [[
      local function kb()
        return weft.parallel(function() return collectgarbage 'count' end):await()
      end
      weft.parallel(function()
        local t = {}
        for i = 1, 1e5 do t[i] = { i } end
      end):await()
      assert(kb() > 4096)
      while kb() > 4096 do weft.sleep(0.01) end
      print 'collected'
    ]], 'collected\n')
  end)
end)

describe('pmap', function()
  it('keeps the order, and has n', function()
    local list = {}
    for i = 1, 50 do list[i] = i end
    local out = assert(weft.pmap(list, function(x, i) return x * i end))
    assert.equals(50, out.n)
    for i = 1, 50 do assert.equals(i * i, out[i]) end
    assert.same({ n = 0 }, (weft.pmap({}, print)))
  end)

  it('the first failure ends it', function()
    local out, err, i = weft.pmap({ 1, 2, 3 }, function(x)
      if x == 2 then return nil, 'two' end
      return x
    end, { limit = 1 })
    assert.same({ 'two', 2 }, { err, i })
    assert.is_nil(out)
    out, err, i = weft.pmap({ 1, 2, 3 }, function(x)
      if x == 2 then error { two = true } end
    end, { limit = 1 })
    assert.is_nil(out)
    assert.same({ { two = true }, 2 }, { err, i })
  end)

  it('refuses bad options at the line of the call', function()
    for _, limit in ipairs { 0, -1, 1.5, 'x' } do
      local ok, err = pcall(weft.pmap, { 1 }, print, { limit = limit })
      assert.is_false(ok)
      has(err, "bad argument #3 to 'pmap'", 'limit')
    end
    assert.is_false(pcall(weft.pmap, 1, print))
    assert.is_false(pcall(weft.pmap, {}, 1))
  end)
end)

describe('on_vm', function()
  it('runs first in every VM that comes, and paths are carried along', function()
    prints(2, [[
      package.path = '/wf/here/?.lua;' .. package.path
      local function setup()
        package.preload.wf_greeting = function() return { text = 'hello' } end
      end
      weft.on_vm(setup)
      print(weft.parallel(function()
        return require 'wf_greeting'.text, package.path:match '^[^;]*'
      end):await())
    ]], 'hello\t/wf/here/?.lua\n')
  end)

  it('its error is a panic', function()
    local r = run(2, "weft.on_vm(function() error 'not here' end) weft.spawn(print) weft.sleep(5)")
    assert.equals(2, r.status)
    has(r.err, 'panic: ', 'not here')
  end)
end)
