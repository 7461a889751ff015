-- SPDX-License-Identifier: MIT
-- Module mode: weft.so in a plain LuaJIT: run, step, blocking outside of any task.

local proc = require 'support.proc'
local util = require 'support.util'
local has = util.has

local function prints(code, out)
  if proc.sanitized() then pending "a sanitizer's build is no module" end
  local r = proc.luajit("local weft = require 'weft' " .. code)
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

describe('outside of any task', function()
  it('a blocking call raises and names weft.run', function()
    prints([[
      local ch, m, wg = weft.chan(), weft.sync.mutex(), weft.sync.waitgroup()
      m:try_lock()
      wg:add(1)
      local f = weft.async(function() end)
      for name, call in pairs {
        recv = function() ch:recv() end,
        send = function() ch:send(1) end,
        sleep = function() weft.sleep(1) end,
        select = function() weft.select(ch) end,
        lock = function() m:lock() end,
        wait = function() wg:wait() end,
        await = function() f:await() end,
        yield = function() weft.yield() end,
        map = function() weft.map({ 1 }, print) end,
        iterate = function() for _ in ch do end end,
      } do
        local ok, err = pcall(call)
        if ok or not tostring(err):find('weft.run', 1, true) then print(name, ok, err) end
      end
      print(ch:try_send(1), ch:try_recv())
    ]], 'false\tnil\tempty\n')
  end)

  it('every call that cannot block works', function()
    prints([[
      local ch = weft.chan(1)
      print(ch:try_send(1), ch:len(), ch:try_recv())
      print((weft.select(ch, weft.default)))
      local ctx, cancel = weft.context.with_cancel(weft.context.background())
      cancel 'c'
      print(ctx:err(), ctx:cause())
      weft.go(print, 'a task')
      print(weft.ntasks(), #weft.tasks(), type(weft.stacks()))
      ch:close()
      print(ch:is_closed(), ch:try_recv())
      weft.run(function() while weft.ntasks() > 1 do weft.yield() end end)
    ]], 'true\t1\t1\n2\ncontext canceled\tc\n1\t1\tstring\ntrue\tnil\tclosed\na task\n')
  end)
end)

describe('run', function()
  it('runs a function as the main task until it returns; its results', function()
    prints([[
      print(weft.run(function(...)
        local ch = weft.chan()
        weft.go(function() weft.sleep(0.001) ch:send 'v' end)
        return ch:recv(), weft.id(), ...
      end, 'a', nil))
    ]], 'v\t1\ta\tnil\n')
  end)

  it('leaves other tasks to go on in the next', function()
    prints([[
      local ch, n = weft.chan(), 0
      weft.run(function()
        weft.go(function() for v in ch do n = n + v end end)
        weft.yield()
      end)
      print(weft.ntasks())
      weft.run(function() ch:send(5) ch:close() while weft.ntasks() > 1 do weft.yield() end end)
      print(n, weft.ntasks())
    ]], '1\n5\t0\n')
  end)

  it('raises the panic of any task, and main\'s own error', function()
    prints([[
      local ok, err = pcall(weft.run, function() error('mine', 0) end)
      print(ok, (tostring(err):match 'mine'))
      ok, err = pcall(weft.run, function()
        weft.go(function() error 'of a task' end)
        weft.sleep(1)
      end)
      print(ok, (tostring(err):match 'of a task'))
      print(weft.run(function() return 'still works' end))
    ]], 'false\tmine\nfalse\tof a task\nstill works\n')
  end)

  it('raises the deadlock', function()
    prints([[
      local ok, err = pcall(weft.run, function() weft.chan():recv() end)
      print(ok, (tostring(err):match 'all tasks are asleep'))
      print(weft.run(function() return 'still works' end))
    ]], 'false\tall tasks are asleep\nstill works\n')
  end)

  it('gives panics to on_panic instead', function()
    prints([[
      weft.on_panic(function(err) print('caught', err) end)
      weft.run(function()
        weft.go(function() error('x', 0) end)
        while weft.ntasks() > 1 do weft.yield() end
      end)
      print 'end'
    ]], 'caught\tx\nend\n')
  end)

  it('cannot be called inside itself', function()
    prints([[
      print((weft.run(function() return (pcall(weft.run, print)) end)))
    ]], 'false\n')
  end)

  it('misused raises', function()
    prints([[
      print(pcall(weft.run) == false, pcall(weft.run, 5) == false)
      local _, err = pcall(function() weft.run(5) end)
      print((err:match 'bad argument #1 to .run. %('))
    ]], "true\ttrue\nbad argument #1 to 'run' (\n")
  end)
end)

describe('step', function()
  it('runs what is ready and returns live, ready, and the time to the next timer', function()
    prints([[
      local log = {}
      local a, b, c = weft.step()
      print(a, b, c)
      weft.go(function()
        log[#log + 1] = 'a'
        weft.yield()
        log[#log + 1] = 'b'
        weft.chan():recv()
      end)
      local live, ready, timer = weft.step()
      for _ = 1, 10 do live, ready, timer = weft.step() end
      print(table.concat(log), live, ready, timer)
      weft.go(function() weft.sleep(1000) end)
      for _ = 1, 10 do live, ready, timer = weft.step() end
      print(live, ready, timer > 990 and timer <= 1000)
    ]], '0\t0\tnil\nab\t1\t0\tnil\n2\t0\ttrue\n')
  end)

  it('with game time goes by it', function()
    prints([[
      local log, frame = {}, nil
      weft.go(function()
        for _ = 1, 3 do
          weft.sleep(1)
          log[#log + 1] = frame
        end
      end)
      local t0
      for i = 1, 13 do
        frame = i
        weft.step(1, 0.25)
        t0 = t0 or weft.time.monotonic()
      end
      local dt = weft.time.monotonic() - t0
      print(#log, log[1] == 4 or log[1] == 5, log[2] - log[1], log[3] - log[2])
      print(('%.3f'):format(dt), weft.ntasks())
      local _, _, timer = weft.step(1, 0)
      print(timer)
    ]], '3\ttrue\t4\t4\n3.000\t0\nnil\n')
  end)

  it('spends at most its budget', function()
    prints([[
      for _ = 1, 4 do
        weft.go(function() while true do weft.yield() end end)
      end
      local t = weft.time.monotonic()
      local live, ready = weft.step(0.05)
      local took = weft.time.monotonic() - t
      print(took >= 0.04 and took < 5, live, ready)
    ]], 'true\t4\t4\n')
  end)

  it('does not block', function()
    prints([[
      weft.go(function() weft.sleep(3600) end)
      local t = os.time()
      for _ = 1, 100 do weft.step(1) end
      print(os.time() - t < 10)
    ]], 'true\n')
  end)

  it('raises panics', function()
    prints([[
      weft.go(function() error 'of a task' end)
      local ok, err = pcall(weft.step)
      print(ok, (tostring(err):match 'of a task'))
      weft.go(print, 'goes on')
      weft.step()
    ]], 'false\tof a task\ngoes on\n')
  end)
end)

describe('under the weft command', function()
  it('run and step raise: there is a main task already', function()
    local r = proc.run [[
      local weft = require 'weft'
      print(pcall(weft.run, print) == false, pcall(weft.step) == false)
    ]]
    assert.same({ 0, 'true\ttrue\n' }, { r.status, r.out })
    has(r.out, 'true')
  end)
end)

describe('threads of workers', function()
  it('that sleep end with the host', function()
    prints([[
      weft.run(function()
        local six = weft.parallel(function() return 6 end)
        print(weft.blocking(function() return 5 end), six:await())
      end)
    ]], '5\t6\n')
  end)
end)

describe('who listens to what LuaJIT tells of its traces', function()
  local function hears(attach, other)
    if proc.sanitized() then pending "a sanitizer's build is no module" end
    local r = proc.luajit([[
      local told, sum, weft = 0, 0, nil
      local function attach() jit.attach(function() told = told + 1 end, 'trace') end
      local function load() weft = require 'weft' end
      local function hide() debug = nil end
      ]] .. attach .. '() ' .. other .. [[()
      weft.run(function()
        local ch = weft.chan()
        weft.go(function()
          for i = 1, 10000 do ch:send(i) end
          ch:close()
        end)
        for v in ch do sum = sum + v end
      end)
      print(sum, told > 0)]])
    assert.same({ 0, '50005000\ttrue\n', '' }, { r.status, r.out, r.err })
  end

  it('goes on hearing it when weft is loaded', function() hears('attach', 'load') end)
  it('takes the place of weft, which works without', function() hears('load', 'attach') end)

  it('is not weft, where a host has left out the library debug', function()
    hears('hide', 'attach() load')
  end)
end)
