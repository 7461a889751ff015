-- SPDX-License-Identifier: MIT
-- weft.leaks looks into every slot of the stacks of tasks that can run, and of coroutines that
-- these have: one place after the other in which nothing but it has the channel.
-- Subject: runtime/task/mark.c

local weft = require 'weft'
local util = require 'support.util'
local leaks = require 'support.leaks'
local proc = require 'support.proc'
local held_by_task, holds, is_leaked = leaks.held_by_task, leaks.holds, leaks.is_leaked

local function drop(...) return select('#', ...) end

describe('the stack of a waiting task holds', function()
  it('locals', function()
    held_by_task(function(get, wait)
      local ch = get()
      wait()
      return ch
    end)
  end)

  it('locals of code without debug information', function()
    held_by_task(loadstring(string.dump(function(get, wait)
      local ch = get()
      wait()
      return ch
    end, true)))
  end)

  it('locals of callers', function()
    held_by_task(function(get, wait)
      local ch = get()
      local function inner(n)
        if n > 0 then return (inner(n - 1)) end
        return (wait())
      end
      inner(50)
      return ch
    end)
  end)

  it('arguments', function()
    held_by_task(function(get, wait)
      local function inner(_) return (wait()) end
      inner(get())
    end)
  end)

  it('varargs', function()
    held_by_task(function(get, wait)
      local function inner(...)
        wait()
        return ...
      end
      inner(get())
    end)
    held_by_task(function(get, wait)
      local function inner(_, ...)
        local a, b = 1, 2
        wait()
        return a, b, ...
      end
      inner(1, 2, 3, get(), 4)
    end)
  end)

  it('varargs below other calls', function()
    held_by_task(function(get, wait)
      local function inner(...)
        pcall(function() wait() end)
        return ...
      end
      local function outer(...) return (inner(...)) end
      outer(nil, get())
    end)
  end)

  it('operands and arguments that are still to be used', function()
    held_by_task(function(get, wait) drop(get(), wait()) end)
    held_by_task(function(get, wait) drop({ get(), wait() }) end)
    held_by_task(function(get, wait)
      local mt = { __concat = function() return 'both' end }
      local _ = setmetatable({ get() }, mt) .. setmetatable({ wait() }, mt)
    end)
  end)

  it('the state of a loop', function()
    held_by_task(function(get, wait)
      for _ in function(_, i) if not i then return 1 end end, get(), nil do wait() end
    end)
  end)

  it('functions that are being called', function()
    held_by_task(function(get, wait)
      local function make()
        local ch = get()
        return function()
          wait()
          return ch
        end
      end
      make()()
    end)
  end)

  it('environments of such functions', function()
    held_by_task(function(get, wait)
      local function make()
        return setfenv(function() wait() end, { hidden = get(), wait = wait })
      end
      make()()
    end)
  end)

  it('slots of C functions', function()
    local stop = weft.chan()
    holds(function(ch)
      leaks.park(function(extra) stop:recv(nil, extra) end, ch)
    end, function() stop:close() end)
  end)

  it('handlers of xpcall', function()
    held_by_task(function(get, wait)
      local function run()
        local ch = get()
        return wait, function() return ch end
      end
      xpcall(run())
    end)
  end)

  it('operands of a metamethod that waits', function()
    for _, event in ipairs { '__index', '__add', '__lt', '__call', '__newindex', '__unm' } do
      held_by_task(function(get, wait)
        local t = setmetatable({}, { [event] = function(...) wait() return 1, ... end })
        local use = {
          __index = function() return t[get()] end,
          __add = function() return t + get() end,
          __lt = function() return t < setmetatable({ get() }, getmetatable(t)) end,
          __call = function() return t(get()) end,
          __newindex = function() t[1] = get() end,
          __unm = function() return drop(get(), -t) end,
        }
        use[event]()
      end)
    end
  end)

  it('what came before a metamethod in an expression', function()
    held_by_task(function(get, wait)
      local once, waits = { __concat = function() return 'c' end },
        { __concat = function() wait() return 'c' end }
      local _ = setmetatable({ get() }, once) .. 'x' .. setmetatable({}, waits)
    end)
    held_by_task(function(get, wait)
      local t = setmetatable({}, { __index = function() wait() end })
      drop(get(), t.x)
    end)
  end)

  it('user coroutines and what is on their stacks', function()
    held_by_task(function(get, wait)
      local function body()
        local ch = get()
        wait()
        return ch
      end
      coroutine.wrap(function() coroutine.wrap(body)() end)()
    end)
    held_by_task(function(get, wait)
      local co = coroutine.create(function(ch)
        coroutine.yield()
        return ch
      end)
      coroutine.resume(co, get())
      wait()
      return co
    end)
  end)

  it('deferred calls', function()
    held_by_task(function(get, wait)
      weft.defer(drop, get())
      wait()
    end)
  end)

  it('deferred calls that are left while one of them waits', function()
    held_by_task(function(get, wait)
      weft.defer(drop, get())
      weft.defer(wait)
    end)
  end)

  it('the value it sends', function()
    local to = weft.chan()
    holds(function(ch) leaks.park(function(v) to:send(v) end, ch) end,
      function() to:recv() end)
    holds(function(ch) leaks.park(function(v) weft.select(to:sending(v)) end, ch) end,
      function() to:recv() end)
  end)
end)

describe('a coroutine that somebody has', function()
  local place

  local function forget() place = nil end

  it('holds what is on its stack while it is suspended', function()
    holds(function(ch)
      place = coroutine.create(function(x)
        coroutine.yield()
        return x
      end)
      coroutine.resume(place, ch)
    end, forget)
  end)

  it('holds varargs, and frames below a yield that is deep', function()
    holds(function(ch)
      local function deep(n, ...)
        if n == 0 then coroutine.yield() return ... end
        return (deep(n - 1, ...))
      end
      place = coroutine.create(deep)
      coroutine.resume(place, 100, 1, ch)
    end, forget)
  end)

  it('holds what it was made with', function()
    holds(function(ch) place = coroutine.create(function() return ch end) end, forget)
    holds(function(ch) place = coroutine.wrap(function() return ch end) end, forget)
  end)

  it('holds what is on its stack when it has died of an error: debug.getlocal finds it', function()
    holds(function(ch)
      place = coroutine.create(function(x)
        local _ = { x } .. x
      end)
      coroutine.resume(place, ch)
      assert.equals('dead', coroutine.status(place))
      assert.equals(ch, select(2, debug.getlocal(place, 0, 1)))
    end, forget)
  end)

  it('that has died hides no leaks elsewhere', function()
    place = coroutine.create(function(...) local _ = {} .. ... end)
    assert.is_false((coroutine.resume(place, 1)))
    leaks.ignores(function() end)
    forget()
  end)

  it("holds it when it is a task's", function()
    local id = leaks.park(function()
      place = coroutine.running()
      weft.chan():recv()
    end)
    assert.is_false(is_leaked(id))
    forget()
    assert.is_true(is_leaked(id))
    leaks.reclaim()
  end)

  it('that resumes another holds what is on its own stack', function()
    local id, asked
    coroutine.wrap(function()
      local ch = weft.chan()
      id = leaks.park(function(it) it:recv() end, ch)
      coroutine.wrap(function() asked = is_leaked(id) end)()
      ch:close()
    end)()
    util.settle()
    assert.is_false(asked)
  end)

  it('may be as deep as a stack can be', function()
    holds(function(ch)
      local function deep(n, x)
        if n == 0 then coroutine.yield() return x end
        return (deep(n - 1, x))
      end
      place = coroutine.create(deep)
      assert.is_true(coroutine.resume(place, 7000, ch))
    end, forget)
  end)
end)

describe('whoever asks', function()
  -- The channel is on the stack of the asker alone, below C functions that call back.
  local function asks(through)
    local id, first, second
    local function run()
      local ch = weft.chan()
      id = leaks.park(function(it) it:recv() end, ch)
      through(function() first = is_leaked(id) end)
      return ch
    end
    run()
    through(function() second = is_leaked(id) end)
    assert.same({ false, true }, { first, second })
    leaks.reclaim()
  end

  it('may do so from anywhere in a task', function()
    asks(function(ask) ask() end)
    asks(function(ask) pcall(ask) end)
    asks(function(ask) coroutine.wrap(ask)() end)
  end)

  it('may do so inside C functions that call back', function()
    asks(function(ask) table.sort({ 1, 2 }, function(a, b) ask() return a < b end) end)
    asks(function(ask) ('x'):gsub('x', function() ask() end) end)
    asks(function(ask) coroutine.wrap(function() ('x'):gsub('x', ask) end)() end)
    asks(function(ask)
      local cb = require 'ffi'.cast('int (*)(int)', function(n) ask() return n end)
      assert.equals(7, cb(7))
      cb:free()
    end)
  end)

  it('may do so in a handler of errors', function()
    asks(function(ask) xpcall(function(...) error(...) end, ask, 'x') end)
    asks(function(ask) xpcall(function(...) local _ = ... .. {} end, ask, 'x') end)
  end)

  it('may do so in a debug hook', function()
    asks(function(ask)
      local function run(...)
        local n = 0
        for i = 1, 3 do n = n + i end
        return n, ...
      end
      debug.sethook(function()
        debug.sethook()
        ask()
      end, '', 1)
      run(1, 2)
    end)
  end)

  it('may do so in a finaliser', function()
    asks(function(ask)
      local function drop_one() getmetatable(newproxy(true)).__gc = function() ask() end end
      drop_one()
      collectgarbage()
    end)
  end)

  it('may be the host, outside of any task, or the report of a panic', function()
    local r = proc.run([[
      local weft = require 'weft'
      local function leak() weft.go(function() weft.chan():recv() end) end
      leak()
      weft.sleep(0.01)
      weft.go(function()
        error(setmetatable({}, { __tostring = function() return #weft.leaks() .. ' leaked' end }))
      end)
      weft.sleep(1)
    ]], { virtual = true })
    assert.equals(2, r.status)
    util.has(r.err, 'panic: 1 leaked')
  end)

  it('in such a report has the error that is reported', function()
    local r = proc.run([[
      local weft = require 'weft'
      local mt = { __tostring = function() return #weft.leaks() .. ' leaked' end }
      weft.go(function()
        local ch = weft.chan()
        weft.go(function() ch:recv() end)
        weft.sleep(0.01)
        error(setmetatable({ ch }, mt))
      end)
      weft.sleep(1)
    ]], { virtual = true })
    assert.equals(2, r.status)
    util.has(r.err, 'panic: 0 leaked')
  end)
end)
