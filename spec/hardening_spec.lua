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
    if proc.torture() then pending 'nobody has a turn there' end
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

  it('outside of Lua comes back too', function()
    if proc.watched() then pending 'who watches keeps freed memory' end
    prints([[
      local context, time = weft.context, weft.time
      local function resident()
        local f = io.open '/proc/self/statm'
        local pages = f:read '*a':match '%d+ (%d+)'
        f:close()
        return pages * 4
      end
      local function round(n)
        for i = 1, n do
          local a, b, m, wg = weft.chan(), weft.chan(2), weft.sync.mutex(), weft.sync.waitgroup()
          local ctx, cancel = context.with_cancel(context.background())
          m:lock()
          wg:add(1)
          weft.go(function() a:recv(ctx) end)
          weft.go(function() b:recv() end)
          weft.go(function() weft.select(a, b, ctx:done()) end)
          weft.go(function() m:lock(ctx) end)
          weft.go(function() wg:wait() end)
          weft.go(function() weft.sleep(1e5, ctx) end)
          weft.sleep(1e-6)
          cancel()
          b:close()
          wg:done()
          m:unlock()
          time.timer(1e5)
          local f = weft.async(function() weft.sleep(1e-6) end)
          f:done()
          f:await()
        end
        weft.sleep(1e-6)
        for _ = 1, 4 do collectgarbage() end
        return resident()
      end
      round(3000)
      local before = round(3000)
      local grown = round(30000) - before
      print(grown < 3000 or grown)
    ]], 'true\n', { virtual = true })
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
      collectgarbage()  -- at whose end they begin to count
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
      collectgarbage()  -- at whose end they begin to count
      for i = 1, 3000 do
        if i % 200 == 0 then jit.flush() end  -- so that traces begin everywhere, again and again
        lose()
        ch:send(i)
        ch:recv()
        if ch:len() ~= 0 then error('left over at ' .. i) end
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
    ]], 'after\nafter\nend\n', { virtual = true })
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

describe('plain Lua', function()
  -- What it prints under weft is what it prints under LuaJIT.
  local code = [=[
    local function show(...)
      local list = { n = select('#', ...), ... }
      for i = 1, list.n do
        local v = list[i]
        local t = type(v)
        list[i] = (t == 'table' or t == 'function' or t == 'thread') and t or tostring(v)
      end
      print(table.concat(list, ' | '))
    end
    local function refused(f) return select(2, pcall(f)):match 'bad argument #1 to .[%a]+.' end
    local create, resume, wrap, yield = coroutine.create, coroutine.resume, coroutine.wrap,
      coroutine.yield
    local function fails() error 'text' end
    show(pcall(wrap(fails)))
    show(pcall(function() wrap(fails)() end))
    show(pcall(function() local f = wrap(fails) f() end))
    show(pcall(function() wrap(function() error('text', 0) end)() end))
    show(pcall(function() wrap(function() error('text', 2) end)() end))
    show(pcall(function() wrap(function() error {} end)() end))
    show(pcall(function() wrap(function() wrap(fails)() end)() end))
    show(pcall(function() wrap(function() local x = nil + 1 return x end)() end))
    show(resume(create(fails)))
    show(resume(create(function() error() end)))
    show(resume(create(function() error(nil) end)))
    show(resume(create(function(...) return select('#', ...), ... end), nil, nil))
    local co = create(function(...)
      show('in', ...)
      show('back', yield(1, nil))
      return 'end', nil
    end)
    show(resume(co, 'a', nil))
    show(coroutine.status(co))
    show(resume(co, nil, 'b', nil))
    show(coroutine.status(co))
    show(resume(co))
    show(resume(co))
    local w = wrap(function() return 1 end)
    show(w())
    show(pcall(w))
    show(pcall(function() w() end))
    co = create(function() return resume(co) end)
    show(resume(co))
    local outer
    outer = create(function() local inner = create(function() return resume(outer) end)
      return resume(inner) end)
    show((select(3, resume(outer))))
    show(refused(function() resume(5) end))
    show(refused(function() resume() end))
    show(refused(function() coroutine.create(5) end))
    show(refused(function() coroutine.wrap() end))
    show(refused(function() coroutine.status(5) end))
    show(wrap(function() return pcall(function() yield 'through pcall' error 'after' end) end)())
    local g = wrap(function() return pcall(function() yield 'through pcall' error 'after' end) end)
    show(g()) show(g())
    g = wrap(function() return xpcall(function() yield(1) error 'x' end, function(e)
      return 'handled ' .. e end) end)
    show(g()) show(g())
    local mt = setmetatable({}, { __index = function(_, k) return yield(k) end,
      __add = function(a, b) return yield 'add' end, __lt = function() return yield 'lt' end })
    g = wrap(function() return mt.key, mt + 1, mt < mt end)
    show(g()) show(g 'one') show(g 'two') show(g(3))
    for a, b in wrap(function() for i = 1, 3 do yield(i, i * i) end end) do show(a, b) end
    show(select(2, pcall(error)))
    show(pcall(error, 'x', 2))
    show(xpcall(fails, function(e) return e .. ' handled' end))
    show(xpcall(fails, function(e) error 'in the handler' end))
    show(pcall(require, 5.5) == false)
    show(refused(function() require() end))
    package.preload.pre = function(...) return ... end
    show(require 'pre')
    show(package.loaded.pre)
    package.preload.none = function() end
    show(require 'none')
    package.preload.bad = function() error('bad', 0) end
    show(pcall(require, 'bad'))
    package.preload.wrong = 5
    package.preload.loop = function() return require 'loop' end
    show((pcall(require, 'loop')))
    show((pcall(dofile, '/nonexistent')))
    show(load('return ...', 'name')(1, nil))
    show(load('x = = 1', '=name'))
    show(load(function() return nil end))
    show(loadstring 'return 1'())
    show(coroutine.isyieldable(), wrap(function() return coroutine.isyieldable() end)())
    show(wrap(function() return type(coroutine.running()) end)())
    show((pcall(yield)))
    show((debug.traceback 'message'):match '^message\nstack traceback:' ~= nil)
    show(getfenv(0) == _G, getfenv(1) == _G)
    local t = {} for i = 1, 100 do t[i] = (i * 37) % 101 end table.sort(t) show(unpack(t, 1, 5))
    show(('abc'):gsub('%a', function(c) return c:upper() end))
    show(tostring(setmetatable({}, { __tostring = function() return 'mine' end })))
  ]=]

  it('prints what it prints under LuaJIT', function()
    local dir, clean = proc.temp_dir()
    proc.write_file(dir .. '/plain.lua', code)
    local function script(command)
      return proc.shell(command .. ' plain.lua', { before = 'cd ' .. dir .. ';' })
    end
    local bin = proc.bin:match '^/' and proc.bin or os.getenv 'PWD' .. '/' .. proc.bin
    local theirs, ours = script 'luajit', script(bin)
    clean()
    assert.same({ 0, '' }, { theirs.status, theirs.err })
    assert.same({ 0, '' }, { ours.status, ours.err })
    local other = ours.out:gmatch '[^\n]*'
    for line in theirs.out:gmatch '[^\n]*' do assert.equals(line, other()) end
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
  local function plain(code, out)
    if proc.sanitized() then pending "a sanitizer's build is no module" end
    local r = proc.luajit(code, { seconds = 20 })
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
