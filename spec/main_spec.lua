-- SPDX-License-Identifier: MIT
-- The end of a program: exit statuses, main's end, deadlock, panics of all forms, limits.

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local has = util.has

local WEFT = "local weft = require 'weft' "

local function one_line(text)
  if not text:match('^[^\n]+\n$') then error('expected one line, got: ' .. text, 2) end
end

describe('main\'s end', function()
  it('ends the program with status 0', function()
    local r = proc.run(WEFT .. "print 'hello' return 5")
    assert.same({ 0, 'hello\n', '' }, { r.status, r.out, r.err })
  end)

  it('whatever other tasks do', function()
    local r = proc.run(WEFT .. [[
      weft.go(function() weft.sleep(50) print 'not reached' end)
      weft.go(function() weft.chan():recv() end)
      weft.go(function() while true do weft.yield() end end)
      weft.time.after_func(50, print)
      weft.time.ticker(0.001)
      weft.sleep(0.005)
      weft.go(print, 'never started')
      print 'end'
    ]])
    assert.same({ 0, 'end\n', '' }, { r.status, r.out, r.err })
  end)

  it('with --warn-pending lists what was cut off', function()
    local code = WEFT .. [[

      local jobs = weft.chan()
      weft.go(function()
        jobs:recv()
      end)
      weft.sleep(0.001)
    ]]
    local opts = { options = { '--warn-pending' }, virtual = true }
    local r = proc.run(code, opts)
    assert.same({ 0, '' }, { r.status, r.out })
    has(r.err, r.where(4))
    r = proc.run(WEFT .. "weft.go(function() end) weft.sleep(0.001)", opts)
    assert.same({ 0, '' }, { r.status, r.err })
  end)

  it('may be reached while objects with finalisers are about', function()
    local r = proc.run(WEFT .. [[
      local ch, m, wg = weft.chan(1), weft.sync.mutex(), weft.sync.waitgroup()
      local ctx, cancel = weft.context.with_timeout(weft.context.background(), 100)
      local t, k = weft.time.timer(100), weft.time.ticker(100)
      keep = newproxy(true)
      getmetatable(keep).__gc = function()
        pcall(ch.close, ch)
        pcall(ch.try_send, ch, 1)
        pcall(ch.recv, ch)
        pcall(m.lock, m)
        pcall(m.lock, m)
        pcall(wg.done, wg)
        cancel()
        ctx:err()
        t:stop()
        k:stop()
        pcall(weft.sleep, 1)
        pcall(weft.go, print)
        io.write 'finaliser '
      end
      weft.go(function() ch:send(1) ch:send(2) end)
      weft.go(function() weft.select(ctx:done(), t.c) end)
      weft.sleep(0.001)
      io.write 'main '
    ]], { virtual = true })
    assert.same({ 0, 'main finaliser ', '' }, { r.status, r.out, r.err })
  end)
end)

describe('os.exit', function()
  it('ends with its status, from main and from a task, and flushes', function()
    for code, status in pairs { ['0'] = 0, ['3'] = 3, ['true'] = 0, ['false'] = 1 } do
      local r = proc.run(("io.write 'kept' os.exit(%s)"):format(code))
      assert.same({ status, 'kept', '' }, { r.status, r.out, r.err })
      r = proc.run(WEFT .. ([[
        io.stdout:setvbuf 'full'
        weft.go(function() io.write 'kept' os.exit(%s) end)
        weft.chan():recv()
      ]]):format(code))
      assert.same({ status, 'kept', '' }, { r.status, r.out, r.err })
    end
  end)

  it('may close the state', function()
    local r = proc.run(WEFT .. [[
      weft.go(function() weft.sleep(10) end)
      weft.go(function() io.write 'kept' os.exit(4, true) end)
      weft.sleep(10)
    ]])
    assert.same({ 4, 'kept', '' }, { r.status, r.out, r.err })
  end)
end)

describe('standard output', function()
  it('is flushed at every end', function()
    for last, status in pairs { [''] = 0, ["error 'x'"] = 2, ['weft.chan():recv()'] = 2,
      ['weft.go(error, "x") weft.sleep(1)'] = 2 } do
      local r = proc.run(WEFT .. "io.stdout:setvbuf 'full' io.write 'kept' " .. last)
      assert.same({ status, 'kept' }, { r.status, r.out })
    end
  end)

  it('may be closed', function()
    local r = proc.run(WEFT .. [[
      weft.go(print, 'x')
      weft.sleep(0.001)
      print 'y'
    ]], { redirect = '>&-' })
    assert.is_true(r.status == 0 or r.status == 1, 'status ' .. r.status)
  end)
end)

describe('a deadlock', function()
  it('is told with every task\'s state and stack: status 2', function()
    local r = proc.run(WEFT .. [[

      local jobs = weft.name(weft.chan(), 'jobs-label')
      local m = weft.sync.mutex()
      m:lock()
      local function worker()
        m:lock()
        return true
      end
      weft.go(worker)
      io.write 'kept'
      jobs:recv()
    ]])
    assert.same({ 2, 'kept' }, { r.status, r.out })
    assert.equals(1, (r.err:find('fatal error: all tasks are asleep - deadlock!', 1, true)))
    has(r.err, 'task 1', 'chan receive', 'jobs-label', r.where(11))
    has(r.err, 'mutex', r.where(6), 'created by task 1 at ' .. r.where(9))
  end)

  it('is told for every way to wait for ever', function()
    for code, state in pairs {
      ['weft.chan():recv()'] = 'chan receive',
      ['weft.chan():send(1)'] = 'chan send',
      ['for _ in weft.chan() do end'] = 'chan receive',
      ['weft.select()'] = 'select',
      ['weft.select(nil, nil)'] = 'select',
      ['weft.select {}'] = 'select',
      ['weft.select(weft.chan())'] = 'select',
      ['local m = weft.sync.mutex() m:lock() m:lock()'] = 'mutex',
      ['local wg = weft.sync.waitgroup() wg:add(1) wg:wait()'] = 'waitgroup',
      ['weft.async(function() weft.chan():recv() end):await()'] = 'await',
      ['coroutine.wrap(function() weft.chan():recv() end)()'] = 'chan receive',
    } do
      local r = proc.run(WEFT .. code)
      assert.equals(2, r.status, code)
      has(r.err, 'fatal error: all tasks are asleep - deadlock!', state)
    end
  end)

  it('tells how long each has waited', function()
    local r = proc.run(WEFT .. [[
      weft.go(function() weft.chan():recv() end)
      weft.sleep(7200)
      weft.chan():recv()
    ]], { virtual = true })
    assert.equals(2, r.status)
    assert.is_truthy(r.err:find('7200') or r.err:find('2 h') or r.err:find('120 m')
      or r.err:find('2h'), r.err)
  end)

  it('is not told while anything can still happen', function()
    local r = proc.run(WEFT .. [[
      local ch = weft.chan()
      weft.go(function() weft.sleep(0.02) ch:send 'late' end)
      print(ch:recv())
    ]])
    assert.same({ 0, 'late\n', '' }, { r.status, r.out, r.err })
  end)

  it('is told when only other tasks are left in a circle', function()
    local r = proc.run(WEFT .. [[
      local a, b = weft.chan(), weft.chan()
      weft.go(function() a:recv() b:send(1) end)
      weft.go(function() b:recv() a:send(1) end)
      weft.sleep(0.001)
      a:recv()
    ]])
    assert.equals(2, r.status)
    local _, n = r.err:gsub('chan receive', '')
    assert.is_true(n >= 3, r.err)
  end)
end)

describe('a panic\'s value', function()
  local function panic(code, ...)
    for _, way in ipairs { '%s', 'weft.go(function() %s end) weft.sleep(5)' } do
      local r = proc.run(WEFT .. way:format(code))
      assert.equals(2, r.status, code .. ': ' .. r.err)
      assert.equals(1, (r.err:find('panic: ', 1, true)), r.err)
      has(r.err, ...)
    end
  end

  it('may be a string with anything in it', function()
    panic("error('two\\nlines', 0)", 'panic: two\nlines')
    panic("error('a\\0b', 0)", 'panic: a')
    panic("error('', 0)", 'panic: ')
    panic("error(('long'):rep(100000), 0)", 'panic: longlong')
  end)

  it('may be no string', function()
    panic('error(42, 0)', 'panic: 42')
    panic('error {}', 'table')
    panic('error()', 'nil')
    panic('error(nil)', 'nil')
    panic('error(true)', 'panic: ')
    panic('error(print)', 'function')
    panic('error(weft.chan())', 'panic: ')
  end)

  it('may have __tostring', function()
    panic("error(setmetatable({}, { __tostring = function() return 'by me' end }))",
      'panic: by me')
  end)

  it('may fail to be written', function()
    panic("error(setmetatable({}, { __tostring = function() error 'again' end }))", 'panic: ')
    panic('error(setmetatable({}, { __tostring = function() return {} end }))', 'panic: ')
    panic('error(setmetatable({}, { __tostring = function() end }))', 'panic: ')
    panic('error(setmetatable({}, { __tostring = function() weft.sleep(1) end }))', 'panic: ')
    panic('error(setmetatable({}, { __tostring = 5 }))', 'panic: ')
    panic([[local e = setmetatable({}, {})
      getmetatable(e).__tostring = function() error(e) end error(e)]], 'panic: ')
    panic([[local function deep() return 1 + deep() end
      error(setmetatable({}, { __tostring = deep }))]], 'panic: ')
  end)

  it('may meet a handler that fails itself', function()
    local r = proc.run(WEFT .. [[
      weft.on_panic(function() error 'in the handler' end)
      weft.go(function() error 'first' end)
      weft.sleep(0.001)
    ]], { virtual = true })
    assert.is_true(r.status == 0 or r.status == 2, 'status ' .. r.status)
    has(r.err, 'in the handler')
  end)
end)

describe('standard error', function()
  it('may be closed: the status tells', function()
    for _, last in ipairs { "error 'x'", 'weft.chan():recv()', 'weft.go(error) weft.sleep(1)' } do
      local r = proc.run(WEFT .. 'io.write "kept" ' .. last, { redirect = '2>&-' })
      assert.same({ 2, 'kept' }, { r.status, r.out })
      r = proc.run(WEFT .. 'io.write "kept" io.stderr:close() ' .. last)
      assert.same({ 2, 'kept' }, { r.status, r.out })
    end
    local r = proc.run('x = = 1', { redirect = '2>&-' })
    assert.equals(1, r.status)
  end)

  it('may be full', function()
    local r = proc.run(WEFT .. "error 'x'", { redirect = '2>/dev/full' })
    assert.equals(2, r.status)
  end)
end)

describe('a script that does not compile', function()
  it('gets one line and status 1', function()
    local r = proc.run "local x = 1\nx = = 2\n"
    assert.same({ 1, '' }, { r.status, r.out })
    one_line(r.err)
    has(r.err, r.where(2))
    r = proc.run "print 'unfinished"
    assert.same({ 1, '' }, { r.status, r.out })
    one_line(r.err)
  end)

  it('is told alike from -e and standard input', function()
    local input = { stdin = 'x = = 2' }
    for _, r in ipairs { proc.weft { '-e', 'x = = 2' }, proc.weft({ '-' }, input) } do
      assert.same({ 1, '' }, { r.status, r.out })
      one_line(r.err)
    end
  end)
end)

describe('the stack\'s limit', function()
  it('reached in a task is that task\'s error', function()
    local function deep(n) return 1 + deep(n + 1) end
    local f = weft.async(function() return deep(1) end)
    local ok, err = f:try()
    assert.is_false(ok)
    has(tostring(err), 'stack overflow')
    weft.go(function() deep(1) end)
    util.settle()
    local panics = util.take_panics()
    assert.equals(1, #panics)
    has(tostring(panics[1].err), 'stack overflow')
  end)

  it('can be caught, and the task goes on to block', function()
    local function deep(n) return 1 + deep(n + 1) end
    local ch = weft.chan()
    local r = util.start(function()
      local ok, err = pcall(deep, 1)
      local in_coroutine = coroutine.wrap(function() return pcall(deep, 1) end)()
      return ok, err, in_coroutine, (ch:recv())
    end)
    assert.is_false(r.done)
    ch:send 'v'
    util.settle()
    assert.same({ false, false, 'v' }, { r[1], r[3], r[4] })
    has(r[2], 'stack overflow')
  end)

  it('by C functions that call back is an error too', function()
    local function compare() table.sort({ 1, 2, 3 }, compare) end
    local f = weft.async(compare)
    local ok, err = f:try()
    assert.is_false(ok)
    has(tostring(err), 'overflow')
  end)

  it('by coroutines in coroutines is an error too', function()
    local r = proc.run(WEFT .. [[
      local function down() return coroutine.wrap(down)() end
      weft.go(function() print(pcall(down)) end)
      weft.sleep(0.001)
    ]], { virtual = true })
    assert.equals(0, r.status, r.err)
    has(r.out, 'false')
    has(r.out, 'overflow')
  end)
end)

describe('memory', function()
  -- 1.5 GB of address space; a sanitizer needs more than that to start. Where the collector never
  -- rests it takes long to use up so much.
  local limit = { before = ('ulimit -v %d &&'):format(proc.torture() and 300000 or 1500000) }

  it('that is used up is an error, and everything is usable afterwards', function()
    if proc.watched() then pending 'who watches needs the memory' end
    local r = proc.run(WEFT .. [[
      local ch, m = weft.chan(2), weft.sync.mutex()
      local function hoard()
        local list = {}
        for i = 1, 1e9 do list[i] = ('x'):rep(1e5) .. i end
      end
      local f = weft.async(hoard)
      local ok, err = f:try()
      print(ok, tostring(err):match 'not enough memory')
      f, err = nil, nil
      collectgarbage()
      ch:send 'v'
      m:lock()
      m:unlock()
      weft.go(function() ch:send 'w' end)
      weft.sleep(0.001)
      print(ch:recv(), ch:recv())
    ]], limit)
    assert.same({ 0, 'false\tnot enough memory\nv\tw\n', '' }, { r.status, r.out, r.err })
  end)

  it('that is used up uncaught is a panic', function()
    if proc.watched() then pending 'who watches needs the memory' end
    local r = proc.run(WEFT .. [[
      weft.go(function()
        local list = {}
        for i = 1, 1e9 do list[i] = ('x'):rep(1e5) .. i end
      end)
      weft.sleep(100)
    ]], limit)
    assert.equals(2, r.status)
    has(r.err, 'panic: ', 'not enough memory')
  end)

  it('used up by tasks and channels is an error, never a crash', function()
    if proc.watched() then pending 'who watches needs the memory' end
    local r = proc.run(WEFT .. [[
      local function hoard()
        local keep = {}
        for i = 1, 1e9 do
          local ch = weft.chan(100)
          keep[i] = ch
          weft.go(function() for _ in ch do end end)
          if i % 1000 == 0 then weft.yield() end
        end
      end
      local ok, err = pcall(hoard)
      print(ok, (tostring(err):match 'memory'))
    ]], limit)
    assert.is_true(r.status == 0 or r.status == 2, 'status ' .. r.status .. r.err:sub(1, 500))
    has(r.out .. r.err, 'memory')
  end)
end)

describe('an error in a finaliser', function()
  it('is readable, and no crash', function()
    local r = proc.run(WEFT .. [[
      local function lose()
        getmetatable(newproxy(true)).__gc = function() error 'in a finaliser' end
      end
      lose()
      for _ = 1, 3 do pcall(collectgarbage) end
      weft.sleep(0.001)
      lose()
      collectgarbage()
      collectgarbage()
      print 'end'
    ]])
    assert.is_true(r.status == 0 or r.status == 2, 'status ' .. r.status)
    has(r.out .. r.err, 'in a finaliser')
  end)

  -- Compiled code is left out: there LuaJIT itself crashes (a finaliser that raises, coroutines,
  -- no weft: `luajit -joff` goes on where `luajit` does not).
  it('at any moment does not break the scheduler', function()
    for step = 1, 10 do
      local r = proc.run(WEFT .. ([[
        jit.off()
        collectgarbage('setstepmul', %d)
        local caught = 0
        weft.on_panic(function() caught = caught + 1 end)
        local function round(i)
          getmetatable(newproxy(true)).__gc = function() error 'in a finaliser' end
          local ch = weft.chan()
          weft.go(function() ch:recv() end)
          weft.time.after_func(0, function() return { i } end)
          ch:send { i }
        end
        for i = 1, 2000 do pcall(round, i) end
        weft.sleep(0.001)
        print 'end'
      ]]):format(50 * step))
      if r.status ~= 0 then
        assert.equals(2, r.status, r.err)
        has(r.err, 'in a finaliser')
      else
        assert.equals('end\n', r.out)
      end
    end
  end)
end)
