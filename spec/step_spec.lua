-- SPDX-License-Identifier: MIT
-- Module mode: the budget of a step, game time, what a step tells, the end of the Lua state.
-- Subject: runtime/lib/run.c

local proc = require 'support.proc'

-- Runs code in plain LuaJIT; it must end well and print exactly this.
local function prints(code, out)
  if proc.sanitized() then pending "a sanitizer's build is no module" end
  local r = proc.luajit([[
    local function busy(s)
      local t = os.clock()
      while os.clock() - t < s do end
    end
  ]] .. code, { seconds = 20 })
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

describe('a step', function()
  it('looks at its budget after every task', function()
    prints([[
      local weft = require 'weft'
      for _ = 1, 60 do weft.go(function() busy(0.02) end) end
      local live, ready = weft.step(0.05)
      print(live == ready, live >= 55 and live < 60)
    ]], 'true\ttrue\n')
  end)

  it('looks at its budget after every task, however short', function()
    prints([[
      local weft = require 'weft'
      for _ = 1, 64 do weft.go(function() busy(0.0005) end) end
      local steps = 0
      while weft.step(0.001) > 0 do steps = steps + 1 end
      -- two or three tasks each
      print(steps >= 16 or steps)
    ]], 'true\n')
  end)

  it('with a budget of 0 runs one task', function()
    prints([[
      local weft = require 'weft'
      local n = 0
      for _ = 1, 5 do weft.go(function() n = n + 1 end) end
      print((weft.step(0)), n)
    ]], '4\t1\n')
  end)

  it('with a budget leaves isolated tasks to the other workers', function()
    prints([[
      local ffi = require 'ffi'
      ffi.cdef 'int setenv(const char *, const char *, int); int usleep(unsigned);'
      ffi.C.setenv('WEFT_WORKERS', '2', 1)
      local weft = require 'weft'
      local started, stop = weft.chan(8), weft.chan()
      for i = 1, 8 do
        weft.spawn(function()
          started:send(i)
          while not stop:is_closed() do end
        end)
      end
      -- One of them occupies the other worker; here it would never come back.
      repeat
        weft.step(0.001)
        ffi.C.usleep(100)
      until started:len() > 0
      for _ = 1, 100 do weft.step(0.001) end
      print(started:len())
      stop:close()
      while weft.ntasks() > 0 do
        weft.step(0.001)
        ffi.C.usleep(100)
      end
      print(started:len())
    ]], '1\n8\n')
  end)

  it('without a budget runs all that is ready, however long', function()
    prints([[
      local weft = require 'weft'
      local n = 0
      for _ = 1, 1000 do weft.go(function() weft.yield() n = n + 1 end) end
      print(weft.step())
      print(n)
    ]], '0\t0\tnil\n1000\n')
  end)

  it('tells how long it is to the next timer', function()
    prints([[
      local weft = require 'weft'
      weft.go(function() weft.sleep(50) end)
      weft.go(function() weft.sleep(20) end)
      local live, ready, next = weft.step(1, 0)
      print(live, ready, next)
      live, ready, next = weft.step(1, 5)
      print(live, ready, next)
      live, ready, next = weft.step(1, 15)
      print(live, ready, next)
      print(weft.step(1, 30))
    ]], '2\t0\t20\n2\t0\t15\n1\t0\t30\n0\t0\tnil\n')
  end)
end)

describe('game time', function()
  it('lets each timer on its way see its own moment, and a step take several', function()
    prints([[
      local weft = require 'weft'
      local t0, log = nil, {}
      weft.step(1, 0)
      t0 = weft.time.monotonic()
      for i = 1, 3 do
        weft.go(function()
          while true do
            weft.sleep(i)
            log[#log + 1] = ('%d@%g'):format(i, weft.time.monotonic() - t0)
          end
        end)
      end
      weft.step(1, 0)
      weft.step(1, 3.5)
      table.sort(log)
      print(table.concat(log, ' '))
    ]], '1@1 1@2 1@3 2@2 3@3\n')
  end)

  it('does so with workers, too', function()
    prints([[
      local weft = require 'weft'
      local n = 0
      weft.run(function() weft.parallel(function() end):await() end)
      weft.go(function() while true do weft.sleep(0.25) n = n + 1 end end)
      weft.step(1, 0)
      weft.step(1, 1)
      print(n)
    ]], '4\n')
  end)

  it('stays within the budget however many timers there are in it', function()
    prints([[
      local weft = require 'weft'
      local ticker = weft.time.ticker(1e-6)
      weft.step(1, 0)
      local t0, t = weft.time.monotonic(), os.clock()
      weft.step(0.01, 1e6)
      print(os.clock() - t < 5, weft.time.monotonic() - t0 == 1e6, ticker.c:len())
    ]], 'true\ttrue\t1\n')
  end)

  it('goes by what it is given from step to step, not by what the steps take', function()
    prints([[
      local weft = require 'weft'
      weft.step(1, 0)
      local t0 = weft.time.monotonic()
      weft.go(function() busy(0.05) weft.yield() busy(0.05) end)
      for _ = 1, 8 do weft.step(0.01, 0.125) end
      print(weft.time.monotonic() - t0)
    ]], '1\n')
  end)
end)

describe('deadlines between game time and the time of other cores', function()
  it('end there after as long as they were given here', function()
    prints([[
      local weft = require 'weft'
      weft.step(1, 1000)
      local ctx = weft.context.with_timeout(weft.context.background(), 0.05)
      local f = weft.parallel(function()
        local left = ctx:deadline() - weft.time.now()
        ctx:done():recv()
        return ctx:err(), left > -1 and left <= 0.05 or left
      end)
      while not f:done():is_closed() do weft.step(0.01, 0) end  -- game time stands still
      weft.run(function() print(f:await()) end)
      print(ctx:err())
    ]], 'context deadline exceeded\ttrue\ncontext deadline exceeded\n')
  end)

  it('live on here for what is left of them there, until game time has passed it', function()
    prints([[
      local weft = require 'weft'
      weft.step(1, 1000)
      local ch, ended = weft.chan(1), weft.chan(1)
      weft.spawn(function()
        local ctx = weft.context.with_timeout(weft.context.background(), 60)
        ch:send(ctx)
        ctx:done():recv()
        ended:send(ctx:err())
      end)
      while ch:len() == 0 do weft.step(0.01, 0) end
      local ctx = ch:try_recv()
      local left = ctx:deadline() - weft.time.now()
      print(ctx:err(), left > 30 and left <= 60 or left)
      weft.step(0.01, 61)
      print(ctx:err())
      while ended:len() == 0 do weft.step(0.01, 0) end
      print(ended:try_recv())
    ]], 'nil\ttrue\n' .. ('context deadline exceeded\n'):rep(2))
  end)
end)

describe('weft.so', function()
  it('gives each of its modules, whichever is required first', function()
    for _, name in ipairs { 'time', 'context', 'sync' } do
      prints(([[
        local m = require 'weft.%s'
        local weft = require 'weft'
        print(weft.%s == m, m.sleep ~= nil, m.with_cancel ~= nil, m.mutex ~= nil, m.go ~= nil)
        package.loaded.weft = nil
        print(require 'weft'.chan == weft.chan)
      ]]):format(name, name), ('true\t%s\t%s\t%s\tfalse\ntrue\n'):format(name == 'time',
        name == 'context', name == 'sync'))
    end
    for _, name in ipairs { 'errgroup', 'singleflight', 'rate', 'retry', 'pipeline', 'broadcast',
      'supervisor' } do
      prints(("local m = require 'weft.%s' print(require 'weft'.%s == m)"):format(name, name),
        'true\n')
    end
  end)
end)

describe('the end of the Lua state', function()
  it('ends weft: a finaliser that comes later is told so', function()
    prints([[
      local weft
      older = newproxy(true)
      getmetatable(older).__gc = function()
        for _, call in ipairs {
          function() weft.chan() end,
          function() weft.sync.mutex() end,
          function() weft.go(print) end,
          function() weft.async(print) end,
          function() weft.time.after(1) end,
        } do
          local ok, err = pcall(call)
          print(ok, (tostring(err):gsub('^.-:%d+: ', '')))
        end
      end
      weft = require 'weft'
      print(weft.sync and weft.time and 'loaded')
    ]], 'loaded\n' .. ('false\tweft has been closed\n'):rep(5))
  end)
end)
