-- SPDX-License-Identifier: MIT
-- Table constructors in functions that have gone to another VM: they make the same there.
-- (spec/embed/templates.c: and as fast.)
-- Subject: runtime/task/template.c

local weft = require 'weft'
local constructors = require 'support.constructors'

-- Here and, made from its dump, in another VM: what the function of that text says of 7, and its
-- length as it is there.
local function both(text)
  local make = assert(loadstring(text))()
  return make(7), weft.parallel(function(f)
    local t = f(7)
    return t, #t
  end, make):await()
end

describe('a constructor in another VM', function()
  for name, text in pairs(constructors) do
    it('makes the same: ' .. name, function()
      local here, there, length = both(text)
      assert.same(here, there)
      assert.equals(#here, length)
    end)
  end

  it('shows no field that has no value', function()
    local n = weft.parallel(function(f)
      local count = 0
      for _ in next, f() do count = count + 1 end
      return count
    end, function()
      local v = next {}
      local t = { x = v, y = 1, z = v }
      if v then t.u = v end
      return t
    end):await()
    assert.equals(1, n)
  end)

  it('keeps a constant when the field is stored later', function()
    local _, there = both [[return function(a)
      local t = { x = 1, y = a }
      if a < 0 then t.x = 2 end
      return t
    end]]
    assert.same({ x = 1, y = 7 }, there)
  end)

  it('goes on to a third VM', function()
    local t = weft.parallel(function(f)
      return require('weft').parallel(function(g) return g(1) end, f):await()
    end, assert(loadstring(constructors['tables in tables']))()):await()
    assert.same({ p = { q = 1, r = { s = 1, t = 1 } }, u = { v = 1 }, w = 1 }, t)
  end)
end)

-- Programs of constructors, stores, branches and loops. They are few lines, so a red one says all.
local function random_program(rand)
  local names = { 'x', 'y', 'z', 'u' }
  local function name() return names[rand(#names)] end
  local value
  local function constructor(depth)
    local parts = {}
    for i = 1, rand(0, 4) do
      parts[i] = rand(5) == 1 and value(depth) or ('%s = %s'):format(name(), value(depth))
    end
    return '{ ' .. table.concat(parts, ', ') .. ' }'
  end
  function value(depth)
    local kind = rand(depth > 2 and 4 or 6)
    if kind == 1 then return 'a' end
    if kind == 2 then return tostring(rand(9)) end
    if kind == 3 then return ('(a > %d and a or %d)'):format(rand(9), rand(9)) end
    if kind == 4 then return 'tostring(a)' end
    return constructor(depth + 1)
  end
  local lines = { 'return function(a)', 'local s, t = {}, ' .. constructor(0) }
  for i = 1, rand(0, 5) do
    local store = ('%s.%s = %s'):format(rand(3) == 1 and 's' or 't', name(), value(1))
    local kind = rand(4)
    if kind == 1 then store = ('if a > %d then %s end'):format(rand(9), store) end
    if kind == 2 then store = ('for i = 1, %d do %s end'):format(rand(3), store) end
    if kind == 3 then store = 't = ' .. constructor(0) .. ' ' .. store end
    lines[i + 2] = store
  end
  lines[#lines + 1] = 'return { s, t } end'
  return table.concat(lines, '\n')
end

describe('random constructors', function()
  it('make the same in another VM', function()
    local seed = tonumber(os.getenv 'WEFT_TEST_SEED') or os.time()
    local state = seed % 2147483647
    local function rand(low, high)
      if not high then low, high = 1, low end
      state = (state * 16807) % 2147483647
      return low + state % (high - low + 1)
    end
    for i = 1, 300 do
      local text = random_program(rand)
      local here, there = both(text)
      assert.same(here, there, ('seed %d, program %d:\n%s'):format(seed, i, text))
    end
  end)
end)
