-- SPDX-License-Identifier: MIT
-- Values as the bytes of an input tell, there and back (spec/fuzz/roundtrip.c gives `pass`).
local T = require 'types'

-- Functions with one to three upvalues, of different shapes.
local function makers(x, y, z)
  return {
    function() return x end,
    function(a) x = a or x return x, y end,
    function(...) return x, y, z, ... end,
    function() return function() return y, z end end,
  }
end

-- Builds values from the bytes: `pool` has what was built, for references.
local function build(bytes)
  local at, pool = 1, { {} }
  local function byte()
    local b = bytes:byte(at) or 0
    at = at + 1
    return b
  end
  local function old() return pool[byte() % #pool + 1] end
  local function scalar()
    local kind = byte() % 12
    if kind == 0 then return byte() end
    if kind == 1 then return -byte() * 2 ^ (byte() % 60) end
    if kind == 2 then return (byte() - 128) / (byte() + 1) end
    if kind == 3 then return bytes:sub(at, at + byte() % 70) end
    if kind == 4 then return ('long'):rep(byte() * (byte() % 16)) end
    if kind == 5 then return byte() % 2 == 0 end
    if kind == 6 then return 2 ^ 53 + byte() end
    if kind == 7 then return 'key' .. byte() % 8 end
    if kind == 8 then return math.huge end
    return byte() % 4
  end
  local function value()
    local kind = byte() % 8
    if kind < 3 then return scalar() end
    if kind < 5 then return old() end
    if kind == 5 then return 1LL * byte() end
    if kind == 6 then return print end
    return string
  end
  local ops = {
    function() pool[#pool + 1] = {} end,
    function() pool[#pool + 1] = setmetatable({}, T) end,
    function() pool[#pool + 1] = makers(value(), value(), value())[byte() % 4 + 1] end,
    function()  -- two that share
      local fs = makers(value(), value(), value())
      pool[#pool + 1], pool[#pool + 2] = fs[byte() % 4 + 1], fs[byte() % 4 + 1]
    end,
    function()  -- a chain
      for _ = 1, byte() % 64 do pool[#pool + 1] = { pool[#pool] } end
    end,
    function()
      local t = old()
      if type(t) == 'table' then for i = 1, byte() % 20 do t[i] = value() end end
    end,
  }
  local function set()
    local t = old()
    if type(t) == 'table' then
      t[scalar()] = value()
    elseif type(t) == 'function' then
      debug.setupvalue(t, 1, value())
    end
  end
  while at <= #bytes do (ops[byte() % 16] or set)() end
  local list = {}
  for i = 1, math.min(#pool, 4) do list[i] = pool[#pool - i + 1] end
  return list
end

local function same_scalar(x, y)
  if type(x) == 'cdata' then return type(y) == 'cdata' and tostring(x) == tostring(y) end
  return x == y and (x ~= 0 or 1 / x == 1 / y)
end

-- Compares what the two lists hold, each pair once; identity must go along.
local function compare(x, y)
  local known, back, todo = {}, {}, { { x, y } }
  local function same_identity(p, q)
    if known[p] == nil and back[q] == nil then
      known[p], back[q] = q, p
      return false
    end
    if known[p] ~= q or back[q] ~= p then error('sharing differs') end
    return true
  end
  while #todo > 0 do
    local p, q = unpack(table.remove(todo))
    if type(p) ~= type(q) then error(('%s became %s'):format(type(p), type(q))) end
    if type(p) == 'table' and p ~= string then
      if not same_identity(p, q) then
        if getmetatable(p) ~= getmetatable(q) then error 'metatables differ' end
        for k, v in pairs(p) do todo[#todo + 1] = { v, q[k] } end
        for k in pairs(q) do if p[k] == nil then error 'a key is new' end end
      end
    elseif type(p) == 'function' and p ~= print then
      if not same_identity(p, q) then
        -- The descriptors of upvalues differ in an instance of a factory, nothing else.
        if #string.dump(p) ~= #string.dump(q) then error 'functions differ' end
        for i = 1, 3 do
          local name, v = debug.getupvalue(p, i)
          local other, w = debug.getupvalue(q, i)
          if name ~= other then error 'upvalues differ' end
          if not name then break end
          todo[#todo + 1] = { v, w }
          local ids = { debug.upvalueid(p, i), debug.upvalueid(q, i) }
          same_identity(tostring(ids[1]), tostring(ids[2]) .. ' there')
        end
      end
    elseif not same_scalar(p, q) then
      error(('%s became %s'):format(tostring(p), tostring(q)))
    end
  end
end

function roundtrip(bytes)
  local list = build(bytes)
  compare(list, (pass(list)))
end
