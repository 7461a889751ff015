-- SPDX-License-Identifier: MIT
-- C functions that call back: a blocking call below one raises, and leaves nothing queued.
-- Subject: runtime/task/park.c

local weft = require 'weft'
local ffi = require 'ffi'
local util = require 'support.util'
local proc = require 'support.proc'
local settle, start, has = util.settle, util.start, util.has

local WORDS = 'across a C-call boundary'

-- Every kind of call that has to wait, and what tells that nothing of it is left.
local function blocking_calls()
  local ch, full = weft.chan(), weft.chan(1)
  full:send 'old'
  local m, wg = weft.sync.mutex(), weft.sync.waitgroup()
  m:lock()
  wg:add(1)
  local gate = weft.chan()
  local f = weft.async(function() return (gate:recv()) end)
  settle()
  local calls = {
    recv = function() return ch:recv() end,
    send = function() return ch:send 'lost' end,
    send_full = function() return full:send 'lost' end,
    iterate = function() for _ in ch do error 'no value' end end,
    select = function() return weft.select(ch, full:sending 'lost') end,
    select_named = function() return weft.select { a = ch, b = full:sending 'lost' } end,
    sleep = function() return weft.sleep(5) end,
    lock = function() return m:lock() end,
    with = function() return m:with(error, 'not reached') end,
    wait = function() return wg:wait() end,
    await = function() return f:await() end,
    try = function() return f:try() end,
    map = function() return weft.map({ 1 }, function() weft.sleep(1) end) end,
    coroutine = function() return coroutine.wrap(function() return ch:recv() end)() end,
  }
  local function check()
    util.nobody_waits(ch)
    assert.same({ 1, 'old' }, { full:len(), (full:recv()) })
    util.nobody_waits(full)
    full:send 'old'
    assert.is_false(m:try_lock())
  end
  local function finish()
    gate:send 'v'
    f:await()
    m:unlock()
    assert.is_true(m:try_lock())
    wg:done()
    weft.sleep(10)
  end
  return calls, check, finish
end

-- through(call) runs call below a C function and gives back what pcall gave around it, inside or
-- outside of the C function.
local function refuses(through, ...)
  local calls, check, finish = blocking_calls()
  for name, call in pairs(calls) do
    local ok, err = through(call)
    if ok ~= false then error(name .. ' did not raise', 0) end
    has(tostring(err), WORDS, ...)
    check()
  end
  finish()
end

describe('a blocking call below', function()
  it('a comparator of table.sort', function()
    refuses(function(call)
      return pcall(function()
        table.sort({ 3, 1, 2 }, function() return call() end)
      end)
    end, 'sort')
  end)

  it('a function that is called by pcall: no other function is blamed', function()
    local function innocent() return pcall(table.sort, { 2, 1 }, function() weft.sleep(1) end) end
    local ok, err = innocent()
    assert.is_false(ok)
    has(err, WORDS)
    assert.is_nil((err:find('innocent', 1, true)), err)
  end)

  it('a callback of string.gsub', function()
    refuses(function(call)
      return pcall(function()
        local out = string.gsub('a', 'a', function() call() end)
        return out
      end)
    end, 'gsub')
  end)

  it('a reader of load', function()
    refuses(function(call)
      local inner
      local chunk, err = load(function() inner = { pcall(call) } end)
      if inner then return inner[1], inner[2] end
      return chunk ~= nil, err
    end, 'load')
    -- the error of a reader is what load returns
    for _, reader in ipairs { function() weft.sleep(1) end, function() error(WORDS, 0) end } do
      local chunk, err = load(reader)
      assert.is_nil(chunk)
      has(err, WORDS)
    end
  end)

  it('a handler of xpcall', function()
    refuses(function(call)
      local inner
      xpcall(error, function() inner = { pcall(call) } end, 'x')
      return inner[1], inner[2]
    end)
  end)

  it('__tostring, under print', function()
    refuses(function(call)
      return pcall(print, setmetatable({}, { __tostring = function() call() return '' end }))
    end)
  end)

  it('__tostring, under tostring, at least says so where it cannot wait', function()
    local slow = setmetatable({}, { __tostring = function()
      weft.sleep(1)
      return 'slow'
    end })
    local dt, ok, text = util.elapsed(pcall, tostring, slow)
    if ok then
      util.near(1, dt)
      assert.equals('slow', text)
    else
      assert.equals(0, dt)
      has(text, WORDS)
    end
  end)

  it('a debug hook', function()
    refuses(function(call)
      local inner
      debug.sethook(function()
        debug.sethook()
        inner = { pcall(call) }
      end, '', 1)
      for _ = 1, 1000 do
        if inner then break end
      end
      debug.sethook()
      return inner[1], inner[2]
    end)
  end)

  it('a finaliser', function()
    refuses(function(call)
      local inner
      local function lose()
        getmetatable(newproxy(true)).__gc = function() inner = { pcall(call) } end
      end
      lose()
      for _ = 1, 10 do
        if inner then break end
        collectgarbage()
      end
      return inner[1], inner[2]
    end)
  end)

  it('a finaliser of ffi.gc', function()
    refuses(function(call)
      local inner
      local function lose()
        ffi.gc(ffi.new 'int[1]', function() inner = { pcall(call) } end)
      end
      lose()
      for _ = 1, 10 do
        if inner then break end
        collectgarbage()
      end
      return inner[1], inner[2]
    end)
  end)

  it('a callback of the FFI', function()
    ffi.cdef 'void qsort(void *, size_t, size_t, int (*)(const void *, const void *));'
    local data = ffi.new('int[3]', { 3, 1, 2 })
    refuses(function(call)
      local inner
      local cb = ffi.cast('int (*)(const void *, const void *)', function()
        inner = inner or { pcall(call) }
        return 0
      end)
      jit.off(true, true)  -- compiled code cannot call what calls back: LuaJIT's rule
      ffi.C.qsort(data, 3, 4, cb)
      cb:free()
      return inner[1], inner[2]
    end)
  end)

  it('a generator that is resumed inside a comparator', function()
    refuses(function(call)
      local gen = coroutine.wrap(function() while true do coroutine.yield(call()) end end)
      return pcall(table.sort, { 3, 1, 2 }, function() return gen() end)
    end)
    refuses(function(call)
      local ok, err
      table.sort({ 2, 1 }, function(a, b)
        ok, err = coroutine.resume(coroutine.create(function()
          return coroutine.wrap(function() call() end)()
        end))
        return a < b
      end)
      return ok, err
    end)
  end)

  it('a comparator inside a coroutine', function()
    refuses(function(call)
      return pcall(coroutine.wrap(function()
        table.sort({ 2, 1 }, function() return call() end)
      end))
    end, 'sort')
  end)
end)

describe('after such a call was refused', function()
  it('the task goes on and may block elsewhere', function()
    local ch = weft.chan()
    local r = start(function()
      pcall(table.sort, { 2, 1 }, function() return ch:recv() end)
      weft.sleep(1)
      return (ch:recv())
    end)
    weft.sleep(2)
    assert.is_false(r.done)
    ch:send 'v'
    settle()
    assert.equals('v', r[1])
  end)

  it('an uncaught one is the task\'s error', function()
    local f = weft.async(function()
      table.sort({ 2, 1 }, function() weft.sleep(1) end)
    end)
    local ok, err = f:try()
    assert.is_false(ok)
    has(err, WORDS, 'sort', 'boundary_spec.lua:')
  end)

  it('a sort that is told by a pcall inside still sorts', function()
    local list = { 5, 3, 1, 4, 2 }
    table.sort(list, function(a, b)
      assert(not pcall(weft.sleep, 1))
      return a < b
    end)
    assert.same({ 1, 2, 3, 4, 5 }, list)
  end)

  it('no sleep is left: a program that goes on to wait is deadlocked at once', function()
    local r = proc.run [[
      local weft = require 'weft'
      pcall(table.sort, { 2, 1 }, function() weft.sleep(1000) end)
      weft.chan():recv()
    ]]
    assert.equals(2, r.status)
    has(r.err, 'all tasks are asleep - deadlock!')
  end)

  it('later finalisers still run', function()
    local n = 0
    local function lose()
      for _ = 1, 10 do
        getmetatable(newproxy(true)).__gc = function()
          n = n + 1
          pcall(weft.sleep, 1)
        end
      end
    end
    for _ = 1, 3 do
      lose()
      for _ = 1, 3 do collectgarbage() end
    end
    assert.is_true(n >= 25, n .. ' of 30 ran')
  end)

  it('the collector is still on', function()
    local function lose()
      getmetatable(newproxy(true)).__gc = function() weft.sleep(1) end
    end
    lose()
    for _ = 1, 3 do pcall(collectgarbage) end
    local before = collectgarbage 'count'
    local keep
    for i = 1, 200000 do keep = { i, keep and keep[1] } end
    assert.is_not_nil(keep)
    assert.is_true(collectgarbage 'count' < before + 8000, 'garbage was collected')
    settle()
    util.take_panics()
  end)
end)

describe('calls that cannot block work below a C function', function()
  it('a finaliser may start a task that blocks', function()
    local ch = weft.chan()
    local function lose()
      getmetatable(newproxy(true)).__gc = function()
        weft.go(function()
          weft.sleep(1)
          ch:send 'cleaned up'
        end)
      end
    end
    lose()
    for _ = 1, 3 do collectgarbage() end
    local ctx = weft.context.with_timeout(weft.context.background(), 100)
    assert.equals('cleaned up', (ch:recv(ctx)))
    settle()
  end)

  it('a select by name in a finaliser, its loop compiled for names of another type', function()
    local r = proc.run([[
      local weft = require 'weft'
      local a, b = weft.chan(), weft.chan()
      for _ = 1, 1000 do weft.select { a = a, b = b, default = true } end
      local function lose()
        getmetatable(newproxy(true)).__gc = function()
          print((weft.select { a, b, [true] = a, default = true }))
        end
      end
      lose()
      for _ = 1, 3 do collectgarbage() end
    ]], { seconds = 20 })
    assert.equals(0, r.status, 'hung? ' .. r.err)
    assert.equals('default\n', r.out)
  end)

  it('go, try_send, try_recv, close, len, cancel', function()
    local ch, ran, cancelled = weft.chan(2), 0, nil
    local ctx, cancel = weft.context.with_cancel(weft.context.background())
    table.sort({ 2, 1 }, function(a, b)
      weft.go(function() ran = ran + 1 end)
      ch:try_send(a)
      ch:try_recv()
      ch:try_recv()
      assert(ch:len() == 0)
      cancel()
      cancelled = ctx:err()
      return a < b
    end)
    assert.equals('context canceled', cancelled)
    settle()
    assert.is_true(ran > 0)
    assert.equals('ok', (('x'):gsub('x', function()
      ch:close()
      return 'ok'
    end)))
  end)
end)
