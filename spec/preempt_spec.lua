-- SPDX-License-Identifier: MIT
-- Tasks that may be interrupted: that they are, wherever they compute, and that nobody else is.

local weft = require 'weft'
local util = require 'support.util'
local hogs = require 'support.hogs'
local has, run, prints = util.has, hogs.run, hogs.prints

local function both_ways(...) hogs.both_ways(it, ...) end

describe('preempt', function()
  it('says what it was', function()
    prints('false\ttrue\ttrue\tfalse\tfalse\n', [[
      print(weft.preempt(true), weft.preempt(true), weft.preempt(false), weft.preempt(false),
        weft.preempt(true))
    ]])
  end)

  it('wants a boolean', function()
    util.raises(function() weft.preempt() end, "bad argument #1 to 'preempt' (boolean expected")
    util.raises(function() weft.preempt(1) end, "bad argument #1 to 'preempt' (boolean expected")
  end)

  it('is about one task: those that it starts have not asked', function()
    prints('false\ntrue\n', [[
      weft.preempt(true)
      weft.async(function() print(weft.preempt(false)) end):await()
      print(weft.preempt(false))
    ]])
  end)

  it('leaves no hook behind', function()
    prints('true\ttrue\tfalse\n', [[
      local function on() return debug.gethook() ~= nil end
      local a = weft.async(function() weft.preempt(true) return on() end):await()
      local b = weft.async(function() weft.preempt(true) weft.preempt(true) weft.yield()
        return on() end):await()
      weft.async(function() weft.preempt(true) error 'x' end):try()
      print(a, b, on())
    ]])
  end)
end)

-- Endless but for `stop`; each is a statement that counts in n.
local LOOPS = [[
  local stop, n = false, 0
  local function spin() while not stop do n = n + 1 end end
  local function id(...) return ... end
  local up = setmetatable({}, { __index = function(_, k) n = n + 1 return k end,
    __add = function(_, k) n = n + 1 return k end })
  local loops = {
    { 'a plain loop', spin },
    { 'pcall', function() assert(pcall(spin)) end },
    { 'xpcall', function() assert(xpcall(spin, print)) end },
    { 'a coroutine', function() coroutine.wrap(spin)() end },
    { 'coroutines in coroutines', function()
      assert(coroutine.resume(coroutine.create(function() pcall(coroutine.wrap(spin)) end)))
    end },
    { 'a generator', function()
      local gen = coroutine.wrap(function() while true do n = n + 1 coroutine.yield(n) end end)
      for v in gen do
        assert(v == n)
        if stop then break end
      end
    end },
    { 'a metamethod', function()
      getmetatable(setmetatable({}, { __index = spin }))
      return setmetatable({}, { __index = spin }).x
    end },
    { 'metamethods', function() while not stop do assert(up[n] and up + 1 == 1) end end },
    { 'an iterator', function()
      for _ in function() n = n + 1 return not stop or nil end do end
    end },
    { 'calls', function() while not stop do n = n + select('#', id(n, nil, id())) - 1 end end },
    { 'recursion', function()
      local function down(d) n = n + 1 return d > 0 and down(d - 1) + 1 or 0 end
      while not stop do assert(down(50) == 50) end
    end },
    { 'strings', function()
      while not stop do
        n = n + 1
        local s = ('%d'):format(n)
        if tonumber(s .. '5') ~= n * 10 + 5 then error(s) end
      end
    end },
    { 'a module that loads', function()
      package.loaded.spinner, package.preload.spinner = nil, spin
      require 'spinner'
    end },
    { 'a deferred call', function() weft.defer(spin) end },
  }
]]

describe('a task that may be interrupted', function()
  both_ways('is, wherever it computes', 'all\n', LOOPS .. [[
    for _, loop in ipairs(loops) do
      local name, fn = loop[1], loop[2]
      stop, n = false, 0
      local ended = weft.chan(1)
      hog(function()
        weft.defer(function() ended:send(true) end)
        fn()
      end)
      local before = n
      local worst = longest(5, 0.01)
      if worst > 0.1 then print(name, 'is late', worst) end
      if n == before then print(name, 'has not gone on') end
      stop = true
      ended:recv()
    end
    print 'all'
  ]])

  it('is in a loop that was compiled before it asked', function()
    prints('true\n', [[
      local n, stop = 0, false
      local function spin(max) for _ = 1, max do n = n + 1 if stop then break end end end
      spin(1e6)
      hog(spin, math.huge)
      print(longest(5, 0.05) < 0.1 and n > 1e6)
      stop = true
    ]])
  end)

  it('is in several of them at once, and who waits comes first', function()
    prints('true\ttrue\n', [[
      local n = {}
      for i = 1, 10 do
        n[i] = 0
        hog(function() while true do n[i] = n[i] + 1 end end)
      end
      local worst = longest(10, 0.05)
      local all = true
      for i = 1, 10 do all = all and n[i] > 0 end
      print(worst < 0.1, all)
    ]])
  end)

  it('lets a ping-pong go on, and goes on itself', function()
    prints('true\ttrue\ttrue\n', [[
      local a, b = weft.chan(), weft.chan()
      local rounds, spins = 0, 0
      weft.go(function() for v in a do b:send(v + 1) end end)
      hog(function() while true do spins = spins + 1 end end)
      local t, last = clock(), 0
      while clock() - t < 0.5 do
        a:send(last)
        last = b:recv()
        rounds = rounds + 1
      end
      -- half of the time each: with one slice for every hop it would be 25 rounds
      print(last == rounds, rounds > 5000, spins > 1e5)
    ]])
  end)

  both_ways('is not when nobody waits', 'true\n', [[
    weft.preempt(true)
    local switches = weft.stats().switches
    compute(0.2)
    print(weft.stats().switches == switches)
  ]])

  it('waits ready, at the place where it was', function()
    prints('ready\ttrue\ttrue\n', [[
      local x = 0
      hog(function()
        while true do x = x + 1 end
      end)
      weft.sleep(0.05)
      for _, t in ipairs(weft.tasks()) do
        if t.id == 2 then
          print(t.state, t.where:match(':(%d+)$') == tostring(debug.getinfo(1).currentline - 5),
            weft.stacks():find('task 2 [ready', 1, true) ~= nil)
        end
      end
    ]])
  end)

  it('fails as others do, with its stack', function()
    local r = run [[
      local function fail()
        compute(0.05)
        error 'on purpose'
      end
      hog(function() weft.go(function() compute(0.05) end) coroutine.wrap(fail)() end)
      weft.sleep(100)
    ]]
    assert.equals(2, r.status)
    has(r.err, 'panic: ', 'on purpose', 'in function <', 'resumed by', 'created by task 1 at ')
  end)

  it('does not keep the program from ending', function()
    prints('end\n', [[
      hog(function() while true do end end)
      weft.sleep(0.05)
      print 'end'
    ]])
  end)

  it('that is done is no reason not to find a deadlock', function()
    local r = run [[
      hog(function() compute(0.05) weft.chan():recv() end)
      weft.chan():recv()
    ]]
    assert.equals(2, r.status)
    has(r.err, 'all tasks are asleep - deadlock!', 'task 1 [chan receive', 'task 2 [chan receive')
  end)

  it('is no deadlock while it computes alone', function()
    prints('v\n', [[
      local ch = weft.chan()
      weft.go(function() weft.preempt(true) compute(0.05) ch:send 'v' end)
      weft.go(function() weft.preempt(true) compute(0.05) end)
      print(ch:recv())
    ]])
  end)

  it('is no leak, nor is one that only it can wake', function()
    prints('0\tv\n', [[
      local done, go_on = weft.chan(1), false
      hog(function()
        local ch = weft.chan()
        weft.go(function() done:send((ch:recv())) end)
        weft.yield()
        while not go_on do end
        ch:send 'v'
      end)
      repeat weft.sleep(0.001) until weft.stats().preemptions > 0
      local leaked = #weft.leaks()
      go_on = true
      print(leaked, (done:recv()))
    ]])
  end)

  it('has its coroutine to itself until it goes on', function()
    prints('false\tcannot resume a coroutine whose task has been interrupted\nsuspended\n', [[
      local co = coroutine.create(function() while true do end end)
      hog(coroutine.resume, co)
      weft.sleep(0.02)
      print(coroutine.resume(co))
      print(coroutine.status(co))
    ]])
  end)
end)

describe('a computation that is interrupted', function()
  both_ways('gives what it gives in one piece', 'true\ttrue\n', [[
    local bit = require 'bit'
    local function work(seed)
      local h, parts, t = seed, {}, {}
      local gen = coroutine.wrap(function()
        for i = 1, math.huge do
          h = bit.bxor(bit.rol(h, 5), i * 31) % 2 ^ 31
          coroutine.yield(h, i, nil)
        end
      end)
      local obj = setmetatable({}, { __index = function(_, k) return k * 2 end })
      for i = 1, 60000 do
        local a, b, c = gen()
        if c ~= nil or b ~= i then error 'values of a yield got lost' end
        t[i % 100 + 1] = a + obj[b]
        if i % 100 == 0 then
          table.sort(t, function(x, y) return x < y end)
          parts[#parts + 1] = ('%d:%d'):format(t[1], #t)
        end
        local ok, x, y = pcall(select, 2, 'a', i, 'c')
        if not ok or x ~= i or y ~= 'c' then error 'values of a call got lost' end
      end
      return table.concat(parts, ' ')
    end
    local want = {}
    for i = 1, 4 do want[i] = work(i) end
    local before, same = weft.stats().switches, true
    local futures = {}
    for i = 1, 4 do
      futures[i] = weft.async(function()
        weft.preempt(true)
        return work(i)
      end)
    end
    for i = 1, 4 do same = same and futures[i]:await() == want[i] end
    print(same, weft.stats().switches - before > 8)
  ]])

  both_ways('loses and doubles no value of a channel', 'true\ttrue\n', [[
    local out = { weft.chan(), weft.chan(3), weft.chan(64) }
    -- Each task has a place of its own: what it adds to another's could be lost.
    local sums, sent, stop = { {}, {}, {} }, { 0, 0, 0 }, false
    for i, ch in ipairs(out) do
      weft.go(function()
        weft.preempt(true)
        local n = 0
        while not stop do
          n = n + 1
          ch:send(n)
          sent[i] = sent[i] + n
        end
        ch:close()
      end)
      for receiver = 1, 2 do
        weft.go(function()
          weft.preempt(true)
          local sum = 0
          for v in ch do
            sum = sum + v
            for k = 1, 20 do sum = sum + k - k end
          end
          sums[i][receiver] = sum
        end)
      end
    end
    weft.sleep(0.5)
    stop = true
    while weft.ntasks() > 1 do weft.sleep(0.01) end
    local same, some = true, true
    for i = 1, 3 do
      same = same and sums[i][1] + sums[i][2] == sent[i]
      some = some and sent[i] > 0
    end
    print(same, some)
  ]])
end)

describe('a task that has not asked', function()
  both_ways('is whole between two blocking calls, beside others that are not', '20\ttrue\n', [[
    local shared, others, seen = 0, 0, 0
    for _ = 1, 3 do hog(function() while true do others = others + 1 end end) end
    for _ = 1, 20 do
      local before, value = others, shared
      local t = clock()
      local x = 0
      while clock() - t < 0.022 do x = x + 1 end
      shared = value + 1
      if others ~= before then print 'others have run in between' end
      weft.sleep(0.001)
      if others ~= before then seen = seen + 1 end
    end
    print(shared, seen > 0)
  ]])
end)

describe('--preempt', function()
  local function with(out, code) prints(out, code, { options = { '--preempt' } }) end

  it('is as if every task had asked', function()
    with('true\ttrue\ttrue\n', [[
      local n = 0
      weft.go(function() while true do n = n + 1 end end)
      print(longest(5, 0.05) < 0.1, n > 0, weft.preempt(true))
    ]])
  end)

  it('a task can do without', function()
    with('true\ttrue\n', [[
      local n = 0
      weft.go(function() while true do n = n + 1 weft.yield() end end)
      weft.yield()
      local was = weft.preempt(false)
      local before = n
      compute(0.05)
      print(was, n == before)
    ]])
  end)

  it('under a virtual clock counts real time', function()
    prints('true\ttrue\n', [[
      local n, done = 0, false
      weft.go(function() while not done do n = n + 1 end end)
      local before = n
      for _ = 1, 5 do
        weft.yield()
        compute(0.02)
      end
      done = true
      local t = time.monotonic()
      weft.sleep(1000)
      print(n > before, time.monotonic() - t >= 1000)
    ]], { options = { '--preempt' }, virtual = true })
  end)
end)
