-- SPDX-License-Identifier: MIT
-- Penlight: Map, MultiMap, OrderedMap, Set.

local List = require 'pl.List'
local Map = require 'pl.Map'
local MultiMap = require 'pl.MultiMap'
local OrderedMap = require 'pl.OrderedMap'
local Set = require 'pl.Set'

local function sorted(list)
  table.sort(list, function(a, b) return tostring(a) < tostring(b) end)
  return list
end

local function maps(t)
  local m = Map { one = 1, two = 2, three = 3 }
  local M = t.wrap('Map', Map)
  t('keys', sorted(m:keys()), sorted(m:values()), m:len())
  M.get(m, 'one')
  M.get(m, 'absent')
  M.set(m, 'four', 4)
  M.set(m, 'one', nil)
  M.setdefault(m, 'two', 22)
  M.setdefault(m, 'five', 5)
  M.getvalues(m, { 'two', 'three', 'absent' })
  M.update(m, { six = 6, two = 'zwei' })
  local items = {}
  for k, v in m:iter() do
    items[#items + 1] = k .. '=' .. v
    t 'iter'
  end
  for _, pair in ipairs(m:items()) do items[#items + 1] = pair[1] .. ':' .. pair[2] end
  t('items', sorted(items))
  t('equal', Map { a = 1 } == Map { a = 1 }, Map { a = 1 } == Map { a = 2 }, Map { a = { 1 } } ==
    Map { a = { 1 } })
  t('tostring', tostring(Map { a = 1 }), tostring(Map()))
  M { 1, 2 }
  M(Map { x = Map { y = 1 } })
  t('class', m:is_a(Map), Map:class_of(m), Map:class_of {}, Set:class_of(m))
end

local function multimaps(t)
  local m = MultiMap { a = { 1 } }
  local M = t.wrap('MultiMap', MultiMap)
  M.set(m, 'a', 2)
  M.set(m, 'b', 3)
  M.update(m, { a = { 4 }, c = { 5 } })
  M.update(m, { d = 6 })
  M.set(m, 'b', nil)
  t('multi', m, m:get 'a', m.a, m:is_a(Map), m:len())
end

local function ordered_maps(t)
  local m = OrderedMap { { z = 1 }, { a = 2 }, { m = 3 } }
  local O = t.wrap('OrderedMap', OrderedMap)
  O.keys(m)
  O.values(m)
  O.set(m, 'b', 4)
  m.c = 5
  O.set(m, 'a', nil)
  m.z = 'changed'
  O.insert(m, 1, 'first', 0)
  O.insert(m, 3, 'third', 2.5)
  O.insert(m, 'end', 6)
  O.update(m, { { new = 7 }, { z = 8 } })
  O.update(m, OrderedMap { { other = 9 } })
  O.update(m, 12)
  t.each('iter', 20, m:iter())
  t('tostring', tostring(m), tostring(OrderedMap()))
  m:sort()
  t('sorted', m:keys(), m:values())
  m:sort(function(a, b) return a > b end)
  t('sorted backwards', tostring(m))
  for k in m:iter() do
    t('at', k, m[k])
    if k == 'new' then break end
  end
  t('class', m:is_a(Map), OrderedMap:class_of(m), m:len())
end

local function members(set)
  return sorted(Set.values(set))
end

local function sets(t)
  local a, b = Set { 1, 2, 3, 4 }, Set { 3, 4, 5 }
  t('union', members(a + b), members(Set.union(a, b)), members(a + 9))
  t('intersection', members(a * b), members(Set.intersection(a, b)))
  t('difference', members(a - b), members(b - a), members(a - 1), members(Set.difference(a, b)))
  t('symmetric', members(a ^ b), members(Set.symmetric_difference(a, b)))
  t('subset', Set { 3 } < a, a < b, Set.issubset(a, a), Set.issubset(Set(), a))
  t('empty', Set.isempty(Set()), Set.isempty(a))
  t('disjoint', Set.isdisjoint(a, Set { 8 }), Set.isdisjoint(a, b))
  t('length', Set.len(a), Set.len(Set()))
  t('equal', a == Set { 4, 3, 2, 1 }, a == b, Set { 'x' } == Set { 'x' })
  t('map', members(Set.map(a, function(x)
    t('map', Set.len(a))
    return x % 2
  end)))
  t('map with more', members(Set.map(b, function(x, y) return x + y end, 10)))
  t('of words', members(Set { 'pear', 'apple', 'pear' }), tostring(Set { 'one' }),
    members(Set(List { 'x', 'y', 'x' })))
  t('has', a[1], a[9])
  t('of a set', members(Set(Map { k = 'v' })), members(Set(a)))
  t.try('concat', function() return a .. 'x' end)
end

return function(t)
  maps(t)
  multimaps(t)
  ordered_maps(t)
  sets(t)
end
