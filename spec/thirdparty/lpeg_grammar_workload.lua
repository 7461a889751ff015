-- SPDX-License-Identifier: MIT
-- LPeg: grammars, the locale, limits; and the module re.

local lpeg = require 'lpeg'
local re = require 're'
local P, R, S, V, C, Ct, Cg = lpeg.P, lpeg.R, lpeg.S, lpeg.V, lpeg.C, lpeg.Ct, lpeg.Cg

local function calculator()
  local space = S ' \n\t' ^ 0
  local number = C(P '-' ^ -1 * R '09' ^ 1) * space
  local term_op, factor_op = C(S '+-') * space, C(S '*/') * space
  local open, close = '(' * space, ')' * space
  local tree = P {
    'Exp',
    Exp = Ct(V 'Term' * (term_op * V 'Term') ^ 0),
    Term = Ct(V 'Factor' * (factor_op * V 'Factor') ^ 0),
    Factor = number + open * V 'Exp' * close,
  }
  local function evaluate(x)
    if type(x) == 'string' then return tonumber(x) end
    local value = evaluate(x[1])
    for i = 2, #x, 2 do
      local op, other = x[i], evaluate(x[i + 1])
      if op == '+' then value = value + other end
      if op == '-' then value = value - other end
      if op == '*' then value = value * other end
      if op == '/' then value = value / other end
    end
    return value
  end
  local whole = space * tree * -1
  return function(s)
    local ast = whole:match(s)
    return ast and evaluate(ast), ast
  end
end

local function json_grammar()
  local white = S ' \t\r\n' ^ 0
  local escape = { n = '\n', t = '\t', ['"'] = '"', ['\\'] = '\\' }
  local str = '"' * lpeg.Cs((P '\\' * C(S 'nt"\\') / escape + (1 - S '"\\')) ^ 0) * '"' * white
  local number = C(P '-' ^ -1 * R '09' ^ 1 * (P '.' * R '09' ^ 1) ^ -1) / tonumber * white
  local function token(s) return P(s) * white end
  return P {
    white * V 'value' * -1,
    value = str + number + V 'object' + V 'array' + token 'true' * lpeg.Cc(true) +
      token 'false' * lpeg.Cc(false) + token 'null' * lpeg.Cc 'NULL',
    array = token '[' * Ct((V 'value' * (token ',' * V 'value') ^ 0) ^ -1) * token ']',
    object = token '{' * lpeg.Cf(Ct '' * (V 'pair' * (token ',' * V 'pair') ^ 0) ^ -1, rawset) *
      token '}',
    pair = Cg(str * token ':' * V 'value'),
  }
end

local function grammars(t)
  local calculate = calculator()
  for _, s in ipairs { '1', ' 1 + 2 * 3', '(1+2)*3', '10/4-1', '((-7))', '1+', '(', '2 3' } do
    t.try('calculate', calculate, s)
  end
  local json = json_grammar()
  for _, s in ipairs { '[]', '{}', ' {"a" : [1, -2.5, {"b":"x\\n\\"y\\""}], "c": null } ', '[1,]',
    '[true,false,[[]]]', '{"a":1' } do
    t.try('json', lpeg.match, json, s)
  end
  local equal = P { 'S', S = 'a' * V 'B' + 'b' * V 'A' + '', A = 'a' * V 'S' + 'b' * V 'A' * V 'A',
    B = 'b' * V 'S' + 'a' * V 'B' * V 'B' }
  for _, s in ipairs { '', 'ab', 'aabb', 'abab', 'aab', 'bbaaab' } do
    t('as many a as b', s, (equal * -1):match(s) ~= nil)
  end
  local palindrome = P { 'a' * V(1) * 'a' + P 'b' * V(1) * 'b' + S 'ab' + '' } * -1
  t('palindrome', palindrome:match 'abba', palindrome:match 'aba', palindrome:match 'ab')
  local balanced = P { '(' * ((1 - S '()') + V(1)) ^ 0 * ')' }
  t('balanced', balanced:match '(a(b)(c(d)))e', balanced:match '(a(b)', balanced:match(
    ('('):rep(150) .. (')'):rep(150)))
  local tower = P { 'T', T = P 'x' * V 'T' ^ -1 * C 'y' }
  t('captures in order', tower:match 'xxxyyy')
end

local function broken_grammars(t)
  for i, grammar in ipairs {
    { V 'nowhere' },
    { 'A', A = V 'A' * 'x' },
    { V(2), V(3) + 'x', V(1) },
    { 'A', A = V 'B' ^ 0, B = P '' },
    { 'A', B = P 'x' },
    { 'A', A = 12.5 },
    { 'A', A = P 'x', [V 'x'] = print },
    { P 'a' * V(2), P 'b' * V(3), P 'c' },
    {},
  } do
    t.try('grammar ' .. i, function() return lpeg.match(grammar, 'abc') end)
  end
  t.try('V outside', lpeg.match, V 'A', 'x')
  t.try('too many rules', function()
    local g = { 'r1' }
    for i = 1, 1100 do g['r' .. i] = P 'x' * V('r' .. i % 1100 + 1) end
    return P(g):match 'x'
  end)
end

local function limits(t)
  local deep = P { '(' * V(1) * ')' + 'x' }
  local function nest(n) return ('('):rep(n) .. 'x' .. (')'):rep(n) end
  t.try('300 deep', function() return deep:match(nest(300)) end)
  t.try('3000 deep', function() return deep:match(nest(3000)) end)
  t.try('more room', function()
    lpeg.setmaxstack(5000)
    local last, err = deep:match(nest(3000))
    lpeg.setmaxstack(400)
    return last, err
  end)
  t.try('many alternatives', function()
    local words = P(false)
    for i = 1, 3000 do words = words + ('w' .. i .. ';') end
    return words:match 'w2999;', words:match 'w3001;'
  end)
  t.try('large set of ranges', function()
    return (R('ac', 'eg', 'xz') ^ 1 * C(P(1))):match 'abcefgxyzd'
  end)
  t.try('many captures', function()
    local list = Ct(C(1) ^ 0):match(('ab'):rep(50000))
    return #list, list[100000]
  end)
end

local function locale(t)
  local classes = lpeg.locale {}
  local names = {}
  for name in pairs(classes) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local members = {}
    for c = 0, 255 do
      if classes[name]:match(string.char(c)) then members[#members + 1] = c end
    end
    t('locale ' .. name, #members, members[1], members[#members])
  end
  t('locale into a table', lpeg.locale({ other = 1 }).other, lpeg.type(lpeg.locale().alpha))
end

local RE = {
  { '"ab"', 'abc' }, { "'ab'?", 'x' }, { '.', 'x' }, { '. !.', 'xy' }, { '[a-c]+', 'abcd' },
  { '[^a-c]*', 'xyza' }, { '[]x]+', ']x]' }, { '%d+', '12a' }, { '%a %A', 'a1' },
  { '%s* %w+', ' a' },
  { '[%a_][%w_]*', '_x1!' }, { '"a" / "b" / "c"', 'c' }, { '("a" "b")+', 'abab' },
  { '"a"^3', 'aaaa' }, { '"a"^+2', 'aaaa' }, { '"a"^-2', 'aaaa' }, { '!"a" .', 'ba' },
  { '&"a" .', 'ab' }, { '{ %a+ }', 'abc' }, { '{} %a* {}', 'abc' }, { '{| { . }* |}', 'xyz' },
  { '{: { . } :}', 'x' }, { '{| {:first: . :} {:second: . :} |}', 'xy' },
  { '{~ ("a" -> "b" / .)* ~}', 'banana' }, { '{ . } -> "%1%1"', 'x' },
  { '({ . } { . }) -> 2', 'xy' },
  { '{:q: ["\'] :} { (!=q .)* } =q', '"it\'s"' }, { '{%a+} -> {}', 'list' },
  { '%nl', '\n' }, { '-- comment\n "x"', 'x' }, { "S <- '(' S ')' / ''", '(())' },
  { 'S <- { A } B*  A <- "a"+  B <- "b"', 'aabb' },
  { 'list <- {| item (%s* "," %s* item)* |}  item <- { [^,%s]+ }', 'a, b ,c' },
}

local function re_module(t)
  for _, case in ipairs(RE) do t.try('re.match', re.match, case[2], case[1]) end
  local W = t.wrap('re', re)
  W.find('the number 423 is odd', '[0-9]+')
  W.find('x', '[0-9]+')
  W.find('ab12cd34', '{ [0-9]+ }', 5)
  W.gsub('hello World', '[aeiou]', '.')
  W.gsub('hello', '{ . } { . }', '%2%1')
  W.match('x y', '{ %word } %s { %other }')
  W.match('[', '[')
  for _, bad in ipairs { '', '(', '"a', '[a', '{', 'a <- b', '*', '"a" ->', '%', '=x', '"a"^' } do
    t.try('re.compile', re.compile, bad)
  end
  local defs = { word = R 'az' ^ 1, up = string.upper, lookup = { one = 1 }, add = function(a, b)
    return a + b
  end, num = tonumber, even = function(_, i, s) return #s % 2 == 0 and i end }
  t('defs', re.compile('%word', defs):match 'abc1', re.compile('{ . } -> up', defs):match 'x',
    re.compile('{ %a+ } -> lookup', defs):match 'one',
    re.compile('({ %d } -> num ("," { %d } -> num)*) ~> add', defs):match '1,2,3',
    re.compile('{ %a+ } => even', defs):match 'abcd',
    re.compile('{ %a+ } => even', defs):match 'abc')
  t('mixed', (P 'x' * re.compile '{ %d }'):match 'x7')
  t('updatelocale', re.updatelocale())
  t('date', re.compile [[
    date <- {| {:year: %d^4 :} "-" {:month: %d^2 :} "-" {:day: %d^2 :} |} !.
  ]]:match '2025-11-21')
  t('tags', re.compile [[
    doc <- {| (tag / { [^<]+ })* |}
    tag <- {| "<" {:name: %a+ :} ">" (tag / { [^<]+ })* "</" =name ">" |}
  ]]:match 'a<b>c<i>d</i></b>e')
end

return function(t)
  grammars(t)
  broken_grammars(t)
  limits(t)
  locale(t)
  re_module(t)
end
