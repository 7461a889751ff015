-- SPDX-License-Identifier: MIT
-- weft.supervisor: who is started again, how often, and that nothing goes on after `run`.

local weft = require 'weft'
local util = require 'support.util'
local context, supervisor = weft.context, weft.supervisor
local raises, near, has, settle, start = util.raises, util.near, util.has, util.settle, util.start
local background = context.background()

-- A supervisor with a log of what its children do.
local function world(opts)
  local w = { log = {}, s = supervisor.new(opts) }
  function w.note(text) w.log[#w.log + 1] = text end
  -- A child that waits until it is told to stop.
  function w.waits(name, answer)
    w.s:add(name, function(ctx)
      w.note(name .. ' starts')
      ctx:done():recv()
      w.note(name .. ' stops')
      if answer then return answer() end
    end)
  end
  -- A child that fails after so many seconds, n times, and then finishes.
  function w.fails(name, s, n, how)
    local calls = 0
    w.s:add(name, function(ctx)
      w.note(name .. ' starts')
      calls = calls + 1
      weft.sleep(s, ctx)
      if calls > n then return end
      w.note(name .. ' fails')
      if how == 'return' then return nil, 'trouble' end
      error('trouble', 0)
    end)
  end
  -- How often this line is in the log.
  function w.count(text)
    local n = 0
    for _, line in ipairs(w.log) do
      if line == text then n = n + 1 end
    end
    return n
  end
  return w
end

describe('supervisor: run', function()
  it('gives true when all have finished', function()
    local s, got = supervisor.new(), nil
    s:add('a', function(ctx, ...)
      got = util.pack(ctx:err(), ...)
      weft.sleep(3)
      return false
    end, 1, nil, 3, nil)
    s:add('b', function() return nil end)
    local dt, v = util.elapsed(s.run, s)
    near(3, dt)
    assert.is_true(v)
    assert.same({ n = 5, nil, 1, nil, 3, nil }, got)
  end)

  it('without children is done at once', function()
    assert.same({ 0, true }, { util.elapsed(function() return supervisor.new():run() end) })
  end)

  it('may be called again, and starts all anew', function()
    local w = world()
    w.fails('a', 1, 1)
    assert.is_true(w.s:run())
    assert.is_true(w.s:run())
    assert.equals(3, w.count 'a starts')
  end)

  it('waits for deferred calls of children as well', function()
    local s, cleaned = supervisor.new(), false
    s:add('a', function()
      weft.defer(function()
        weft.sleep(2)
        cleaned = true
      end)
    end)
    s:run()
    assert.is_true(cleaned)
  end)

  it('starts a child that is added meanwhile', function()
    local s, late = supervisor.new(), false
    s:add('a', function()
      s:add('b', function()
        weft.sleep(5)
        late = true
      end)
    end)
    near(5, (util.elapsed(s.run, s)))
    assert.is_true(late)
  end)
end)

describe('supervisor: one_for_one', function()
  it('starts the one that failed again, however it failed', function()
    for _, how in ipairs { 'raise', 'return' } do
      local w = world()
      w.fails('a', 1, 2, how)
      w.fails('b', 2, 0)
      assert.is_true(w.s:run())
      assert.same({ 3, 2, 1 }, { w.count 'a starts', w.count 'a fails', w.count 'b starts' })
    end
  end)

  it('waits for the back-off first', function()
    local w = world { backoff = 10, within = 1 }
    w.fails('a', 1, 3)
    near(34, (util.elapsed(w.s.run, w.s)))
  end)

  it('a child fails when its task is reclaimed', function()
    local s, calls = supervisor.new(), 0
    s:add('a', function()
      calls = calls + 1
      if calls == 1 then weft.select() end
    end)
    local r = start(s.run, s)
    assert.is_false(r.done)
    weft.leaks { reclaim = true }
    settle()
    assert.same({ true, 2 }, { r[1], calls })
  end)
end)

describe('supervisor: one_for_all', function()
  it('stops the others, waits for them and starts all', function()
    local w = world { strategy = 'one_for_all' }
    w.waits('a', function() weft.sleep(5) end)
    w.fails('b', 1, 1)
    w.s:add('end', function(ctx) return weft.sleep(20, ctx) end)
    local r = start(w.s.run, w.s, context.with_timeout(background, 50))
    weft.sleep(5)
    assert.same({ 1, 1, 1 }, { w.count 'a stops', w.count 'a starts', w.count 'b starts' })
    weft.sleep(2)
    assert.same({ 1, 2, 2 }, { w.count 'a stops', w.count 'a starts', w.count 'b starts' })
    weft.sleep(60)
    assert.same({ nil, 'context deadline exceeded', 2 }, { r[1], r[2], w.count 'a stops' })
  end)

  it('who is asked to stop cannot fail, and knows why it is asked', function()
    local w, cause = world { strategy = 'one_for_all', max_restarts = 1 }, nil
    w.s:add('a', function(ctx)
      if cause then return end
      ctx:done():recv()
      cause = ctx:cause()
      error 'stopped in the middle'
    end)
    w.fails('b', 1, 1)
    assert.is_true(w.s:run())
    has(cause, "'b'", 'trouble')
  end)

  it('leaves those alone that have finished', function()
    local w = world { strategy = 'one_for_all' }
    w.fails('a', 1, 0)
    w.fails('b', 2, 2)
    assert.is_true(w.s:run())
    assert.same({ 1, 3 }, { w.count 'a starts', w.count 'b starts' })
  end)
end)

describe('supervisor: rest_for_one', function()
  it('starts it and those that were added later again', function()
    local w = world { strategy = 'rest_for_one' }
    w.fails('a', 4, 0)
    w.fails('b', 1, 1)
    w.fails('c', 3, 0)
    w.fails('d', 0.5, 0)
    near(4, (util.elapsed(w.s.run, w.s)))
    assert.same({ 1, 2, 2, 1 }, { w.count 'a starts', w.count 'b starts', w.count 'c starts',
      w.count 'd starts' })
  end)

  it('one that fails while others still stop takes those after it along', function()
    local w = world { strategy = 'rest_for_one' }
    w.fails('a', 2, 1)
    w.fails('b', 1, 1)
    w.waits('c', function() weft.sleep(5) end)
    local ctx = context.with_timeout(background, 20)
    local r = start(w.s.run, w.s, ctx)
    weft.sleep(5)
    assert.same({ 1, 1, 1 }, { w.count 'a starts', w.count 'b starts', w.count 'c starts' })
    weft.sleep(2)
    assert.same({ 2, 2, 2 }, { w.count 'a starts', w.count 'b starts', w.count 'c starts' })
    weft.sleep(30)
    assert.is_true(r.done)
  end)
end)

describe('supervisor: a child that never stops failing', function()
  it('ends it after three restarts within five seconds, with the child\'s message', function()
    local w = world()
    w.fails('a', 1, math.huge)
    w.waits 'b'
    local dt, v, err = util.elapsed(w.s.run, w.s)
    near(4, dt)
    assert.is_nil(v)
    has(err, "'a'", 'trouble', '3 restarts within 5 s')
    assert.same({ 4, 1 }, { w.count 'a starts', w.count 'b stops' })
  end)

  it('slowly is let be', function()
    local w = world { max_restarts = 2, within = 10 }
    w.fails('a', 6, 20)
    assert.is_true(w.s:run())
    assert.equals(21, w.count 'a starts')
  end)

  it('ends it at once where no restart is allowed', function()
    local w = world { max_restarts = 0 }
    w.fails('a', 1, 1)
    near(1, (util.elapsed(w.s.run, w.s)))
    assert.equals(1, w.count 'a starts')
  end)

  it('goes on for ever where that is asked for', function()
    local w = world { max_restarts = math.huge }
    w.fails('a', 0, 500)
    assert.is_true(w.s:run())
    assert.equals(501, w.count 'a starts')
  end)

  it('with an error that is no text', function()
    local s = supervisor.new { max_restarts = 0 }
    s:add('a', function() error(setmetatable({}, { __tostring = function() return 'E7' end })) end)
    local _, err = s:run()
    has(err, 'E7')
    s = supervisor.new { max_restarts = 0 }
    s:add('a', function() error() end)
    _, err = s:run()
    has(err, 'nil')
  end)

  it('keeps run until the others have ended, however long that takes', function()
    local w = world { max_restarts = 0 }
    w.fails('a', 1, 1)
    w.waits('b', function() weft.sleep(30) end)
    local n = weft.ntasks()
    near(31, (util.elapsed(w.s.run, w.s)))
    assert.equals(n, weft.ntasks())
  end)
end)

describe('supervisor: contexts', function()
  it('a cancel stops all; run gives nil and the reason when they have ended', function()
    local w = world()
    for i = 1, 5 do w.waits('c' .. i, function() weft.sleep(i) end) end
    local ctx = context.with_timeout(background, 10)
    local dt, v, err = util.elapsed(w.s.run, w.s, ctx)
    near(15, dt)
    assert.same({ nil, 'context deadline exceeded' }, { v, err })
  end)

  it('a cancel during a back-off ends it', function()
    local w = world { backoff = 1000 }
    w.fails('a', 1, 5)
    near(10, (util.elapsed(w.s.run, w.s, context.with_timeout(background, 10))))
    assert.equals(1, w.count 'a starts')
  end)

  it('one that has ended already starts nothing', function()
    local w = world()
    w.fails('a', 1, 0)
    assert.same({ nil, 'context canceled' }, { w.s:run(util.cancelled()) })
    assert.equals(0, #w.log)
  end)

  it('children have the values of the context', function()
    local s, got = supervisor.new(), nil
    s:add('a', function(ctx) got = ctx:value 'key' end)
    s:run(context.with_value(background, 'key', 7))
    assert.equals(7, got)
  end)
end)

describe('supervisor in a task with a context of its own', function()
  it('ends with that: the children are asked to stop, run raises when they have ended', function()
    local w = world()
    w.s:add('a', function(child)
      child:done():recv(background)
      w.note 'a stops'
      weft.sleep(5, background)
    end)
    local dt, ok, err = util.elapsed(pcall, context.run, context.with_timeout(background, 10),
      w.s.run, w.s)
    near(15, dt)
    assert.is_false(ok)
    has(err, 'context deadline exceeded')
    assert.equals(1, w.count 'a stops')
  end)
end)

describe('supervisor: misuse', function()
  it('raises at the caller\'s line', function()
    local bad = {
      strategy = { 'all', 5 }, max_restarts = { -1, 1.5, 0 / 0, 'x' },
      within = { 0, -1, 0 / 0, 'x' }, backoff = { -1, 0 / 0, math.huge, 'x' },
    }
    for name, values in pairs(bad) do
      for _, v in ipairs(values) do
        raises(function() supervisor.new { [name] = v } end, "#1 to 'new' (" .. name .. ' as ')
      end
    end
    raises(function() supervisor.new(5) end, "bad argument #1 to 'new' (table of options")
    local s = supervisor.new()
    local function fn() end
    raises(function() s:add(nil, fn) end, "bad argument #1 to 'add' (string expected, got nil")
    raises(function() s:add 'a' end, "bad argument #2 to 'add' (function expected, got n")
    s:add('a', fn)
    raises(function() s:add('a', fn) end, "'add': there is a child named 'a' already")
    raises(function() s:run(5) end, "bad argument #1 to 'run' (context expected, got number")
    raises(function() s.run() end, "calling 'run' on bad self (supervisor expected")
    raises(function() s.add('b', fn) end, "calling 'add' on bad self (supervisor expected")
    assert.is_true(s:run())
  end)

  it('run raises while it runs', function()
    local s = supervisor.new()
    s:add('a', function() weft.sleep(1) end)
    local r = start(s.run, s)
    raises(function() s:run() end, "'run': this supervisor runs already")
    weft.sleep(2)
    assert.is_true(r[1])
  end)

  it('run where it cannot wait raises and starts nothing', function()
    local s, calls = supervisor.new(), 0
    s:add('a', function() calls = calls + 1 end)
    local ok, err = pcall(table.sort, { 2, 1 }, function() s:run() end)
    settle()
    assert.same({ false, 0 }, { ok, calls })
    has(err, 'run')
    assert.is_true(s:run())
  end)

  it('is a field of weft and a module', function()
    assert.equals(require 'weft.supervisor', supervisor)
  end)
end)

describe('supervisor over cores', function()
  it('works there as here, with children that work anywhere, but is of one VM', function()
    local s = supervisor.new()
    raises(function() weft.spawn(function() return s end) end, "'spawn': upvalue 's'")
    local n = weft.sync.int()
    local function child()
      if n:add(1) < 3 then error 'not yet' end
    end
    s:add('far', function() weft.parallel(child):await() end)
    assert.same({ true, 3 }, { s:run(), n:load() })
    local ok, err, calls = weft.parallel(function()
      local own, started = require 'weft.supervisor'.new { max_restarts = 1 }, 0
      own:add('a', function()
        started = started + 1
        error 'always'
      end)
      local v, why = own:run()
      return v, why, started
    end):await()
    assert.same({ nil, 2 }, { ok, calls })
    has(err, "child 'a' failed", 'always')
  end)
end)
