-- SPDX-License-Identifier: MIT
-- User coroutines inside tasks: generators that block, nesting, status, errors, strangers.

local weft = require 'weft'
local util = require 'support.util'
local settle, start, has, near = util.settle, util.start, util.has, util.near

describe('coroutines that do not block', function()
  it('pass values both ways, as in Lua', function()
    local co = coroutine.create(function(...)
      local got = util.pack(...)
      for _ = 1, 3 do got = util.pack(coroutine.yield(unpack(got, 1, got.n))) end
      return 'end', nil
    end)
    assert.same({ n = 3, true, 1, nil }, util.pack(coroutine.resume(co, 1, nil)))
    assert.same({ n = 1, true }, util.pack(coroutine.resume(co)))
    assert.same({ n = 2, true, nil }, util.pack(coroutine.resume(co, nil)))
    assert.same({ n = 3, true, 'end', nil }, util.pack(coroutine.resume(co, 'ignored')))
    local ok, err = coroutine.resume(co)
    assert.is_false(ok)
    has(err, 'dead coroutine')
  end)

  it('tell their status', function()
    local outer, inner, log = nil, nil, {}
    local function note(where)
      log[#log + 1] = where .. ' ' .. coroutine.status(outer) .. ' ' .. coroutine.status(inner)
    end
    outer = coroutine.create(function()
      note 'outer'
      coroutine.resume(inner)
      note 'outer'
    end)
    inner = coroutine.create(function() note 'inner' end)
    note 'task'
    coroutine.resume(outer)
    note 'task'
    assert.same({ 'task suspended suspended', 'outer running suspended',
      'inner normal running', 'outer running dead', 'task dead dead' }, log)
  end)

  it('know themselves by running and isyieldable', function()
    local co
    co = coroutine.create(function()
      return coroutine.running() == co, coroutine.isyieldable()
    end)
    assert.same({ true, true, true }, { coroutine.resume(co) })
  end)

  it('cannot be resumed from inside', function()
    local co
    co = coroutine.create(function() return coroutine.resume(co) end)
    local ok, inner, err = coroutine.resume(co)
    assert.same({ true, false }, { ok, inner })
    has(err, 'cannot resume')
  end)

  it('give their errors to who resumes them', function()
    local why = {}
    local ok, err = coroutine.resume(coroutine.create(function() error(why) end))
    assert.is_false(ok)
    assert.is_true(rawequal(why, err))
    ok, err = pcall(coroutine.wrap(function() error 'on purpose' end))
    assert.is_false(ok)
    has(err, 'coroutine_spec.lua:', 'on purpose')
    local co = coroutine.create(function() error 'x' end)
    coroutine.resume(co)
    assert.equals('dead', coroutine.status(co))
  end)

  it('may be resumed by one task and then by another', function()
    local gen = coroutine.wrap(function() for i = 1, 3 do coroutine.yield(i, weft.id()) end end)
    local ids = {}
    for i = 1, 3 do
      local r = start(gen)
      assert.equals(i, r[1])
      assert.equals(r.id, r[2])
      ids[r.id] = true
    end
    assert.is_nil(ids[weft.id()])
  end)

  it('wrong arguments raise as in Lua', function()
    assert.is_false((pcall(coroutine.resume, 5)))
    assert.is_false((pcall(coroutine.resume)))
    assert.is_false((pcall(coroutine.create)))
    assert.is_false((pcall(coroutine.wrap, 'f')))
    assert.is_false((pcall(coroutine.status, {})))
    util.raises(function() coroutine.resume(5) end, "bad argument #1 to 'resume'")
    util.raises(function() coroutine.wrap(5) end, "bad argument #1 to 'wrap'")
  end)
end)

describe('coroutine.yield', function()
  it('outside of a coroutine raises, in a task too, and nothing happens', function()
    local ok, err = pcall(coroutine.yield, 1)
    assert.is_false(ok)
    has(err, 'yield')
    local r = start(function() coroutine.yield(1) end)
    assert.is_false(r.ok)
    has(r.err, 'yield')
    assert.is_false(coroutine.isyieldable())
  end)

  it('is not weft.yield: it does not leave the task', function()
    local other = false
    local gen = coroutine.wrap(function() for i = 1, 1000 do coroutine.yield(i) end end)
    weft.go(function() other = true end)
    for i = 1, 1000 do assert.equals(i, gen()) end
    assert.is_false(other)
    settle()
  end)

  it('may yield whatever values, and none is taken for the scheduler\'s', function()
    local values = { nil, false, 'park', weft.default, {}, newproxy(true), coroutine.running() }
    local gen = coroutine.wrap(function()
      for i = 1, 7 do coroutine.yield(values[i], values[i]) end
    end)
    for i = 1, 7 do
      local a, b = gen()
      assert.is_true(rawequal(a, values[i]) and rawequal(b, values[i]))
    end
  end)
end)

describe('coroutines that block', function()
  it('a generator receives from a channel', function()
    local ch = weft.chan()
    weft.go(function()
      for i = 1, 5 do
        weft.sleep(1)
        ch:send(i)
      end
      ch:close()
    end)
    local gen = coroutine.wrap(function()
      for v in ch do coroutine.yield(v * 10) end
    end)
    local got = {}
    near(5, (util.elapsed(function()
      for v in gen do got[#got + 1] = v end
    end)))
    assert.same({ 10, 20, 30, 40, 50 }, got)
  end)

  it('the whole task waits, not the coroutine: resume does not return before', function()
    local ch, log = weft.chan(), {}
    local co = coroutine.create(function(a)
      log[#log + 1] = 'in'
      local v = ch:recv()
      log[#log + 1] = 'woken'
      return a, v
    end)
    local r = start(function()
      local out = util.pack(coroutine.resume(co, 'arg'))
      log[#log + 1] = 'out'
      return unpack(out, 1, out.n)
    end)
    assert.same({ 'in' }, log)
    assert.is_false(r.done)
    ch:send 'v'
    settle()
    assert.same({ 'in', 'woken', 'out' }, log)
    assert.same({ true, 'arg', 'v' }, { r[1], r[2], r[3] })
    assert.equals('dead', coroutine.status(co))
  end)

  it('nested three deep, with yields and waits on every level', function()
    local ch = weft.chan()
    weft.go(function()
      for i = 1, 12 do
        weft.sleep(1)
        ch:send(i)
      end
    end)
    local function level(depth)
      return coroutine.wrap(function()
        local below = depth > 1 and level(depth - 1)
        for k = 1, 2 do
          coroutine.yield(depth .. ':' .. ch:recv())
          if below then
            coroutine.yield((below()))
            coroutine.yield(depth .. '.' .. k)
          end
        end
        return 'end ' .. depth
      end)
    end
    local gen, log = level(3), {}
    for i = 1, 7 do log[i] = gen() end
    assert.same({ '3:1', '2:2', '3.1', '3:3', '1:4', '3.2', 'end 3' }, log)
    for _ = 5, 12 do ch:recv() end
  end)

  it('wait as often as they like between two yields, by resume and by wrap', function()
    local function body()
      for i = 1, 3 do
        for _ = 1, i do weft.sleep(1) end
        coroutine.yield(i)
      end
      weft.sleep(1)
      weft.sleep(1)
      return 'end'
    end
    local co, gen = coroutine.create(body), coroutine.wrap(body)
    for _, expected in ipairs { 1, 2, 3, 'end' } do
      local took, ok, v = util.elapsed(coroutine.resume, co)
      assert.same({ true, expected }, { ok, v })
      util.near(tonumber(v) or 2, took)
      took, v = util.elapsed(gen)
      assert.equals(expected, v)
      util.near(tonumber(v) or 2, took)
    end
  end)

  it('nested twenty deep, the innermost waits', function()
    local ch = weft.chan()
    local function down(n)
      if n == 0 then return (ch:recv()) end
      return coroutine.wrap(function()
        local v = down(n - 1)
        coroutine.yield('up')
        return v
      end)() and n
    end
    local r = start(function() return down(20) end)
    assert.is_false(r.done)
    ch:send 'v'
    settle()
    assert.same({ true, 20 }, { r.ok, r[1] })
  end)

  it('every blocking call works inside one', function()
    local m, wg, ch = weft.sync.mutex(), weft.sync.waitgroup(), weft.chan()
    m:lock()
    wg:add(1)
    weft.go(function()
      weft.sleep(1)
      ch:recv()
      weft.sleep(1)
      m:unlock()
      weft.sleep(1)
      wg:done()
    end)
    local log, t0 = {}, weft.time.monotonic()
    local co = coroutine.wrap(function()
      local function note(what)
        log[#log + 1] = what .. ' ' .. math.floor(weft.time.monotonic() - t0 + 0.5)
        coroutine.yield()
      end
      ch:send 'v'
      note 'send'
      m:lock()
      note 'lock'
      wg:wait()
      note 'wait'
      weft.sleep(1)
      note 'sleep'
      weft.select(ch, weft.time.after(1))
      note 'select'
      weft.async(function() weft.sleep(1) end):await()
      note 'await'
      weft.map({ 1 }, function() weft.sleep(1) end)
      note 'map'
      m:unlock()
      m:with(weft.yield)
      note 'with'
    end)
    for _ = 1, 8 do co() end
    assert.same({ 'send 1', 'lock 2', 'wait 3', 'sleep 4', 'select 5', 'await 6', 'map 7',
      'with 7' }, log)
    co()
  end)

  it('running and isyieldable are the same before and after a wait', function()
    local co
    co = coroutine.create(function()
      local before = coroutine.running()
      weft.sleep(1)
      return before == co, coroutine.running() == co, coroutine.isyieldable(),
        coroutine.status(co)
    end)
    assert.same({ true, true, true, true, 'running' }, { coroutine.resume(co) })
  end)

  it('a blocking function may be the coroutine\'s own body', function()
    local ch = weft.chan()
    local r = start(coroutine.wrap(ch.recv), ch)
    assert.is_false(r.done)
    ch:send 'v'
    settle()
    assert.equals('v', r[1])
    local co = coroutine.create(weft.sleep)
    near(2, (util.elapsed(coroutine.resume, co, 2)))
    assert.equals('dead', coroutine.status(co))
  end)

  it('one may wait in one task and go on in another', function()
    local ch = weft.chan()
    local gen = coroutine.wrap(function()
      while true do coroutine.yield((ch:recv())) end
    end)
    for i = 1, 4 do
      local r = start(gen)
      assert.is_false(r.done)
      ch:send(i)
      settle()
      assert.equals(i, r[1])
    end
  end)

  it('many tasks each with its generator do not mix', function()
    local sums = {}
    weft.map({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, function(k)
      local ch = weft.chan()
      weft.go(function()
        for i = 1, 20 do
          weft.sleep(k / 8)
          ch:send(i * k)
        end
        ch:close()
      end)
      local sum = 0
      for v in coroutine.wrap(function() for v in ch do coroutine.yield(v) end end) do
        sum = sum + v
      end
      sums[k] = sum
    end)
    for k = 1, 10 do assert.equals(210 * k, sums[k]) end
  end)

  it('a cancel inside one arrives there', function()
    local ctx = weft.context.with_timeout(weft.context.background(), 2)
    local gen = coroutine.wrap(function() coroutine.yield(weft.chan():recv(ctx)) end)
    local dt, v, err = util.elapsed(gen)
    near(2, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
  end)

  it('may be left suspended, and collected', function()
    local n = weft.ntasks()
    local function leave()
      for _ = 1, 100 do
        local gen = coroutine.wrap(function()
          weft.sleep(0.001)
          coroutine.yield()
        end)
        gen()
      end
    end
    leave()
    collectgarbage()
    collectgarbage()
    assert.equals(n, weft.ntasks())
  end)
end)

describe('a coroutine that waits', function()
  it('cannot be resumed by another task; it goes on as if nothing was', function()
    local ch = weft.chan()
    local co = coroutine.create(function()
      local v = ch:recv()
      local w = coroutine.yield(v)
      return w
    end)
    local r = start(coroutine.resume, co)
    for _ = 1, 2 do
      local ok, err = coroutine.resume(co, 'stolen')
      assert.is_false(ok)
      has(err, 'cannot resume a coroutine that waits in ')
    end
    assert.is_false(r.done)
    ch:send 'v'
    settle()
    assert.same({ true, 'v' }, { r[1], r[2] })
    assert.same({ true, 'w' }, { coroutine.resume(co, 'w') })
  end)

  it('nor can the ones around it', function()
    local ch = weft.chan()
    local gen = coroutine.wrap(function() return (ch:recv()) end)
    local outer = coroutine.create(function() return (gen()) end)
    local r = start(coroutine.resume, outer)
    assert.is_false((coroutine.resume(outer)))
    local ok, err = pcall(gen)
    assert.is_false(ok)
    has(err, 'cannot resume a coroutine that waits in ')
    ch:send 'v'
    settle()
    assert.same({ true, 'v' }, { r[1], r[2] })
  end)
end)

describe('the coroutine of a task', function()
  it('cannot be resumed by anybody', function()
    local co, ch = nil, weft.chan()
    local r = start(function()
      co = coroutine.running()
      return (ch:recv())
    end)
    assert.is_false((coroutine.resume(co, 'stolen')))
    settle()
    assert.is_false(r.done)
    ch:send 'v'
    settle()
    assert.equals('v', r[1])
    assert.is_false((coroutine.resume(co)))
  end)

  it('is not used again once it was seen', function()
    local seen = {}
    for i = 1, 100 do
      weft.go(function()
        local co = coroutine.running()
        assert(not seen[co], 'the same coroutine again')
        seen[co] = i
      end)
      settle()
    end
    assert.same({}, util.take_panics())
    for co in pairs(seen) do
      assert.equals('dead', coroutine.status(co))
      assert.is_false((coroutine.resume(co)))
    end
  end)

  it('has the globals of the program, whatever a task before it did to its own', function()
    for _ = 1, 20 do
      start(function() setfenv(0, { only = true }) end)
      local r = start(function() return getfenv(0) == _G, rawget(_G, 'only') end)
      assert.same({ true, nil }, { r[1], r[2] })
    end
  end)
end)

describe('errors', function()
  it('in a coroutine after a wait go to who resumed it', function()
    local why = {}
    local co = coroutine.create(function()
      weft.sleep(1)
      error(why)
    end)
    local ok, err = coroutine.resume(co)
    assert.is_false(ok)
    assert.is_true(rawequal(why, err))
    ok, err = pcall(coroutine.wrap(function()
      weft.sleep(1)
      error 'on purpose'
    end))
    assert.is_false(ok)
    has(err, 'coroutine_spec.lua:', 'on purpose')
  end)

  it('that cross coroutines have the full traceback', function()
    local inner, outer, around
    local f = weft.async(function()
      local gen = coroutine.wrap(function()
        local deeper = coroutine.wrap(function()
          weft.sleep(1)
          inner = util.here(1)
          error 'on purpose'
        end)
        outer = util.here(1)
        deeper()
        return true
      end)
      around = util.here(1)
      gen()
      return true
    end)
    local ok, err = f:try()
    assert.is_false(ok)
    has(err, 'on purpose')
    has(f:traceback(), inner, outer, around)
  end)

  it('that cross coroutines without a wait have it too', function()
    local inner, around
    local f = weft.async(function()
      local gen = coroutine.wrap(function()
        inner = util.here(1)
        error 'on purpose'
      end)
      around = util.here(1)
      gen()
      return true
    end)
    f:try()
    has(f:traceback(), inner, around)
  end)
end)
