-- SPDX-License-Identifier: MIT
-- Wrong arguments and wrong objects: an error at the caller's line, and no change of state.
-- Subject: runtime/lib/arg.c

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local has, settle = util.has, util.settle

-- One of everything; `state` tells whether a call has changed anything.
local function world()
  local w = {
    weft = weft, time = weft.time, context = weft.context, sync = weft.sync,
    ch = weft.chan(2), m = weft.sync.mutex(), wg = weft.sync.waitgroup(),
    g = weft.errgroup.new(), flights = weft.singleflight.new(), b = weft.broadcast.new(),
    lim = weft.rate.limiter(1, 1), s = weft.supervisor.new(), sm = weft.sync.semaphore(1),
    rw = weft.sync.rwmutex(), o = weft.sync.once(), map = weft.sync.map(),
    t = weft.time.timer(1000), k = weft.time.ticker(1000),
    fn = function() error 'must not run' end,
  }
  w.ch:send 'kept'
  w.f = weft.async(function() return 1 end)
  w.f:await()
  w.ctx, w.cancel = weft.context.with_cancel(weft.context.background())
  local tasks = weft.ntasks()
  function w.check()
    assert.equals(tasks, weft.ntasks())
    assert.equals(1, w.ch:len())
    assert.is_false(w.ch:is_closed())
    assert.is_true(w.m:try_lock())
    w.m:unlock()
    assert.equals(0, (util.elapsed(w.wg.wait, w.wg)))
    assert.is_nil((w.ctx:err()))
  end
  function w.finish()
    assert.is_true(w.t:stop())
    assert.is_true(w.k:stop())
    w.cancel()
    settle()
  end
  return w
end

-- Runs `code` on line 2 of a chunk of its own; its error, less the position of that line.
local function misuse(w, code)
  local chunk = assert(loadstring('-- line 1\n' .. code, '=misuse'))
  local ok, err = pcall(setfenv(chunk, w))
  if ok then error(code .. ' did not raise', 0) end
  local message = tostring(err):match('^misuse:2: (.*)$')
  if not message then error(code .. ' raised without its position: ' .. tostring(err), 0) end
  return message
end

-- What came may be told by its type or, a number, by itself; a missing one also as nil.
local function came_is(message, came)
  local told = message:match('expected, got ([^;]*);') or message:match('expected, got (.*)%)$')
  if came == 'number' and tonumber(told) then return end
  if came == 'no value' and told == 'nil' then return end
  has(told, came)
end

-- { code, number of the argument, name of the function, what is expected (part), what came }
local wrong = {
  { 'weft.chan(-1)', 1, 'chan', 'integer >= 0', '-1' },
  { 'weft.chan(1.5)', 1, 'chan', 'integer >= 0', '1.5' },
  { 'weft.chan(0/0)', 1, 'chan', 'integer >= 0', 'nan' },
  { 'weft.chan(1/0)', 1, 'chan', 'integer', 'inf' },
  { 'weft.chan("x")', 1, 'chan', 'integer >= 0', 'string' },
  { 'weft.chan({})', 1, 'chan', 'integer >= 0', 'table' },
  { 'weft.chan(true)', 1, 'chan', 'integer >= 0', 'boolean' },
  { 'weft.go()', 1, 'go', 'function', 'no value' },
  { 'weft.go(nil)', 1, 'go', 'function', 'nil' },
  { 'weft.go(42)', 1, 'go', 'function', 'number' },
  { 'weft.go("f", fn)', 1, 'go', 'function', 'string' },
  { 'weft.async()', 1, 'async', 'function', 'no value' },
  { 'weft.async(42)', 1, 'async', 'function', 'number' },
  { 'weft.defer()', 1, 'defer', 'function', 'no value' },
  { 'weft.defer({})', 1, 'defer', 'function', 'table' },
  { 'weft.on_panic(42)', 1, 'on_panic', 'function', 'number' },
  { 'weft.sleep()', 1, 'sleep', 'number', 'no value' },
  { 'weft.sleep("x")', 1, 'sleep', 'number', 'string' },
  { 'weft.sleep({})', 1, 'sleep', 'number', 'table' },
  { 'weft.sleep(0/0)', 1, 'sleep', 'number', 'nan' },
  { 'weft.sleep(1, 5)', 2, 'sleep', 'context', 'number' },
  { 'weft.sleep(1, ch)', 2, 'sleep', 'context', '' },
  { 'weft.sleep(0, {})', 2, 'sleep', 'context', 'table' },
  { 'weft.select(42)', 1, 'select', '', 'number' },
  { 'weft.select(ch, "x")', 2, 'select', '', 'string' },
  { 'weft.select(nil, ctx)', 2, 'select', '', '' },
  { 'weft.select(m, weft.default)', 1, 'select', '', '' },
  { 'weft.select(false)', 1, 'select', '', 'boolean' },
  { 'weft.select(t, weft.default)', 1, 'select', '', '' },
  { 'weft.select(ch, k)', 2, 'select', '', '' },
  { 'weft.select(ch, { [0] = ch })', 2, 'select', '', 'table' },
  { 'weft.select(ch, {})', 2, 'select', '', 'table' },
  { 'time.sleep()', 1, 'sleep', 'number', 'no value' },
  { 'time.after()', 1, 'after', 'number', 'no value' },
  { 'time.after({})', 1, 'after', 'number', 'table' },
  { 'time.after(0/0)', 1, 'after', 'number', 'nan' },
  { 'time.timer()', 1, 'timer', 'number', 'no value' },
  { 'time.timer("x")', 1, 'timer', 'number', 'string' },
  { 'time.timer(0/0)', 1, 'timer', 'number', 'nan' },
  { 'time.after_func()', 1, 'after_func', 'number', 'no value' },
  { 'time.after_func(1)', 2, 'after_func', 'function', 'no value' },
  { 'time.after_func(1, 5)', 2, 'after_func', 'function', 'number' },
  { 'time.after_func("x", fn)', 1, 'after_func', 'number', 'string' },
  { 'time.ticker()', 1, 'ticker', 'number', 'no value' },
  { 'time.ticker(0)', 1, 'ticker', '', '0' },
  { 'time.ticker(-1)', 1, 'ticker', '', '-1' },
  { 'time.ticker({})', 1, 'ticker', 'number', 'table' },
  { 'time.tick(0)', 1, 'tick', '', '0' },
  { 'time.tick()', 1, 'tick', 'number', 'no value' },
  { 't:reset()', 1, 'reset', 'number', 'no value' },
  { 't:reset("x")', 1, 'reset', 'number', 'string' },
  { 't:reset(0/0)', 1, 'reset', 'number', 'nan' },
  { 'k:reset()', 1, 'reset', 'number', 'no value' },
  { 'k:reset(0)', 1, 'reset', '', '0' },
  { 'context.with_cancel()', 1, 'with_cancel', 'context', 'no value' },
  { 'context.with_cancel(5)', 1, 'with_cancel', 'context', 'number' },
  { 'context.with_cancel(ch)', 1, 'with_cancel', 'context', '' },
  { 'context.with_timeout(ctx)', 2, 'with_timeout', 'number', 'no value' },
  { 'context.with_timeout(ctx, {})', 2, 'with_timeout', 'number', 'table' },
  { 'context.with_timeout(ctx, 0/0)', 2, 'with_timeout', 'number', 'nan' },
  { 'context.with_timeout(5, 1)', 1, 'with_timeout', 'context', 'number' },
  { 'context.with_deadline(ctx, "x")', 2, 'with_deadline', 'number', 'string' },
  { 'context.with_deadline(nil, 1)', 1, 'with_deadline', 'context', 'nil' },
  { 'context.with_deadline(ctx)', 2, 'with_deadline', 'number', 'nil' },
  { 'context.with_deadline(ctx, 0/0)', 2, 'with_deadline', 'number', 'nan' },
  { 'context.with_value({}, 1, 1)', 1, 'with_value', 'context', 'table' },
  { 'context.with_value(ctx, nil, 1)', 2, 'with_value', '', 'nil' },
  { 'context.without_cancel()', 1, 'without_cancel', 'context', 'no value' },
  { 'context.after_func(fn)', 1, 'after_func', 'context', 'function' },
  { 'context.after_func(ctx)', 2, 'after_func', 'function', 'no value' },
  { 'ch:recv(5)', 1, 'recv', 'context', 'number' },
  { 'ch:recv(m)', 1, 'recv', 'context', '' },
  { 'ch:send(1, 5)', 2, 'send', 'context', 'number' },
  { 'ch:send(1, {})', 2, 'send', 'context', 'table' },
  { 'ch:iter("x")', 1, 'iter', 'context', 'string' },
  { 'f:await(5)', 1, 'await', 'context', 'number' },
  { 'f:try("x")', 1, 'try', 'context', 'string' },
  { 'm:lock(5)', 1, 'lock', 'context', 'number' },
  { 'm:with()', 1, 'with', 'function', 'no value' },
  { 'm:with(5)', 1, 'with', 'function', 'number' },
  { 'wg:add()', 1, 'add', 'integer', 'no value' },
  { 'wg:add(1.5)', 1, 'add', 'integer', '1.5' },
  { 'wg:add("x")', 1, 'add', 'integer', 'string' },
  { 'wg:add(0/0)', 1, 'add', 'integer', 'nan' },
  { 'wg:wait(5)', 1, 'wait', 'context', 'number' },
  { 'wg:go()', 1, 'go', 'function', 'no value' },
  { 'wg:go(5)', 1, 'go', 'function', 'number' },
}

describe('a wrong argument', function()
  for _, case in ipairs(wrong) do
    local code, n, name, expected, came = unpack(case)
    it('in ' .. code, function()
      local w = world()
      local message = misuse(w, code)
      has(message, ("bad argument #%d to '%s' ("):format(n, name))
      assert.is_truthy(message:find('%(.*expected, got .*%)$'), message)
      has(message, expected)
      came_is(message, came)
      w.check()
      w.finish()
    end)
  end

  it('reads as the contract says', function()
    local w = world()
    assert.equals("bad argument #1 to 'chan' (integer >= 0 expected, got -1)",
      misuse(w, 'weft.chan(-1)'))
    w.finish()
  end)

  it('in the names form of select names the case', function()
    local w = world()
    has(misuse(w, 'weft.select { job = ch, wrong = 5 }'), 'select', 'wrong', 'number')
    w.check()
    w.finish()
  end)

  it('is an error at the caller\'s line also from inside a coroutine', function()
    local w = world()
    w.coroutine = coroutine
    has(misuse(w, 'coroutine.wrap(function() weft.chan(-1) end)()'), "to 'chan'")
    w.finish()
  end)

  it('is an error also where nobody called: by pcall, by go', function()
    local ok, err = pcall(weft.chan, -1)
    assert.is_false(ok)
    has(err, 'integer >= 0 expected, got -1')
    local f = weft.async(weft.chan, -1)
    ok, err = f:try()
    assert.is_false(ok)
    has(err, 'integer >= 0 expected, got -1')
  end)
end)

-- object (a name of world's) -> the word for it, its methods
local objects = {
  ch = { 'channel', 'send', 'recv', 'try_send', 'try_recv', 'close', 'iter', 'len', 'cap',
    'is_closed', 'sending', 'send_only', 'recv_only' },
  m = { 'mutex', 'lock', 'try_lock', 'unlock', 'with' },
  wg = { 'waitgroup', 'add', 'done', 'wait', 'go' },
  ctx = { 'context', 'done', 'err', 'cause', 'deadline', 'value' },
  f = { 'future', 'await', 'try', 'traceback', 'done' },
  g = { 'errgroup', 'go', 'spawn', 'try_go', 'set_limit', 'wait' },
  flights = { 'singleflight', 'call', 'forget' },
  lim = { 'limiter', 'wait', 'allow', 'reserve' },
  b = { 'broadcast', 'subscribe', 'publish' },
  s = { 'supervisor', 'add', 'run' },
  sm = { 'semaphore', 'acquire', 'try_acquire', 'release', 'with' },
  rw = { 'rwmutex', 'rlock', 'runlock', 'try_rlock', 'lock', 'unlock', 'try_lock', 'with',
    'rwith' },
  o = { 'once', 'call' },
  map = { 'map', 'load', 'store', 'load_or_store', 'load_and_delete', 'swap', 'delete',
    'compare_and_swap', 'range', 'len' },
  t = { 'timer', 'stop', 'reset' },
  k = { 'ticker', 'stop', 'reset' },
}

describe('a method', function()
  it('with a dot for a colon says so', function()
    local w = world()
    assert.equals('calling \'send\' on bad self (channel expected, got number; '
      .. 'use ch:send(...), not ch.send(...))', misuse(w, 'ch.send(5)'))
    w.check()
    w.finish()
  end)

  for object, list in pairs(objects) do
    for i = 2, #list do
      local method = list[i]
      it(('%s.%s called with a dot, or on something else'):format(object, method), function()
        local w = world()
        for args, came in pairs { [''] = 'no value', ['5'] = 'number', ['{}'] = 'table',
          ['nil, 1'] = 'nil', ['fn'] = 'function', ['"text", 1'] = 'string' } do
          local message = misuse(w, ('%s.%s(%s)'):format(object, method, args))
          has(message, ("calling '%s' on bad self ("):format(method),
            (':%s('):format(method), ('.%s('):format(method))
          came_is(message, came)
          -- a ticker may call itself a timer, and words may have capitals
          if object ~= 'k' then has(message:lower(), list[1] .. ' expected') end
        end
        w.check()
        w.finish()
      end)
    end
  end

  it('on an object of another kind raises, whatever the two are', function()
    local w = world()
    for object, list in pairs(objects) do
      for i = 2, #list do
        for other in pairs(objects) do
          local alike = other == object or (object == 't' and other == 'k')
            or (object == 'k' and other == 't')
          if not alike then
            has(misuse(w, ('%s.%s(%s, 1)'):format(object, list[i], other)),
              ("calling '%s' on bad self ("):format(list[i]))
          end
        end
      end
    end
    w.check()
    w.finish()
  end)
end)

describe('an object whose insides a script overwrites', function()
  it('raises or goes wrong, and never crashes', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.on_panic(function() end)
      local odd = { false, -1, 0, 1, 6, 7, 1e9, -1e9, 0 / 0, 1 / 0, 2.5, 'x', {}, print,
        weft.chan(), weft.chan(3), newproxy(true), coroutine.create(print) }
      local function make()
        local full = weft.chan(3)
        full:send(1)
        full:send(2)
        local wg = weft.sync.waitgroup()
        wg:add(1)
        local ctx = weft.context.with_timeout(weft.context.background(), 1)
        return { full, weft.chan(), weft.sync.mutex(), wg, ctx, weft.time.timer(1),
          weft.time.ticker(1), weft.time.after_func(1, print), weft.async(print, ''),
          full:sending(5), full:send_only(), full:recv_only() }
      end
      local methods = { 'send', 'recv', 'try_send', 'try_recv', 'len', 'cap', 'is_closed', 'close',
        'sending', 'lock', 'try_lock', 'unlock', 'with', 'add', 'done', 'wait', 'go', 'err',
        'cause', 'deadline', 'value', 'stop', 'reset', 'await', 'try', 'traceback' }
      local n = 0
      local function abuse(object, v)
        local ctx = weft.context.with_timeout(weft.context.background(), 0.5)
        for _, name in ipairs(methods) do
          local ok, f = pcall(function() return object[name] end)
          if ok and type(f) == 'function' then
            n = n + 1
            weft.go(pcall, f, object, v)
            weft.go(pcall, f, object, ctx)
          end
        end
        weft.go(pcall, weft.select, object, weft.default)
        weft.go(pcall, weft.select, object, ctx:done())
      end
      for slot = 0, 8 do
        for _, v in ipairs(odd) do
          for _, object in ipairs(make()) do
            if type(object) == 'table' then
              -- somebody waits on it already
              abuse(object, v)
              weft.sleep(1e-6)
              pcall(rawset, object, slot, v)
              abuse(object, v)
            end
          end
          for k, object in ipairs(make()) do
            if type(object) == 'table' then
              local other = make()[k % 12 + 1]
              if type(other) == 'table' then rawset(object, slot, rawget(other, slot)) end
              abuse(object, v)
            end
          end
        end
        collectgarbage()
        weft.sleep(0.001)
        collectgarbage()
      end
      weft.sleep(10)
      local fresh = weft.chan(1)
      fresh:send 'alive'
      print('\n' .. fresh:recv(), n > 10000)
      os.exit(0, false)
    ]], { virtual = true, seconds = 300 })
    assert.equals(0, r.status, r.err:sub(1, 2000))
    assert.equals('alive\ttrue', r.out:match('([^\n]*)\n$'))
  end)
end)

describe('any function with any arguments', function()
  it('returns or raises, and never crashes', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.on_panic(function() end)
      local function nothing() end
      local co = coroutine.create(nothing)
      local function values()
        local ctx, cancel = weft.context.with_timeout(weft.context.background(), 5)
        return { false, -1, 0, 2.5, 0 / 0, 1 / 0, 2 ^ 53, -2 ^ 63, '', 'text', {}, nothing, print,
          weft.chan(1), weft.chan(), weft.sync.mutex(), weft.sync.waitgroup(), ctx, cancel,
          weft.time.timer(1), weft.time.ticker(1), weft.async(nothing), weft.default,
          weft.chan():sending(1), newproxy(true), co, 5LL, io.stdout, n = 28 }
      end
      local skip = { run = true, step = true, on_panic = true }
      local names, functions = {}, {}
      local function collect(t)
        for name, f in pairs(t) do
          if type(f) == 'function' and not skip[name] then
            names[#names + 1], functions[#functions + 1] = name, f
          end
        end
      end
      for _, t in ipairs { weft, weft.time, weft.context, weft.sync } do collect(t) end
      local ch, m, wg = weft.chan(), weft.sync.mutex(), weft.sync.waitgroup()
      local function pick(o, list)
        for name in list:gmatch '%S+' do collect { [name] = o[name] } end
      end
      pick(ch, 'send recv try_send try_recv close iter len cap is_closed sending send_only')
      pick(ch, 'recv_only')
      pick(m, 'lock try_lock unlock with')
      pick(wg, 'add done wait go')
      pick(weft.context.background(), 'done err cause deadline value')
      pick(weft.async(nothing), 'await try traceback done')
      pick(weft.time.timer(1), 'stop reset')
      pick(weft.time.ticker(1), 'stop reset')
      local calls = 0
      for _, f in ipairs(functions) do
        for i = 0, 28 do
          local v, u = values(), values()
          for j = 0, 28 do
            weft.go(pcall, f, v[i], u[j], v[j])
            calls = calls + 1
          end
        end
        weft.sleep(0.001)
        collectgarbage 'step'
      end
      weft.sleep(10)
      local fresh = weft.chan(1)
      fresh:send 'alive'
      print('\n' .. fresh:recv(), #functions > 60, calls > 50000)
      os.exit(0, false)
    ]], { virtual = true, seconds = 300 })
    assert.equals(0, r.status, r.err:sub(1, 2000))
    assert.equals('alive\ttrue\ttrue', r.out:match('([^\n]*)\n$'))
  end)
end)
