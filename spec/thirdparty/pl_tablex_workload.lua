-- SPDX-License-Identifier: MIT
-- Penlight: tablex, array2d.

local tablex = require 'pl.tablex'
local array2d = require 'pl.array2d'
local List = require 'pl.List'

local function sorted(list)
  table.sort(list, function(a, b) return tostring(a) < tostring(b) end)
  return list
end

local function copying(t)
  local T = t.wrap('tablex', tablex)
  T.update({ a = 1, b = 2 }, { b = 3, c = 4 })
  T.size { 1, 2, x = 3 }
  T.size {}
  T.copy { 1, { 2 }, x = { y = 3 } }
  local cyclic = { name = 'c', list = { 1 } }
  cyclic.self = cyclic
  local deep = tablex.deepcopy(cyclic)
  t('deepcopy', deep, deep ~= cyclic, deep.self == deep, deep.list ~= cyclic.list)
  t('deepcopy keeps class', List:class_of(tablex.deepcopy(List { 1 })))
  T.icopy({ 1, 2, 3, 4 }, { 'a', 'b' })
  T.icopy({ 1, 2, 3, 4 }, { 'a', 'b', 'c' }, 3, 2)
  T.icopy({ 1, 2, 3, 4 }, { 'a', 'b', 'c' }, 2, 1, 1)
  T.move({ 1, 2, 3, 4 }, { 'a', 'b' }, 2)
  T.sub({ 1, 2, 3, 4, 5 }, 2, 3)
  T.sub({ 1, 2, 3, 4, 5 }, -2)
  T.set({ 1, 2, 3, 4 }, 0, 2, 3)
  T.set({ 1, 2 }, function(i) return i end)
  T.set({}, 'x', 1, 3)
  T.new(3, 'v')
  T.new(0)
  T.clear { 1, 2, 3 }
  T.clear({ 1, 2, 3 }, 2)
  T.insertvalues({ 1, 2 }, { 3, 4 })
  T.insertvalues({ 1, 4 }, 2, { 2, 3 })
  T.insertvalues({ 1 }, 5, { 2 })
  T.removevalues({ 1, 2, 3, 4 }, 2, 3)
  T.removevalues { 1, 2, 3 }
  T.range(1, 5)
  T.range(1, 10, 4)
  T.range(5, 1)
  T.range(5, 1, -2)
end

local function comparing(t)
  local T = t.wrap('tablex', tablex)
  T.deepcompare({ 1, { 2, x = { 3 } } }, { 1, { 2, x = { 3 } } })
  T.deepcompare({ 1, { 2 } }, { 1, { 3 } })
  T.deepcompare({ 1 }, { 1, 2 })
  T.deepcompare({ 1.001 }, { 1 }, false, 0.01)
  T.deepcompare(List { 1 }, { 1 }, true)
  T.deepcompare(1, '1')
  T.compare({ 1, 2 }, { 1, 2 }, '==')
  T.compare({ 1, 2 }, { 2, 3 }, '<')
  T.compare({ 1 }, { 1, 2 }, '==')
  T.compare_no_order({ 1, 2, 3 }, { 3, 1, 2 })
  T.compare_no_order({ 1, 2, 2 }, { 1, 1, 2 })
  T.compare_no_order({ 'a', 'B' }, { 'b', 'A' }, function(x, y) return x:lower() == y:lower() end)
  T.find({ 10, 20, 30, 20 }, 20)
  T.find({ 10, 20, 30, 20 }, 20, 3)
  T.find({ 10, 20 }, 20, -1)
  T.find({}, 1)
  T.rfind({ 10, 20, 30, 20 }, 20)
  T.rfind({ 10, 20, 30, 20 }, 20, -2)
  T.find_if({ 1, 2, 3, 4 }, '>', 2)
  T.find_if({ 1, 2 }, function(x) return x == 5 end)
  T.index_by({ a = 1, b = 2 }, { 'b', 'a', 'z' })
  T.search({ 1, { 2, { x = 'here' } } }, 'here')
  T.search({ a = { b = { c = 1 } } }, 1)
  T.search({ 1 }, 9)
end

local function mapping(t)
  local T = t.wrap('tablex', tablex)
  local function slow(name, f)
    return function(...)
      t(name, ...)
      return f(...)
    end
  end
  local function add(a, b) return a + (b or 0) end
  tablex.map(slow('map', add), { 1, 2 }, 10)
  T.map('-', { 1, x = 2 })
  T.map(string.upper, { a = 'x', 'y' })
  T.imap(add, { 1, 2, x = 9 }, 5)
  T.imap(slow('imap', function(x) return { x } end), List { 1, 2 })
  T.map_named_method('upper', { 'a', 'b' })
  T.map_named_method('rep', { 'a' }, 3)
  T.map_named_method('nosuch', { 'a' })
  T.transform('_ * 2', { 1, 2, 3 })
  T.map2('+', { 1, 2, 3 }, { 10, 20, 30 })
  T.map2(slow('map2', add), { 1 }, { 2 })
  T.imap2('..', { 'a', 'b' }, { 'c', 'd' })
  T.imap2(add, { 1, 2, 3 }, { 1 })
  T.reduce('+', { 1, 2, 3 })
  T.reduce(slow('reduce', add), { 1, 2, 3 }, 100)
  T.reduce('+', {})
  T.reduce('..', { 'a' })
  tablex.foreachi({ 'p', 'q' }, slow('foreachi', function() end), 'more')
  tablex.foreach({ only = 1 }, slow('foreach', function() end))
  T.mapn(slow('mapn', function(a, b, c) return a + b * c end), { 1, 2 }, { 3, 4 }, { 5, 6 })
  t('pairmap', sorted(tablex.pairmap('|k,v| k .. v', { a = 1, b = 2 })),
    tablex.pairmap(function(k, v) return v, k end, { a = 'x' }))
  T.filter({ 1, 2, 3, 4 }, '>', 2)
  T.filter({ 'a', '', 'b' }, slow('filter', function(s) return s ~= '' end))
  T.zip({ 1, 2 }, { 'a', 'b' }, { true, false })
  T.map(12, {})
  T.imap('|x| x +', { 1 })
  T.reduce(nil, {})
end

local function sets(t)
  local T = t.wrap('tablex', tablex)
  t('keys', sorted(tablex.keys { a = 1, b = 2, 3 }), sorted(tablex.values { a = 1, b = 2, 3 }))
  T.index_map { 'x', 'y' }
  T.makeset { 'x', 'y', 'x' }
  T.merge({ a = 1, b = 2 }, { b = 3, c = 4 })
  T.merge({ a = 1, b = 2 }, { b = 3, c = 4 }, true)
  T.union({ a = 1 }, { b = 2 })
  T.intersection({ a = 1, b = 2 }, { b = 3 })
  T.difference({ a = 1, b = 2 }, { b = 3, c = 4 })
  T.difference({ a = 1, b = 2 }, { b = 3, c = 4 }, true)
  T.count_map { 'a', 'b', 'a' }
  T.count_map({ 'a', 'A', 'b' }, function(x, y) return x:lower() == y:lower() end)
  t.each('sort', 9, tablex.sort { c = 3, a = 1, b = 2 })
  t.each('sort by', 9, tablex.sort({ c = 3, a = 1 }, function(x, y) return x > y end))
  t.each('sortv', 9, tablex.sortv { c = 1, a = 3, b = 2 })
  local fixed = tablex.readonly { 1, 2, x = { 3 } }
  t('readonly', fixed[1], fixed.x, fixed.y)
  t.try('readonly set', function() fixed.y = 1 end)
  t.try('readonly change', function() fixed[1] = 1 end)
end

local function arrays(t)
  local A = t.wrap('array2d', array2d)
  local m = { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } }
  A.size(m)
  A.column(m, 2)
  A.row(m, 3)
  A.map('_ * 10', m)
  A.map('+', m, 1)
  A.reduce_rows('+', m)
  A.reduce_cols('+', m)
  A.reduce2('+', '*', m)
  A.map2('+', 2, 2, m, m)
  A.map2('*', 1, 2, { 1, 2, 3 }, m)
  A.map2('-', 2, 1, m, { 1, 2, 3 })
  A.product('..', { 'a', 'b' }, { 'x', 'y' })
  A.flatten(m)
  A.reshape(m, 1)
  A.reshape(m, 9)
  A.reshape({ { 1, 2 }, { 3, 4 } }, 2, true)
  A.transpose { { 1, 2, 3 }, { 4, 5, 6 } }
  A.swap_rows({ { 1 }, { 2 } }, 1, 2)
  A.swap_cols({ { 1, 2 }, { 3, 4 } }, 1, 2)
  A.extract_rows(m, { 1, 3 })
  A.extract_cols({ { 1, 2, 3 }, { 4, 5, 6 } }, { 2, 3 })
  A.remove_row({ { 1 }, { 2 } }, 1)
  A.remove_col({ { 1, 2 }, { 3, 4 } }, 2)
  for _, range in ipairs { 'A1:B2', 'A1', 'R1C1:R2C2', 'R2C3', 'A:B', '', 'C10:AB20' } do
    A.parse_range(range)
  end
  A.range(m, 'A1:B2')
  A.range(m, 'B2')
  A.range(m, 'R1C2:R3C2')
  A.slice(m, 2, 2, 3, 3)
  A.slice(m, 1, 1, 1, 2)
  A.slice(m, -1, -1, -1, -1)
  A.default_range(m, 2)
  A.set(array2d.new(2, 2, 0), 7, 1, 2)
  A.new(2, 3, 'x')
  A.new(2, 2, function(i, j) return i * 10 + j end)
  A.move(array2d.new(3, 3, 0), 2, 2, m, 1, 1, 2, 2)
  t.each('iter', 20, array2d.iter(m))
  t.each('iter with indices', 20, array2d.iter(m, true, 2, 2))
  t.each('columns', 9, array2d.columns(m))
  t.each('rows', 9, array2d.rows(m))
  array2d.forall(m, function(row, j) t('forall', row[j]) end, function(i) t('row', i) end, 2, 2)
  local text = require 'pl.stringio'.create()
  array2d.write(m, text, '%d ', 1, 1, 2, 2)
  t('write', text:value())
  A.size()
end

return function(t)
  copying(t)
  comparing(t)
  mapping(t)
  sets(t)
  arrays(t)
end
