-- SPDX-License-Identifier: MIT
-- Values that go to another VM and back (spec/c/crossing_test.c).
package.path = 'spec/c/crossing/?.lua;' .. package.path
local support = require 'support'
local case, equal, has, alike, raises =
  support.case, support.equal, support.has, support.alike, support.raises
local weft = require 'weft'

local function back(v)
  local w = pass(v)
  if not alike(v, w) then error('came back different: ' .. tostring(w), 2) end
  return w
end

case('numbers', function()
  local list = { 0, -0, 1, -1, 15, 16, -16, -17, 111, 112, 127, 128, 0.5, -0.5, 1e15, -1e15,
    1e15 - 1, 2 ^ 31, -2 ^ 31, 2 ^ 53, 2 ^ 53 + 2, 1e308, -1e308, 5e-324, math.huge, -math.huge,
    0 / 0, -(0 / 0) }
  for i = 1, #list do back(list[i]) end
  for i = -300, 300 do back(i) end
  for e = 0, 62 do back(2 ^ e) back(-2 ^ e) back(2 ^ e - 1) end
  back(list)
end)

case('nil, booleans and many values', function()
  equal(0, select('#', pass()))
  equal(3, select('#', pass(nil, nil, nil)))
  local a, b, c, d = pass(nil, false, nil, true)
  assert(a == nil and b == false and c == nil and d == true)
  local many = {}
  for i = 1, 200 do many[i] = i end
  equal(200, select('#', pass(unpack(many))))
  equal(200, (select(200, pass(unpack(many)))))
end)

case('strings', function()
  for _, n in ipairs { 0, 1, 2, 10, 27, 28, 29, 39, 62, 63, 64, 65, 127, 128, 1000, 4095, 4096,
    4097, 70000, 1e6 } do
    local s = ('x\0\255y'):rep(n):sub(1, n)
    back(s)
    back { s, s, k = s, [s] = 1 }
  end
end)

case('small messages need no allocation', function()
  local function allocated(...) return (select(5, weigh(...))) end
  assert(not allocated(1))
  assert(not allocated(1.5))
  assert(not allocated(true, nil, false))
  assert(not allocated(('x'):rep(28)))
  assert(not allocated { x = 1, y = 2, z = 3 })
  assert(not allocated { id = 12345, name = 'abcdefgh', price = 9.5 })
  assert(allocated(('x'):rep(100)))
end)

case('long strings go once', function()
  local s, t = ('s'):rep(1e6), ('t'):rep(1000)
  local size, blobs = weigh { s, s, s, t, t, t, [s] = t }
  equal(1, blobs)
  assert(size < 1200, size)
end)

case('tables', function()
  back {}
  back { 1, 2, 3 }
  back { 1, nil, 3, nil, nil, 6 }
  back { [0] = 'zero', 'one', 'two' }
  back { [0] = 'zero' }
  back { [-1] = 1, [0.5] = 2, [1e300] = 3, [true] = 4, [false] = 5, [''] = 6 }
  back { 1, 2, 3, x = 1, y = { 1, z = 2 } }
  back { { 1, { 2, { 3 } } }, { a = { b = { c = {} } } } }
  local sparse, large, records = {}, {}, {}
  for i = 1, 200, 7 do sparse[i] = i end
  for i = 1, 5000 do large[i] = i * 1.5 end
  for i = 1, 2000 do records[i] = { id = i, name = 'record ' .. i, tags = { 'a', 'b' } } end
  back(sparse)
  back(large)
  back(records)
  local map = {}
  for i = 1, 3000 do map['key' .. i] = i end
  back(map)
  for n = 0, 70 do
    local t = {}
    for i = 1, n do t[i] = i t['k' .. i] = i end
    back(t)
  end
end)

case('keys of every kind', function()
  local key = { 'key' }
  local t = pass { [key] = 1, [{}] = { [key] = 2 }, self = key }
  local n = 0
  for k, v in pairs(t) do
    if k == t.self then n = n + v end
    if type(v) == 'table' and v[t.self] then n = n + v[t.self] end
  end
  equal(3, n)
  equal('key', t.self[1])
end)

case('cycles and shared references', function()
  local a = {}
  a.self = a
  assert(back(a).self.self ~= nil)
  local s = { 's' }
  local t = pass { s, s, { s }, [s] = s }
  assert(t[1] == t[2] and t[3][1] == t[1] and t[t[1]] == t[1])
  local b, c = {}, {}
  b.c, c.b = c, b
  back { b, c }
  -- Across arguments, too.
  local x, y = pass(s, s)
  assert(x == y)
end)

case('any depth', function()
  for _, n in ipairs { 14, 15, 16, 17, 18, 33, 34, 1000, 200000 } do
    local t = { 'end' }
    for i = 1, n do t = i % 2 == 0 and { t } or { next = t, i } end
    t = pass(t)
    for i = n, 1, -1 do
      if i % 2 == 1 then equal(i, t[1]) end
      t = i % 2 == 0 and t[1] or t.next
    end
    equal('end', t[1])
  end
  -- Shared, cyclic and deep at once; deep in keys.
  local top = {}
  local t = top
  for i = 1, 100 do
    local inner = { top = top, up = t }
    t[i % 3 == 0 and 'x' or 1] = inner
    t = inner
  end
  back(top)
  local k = { 'end' }
  for _ = 1, 50 do k = { [k] = true } end
  k = pass(k)
  for _ = 1, 50 do k = next(k) end
  equal('end', k[1])
end)

case('int64', function()
  local list = { 0LL, 1LL, -1LL, 0ULL, 18446744073709551615ULL, -9223372036854775808LL }
  back(list)
  for i = 1, #list do equal(tostring(list[i]), tostring(pass(list[i]))) end
  has(refused(print, require 'ffi'.new 'int32_t'), 'arg 1: cdata')
  has(refused(print, require 'ffi'.new 'int64_t[2]'), 'arg 1: cdata')
end)

case('by name', function()
  local names = { print = print, string = string, rep = string.rep, io = io, _G = _G,
    out = io.stdout, err = io.stderr, stdin = io.stdin, default = weft.default,
    resume = coroutine.resume,
    require = require, dofile = dofile, sleep = weft.sleep, weft = weft, sync = weft.sync,
    mutex = weft.sync.mutex, loaded = package.loaded, bit = bit, jit = jit, off = jit.off }
  local t = pass(names)
  for name, value in pairs(names) do
    if t[name] ~= value then error(name .. ' came back as another') end
  end
  assert(there(function(t)
    local w = require 'weft'
    return t.print == print and t.rep == string.rep and t._G == getfenv(0) and t.out == io.stdout
      and t.weft == w and t.sleep == w.sleep and t.default == w.default and t.sync == w.sync
      and t.mutex == w.sync.mutex and t.resume == coroutine.resume
  end, names))
end)

case('ffi.C and modules', function()
  local ffi = require 'ffi'
  local t = pass { ffi = ffi, C = ffi.C, new = ffi.new }
  assert(t.ffi == ffi and t.C == ffi.C and t.new == ffi.new)
  -- `there` does not know where the module lies.
  raises("module 'support' not found", there, function(s) return s end, support)
  local why = select(2, pcall(there, function() return support.equal end))
  has(why, "there: ", "module 'support' not found")
  there(function(path) package.path = path end, package.path)
  assert(there(function(s) return package.loaded.support == s end, support))
  equal(support, (pass(support)))
  -- One that was loaded without weft's `require`.
  package.loaded['by.hand'] = { answer = function() return 42 end }
  there(function(M) package.preload['by.hand'] = function() return M end end,
    { answer = function() return 43 end })
  equal(43, (there(function(m) return m.answer() end, package.loaded['by.hand'])))
  package.loaded['by.hand'] = nil
end)

case('a module that has been replaced is a table like others', function()
  local old = { 1 }
  package.loaded.replaced = old
  weigh { old, function() end }
  package.loaded.replaced = { 2 }
  local t = pass(old)
  assert(t ~= old and t[1] == 1)
end)

case('registered metatables', function()
  local Point = {}
  Point.__index = Point
  local p = setmetatable({ x = 1 }, Point)
  has(refused(print, { p }), 'arg 1[1]: table with a metatable that is not registered')
  weft.register('point', Point)
  raises("type 'point' is not registered here", pass, p)
  weft.register('point', Point, 'points')
  raises("module 'points' not found", pass, p)
  there(function()
    package.preload.points = function()
      local M = {}
      M.__index = M
      function M.sum(self) return self.x + self.y end
      require 'weft'.register('point', M, 'points')
      return M
    end
  end)
  equal(3, (there(function(q) return q:sum() end, setmetatable({ x = 1, y = 2 }, Point))))
  local list = {}
  for i = 1, 50 do list[i] = setmetatable({ i, list }, Point) end
  back(list)
  equal(50, (there(function(l) return #l, getmetatable(l[1]) == getmetatable(l[50]) end, list)))
end)

case('two names, one name twice', function()
  local A, B = {}, {}
  weft.register('a', A)
  weft.register('a', A)
  raises("'register': the name 'a' is another metatable's", weft.register, 'a', B)
  weft.register('mod', A, 'module')
  weft.register('mod', B, 'module')  -- loaded again
  raises("'register'", weft.register, 'mod', A, 'other')
  raises("bad argument #1 to 'register' (string expected, got no value)", weft.register)
  raises("bad argument #2 to 'register' (metatable expected, got no value)", weft.register, 'x')
  raises("bad argument #3 to 'register'", weft.register, 'x', {}, 1)
end)

case('a module that fails to load', function()
  there(function()
    package.preload.broken = function() error 'on purpose' end
  end)
  weft.register('broken', support, 'broken')
  raises('on purpose', pass, { 1, setmetatable({}, support), ('x'):rep(10000) })
  there(function() package.preload.idle = function() end end)
  local T = {}
  weft.register('idle', T, 'idle')
  raises("module 'idle' has not registered the type 'idle'", pass, setmetatable({}, T))
end)

case('what cannot cross', function()
  local co = coroutine.create(print)
  local function say(...) return refused(print, ...) end
  equal('arg 1: coroutine', say(co))
  equal('arg 2.items[3]: coroutine', say(1, { items = { 1, 2, co } }))
  equal('arg 1["a b"][1.5][true]: coroutine', say { ['a b'] = { [1.5] = { [true] = co } } })
  equal('arg 1["a\\000b\\010"]: coroutine', say { ['a\0b\n'] = co })
  equal(('arg 1["%s..."]: coroutine'):format(('k'):rep(60)), say { [('k'):rep(1e6)] = co })
  equal('arg 1, as a key: coroutine', say { [co] = 1 })
  equal('arg 1.x: userdata', say { x = newproxy() })
  equal('arg 1: userdata (FILE*)', say(io.tmpfile()))
  equal('arg 1.f: function of this VM (as coroutine.wrap makes them)',
    say { f = coroutine.wrap(print) })
  equal('arg 1: C function that is in no module', say((('x'):gmatch 'x')))
  local deep = { co }
  for _ = 1, 40 do deep = { deep } end
  has(say(deep), 'deep inside', '[1]: coroutine')
  equal('arg 1[1]: udp socket', say { weft.net.udp() })
  has(say(weft.time.timer(1)), 'arg 1: table with a metatable that is not registered')
end)

case('a refusal leaves nothing behind', function()
  local big = ('x'):rep(1e5)
  for _ = 1, 100 do
    assert(refused(print, { big, function() return big end }, coroutine.create(print)))
  end
  back { big }
end)

case('a hook for calls is not called while values are packed, and stays', function()
  local calls = 0
  local function calls_of(...)
    weigh(...)  -- what is made ready once
    debug.sethook(function() calls = calls + 1 end, 'c')
    calls = 0
    weigh(...)
    local n = calls
    local hook, mask = debug.gethook()
    debug.sethook()
    assert(hook and mask == 'c')
    return n
  end
  equal(calls_of(1), calls_of { 5LL, { 6ULL }, function() return calls end })
end)
