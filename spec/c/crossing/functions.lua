-- SPDX-License-Identifier: MIT
-- Functions that run in another VM (spec/c/crossing_test.c).
package.path = 'spec/c/crossing/?.lua;' .. package.path
local support = require 'support'
local case, equal, has, raises = support.case, support.equal, support.has, support.raises
local weft = require 'weft'

-- Everything in the file holds for spliced functions and for ones that are loaded anew.
local function cases()
  case('arguments and results', function()
    equal(3, (there(function(a, b) return a + b end, 1, 2)))
    equal(0, select('#', there(function() end)))
    equal(4, select('#', there(function(...) return ... end, nil, 1, nil, nil)))
    equal('abc', (there(function(...) return table.concat({ ... }) end, 'a', 'b', 'c')))
    equal(6, (there(function(first, ...) return first + select('#', ...) end, 3, nil, nil, nil)))
  end)

  case('upvalues by the number', function()
    for n = 0, 60 do
      local lines, names = {}, {}
      for i = 1, n do
        lines[i] = ('local u%d = %d'):format(i, i * i)
        names[i] = 'u' .. i
      end
      local sum = n == 0 and '0' or table.concat(names, ' + ')
      local text = ('%s\nreturn function(x) return x + %s end'):format(
        table.concat(lines, '\n'), sum)
      local f = assert(loadstring(text))()
      equal(f(7), (there(f, 7)))
    end
  end)

  case('upvalues of every kind', function()
    local a, b, c, d, e = nil, false, 1.5, 'text', { 1, { 2 } }
    local function f() return a, b, c, d, e[2][1] end
    local r = { there(f) }
    assert(r[1] == nil and r[2] == false and r[3] == 1.5 and r[4] == 'text' and r[5] == 2)
  end)

  case('constants', function()
    local function f()
      return { 1, -1, 0.5, 1e300, 123456789, 2 ^ 40, 'short', ([[long]]):rep(100), true, false,
        1LL, 18446744073709551615ULL, { 1, 2, 'x', 4 }, { a = 1, b = { c = 2 }, 'x', [5] = 'y' },
        { 'a', 'b', 'c' }, 1e15, 32768, -32769, 65536, 0x7fffffff, -0x80000000, '', '\0', 1 / 0 }
    end
    assert(support.alike(f(), (there(f))))
    equal('0+2i', (there(function() return tostring(2i) end)))
  end)

  case('inner functions', function()
    local a, b = 10, 20
    local function f(x)
      local y = x + a
      local function g(z)
        local function h(w) return w + z + y + b end
        return h(1)
      end
      local fs = {}
      for i = 1, 3 do fs[i] = function() return i + g(i) end end
      return fs[1]() + fs[2]() + fs[3]()
    end
    equal(f(5), (there(f, 5)))
  end)

  case('functions that make functions come back', function()
    local base = 100
    local function maker(x) return function(y) return base + x + y end end
    local g = there(maker, 20)
    equal(123, g(3))
    equal(123, (there(g, 3)))
    equal(base, (pass(maker))(0)(0))
  end)

  case('recursion', function()
    local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end
    equal(610, (there(fib, 15)))
    local even, odd
    function even(n) return n == 0 or odd(n - 1) end
    function odd(n) return n ~= 0 and even(n - 1) end
    equal(true, (there(even, 100)))
    equal(true, (there(odd, 101)))
    local e, o = pass(even, odd)
    assert(select(2, debug.getupvalue(e, 1)) == o and select(2, debug.getupvalue(o, 1)) == e)
    local t = {}
    function t.f(n) return n == 0 and t or t.f(n - 1) end
    equal('table', type((there(t.f, 3))))
  end)

  case('goto, loops, varargs', function()
    local function f(n, ...)
      local sum = 0
      for i = 1, n do
        if i % 2 == 0 then goto continue end
        for _, v in ipairs { ... } do sum = sum + v * i end
        ::continue::
      end
      local i = 0
      while true do
        i = i + 1
        if i > 3 then break end
      end
      repeat i = i - 1 until i == 0
      for _, v in pairs { a = 1, b = 2 } do sum = sum + v end
      return sum, i
    end
    equal((f(9, 1, 2, 3)), (there(f, 9, 1, 2, 3)))
  end)

  case('stripped functions', function()
    local up = 5
    local function f(x) return function() return x + up end end
    local g = assert(loadstring(string.dump(f, true)))
    debug.setupvalue(g, 1, 6)
    equal(16, (there(function(h) return h(10)() end, g)))
    -- Nothing says which registers are variables: the table may be a local one's.
    local results = {}
    local h = assert(loadstring(string.dump(function() results[1] = 1 end, true)))
    debug.setupvalue(h, 1, {})
    equal(nil, refused(h))
    local k = assert(loadstring(string.dump(function() up = 1 end, true)))
    has(refused(k), 'assigns the captured variable 1')
  end)

  case('a main chunk', function()
    equal(7, (there(assert(loadstring 'local a, b = ... return a + b', '=chunk'), 3, 4)))
  end)

  case('shared upvalues stay shared', function()
    local n = 0
    local function add() n = n + 1 return n end
    local function get() return n end
    local a, g = pass(add, get)
    a()
    a()
    equal(2, g())
    equal(0, n)
    equal(debug.upvalueid(a, 1), debug.upvalueid(g, 1))
    -- In tables, and one function twice.
    local t = pass { add = add, get = get, again = add }
    equal(t.add, t.again)
    t.add()
    equal(1, t.get())
    -- Two loops' variables are two.
    local fs = {}
    for i = 1, 3 do fs[i] = function() i = i + 1 return i end end
    local r = pass(fs)
    equal(2, r[1]())
    equal(3, r[1]())
    equal(3, r[2]())
  end)

  case('many functions deep in each other', function()
    local f = function() return 0 end
    for _ = 1, 100 do
      local g = f
      f = function() return g() + 1 end
    end
    equal(100, (there(f)))
    local t = { f = f }
    for _ = 1, 30 do t = { t, function() return t end } end
    local u = pass(t)
    equal(u, u[2]() and u)
    for _ = 1, 30 do u = u[1] end
    equal(100, u.f())
  end)

  case('instances do not share what is theirs', function()
    local fs = {}
    for i = 1, 10 do
      local x = { i }
      fs[i] = function() x[1] = x[1] + 1 return x[1] end
    end
    local r = pass(fs)
    for i = 1, 10 do equal(i + 1, r[i]()) end
    for i = 1, 10 do equal(i + 2, r[i]()) end
  end)

  case('source and line', function()
    local function f() error('here', 1) end
    local ok, err = pcall(there, f)
    assert(not ok)
    has(err, 'functions.lua:', ': here')
    local info = debug.getinfo((pass(f)), 'S')
    equal(debug.getinfo(f, 'S').source, info.source)
    equal(debug.getinfo(f, 'S').linedefined, info.linedefined)
    local up = 1
    equal('up', (debug.getupvalue(pass(function() return up end), 1)))
  end)
end

case('captured globals', function()
  aglobal, another, afunction = 5, { 1, 2 }, function() return aglobal end
  local function f() return aglobal, another[2], afunction(), notthere, print == _G.print end
  local a, b, c, d, e = there(f)
  assert(a == 5 and b == 2 and c == 5 and d == nil and e == true)
  -- Only that function has them.
  equal(nil, (there(loadstring 'return rawget(_G, "aglobal")')))
  -- Inner functions name some too, and functions of one message see the same ones.
  local function g()
    local function h() return aglobal end
    return h() + 1
  end
  equal(6, (there(g)))
  local set, get = pass(function(v) aglobal = v end, function() return aglobal end)
  set(9)
  equal(9, get())
  equal(5, aglobal)
  aglobal, another, afunction = nil, nil, nil
end)

case('globals that stand for others', function()
  local kept = print
  print = function() return 'mine' end
  local function f() return print() end
  equal('mine', (there(f)))
  print = kept
  equal(nil, (there(function() return print() end)))
  string.shout = function(s) return s:upper() .. '!' end
  raises('shout', there, function() return string.shout 'a' end)
  string.shout = nil
  cjson_like = require 'weft.time'
  equal(true, (there(function() return cjson_like == require 'weft.time' end)))
  cjson_like = nil
end)

case('environments', function()
  local env = setmetatable({ own = 1 }, { __index = _G })
  aglobal = 3
  local f = setfenv(function() return own, aglobal, type(print) end, env)
  local a, b, c = there(f)
  assert(a == 1 and b == 3 and c == 'function')
  local g = function() return own end
  -- Two environments stay two.
  local x, y = pass(f, g)
  assert(getfenv(x) ~= getfenv(y) and (x()) == 1 and y() == nil)
  equal(getfenv(x), getfenv((pass(x))) and getfenv(x))
  -- What stands behind an environment, and behind that; the nearest comes first.
  local far = { faraway = 'far', both = 'not this' }
  local behind = setmetatable({ near = 'near', both = 'this' }, { __index = far })
  local h = setfenv(function() return near, faraway, both, aglobal end,
    setmetatable({}, { __index = behind }))
  local n, r, o, gl = there(h)
  assert(n == 'near' and r == 'far' and o == 'this' and gl == nil)
  equal("global 'faraway' of arg 1: coroutine", (function()
    far.faraway = coroutine.create(print)
    return refused(print, h)
  end)())
  far.faraway = nil
  setmetatable(far, { __index = behind })
  equal(nil, (there(setfenv(function() return nowhere end, behind))))
  setmetatable(_G, { __index = { inherited = 4 } })
  equal(4, (there(function() return inherited end)))
  setmetatable(_G, { __index = function(_, name) error('no global ' .. name) end })
  equal(3, (there(setfenv(function() return aglobal end, setmetatable({}, { __index = _G })))))
  equal(3, (there(setfenv(function() return aglobal end,
    setmetatable({}, { __index = function(_, name) return _G[name] end })))))
  equal(nil, (there(setfenv(function() return nowhere end, _G))))
  setmetatable(_G, nil)
  -- What a function assigns stays out of the VM's globals.
  there_unchecked(function() leaked = 1 end)
  equal(nil, (there(function() return leaked end)))
end)

case("weft's own functions", function()
  local sleep, go, time = weft.sleep, weft.go, weft.time
  assert(there(function()
    local w = require 'weft'
    return sleep == w.sleep and go == w.go and time == w.time
  end))
end)

case('jit.off goes along', function()
  local info = require 'jit.util'.funcinfo
  local hot = [[local f = ... for _ = 1, 200 do f(1) end
    return require 'jit.util'.funcbc(f, 0) % 256]]
  local function fresh()
    return (assert(loadstring 'local u = 1 return function(x) return x + u end'))()
  end
  local on, off = fresh(), fresh()
  jit.off(off)
  assert(info)
  -- LuaJIT marks the head of a function that it may not compile (IFUNCF) once that is hot.
  local IFUNCF = 90
  local run = assert(loadstring(hot))
  equal(IFUNCF, (there(run, off)))
  assert((there(run, on)) ~= IFUNCF)
  jit.off(on)
  equal(IFUNCF, (there(run, pass(off))))
  -- Also once it has crossed, and for others with the same code.
  local fs = {}
  for i = 1, 2 do fs[i] = function(x) return x + i end end
  assert((there(run, fs[1])) ~= IFUNCF)
  jit.off(fs[1])
  equal(IFUNCF, (there(run, fs[1])))
  equal(IFUNCF, (there(run, fs[2])))
  jit.on(fs[2])
  assert((there(run, fs[1])) ~= IFUNCF)
end)

case('traces are shared by instances', function()
  local traces = [[
    local jit = require 'jit'
    count = 0
    jit.attach(function(what) if what == 'start' then count = count + 1 end end, 'trace')]]
  there_unchecked(setfenv(assert(loadstring('setfenv(1, getfenv(0)) ' .. traces)), {}))
  local function work(k)
    local function f(n)
      local sum = 0
      for i = 1, n do sum = sum + i % k end
      return sum
    end
    return f
  end
  local count = assert(loadstring 'return getfenv(0).count')
  for i = 1, 20 do there(work(i + 1), 200) end
  local before = there(count)
  for i = 1, 2000 do there(work(i + 1), 200) end
  assert(there(count) - before <= 10, there(count) - before)
end)

case('a trace made for functions that share nothing is none for those that do', function()
  -- LuaJIT tells upvalues apart by eight bits of a hash: one pair would sometimes do.
  for i = 1, 10 do
    local make = assert(loadstring(([[local n = 0
      return function() n = n + 1 return %d end, function() return n, %d end]]):format(i, i)))
    local work = assert(loadstring(([[local add, get, times = ...
      local wrong = %d - %d
      for _ = 1, times do
        local before = get()
        add()
        if get() ~= before + 1 then wrong = wrong + 1 end
      end
      return wrong]]):format(i, i)))
    local add, get = make()
    local other = make()
    for _ = 1, 10 do equal(3, (there_unchecked(work, other, get, 3))) end
    equal(500, (there_unchecked(work, other, get, 500)))
    equal(0, (there_unchecked(work, add, get, 500)))
    equal(500, (there_unchecked(work, other, get, 500)))
    -- Both share, but with others; the one that comes first has made the upvalue.
    local both = assert(loadstring 'local work, a, g, times = ... return work(a[1], g[1], times)')
    local one, two = { make() }, { make() }
    one.same, two = { one[2], one[1] }, { two[2], two[1] }
    for _ = 1, 10 do equal(3, (there_unchecked(both, work, one, two, 3))) end
    equal(500, (there_unchecked(both, work, one, two, 500)))
    equal(0, (there_unchecked(both, work, one, one.same, 500)))
  end
end)

case('the cache is bounded', function()
  local first = loadstring 'return 0'
  for round = 1, 2 do
    for i = 1, 1500 do
      local f = assert(loadstring(('return %d + ...'):format(i)))
      equal(i + round, (there(f, round)))
    end
    equal(0, (there(first)))
  end
  -- More in one message than it holds.
  local fs = {}
  for i = 1, 1200 do fs[i] = assert(loadstring(('return %d, aname%d'):format(i, i))) end
  fs = pass(fs)
  for i = 1, 1200 do equal(i, (fs[i]())) end
end)

case('a function that comes later stays what it was while the cache turns over', function()
  for depth = 12, 17 do
    local before, after = {}, {}
    for i = 1, 600 do
      before[i] = assert(loadstring(('return %d, "before", %d'):format(i, depth)))
      after[i] = assert(loadstring(('return %d, "after", %d'):format(i, depth)))
    end
    local last = { 'last' }
    local t = { function() return after, last, print end }
    for _ = 1, depth do t = { t } end
    t = pass { t, before }[1]
    for _ = 1, depth do t = t[1] end
    local fs, l = t[1]()
    equal(600, (fs[600]()))
    equal('last', l[1])
  end
end)

case('a function with a large body', function()
  local lines = {}
  for i = 1, 3000 do
    lines[i] = ('local function f%d() return %d, "string %d", name%d end t[%d] = f%d()'):format(
      i % 100, i, i, i % 500, i, i % 100)
    if i % 100 == 0 then lines[i] = lines[i] .. ' do end' end
  end
  for i = 1, 3000, 100 do
    lines[i] = 'do ' .. lines[i]
    lines[i + 99] = lines[i + 99] .. ' end'
  end
  local f = assert(loadstring('local t = {} ' .. table.concat(lines, '\n') .. ' return #t'))
  equal(3000, (there(f)))
end)

case('a hot function crosses as it was', function()
  local function f(n)
    local s = 0
    for i = 1, n do s = s + i end
    return s
  end
  for _ = 1, 300 do f(300) end
  equal(f(300), (there(f, 300)))
end)

cases()
plain(true)
cases()
