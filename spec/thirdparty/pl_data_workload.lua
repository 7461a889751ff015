-- SPDX-License-Identifier: MIT
-- Penlight: data, config, input, lapp, app.

local data = require 'pl.data'
local config = require 'pl.config'
local input = require 'pl.input'
local lapp = require 'pl.lapp'
local app = require 'pl.app'
local stringio = require 'pl.stringio'
local seq = require 'pl.seq'

local TABLE = [[
name,age,city
Ann,30,Oslo
Bob,25,Rome
"Cy, Jr",41,Oslo
Di,19,Bonn
]]

local function datasets(t)
  local D = t.wrap('data', data)
  local d = data.read(stringio.open(TABLE), { csv = true })
  t('read', d)
  t('columns', d:column_by_name 'age', d:column_by_name 'city', d.fieldnames)
  t('no column', pcall(d.column_by_name, d, 'nothing'))
  local function query(label, text, ...)
    local iter, err = d:select(text, ...)
    if not iter then return t(label, err) end
    t.each(label, 20, iter)
  end
  query('select', 'name,age')
  query('select all', '*')
  query('where', "name where age > 24 and city == 'Oslo'")
  query('sort by', 'name,age sort by age')
  query('sort by desc', 'name sort by age desc')
  query('where and sort', 'name,age where age < 40 sort by name')
  query('context', 'name where old(age)', { { old = function(age)
    t('asked about', age)
    return age > 28
  end } })
  query('table form', { fields = 'name', where = "city == 'Rome'" })
  query('wrong field', 'nofield')
  query('wrong condition', 'name where age >')
  t.each('select_row', 20, d:select_row "name,age where city == 'Oslo'")
  t('copy_select', d:copy_select 'age,name where age > 20')
  t('copy', seq.copy(d:select 'age'))
  local out = stringio.create()
  d:write_row(out, { 'x', 1 })
  d:write(out)
  t('write', out:value())
  D.new({ { 1, 2 }, { 3, 4 } }, 'a,b')
  D.new { fieldnames = { 'p q', 'r' }, { 1, 2 } }
  D.read(stringio.open '1 2 3\n4 5 6\n')
  D.read(stringio.open 'a\tb\n1\tx y\n2\t\n', { delim = '\t' })
  D.read(stringio.open 'x;y\n1,5;2,5\n',
    { delim = ';', numfields = { 1, 2 }, thousands_dot = true })
  D.read(stringio.open '# x y\n# note\n1 2\n')
  D.read(stringio.open '1 2\n3 4\n', { no_convert = true, fieldnames = 'u,v' })
  D.read(stringio.open 'a,b\n"multi\nline",2\n', { csv = true })
  D.read(stringio.open '10,x\n20,y',
    { convert = { function(s) return s * 2 end }, fieldnames = 'n,s' })
  D.read '/nowhere/data'
  D.read(stringio.open '')
  local result = stringio.create()
  D.filter('1,2 where $1 > 1', stringio.open '1 10\n2 20\n3 30\n', result, true)
  data.filter('$2,$1 where $1 > 1', stringio.open '1 10\n2 20\n3 30\n', result)
  t('filter', result:value())
end

local function configurations(t)
  local C = t.wrap('config', config)
  local function read(text, settings) return C.read(stringio.open(text), settings) end
  read '# comment\nname=value\nnumber = 12\nlist=1,2,three\n\nspaced key = x y\n'
  read '[section]\na=1\n; comment\n[other one]\nb = 2\n'
  read('a: 1\nb: 2', { keysep = ':' })
  read('a = "quoted" \n', { trim_quotes = true })
  read('a-b = 1', { variabilize = false })
  read('n = 12', { convert_numbers = false })
  read('n = 0x1F', { convert_numbers = function(s) return tonumber(s) and s .. '!' end })
  read('root:x:0:0\nbin:x:1:1', { smart = true })
  read('1 2 3\n4 5 6', { list_delim = ' ' })
  read('a = one\\\ntwo', {})
  read ''
  C.read '/nowhere/config'
  t.each('lines', 9, config.lines(stringio.open 'one \\\ntwo\nthree'))
end

local function reading(t)
  local I = t.wrap('input', input)
  t.each('numbers', 20, input.numbers '1 2.5 x -3e2 y7')
  t.each('words', 20, input.words 'the quick, brown\nfox')
  t.each('fields', 9, input.fields(2, ',', stringio.open 'a,1\nb,2\n', { no_fail = true }))
  local numbers = stringio.open '1,x,2\n3,y,4\n'
  t.each('more fields', 9, input.fields({ 3, 1 }, ',', numbers, { no_fail = true }))
  t.each('short', 9, input.fields({ 1, 2 }, ' ', stringio.open '1\n', { no_fail = true }))
  t.each('tokens', 9, input.alltokens(input.create_getter 'a1 b2', '%a%d', string.upper))
  I.fields('x', ',', '')
  I.create_getter(12)
end

local OPTIONS = [[
Does this and that.
  -v,--verbose          say more
  -n,--number (default 10)  a number
  -r,--ratio (number)   a required one
  -o,--output (default out.txt)  a name
  -m,--mode (fast|slow|none default fast)  one of these
  -l,--level (1..5 default 3)  a range
  -I,--include... (default base)  many
  <name> (string)       the first
  <rest...> (default x) the others
]]

local function options(t)
  lapp.show_usage_error = 'throw'
  lapp.slack = false
  local function parse(...)
    t.try('lapp', function(...) return lapp.process_options_string(OPTIONS, { ... }) end, ...)
  end
  parse('-r', '1.5', 'first')
  parse('-v', '-n', '5', '-r2', 'first', 'second', 'third')
  parse('--verbose', '--number=7', '--ratio', '3', '--mode', 'slow', 'a')
  parse('-r', '1', '-I', 'x', '-I', 'y', 'a')
  parse('-r', '1', '-l', '9', 'a')
  parse('-r', '1', '-m', 'wrong', 'a')
  parse('-r', 'x', 'a')
  parse '-z'
  parse 'no ratio'
  parse('-r', '1')
  parse('-r', '1', '-n', 'word', 'a')
  parse('-r', '1', '--', 'a', '-v')
  t.try('lapp', lapp.process_options_string, '-a flag\n-b,--bee (default 2)', { '-a' })
  lapp.add_type('even', 'number', function(n)
    lapp.assert(n % 2 == 0, 'is not even')
  end)
  for _, n in ipairs { '4', '5', 'x' } do
    t.try('lapp type', lapp.process_options_string, '-e,--even (even)  a number\n', { '-e', n })
  end
  local A = t.wrap('app', app)
  A.parse_args { '-a', '--long', '--key=value', 'file', '-x:1', '--', 'rest' }
  A.parse_args({ '-o', 'out', '-v', 'x' }, { o = true })
  A.parse_args({ '-abc', 'x' }, {})
  A.parse_args({ '-o' }, { o = true })
  A.parse_args({ '--bad' }, {}, { good = true })
  A.platform()
end

return function(t)
  datasets(t)
  configurations(t)
  reading(t)
  options(t)
end
