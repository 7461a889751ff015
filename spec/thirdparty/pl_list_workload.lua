-- SPDX-License-Identifier: MIT
-- Penlight: List.

local List = require 'pl.List'

local function changing(t)
  local L = t.wrap('List', List)
  local l = List { 10, 20, 30 }
  L.append(l, 40)
  L.push(l, 50)
  L.put(l, 5)
  L.extend(l, { 60, 70 })
  L.extend(l, 'no table')
  L.insert(l, 2, 15)
  L.insert(l, 1, 1)
  L.insert(l)
  L.remove(l, 1)
  L.remove(l, 99)
  L.remove_value(l, 30)
  L.remove_value(l, 'absent')
  L.pop(l)
  L.pop(l, 1)
  L.get(l)
  L.reverse(l)
  L.sort(l)
  L.sort(l, '>')
  L.sort(l, function(a, b) return a % 7 < b % 7 end)
  L.sorted(l, '<')
  t('sorted leaves it', l)
  L.chop(List { 1, 2, 3, 4, 5 }, 2, 4)
  L.chop(List { 1, 2, 3, 4, 5 }, -2, -1)
  L.splice(List { 1, 2, 3 }, 2, { 'a', 'b' })
  L.slice_assign(List { 1, 2, 3, 4 }, 2, 3, { 'x', 'y', 'z' })
  L.clear(List { 1, 2 })
  L.transform(List { 1, 2, 3 }, '|x| x * x')
  L.transform(List { 1, 2, 3 }, function(x, y) return x + y end, 100)
end

local function asking(t)
  local L = t.wrap('List', List)
  local l = List { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5 }
  L.clone(l)
  L.index(l, 4)
  L.index(l, 1, 3)
  L.index(l, 'absent')
  L.contains(l, 9)
  L.contains(l, 10)
  L.count(l, 5)
  L.count(l, 7)
  L.minmax(l)
  L.minmax(List())
  L.len(l)
  for _, range in ipairs { { 2, 4 }, { -3 }, { 1, -2 }, { -4, -2 }, { 9, 99 }, { 4, 2 }, {} } do
    L.slice(l, range[1], range[2])
  end
  L.range(5)
  L.range(2, 6)
  L.range(10, 1, -3)
  L.range(0, 1, 0.25)
  L.range()
  L.split('a,b,,c', ',')
  L.split ' some  words '
  L.split 'one'
  L.join(List { 'a', 2, 'c' }, '-')
  L.concat(List { 'a', 'b' }, '+')
  L.join(List { {} }, '-')
  L.new { 1, 2 }
  L.new()
  L.new 'word'
  L.new(12)
  L.iterate { 1, 2 }
  t('tostring', tostring(List { 1, 'two', List { 3 } }), tostring(List()))
  t('operators', List { 1 } .. List { 2, 3 }, List { 1, 2 } == List { 1, 2 },
    List { 1 } == List { 2 }, List { 1 } == List { 1, 2 })
  t('is_a', List:class_of(l), l:is_a(List), List:class_of {}, l:is_a() == List)
end

-- Functions of ours are called by the library, and other tasks run meanwhile.
local function calling(t)
  local l = List { 1, 2, 3, 4, 5, 6 }
  l:foreach(function(x, extra) t('foreach', x, extra) end, 'extra')
  List { List { 1, 2 }, List { 3 } }:foreachm('foreach', function(x) t('foreachm', x) end)
  local function traced(name, f)
    return function(...)
      t(name, ...)
      return f(...)
    end
  end
  local function even(x) return x % 2 == 0 end
  t('filter', l:filter(traced('filter', even)), l:filter('>', 3))
  t('map', l:map(traced('map', function(x, y) return x * y end), 10), l:map '_ + 1')
  t('map2', l:map2(traced('map2', function(a, b) return a .. b end), { 'a', 'b', 'c' }))
  t('mapm', List { 'ab', 'c' }:mapm('rep', 2), List { 'x' }:mapm 'upper')
  t('reduce', l:reduce '+', l:reduce(traced('reduce', math.max)))
  local parts = l:partition(traced('partition', even))
  t('partition', parts[true], parts[false])
  t('partition by', List { 'one', 'two', 'three' }:partition(string.len))
  t.each('iter', 10, l:iter())
  t.each('iterate list', 10, List.iterate { 'a', 'b' })
  t.each('iterate string', 10, List.iterate 'abc')
  t.each('iterate function', 10, List.iterate(l:iter()))
  t.try('map raising', List.map, l, function(x) error('at ' .. x, 0) end)
  t.try('map no function', List.map, l, 12)
  t.try('filter no such method', function() return l:nosuch() end)
end

local function derived(t)
  local Names = require 'pl.class'(List)
  function Names:shout() return self:map(string.upper) end
  local names = Names { 'ann', 'bob' }
  names:append 'cy'
  t('derived', names, names:shout(), names:slice(1, 2), names:is_a(List), List:class_of(names),
    Names:class_of(List {}))
  local Words = require 'pl.class'(List)
  Words:catch(List.default_map_with(require 'pl.stringx'))
  t('default map', Words { 'b ', ' a' }:strip(), Words { 'x', '1' }:isalpha())
end

return function(t)
  changing(t)
  asking(t)
  calling(t)
  derived(t)
end
