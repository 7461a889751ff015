-- SPDX-License-Identifier: MIT
-- What once broke or might: idle cost, memory kept, finalisers, deep chains, odd hosts.
-- Subject: runtime/task/task.c

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local has = util.has

local WEFT = "local weft = require 'weft' "

-- Runs a script that must end well and print exactly this.
local function prints(code, out, opts)
  local r = proc.run(WEFT .. code, opts)
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

describe('waiting', function()
  it('costs nothing: a sleeping program is idle', function()
    prints([[
      local cpu = os.clock()
      weft.go(function() weft.chan():recv() end)
      weft.sleep(0.4)
      print(os.clock() - cpu < 0.2)
    ]], 'true\n')
  end)

  it('leaves each timer its time however busy the others are', function()
    prints([[
      local function busy(s)
        local t = os.clock()
        while os.clock() - t < s do end
      end
      local stop = false
      for _ = 1, 32 do
        weft.go(function()
          while not stop do
            busy(0.002)
            weft.yield()
          end
        end)
      end
      local t = weft.time.monotonic()
      weft.sleep(0.01)
      stop = true
      -- one round of the others takes 64 ms, and the machine may be slow
      print(weft.time.monotonic() - t < 1)
    ]], 'true\n')
  end)
end)

describe('memory', function()
  it('of coroutines and tasks that failed alike is not kept', function()
    prints([[
      local function round(n)
        for _ = 1, n do
          coroutine.resume(coroutine.create(function() error 'the same' end))
          pcall(coroutine.wrap(function() error 'the same' end))
          local f = weft.async(function() error 'the same' end)
          f:try()
        end
        collectgarbage()
        collectgarbage()
        return collectgarbage 'count'
      end
      local before = round(1000)
      print(round(20000) - before < 1000)
    ]], 'true\n')
  end)

  it('of everything that is dropped comes back', function()
    prints([[
      local context, time = weft.context, weft.time
      local function round(n)
        for i = 1, n do
          local ch = weft.chan(i % 3)
          local ctx, cancel = context.with_timeout(context.background(), 1e6)
          local child = context.with_value(context.with_cancel(ctx), 'k', 'v')
          weft.go(function() ch:recv(child) end)
          weft.go(function() weft.select(ch, child:done(), time.after(1e6)) end)
          time.ticker(1e5)
          time.after_func(1e6, error):stop()
          context.after_func(child, function() end)
          weft.sync.mutex():lock()
          weft.yield()
          cancel { i }
          weft.yield()
        end
        weft.sleep(1e-6)
        for _ = 1, 4 do collectgarbage() end
        return collectgarbage 'count'
      end
      local before = round(1000)
      local after = round(10000)
      print(after - before < 1000, weft.ntasks())
    ]], 'true\t1\n', { virtual = true })
  end)
end)

describe('finalisers', function()
  it('may start tasks at any moment', function()
    prints([[
      local n, ran, ch = 0, 0, weft.chan()
      local function lose()
        getmetatable(newproxy(true)).__gc = function()
          weft.go(function()
            n = n + 1
            ch:recv()
          end)
        end
      end
      collectgarbage('setpause', 10)
      collectgarbage('setstepmul', 10000)
      for _ = 1, 100 do
        for _ = 1, 50 do
          lose()
          weft.go(function()
            ran = ran + 1
            ch:recv()
          end)
        end
        weft.sleep(1e-6)
      end
      print(ran, n > 4000 and n <= 5000)
    ]], '5000\ttrue\n', { virtual = true })
  end)

  it('may use every object at any moment', function()
    prints([[
      local ch, m, wg = weft.chan(4), weft.sync.mutex(), weft.sync.waitgroup()
      local count = 0
      local function lose()
        getmetatable(newproxy(true)).__gc = function()
          count = count + 1
          ch:try_send(count)
          if m:try_lock() then m:unlock() end
          wg:go(function() end)
          local _, cancel = weft.context.with_cancel(weft.context.background())
          cancel()
          weft.time.after_func(0, function() end)
          coroutine.wrap(function() coroutine.yield() end)()
          ch:try_recv()
        end
      end
      collectgarbage('setpause', 10)
      collectgarbage('setstepmul', 10000)
      for i = 1, 3000 do
        lose()
        ch:send(i)
        ch:recv()
        m:lock()
        weft.go(function() weft.yield() end)
        weft.yield()
        m:unlock()
      end
      wg:wait()
      print(count > 2000, ch:len() <= 4)
    ]], 'true\ttrue\n', { virtual = true })
  end)

  it('are not reached through the objects', function()
    local ch = weft.chan()
    for _, o in ipairs { ch, weft.chan(1), weft.sync.mutex(), weft.sync.waitgroup(),
      weft.context.background(), weft.time.timer(1), ch:send_only(), ch:recv_only() } do
      local ok, gc = pcall(function() return o.__gc end)
      assert.is_true(not ok or gc == nil)
    end
  end)
end)

describe('long chains', function()
  it('of contexts are dropped and collected', function()
    prints([[
      local context = weft.context
      for _, n in ipairs { 300000, 3 } do
        local root, cancel = context.with_cancel(context.background())
        local c = root
        for _ = 1, n do c = context.with_cancel(c) end
        context.after_func(c, function() print 'after' end)
        c, root = nil, nil
        collectgarbage()
        collectgarbage()
        cancel()
        weft.sleep(0.001)
      end
      collectgarbage()
      print 'end'
    ]], 'after\nafter\nend\n')
  end)

  it('of futures are awaited and collected', function()
    prints([[
      local f = weft.async(function() return 0 end)
      for _ = 1, 20000 do
        local inner = f
        f = weft.async(function() return inner:await() + 1 end)
      end
      print((f:await()))
      f = nil
      collectgarbage()
    ]], '20000\n')
  end)

  it('of coroutines below a C function still name it', function()
    local ch, err = weft.chan(), nil
    table.sort({ 3, 2, 1 }, function(a, b)
      local outer = coroutine.wrap(function()
        local other = coroutine.create(function() coroutine.wrap(function() end)() end)
        coroutine.resume(other)
        other = nil
        collectgarbage()
        collectgarbage()
        for _ = 1, 100 do coroutine.create(function() end) end
        local _, message = pcall(ch.recv, ch)
        err = message
        return other
      end)
      outer()
      return a < b
    end)
    has(err, 'across a C-call boundary', 'sort')
    util.nobody_waits(ch)
  end)
end)

describe('the globals', function()
  it('may be replaced by a script: weft does not look at them', function()
    prints([[
      assert(weft.context and weft.sync and weft.time)
      local io, tostring, select, concat = io, tostring, select, table.concat
      local function P(...)
        local list = { ... }
        for i = 1, select('#', ...) do list[i] = tostring(list[i]) end
        io.write(concat(list, '\t'), '\n')
      end
      for _, name in ipairs { 'select', 'type', 'error', 'pcall', 'xpcall', 'unpack', 'tostring',
        'setmetatable', 'getmetatable', 'rawget', 'rawset', 'rawequal', 'pairs', 'ipairs', 'next',
        'assert', 'math', 'string', 'table', 'newproxy', 'debug', 'coroutine' } do
        _G[name] = nil
      end
      local ch = weft.chan(1)
      ch:send(1)
      P(weft.select { a = ch })
      P((weft.select(ch, weft.default)))
      P(weft.map({ 1, 2 }, function(v) return v + 1 end)[2])
      P((weft.async(function() return 3 end):await()))
      local ctx, cancel = weft.context.with_timeout(weft.context.background(), 1)
      cancel 'c'
      P(ctx:err(), ctx:cause())
      local m, wg = weft.sync.mutex(), weft.sync.waitgroup()
      P(m:with(function() return 'held' end))
      wg:go(function() weft.defer(P, 'deferred') end)
      wg:wait()
      local t = weft.time.timer(0.001)
      t.c:recv()
      P(t:stop(), #weft.tasks(), weft.stacks() ~= '')
    ]], 'a\t1\tnil\n2\n3\n3\ncontext canceled\tc\nheld\ndeferred\nfalse\t1\ttrue\n')
  end)
end)

describe('module mode', function()
  local dir = (proc.bin or ''):match('^(.*)/[^/]*$') or '.'

  local function plain(code, out)
    if proc.sanitized() then pending "a sanitizer's build is no module" end
    local path = os.tmpname()
    proc.write_file(path, code)
    local r = proc.shell('luajit ' .. path, { seconds = 20,
      before = ('export LUA_CPATH=%s;'):format(proc.quote(dir .. '/?.so;;')) })
    os.remove(path)
    assert.same({ 0, out, '' }, { r.status, r.out, r.err })
  end

  it('leaves finalisers that are older than weft alone', function()
    plain([[
      keep = newproxy(true)
      getmetatable(keep).__gc = function()
        print(coroutine.wrap(function() return 'wrap' end)())
        print((pcall(require, 'no_such_module')))
        print(coroutine.resume(coroutine.create(function() return 'resume' end)))
      end
      local weft = require 'weft'
      weft.run(function() weft.go(function() weft.chan():recv() end) weft.yield() end)
    ]], 'wrap\nfalse\ntrue\tresume\n')
  end)

  it('game time goes by what it is given, whoever polls', function()
    plain([[
      local weft = require 'weft'
      local fired = false
      weft.go(function() weft.sleep(3600) fired = true end)
      weft.go(function() local ch = weft.chan() while true do ch:try_recv() end end)
      weft.step(0.03, 0)
      local t0 = weft.time.monotonic()
      for _ = 1, 5 do weft.step(0.03, 0.25) end
      print(fired, ('%.3f'):format(weft.time.monotonic() - t0))
    ]], 'false\t1.250\n')
  end)

  it('game time may take any leap', function()
    plain([[
      local weft = require 'weft'
      local n = 0
      weft.go(function() while n < 10 do weft.sleep(1e6) n = n + 1 end end)
      print(weft.step(nil, 1e10))
      print(n)
    ]], '0\t0\tnil\n10\n')
  end)
end)
