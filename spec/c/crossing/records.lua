-- SPDX-License-Identifier: MIT
-- Tables of numbers over channels that have crossed, sent and received by code that is compiled.
package.path = 'spec/c/crossing/?.lua;' .. package.path
local weft = require 'weft'
local support = require 'support'
local case, equal, raises = support.case, support.equal, support.raises

local share = require 'box'.share
local LOOPS = 200

-- Sends each value LOOPS times and checks what comes: the same, but for its identity.
local function passes(values)
  local ch = share(weft.chan(#values))
  for _ = 1, LOOPS do
    for i = 1, #values do ch:send(values[i]) end
    for i = 1, #values do
      local got = ch:recv()
      equal(true, support.alike(values[i], got))
      if type(got) == 'table' then equal(false, rawequal(values[i], got)) end
    end
  end
end

case('records of one shape, of several, and in several orders', function()
  passes { { x = 1, y = 2, z = 3 } }
  passes { { x = 1 }, { x = 1, y = 2 }, { y = 2, x = 1 }, { a = 1, b = 2, c = 3, d = 4, e = 5 } }
  local backwards = {}
  for _, name in ipairs { 'z', 'y', 'x' } do backwards[name] = #name end
  passes { { x = 1, y = 2, z = 3 }, backwards, { z = 4, y = 5, x = 6 } }
end)

case('numbers of all kinds', function()
  local ch = share(weft.chan(1))
  for i = 1, LOOPS do
    ch:send { a = -0, b = math.huge, c = 0 / 0, d = 1e300, e = i + 0.1 }
    local r = ch:recv()
    equal(-math.huge, 1 / r.a)
    equal(math.huge, r.b)
    equal(true, r.c ~= r.c)
    equal(1e300, r.d)
    equal(i + 0.1, r.e)
  end
end)

case('what is no record goes as before', function()
  local with_gap = { x = 1, y = 2 }
  with_gap.y = nil
  passes { { x = 1, y = 2 }, { x = 1, y = 'two' }, { x = 1, y = { 2 } }, { x = 1, y = true }, {},
    { 1, 2, 3 }, { 1, x = 1 }, with_gap, { a = 1, b = 2, c = 3, d = 4, e = 5, f = 6 },
    { ['two words'] = 1 }, { ['end'] = 1, ['\0'] = 2 }, { [('n'):rep(24)] = 1 },
    { [('n'):rep(23)] = 1 }, { [1.5] = 1 }, 7, 'text', true }
end)

case('a metatable is not left behind', function()
  local ch = share(weft.chan(1))
  for i = 1, LOOPS do
    ch:send { x = i }
    ch:recv()
  end
  raises('a metatable that is not registered', ch.send, ch, setmetatable({ x = 1 }, {}))
  local Point = {}
  weft.register('records.Point', Point)
  ch:send(setmetatable({ x = 1 }, Point))
  equal(Point, getmetatable(ch:recv()))
end)

case('a module goes by its name, also one that has been loaded since', function()
  local ch = share(weft.chan(1))
  for round = 1, 3 do
    local m = { one = 1 }
    for i = 1, LOOPS do
      ch:send { one = i }
      ch:recv()
    end
    local name = 'records.module' .. round
    package.preload[name] = function() return m end
    equal(m, require(name))
    for _ = 1, 3 do
      ch:send(m)
      equal(true, rawequal(m, ch:recv()))
    end
  end
end)

case('by try, select and iteration, waiting or not', function()
  local ch = share(weft.chan(2))
  local function three(v) return v.x + v.y + v.z end
  local sum = 0
  for i = 1, LOOPS do
    ch:send { x = i, y = 1, z = 1 }
    equal(true, ch:try_send { x = i, y = 2, z = 2 })
    sum = sum + three(ch:try_recv())
    local _, v = weft.select(ch, weft.default)
    sum = sum + three(v)
    weft.select(ch:sending { x = i, y = 3, z = 3 })
    sum = sum + three(ch:recv())
  end
  equal(3 * LOOPS * (LOOPS + 1) / 2 + 12 * LOOPS, sum)
  weft.go(function()
    for i = 1, LOOPS do ch:send { x = i, y = i, z = i } end
    ch:close()
  end)
  sum = 0
  for v in ch do sum = sum + three(v) end
  equal(3 * LOOPS * (LOOPS + 1) / 2, sum)
  raises('send on closed channel', ch.send, ch, { x = 1, y = 1, z = 1 })
end)

case('what a finaliser sends and receives meanwhile does no harm', function()
  local ch, other = share(weft.chan(4)), share(weft.chan(4))
  other:send { x = -1, y = -1, z = -1 }
  local function litter()
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = function()
      other:send { x = -1, y = -1, z = -1 }
      other:recv()
    end
  end
  for i = 1, 20 * LOOPS do
    litter()
    ch:send { x = i, y = i + 1, z = i + 2 }
    local v = ch:recv()
    equal(3 * i + 3, v.x + v.y + v.z)
  end
end)

case('more shapes than are learnt', function()
  local ch = share(weft.chan(1))
  for i = 1, 400 do
    local name = 'shape' .. i
    for v = 1, 3 do
      ch:send { [name] = v, common = i }
      local got = ch:recv()
      equal(v, got[name])
      equal(i, got.common)
    end
  end
end)
