-- SPDX-License-Identifier: MIT
-- LPeg: constructors, operators, every kind of capture, wrong arguments.

local lpeg = require 'lpeg'
local P, R, S, V = lpeg.P, lpeg.R, lpeg.S, lpeg.V
local C, Cc, Cp, Ct, Cg, Cb = lpeg.C, lpeg.Cc, lpeg.Cp, lpeg.Ct, lpeg.Cg, lpeg.Cb
local Cs, Cf, Carg, Cmt, B = lpeg.Cs, lpeg.Cf, lpeg.Carg, lpeg.Cmt, lpeg.B

local digit, alpha, any = R '09', R('az', 'AZ'), P(1)
local number = C(digit ^ 1) / tonumber
local space = S ' \t\n' ^ 0

-- Every one of these patterns on every one of those subjects.
local PATTERNS = {
  { "P'ab'", P 'ab' }, { "P''", P '' }, { 'P(2)', P(2) }, { 'P(-2)', P(-2) }, { 'P(0)', P(0) },
  { 'P(true)', P(true) }, { 'P(false)', P(false) }, { 'digit', digit }, { 'alpha', alpha },
  { 'R()', R() }, { "S''", S '' }, { "S'abc'", S 'abc' }, { "R'\\0\\255'", R '\0\255' },
  { 'digit^0', digit ^ 0 }, { 'digit^1', digit ^ 1 }, { 'digit^3', digit ^ 3 },
  { 'digit^-2', digit ^ -2 }, { "P'ab'^2", P 'ab' ^ 2 }, { 'sequence', P 'a' * 'b' * 1 },
  { 'choice', P 'abc' + 'ab' + digit }, { 'difference', alpha - S 'aeiou' },
  { 'minus', any - 'b' }, { '-any', -any }, { '-digit', -digit }, { '#digit', #digit },
  { '#alpha*1', #alpha * 1 }, { 'optional', P 'a' ^ -1 * P 'b' ^ -1 },
  { 'set of chars', (S 'ab' + 'c') ^ 1 }, { 'not string', (1 - P '12') ^ 0 * '12' },
  { 'behind', P 'ab' * B 'b' * C(1) }, { 'behind 2', any ^ 1 * B(P 'ab' + '34') },
  { 'not behind', any ^ -3 * -B 'x' * Cp() }, { 'zero', P '\0' * any ^ 0 },
}
local SUBJECTS = { '', 'a', 'ab', 'abab', 'abc', '12', '123456', 'xyz', 'ab12', '\0\255', ' a' }

local function matching(t)
  for _, entry in ipairs(PATTERNS) do
    local results = {}
    for i, subject in ipairs(SUBJECTS) do
      results[i] = tostring((lpeg.match(entry[2], subject)))
    end
    t(entry[1], table.concat(results, ' '), lpeg.type(entry[2]))
  end
  local L = t.wrap('lpeg', lpeg)
  for init = -4, 5 do L.match(P(1) * Cp(), 'abc', init) end
  L.match('ab', 'abc')
  L.match(2, 'abc')
  L.match({ P 'a' * V(1) + 'b' }, 'aab')
  L.match(function(_, i) return i + 1 end, 'xyz')
  L.match(P(1) ^ 0, ('long '):rep(20000))
  L.match(C(alpha ^ 1) * Cp(), 'position', 4)
  L.type('no pattern')
  L.type(P(1))
  L.version()
end

local function captures(t)
  local function m(label, patt, subject, ...) t.try(label, lpeg.match, patt, subject, ...) end
  m('C', C 'a' * C(P 'b' * C 'c'), 'abc')
  m('C empty', C '', 'x')
  m('Cc', Cc(1, nil, 'two', false, { 3 }), '')
  m('Cc none', Cc(), '')
  m('Cp', Cp() * 'ab' * Cp(), 'ab')
  m('Carg', Carg(1) * Carg(2), '', 1, 'first', { 'second' })
  m('Carg missing', Carg(3), '', 1, 'first')
  m('Ct', Ct(number * (',' * number) ^ 0), '1,22,333')
  m('Ct named', Ct(Cg(number, 'n') * Cg(Cc 'x', 'c') * Cc 'loose'), '5')
  m('Ct empty', Ct '', 'x')
  m('Ct nested', Ct(Ct(Ct(C(1)) ^ 0) * Cc(2)), 'ab')
  m('Cg anonymous', Cg(C(1) * C(1)) * C(1), 'xyz')
  m('Cb', Cg(C(1) * C(1), 'pair') * 1 * Cb 'pair', 'xyz')
  m('Cb nearest', Cg(C(1), 'k') * Cg(C(1), 'k') * Cb 'k', 'xy')
  m('Cb missing', Cb 'nowhere', 'x')
  m('Cs', Cs((P 'a' / 'A' + P 'b' / '' + 1) ^ 0), 'abcab')
  m('Cs nested', Cs(Cs(alpha / '<%0>') ^ 0 * (digit / { ['1'] = 'one' } + 1) ^ 0), 'ab12')
  m('Cs not a string', Cs(P 'a' / function() return {} end), 'a')
  m('Cf', Cf(number * (',' * number) ^ 0, function(a, b) return a + b end), '10,20,30')
  m('Cf groups', Cf(Ct '' * Cg(C(alpha) * '=' * number) ^ 0, rawset), 'a=1b=2c=3')
  m('Cf without a value', Cf(P 'x', math.max), 'x')
  m('string', C(1) * C(1) / '%2%1 %0 %%', 'xy')
  m('string, no capture', P 'abc' / '[%0]', 'abc')
  m('string, wrong index', C(1) / '%3', 'x')
  m('string, wrong escape', P(1) / '%x', 'x')
  m('number 0', C(1) * C(1) / 0, 'xy')
  m('number 2', (C(1) * C(1) / 2), 'xy')
  m('number 3', (C(1) * C(1) / 3), 'xy')
  m('table', (C(alpha ^ 1) / { one = 1, two = { 2 } } * ' ') ^ 1, 'one two three one ')
  m('function', C(1) * C(1) / function(...) return select('#', ...), ... end, 'xy')
  m('function, none', C(1) / function() end * Cp(), 'x')
  m('function raising', P(1) / function() error 'from a capture' end, 'x')
  m('function raising a table', P(1) / function() error { code = 7 } end, 'x')
  m('many values', (C(1)) ^ 0, ('abcdefghij'):rep(20))
end

local function match_time(t)
  local function m(label, patt, subject, ...) t.try(label, lpeg.match, patt, subject, ...) end
  local seen = {}
  local spy = Cmt(C(alpha) * Cp(), function(s, i, c, p)
    seen[#seen + 1] = { s, i, c, p }
    return c ~= 'x', c:upper(), i
  end)
  m('Cmt', spy ^ 0 * Cp(), 'abxc')
  t('Cmt was given', seen)
  m('Cmt true', Cmt('', function() return true, 1, 2 end), '')
  m('Cmt moves', Cmt(1, function(_, i) return i + 2 end) * Cp(), 'abcdef')
  m('Cmt too far', Cmt(1, function() return 100 end), 'abc')
  m('Cmt back', Cmt(P 'ab', function() return 1 end), 'abc')
  m('Cmt nil', Cmt(1, function() end) + Cc 'other', 'abc')
  m('Cmt raising', Cmt(1, function() error('in Cmt', 0) end), 'abc')
  local open = Cg('[' * P '=' ^ 0 * '[', 'open')
  local same = Cmt(']' * C(P '=' ^ 0) * ']' * Cb 'open', function(_, _, close, start)
    return '[' .. close .. '[' == start
  end)
  local long = open * C((1 - same) ^ 0) * same / 1
  m('long string', long, '[==[ text ]=] more ]==] rest')
  m('long string, open', long, '[==[ text ]=]')
  m('function pattern', P(function(s, i) return s:sub(i, i) == 'z' end) * Cp(), 'z')
  m('match within a match', Cmt(C(any ^ 1), function(_, i, s)
    return i, lpeg.match(Cs((alpha / '<%0>' + 1) ^ 0), s)
  end), 'a1b')
  -- A coroutine that begins and ends inside of a callback.
  m('coroutine in a capture', C(any) ^ 0 / function(...)
    local letters, out = { ... }, {}
    for c in coroutine.wrap(function()
      for _, letter in ipairs(letters) do coroutine.yield(letter) end
    end) do
      out[#out + 1] = c
    end
    return table.concat(out, '-')
  end, 'xyz')
end

local function wrong(t)
  local L = t.wrap('lpeg', lpeg)
  L.P()
  L.P(nil)
  L.P {}
  L.P(print, 1)
  L.R('abc')
  L.R(1)
  L.S()
  L.S(nil)
  L.V()
  L.B(P(1) ^ 0)
  L.B(C(1))
  L.B(V 'x')
  L.C()
  L.Carg(0)
  L.Carg('x')
  L.Cb()
  L.Cmt(1)
  L.Cf(1)
  L.Cg(1, {})
  L.match(nil, 'x')
  L.match(P(1))
  L.match(P(1), {})
  L.match(P(1), 12)
  for i, f in ipairs {
    function() return (P '' + 'a') ^ 0 end,
    function() return (-P 'x') ^ 1 end,
    function() return P(1) ^ 'x' end,
    function() return P(1) ^ -70000 end,
    function() return P(1) * {} end,
    function() return P(1) + print * false end,
    function() return P(1) / nil end,
    function() return P(1) / true end,
    function() return #P(1) * lpeg.P end,
    function() return P(1) .. 'x' end,
  } do
    t.try('operator ' .. i, f)
  end
end

local function programs(t)
  local name = space * C(alpha * (alpha + digit + '_') ^ 0) * space
  local pair = Cg(name * '=' * space * C((1 - S ',;') ^ 0)) * S ',;' ^ -1
  local list = Cf(Ct '' * pair ^ 0, rawset)
  t('pairs', list:match ' a=b, c = hi; next = pi ')
  local function split(s, sep)
    local elem = C((1 - P(sep)) ^ 0)
    return Ct(elem * (sep * elem) ^ 0):match(s)
  end
  t('split', split('a,,b,c,', ','), split('', ','), split('one--two', '--'))
  local field = '"' * Cs(((any - '"') + P '""' / '"') ^ 0) * '"' + C((1 - S ',\n"') ^ 0)
  local record = Ct(field * (',' * field) ^ 0) * (P '\n' + -1)
  t('csv', record:match 'plain,"quoted, with comma","a ""word""",,last\n')
  local anywhere = P { Cp() * 'needle' * Cp() + 1 * V(1) }
  t('anywhere', anywhere:match('hay needle hay'), anywhere:match 'hay')
  local count = Cf(Cc(0) * (P 'a' * Cc(1) + 1) ^ 0, function(n, one) return n + (one or 0) end)
  t('count', pcall(lpeg.match, count, 'banana'))
  local utf8 = R '\0\127' + R '\194\223' * R '\128\191' + R '\224\239' * R '\128\191' ^ -2 * ''
  t('utf8', (utf8 ^ 0 * Cp()):match 'aé€z')
end

return function(t)
  matching(t)
  captures(t)
  match_time(t)
  wrong(t)
  programs(t)
end
