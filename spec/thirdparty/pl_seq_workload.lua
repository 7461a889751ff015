-- SPDX-License-Identifier: MIT
-- Penlight: seq, permute, comprehension, func, operator, luabalanced.

local seq = require 'pl.seq'
local permute = require 'pl.permute'
local func = require 'pl.func'
local operator = require 'pl.operator'
local stringio = require 'pl.stringio'

local function rows_of(t, label, iter)
  return t.each(label, 50, iter)
end

-- An iterator that blocks, or whatever t does, at every step.
local function slow(t, label, list)
  local i = 0
  return function()
    i = i + 1
    if list[i] ~= nil then t(label .. ' step', i) end
    return list[i]
  end
end

local function sequences(t)
  local S, list = t.wrap('seq', seq), seq.list
  S.copy(slow(t, 'copy', { 1, 2, 3 }))
  S.copy2(ipairs { 'a', 'b' })
  S.copy2(seq.zip({ 1, 2 }, { 3, 4 }))
  S.copy_tuples(seq.zip(list { 1, 2 }, slow(t, 'zip', { 3, 4 })))
  S.count(slow(t, 'count', { 1, 5, 9 }), seq.greater_than(3))
  S.count({ 1, 5, 9 }, '>', 3)
  S.count({ 1, 5, 9 }, seq.greater_than(4))
  S.minmax { 3, 1, 2 }
  S.sum { 1, 2, 3 }
  S.sum({ 'a', 'bb' }, string.len)
  S.reduce('+', slow(t, 'reduce', { 1, 2, 3 }))
  S.reduce('*', { 1, 2, 3 }, 10)
  S.count_map { 'a', 'b', 'a' }
  S.unique({ 'a', 'b', 'a' }, true)
  rows_of(t, 'last', seq.last(slow(t, 'last', { 'x', 'y', 'z' })))
  rows_of(t, 'list', seq.list { 1, 2 })
  rows_of(t, 'range', seq.range(2, 5))
  rows_of(t, 'map', seq.map('_ * 2', slow(t, 'map', { 1, 2, 3 })))
  rows_of(t, 'map with', seq.map('+', list { 1, 2 }, 10))
  rows_of(t, 'filter', seq.filter(slow(t, 'filter', { 1, 2, 3, 4 }), '>', 2))
  rows_of(t, 'filter odd', seq.filter(list { 1, 2, 3 }, function(x) return x % 2 == 1 end))
  rows_of(t, 'matching', seq.filter(list { 'one', 'two', 'three' }, seq.matching '^t'))
  rows_of(t, 'less', seq.filter(list { 1, 2, 3 }, seq.less_than(3)))
  rows_of(t, 'equal', seq.filter(list { 1, 2, 3 }, seq.equal_to(3)))
  rows_of(t, 'take', seq.take(slow(t, 'take', { 1, 2, 3, 4 }), 2))
  rows_of(t, 'skip', seq.skip(list { 1, 2, 3, 4 }, 2))
  rows_of(t, 'enum', seq.enum(list { 'a', 'b' }))
  rows_of(t, 'splice', seq.splice(list { 1, 2 }, list { 3 }))
  rows_of(t, 'mapmethod', seq.mapmethod(list { 'a', 'b' }, 'rep', 3))
  rows_of(t, 'sort', seq.sort { 3, 1, 2 })
  rows_of(t, 'sort down', seq.sort({ 3, 1, 2 }, function(a, b) return a > b end))
  rows_of(t, 'zip', seq.zip({ 'a', 'b' }, { 1, 2 }))
  rows_of(t, 'lines', seq.lines(stringio.open 'one\ntwo\n'))
  rows_of(t, 'keys', seq.keys { only = 1 })
  seq.foreach(list { 'p', 'q' }, function(v) t('foreach', v) end)
  local n = 0
  for v in seq.random(20, 1, 6) do
    n = n + 1
    assert(v >= 1 and v <= 6)
  end
  t('random', n)
end

local function chained(t)
  local big = seq { 1, 2, 3, 4, 5, 6 }:filter('>', 2):map '_ * 10':take(3):copy()
  t('chain', big, seq { 'c', 'a', 'b' }:sort():enum():copy2(), seq { 1, 2, 3 }:sum(),
    seq { 1, 2, 3 }:reduce '*', seq { 'x', 'y' }:upper():copy())
  local steps = seq(slow(t, 'chained', { 5, 6, 7 })):map(function(x)
    t('mapping', x)
    return x + 1
  end):filter(function(x)
    t('filtering', x)
    return x ~= 7
  end)
  t('slow chain', steps:copy())
  t.try('no such method', function() return seq { {} }:nosuch():copy() end)
end

-- The library has generators by closures; these are by coroutines, one in every recursion.
local function shuffled(list, n)
  n = n or #list
  return coroutine.wrap(function()
    if n == 0 then return coroutine.yield(table.concat(list)) end
    for i = 1, n do
      list[i], list[n] = list[n], list[i]
      for p in shuffled(list, n - 1) do coroutine.yield(p) end
      list[i], list[n] = list[n], list[i]
    end
  end)
end

local function permutations(t)
  t('by coroutines', seq.copy(shuffled { 1, 2, 3, 4 }))
  t('in a chain', seq(shuffled { 'a', 'b', 'c' }):map(function(p)
    t('from a coroutine', p)
    return p:upper()
  end):filter(seq.matching '^[AB]'):copy())
  local order = {}
  for p in permute.order_iter { 1, 2, 3, 4 } do
    order[#order + 1] = table.concat(p)
    t('order', #order)
  end
  t('orders', order)
  rows_of(t, 'lists', permute.list_iter({ 1, 2 }, { 'a', 'b' }, { true }))
  rows_of(t, 'single', permute.list_iter { 1, 2 })
  local P = t.wrap('permute', permute)
  P.order_table { 'x', 'y', 'z' }
  P.order_table {}
  P.list_table({ 1, 2 }, { 3 })
  P.list_table({ 1 }, {})
  P.list_iter()
  P.order_iter(12)
  P.table { 1, 2 }
  t.try('iter', function() return #seq.copy(permute.iter { 1, 2, 3 }) end)
end

local function comprehensions(t)
  local C = require 'pl.comprehension'.new()
  t('squares', C 'x ^ 2 for x' { 1, 2, 3 }, C 'x for x if x % 2 == 0' { 1, 2, 3, 4 })
  t('nested', C '{x, y} for x for y if x < y' ({ 1, 2 }, { 1, 2, 3 }))
  t('range', C 'x for x = 1, _1' (4), C 'x for x = _1, _2, 2' (1, 7))
  t('sum', C 'sum(x for x)' { 1, 2, 3 }, C 'max(x * x for x)' { -4, 3 }, C 'min(x for x)' { 2, 1 })
  t('table', C 'table(x, #x for x)' { 'one', 'three' })
  t('list of list', C 'list(i for i = 1, 3)' ())
  t.try('outer', function() return C 'x + y for x' { 1 } end)
  t.try('broken', function() return C 'x for' { 1 } end)
  local own = require 'pl.comprehension'.new { double = function(x) return 2 * x end }
  t('environment', own 'double(x) for x' { 1, 2 })
  local B = t.wrap('balanced', require 'pl.luabalanced')
  B.match_bracketed('(a(b)c)d', 1)
  B.match_bracketed('{"}"}x', 1)
  B.match_expression('x + f(1, {2}) , y', 1)
  B.match_explist('a, b(c, d), "e,f" rest', 1)
  B.match_namelist('a, b, c = 1', 1)
  B.match_string('[[long]] x', 1)
  B.match_string('"a\\"b" x', 1)
  t('gsub', (require 'pl.luabalanced'.gsub('x = "s" -- c\ny', function(kind, s)
    return '<' .. kind .. ':' .. s .. '>'
  end)))
end

local function placeholders(t)
  local _, _1, _2 = func._0, func._1, func._2
  local I = func.I
  local PE = t.wrap('func', func)
  t('expressions', I(_1 + _2)(2, 3), I(_1 * 10)(4), I(-_1)(5), I(_1 .. 'x') 'a', I(_2 ^ _1)(2, 3),
    I(_1.name) { name = 'n' }, I(_1[2]) { 7, 8 }, I(_1 % 3)(8), I(_1 / _2)(9, 3), I(_1 - 1)(1))
  t('functions', I(func.Not(_1))(false), I(func.Len(_1)) { 1, 2 }, I(func.Lt(_1, _2))(1, 2),
    I(func.Eq(_1, 2))(2), I(func.Gt(_1, 2))(2), I(func.And(_1, _2))(1, 2), I(func.Or(_1, 5))(nil))
  local max = func.register(math.max, 'max')
  t('registered', I(max(_1, 3))(7), func.repr(max(_1, 3)))
  PE.repr(_1 + _2 * 3)
  t('isPE', func.isPE(_1), func.isPE(1), tostring(_1 + 1), _ ~= nil)
  t('bind', func.bind(math.max, _1, 10)(3), func.bind1(math.pow, 2)(5),
    func.bind(string.rep, _1, 2) 'ab')
  t('compose', func.compose(function(x) return x + 1 end, function(x) return x * 2 end)(5))
  t('curry', func.curry(math.max, 9)(3))
end

local function operators(t)
  local names = { 'eq', 'neq', 'lt', 'le', 'gt', 'ge', 'add', 'sub', 'mul', 'div', 'pow', 'mod',
    'concat', 'land', 'lor', 'index', 'call', 'table', 'unm', 'lnot', 'len', 'strcat', 'match' }
  local O = t.wrap('operator', operator)
  for _, name in ipairs(names) do O[name](7, 2) end
  O.concat('a', 'b')
  O.land(nil, 1)
  O.lor(nil, 1)
  O.index({ 5 }, 1)
  O.call(math.max, 1, 2)
  O.table(1, 2)
  O.match('abc', 'b')
  local symbols = {}
  for symbol, f in pairs(operator.optable) do
    local ok, v = pcall(f, 6, 3)
    symbols[#symbols + 1] = symbol .. ' ' .. tostring(ok and type(v) ~= 'table' and v)
  end
  table.sort(symbols)
  t('optable', symbols)
end

return function(t)
  sequences(t)
  chained(t)
  permutations(t)
  comprehensions(t)
  placeholders(t)
  operators(t)
end
