-- SPDX-License-Identifier: MIT
-- Penlight: lexer, sip, pretty, url.

local lexer = require 'pl.lexer'
local sip = require 'pl.sip'
local pretty = require 'pl.pretty'
local stringio = require 'pl.stringio'

local LUA = [==[
-- a comment
local x = 0x1F + 3.5e-2 .. "a \"string\"" -- more
--[[ a long
comment ]]
if x ~= 'y' and #t >= 10 then return [[long
string]], ... end
]==]

local C_CODE = [[
#include <stdio.h>
/* a comment */ int main(void) { // rest
  char c = '\n'; return x->y != 0x10 && "str\"ing"[0]; }
]]

local function lexing(t)
  t.each('lua', 99, lexer.lua(LUA))
  t.each('lua, all', 99, lexer.lua(LUA, {}))
  t.each('cpp', 99, lexer.cpp(C_CODE))
  t.each('cpp, all', 99, lexer.cpp(C_CODE, { comments = false, space = false }))
  t.each('scan', 99, lexer.scan 'alpha = 12.5 * (x1 - "two")')
  t.each('scan numbers as text', 99, lexer.scan('1 2.5', nil, nil, { number = false }))
  t.each('own tokens', 99, lexer.scan('ab12--', {
    { '^%a+', function(tok) return 'word', tok end },
    { '^%d+', function(tok) return 'digits', tonumber(tok) end },
    { '^%-', function(tok) return tok, tok end },
  }))
  t.each('of a file', 99, lexer.scan(stringio.open 'one\ntwo 3\n'))
  local tok = lexer.lua('function f(a, b) return a end\nx = 1', { space = true })
  t('first', tok())
  t('peek', lexer.lineno(tok), lexer.expecting(tok, 'iden'))
  t('skip', lexer.skipws(tok))
  t('list', lexer.get_separated_list(tok))
  t('line', lexer.getline(tok))
  t('rest', lexer.getrest(tok))
  local inserted = lexer.scan 'b c'
  lexer.insert(inserted, 'iden', 'a')
  lexer.insert(inserted, { { 'x', 1 }, { 'y', 2 } })
  t.each('insert', 9, inserted)
  t('keywords', lexer.get_keywords()['while'], lexer.get_keywords().nosuch)
  t.try('expecting wrong', lexer.expecting, lexer.scan '12', 'iden')
  t.try('separated wrong', lexer.get_separated_list, lexer.scan 'a, b')
  -- A token stream that other tasks interrupt.
  local words = {}
  for kind, value in lexer.scan 'x y z 1 2' do
    t('between tokens', kind)
    words[#words + 1] = value
  end
  t('words', words)
end

local function patterns(t)
  local S = t.wrap('sip', sip)
  local function match(spec, line, options)
    local res = {}
    t('sip.match ' .. spec, line, sip.match(spec, line, res, options), res)
  end
  match('$v=$q', "name='a value'")
  match('$v{key} = $q{val}', 'x = "y"')
  match('($d,$d)', '(10,20)')
  match('$f{x} $f{y}', '1.5 -2e3')
  match('$i:$r', '12:the rest of it')
  match('$a $p', 'file /etc/passwd')
  match('$s$S', 'ab cd')
  match('[$<{tag}]', '[<b>]')
  match('$({args})', '(a, (b))')
  match('$({args})', 'none')
  match('  $v  ', '  spaced ')
  match('$v', '12')
  match('at $v', 'look at this', { at_start = true })
  match('$x{n}', '0xFF')
  match('$o', 'a-b')
  S.create_pattern '$v,$d'
  S.create_pattern('$v,$d', { at_start = true })
  S.create_pattern '$'
  S.create_pattern '$Q'
  local f = sip.compile '$v{name}:$d{n}'
  local res = {}
  t('compile', f('abc:12', res), res, f('no', {}))
  t('at start', sip.match_at_start('$v', 'word more', res), res)
  t('fields', sip.fields('$v $d', stringio.open 'a 1\nb 2\n')())
  t.each('all fields', 9, sip.fields('$v $d', stringio.open 'a 1\n\nb 2\n'))
  sip.custom_pattern('X', '(%x%x)')
  match('$X{byte}', 'fe')
end

local function printing(t)
  local P = t.wrap('pretty', pretty)
  P.write { 1, 2, 3 }
  P.write { name = 'x' }
  P.write({ 1, { 2, { k = 'v' } } }, '  ')
  P.write({ 1, { 2 } }, '')
  P.write({ 1, 'two', true, [5] = 'five' }, '')
  P.write({ ['not an id'] = 1 }, '')
  P.write({ ['end'] = 1 }, '')
  P.write({ [1.5] = 'x' }, '')
  P.write({ 'with "quotes"', 'and\nlines', '\1' }, '')
  P.write({ 0.1, 1e100, -0, 2 ^ 53, 1 / 0 }, '')
  P.write {}
  P.write 'no table'
  P.write(12)
  local cycle = { 1 }
  cycle.self = cycle
  P.write(cycle, '')
  P.write({ { name = 'a' }, { name = 'b' } }, '', true)
  P.write(setmetatable({}, { __tostring = function() return 'custom' end }))
  P.read '{ 1, "two", { three = 3 } }'
  P.read '{ print() }'
  P.read '{ function() end }'
  P.read '{ while true do end }'
  P.read 'not a table'
  P.read '{'
  P.load('x = 1; y = { 2 }', {})
  P.load('x = = 1', {})
  P.load('for i = 1, 2 do end', {}, true)
  P.load('s = ("x"):rep(1e9)', {}, true)
  for _, n in ipairs { 0, 999, 1000, 12345, 1234567, 5e9 } do
    t('number ' .. n, pretty.number(n), pretty.number(n, 'M'), pretty.number(n, 'N', 2),
      pretty.number(n, 'T'))
  end
  t('again', pretty.read(pretty.write { a = { 1, 2, { b = 'c' } }, [10] = true }))
  local U = t.wrap('url', require 'pl.url')
  U.quote 'a b&c=d/é?'
  U.quote('a b', true)
  U.quote(12)
  U.unquote 'a%20b+c%2Fd%C3%A9'
  U.unquote 'bad %zz %2'
  U.unquote(U.quote '\0\1 round trip\255')
end

return function(t)
  lexing(t)
  patterns(t)
  printing(t)
end
