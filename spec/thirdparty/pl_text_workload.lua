-- SPDX-License-Identifier: MIT
-- Penlight: stringx, text, template, stringio.

local stringx = require 'pl.stringx'
local template = require 'pl.template'
local stringio = require 'pl.stringio'

local function asking(t)
  local S = t.wrap('stringx', stringx)
  for _, s in ipairs { '', 'abc', 'ABC', 'a1', '12', ' \t', 'é', 'a b' } do
    t('classes of ' .. s, stringx.isalpha(s), stringx.isdigit(s), stringx.isalnum(s),
      stringx.isspace(s), stringx.islower(s), stringx.isupper(s))
  end
  S.startswith('prefix', 'pre')
  S.startswith('prefix', { 'x', 'p' })
  S.endswith('file.lua', '.lua')
  S.endswith('file.lua', { '.c', '.lua' })
  S.endswith('', 'x')
  S.lfind('banana', 'an')
  S.lfind('banana', 'an', 3)
  S.lfind('banana', 'an', 3, 4)
  S.lfind('a.b', '.')
  S.rfind('banana', 'an')
  S.rfind('banana', 'an', 1, 4)
  S.rfind('banana', 'x')
  S.count('banana', 'an')
  S.count('aaaa', 'aa')
  S.count('aaaa', 'aa', true)
  S.count('x', '')
  S.at('hello', 2)
  S.at('hello', -1)
  S.join('-', { 'a', 'b', 3 })
  S.partition('key=value=x', '=')
  S.partition('none', '=')
  S.rpartition('a.b.c', '.')
  S.rpartition('none', '.')
  S.isalpha(12)
  S.lfind 'x'
end

local function changing(t)
  local S = t.wrap('stringx', stringx)
  S.splitlines 'one\ntwo\r\nthree\n'
  S.splitlines('one\ntwo\n', true)
  S.splitlines ''
  S.split ' a  b c '
  S.split('a,b,,c', ',')
  S.split('a,b,c,d', ',', 2)
  S.split('', ',')
  S.splitv('a=b', '=')
  S.expandtabs('a\tb\tc', 4)
  S.expandtabs '\tx'
  S.replace('banana', 'an', '<>')
  S.replace('banana', 'an', '%1', 1)
  S.ljust('ab', 5)
  S.ljust('ab', 5, '.')
  S.rjust('ab', 5, '*')
  S.center('ab', 7, '-')
  S.center('ab', 1)
  S.lstrip '  x  '
  S.rstrip '  x  '
  S.strip '\t x \n'
  S.strip('--x--', '-')
  S.lstrip('[]x]', '[]')
  S.title 'hello WORLD of lua'
  S.shorten('a long sentence', 8)
  S.shorten('a long sentence', 8, true)
  S.shorten('short', 10)
  S.shorten('tiny', 2)
  S.quote_string 'plain'
  S.quote_string 'has "quotes" and \\ and\nlines'
  S.quote_string ']] and ]=]\n"'
  S.lines 'a\nb'
  t.each('lines', 9, stringx.lines 'a\nb\n\nc')
  S.indent('a\nb\n', 2)
  S.indent('a\n\nb', 1, '> ')
  S.dedent '    one\n      two\n    three\n'
  local long = ('the quick brown fox jumps over the lazy dog '):rep(3)
  S.wrap(long, 30)
  S.fill(long, 20)
  S.wrap('averyveryverylongword here', 8)
  S.wrap('averyveryverylongword here', 8, true)
end

local function templates(t)
  local Template = stringx.Template
  local simple = Template '$name is ${age} years, $$5'
  t.try('substitute', simple.substitute, simple, { name = 'Ann', age = 30 })
  t.try('substitute missing', simple.substitute, simple, { name = 'Ann' })
  t.try('safe', simple.safe_substitute, simple, { age = 1 })
  t.try('function', simple.substitute, simple, function(key) return key:upper() end)
  local body = Template 'for i = 1, 2 do\n    $body\nend\n'
  t.try('indent', body.indent_substitute, body, { body = 'print(i)\nio.write(i)\n' })
  t('format', stringx.format_operator and true)

  local env = { ipairs = ipairs, items = { 'x', 'y' }, title = 'List', up = function(s)
    t('called by a template', s)
    return s:upper()
  end }
  local page = '# for i, v in ipairs(items) do\n$(i): $(up(v)) \\$(no)\n# end\n<$(title)>'
  t.try('template', template.substitute, page, env)
  t.try('template escapes', template.substitute, '% if title then\n@{title}!\n% end\n',
    { title = 'yes', _escape = '%', _inline_escape = '@', _brackets = '{}' })
  t.try('template syntax', template.substitute, '# for x in\n', env)
  t.try('template runtime', template.substitute, '$(nothing.x)', env)
  t.try('template raising', template.substitute, '$(fail())', {
    fail = function() error('on purpose', 0) end,
  })
  t.try('template debug', template.substitute, '$(title)\n# x = 1', { title = 1, _debug = true })
  local ct, err = template.compile(page, { chunk_name = 'page', debug = true })
  t('compiled', type(ct), err)
  t.try('render', ct.render, ct, env)
  t.try('render again', ct.render, ct, { title = 'none' }, { items = {}, ipairs = ipairs })
  t.try('render wrong', ct.render, ct, {})
  t.try('compile wrong', template.compile, '# if\n', { chunk_name = 'wrong' })
end

local function formatting(t)
  local T = t.wrap('text', require 'pl.text')
  T.indent('a\nb', 2)
  T.dedent '  a\n  b'
  T.wrap('one two three four', 10)
  T.fill('one two three four', 10)
  T.Template 'x $y'
  T.substitute('x $y', { y = 1 })
end

local function streams(t)
  local out = stringio.create()
  out:write('one', 2, '\n')
  t 'between writes'
  out:writef('%05.1f|%s\n', 3.14159, 'x')
  t('value', out:value(), tostring(out))
  t.try('seek', out.seek, out)
  t.try('close', out.close, out)
  local f = stringio.open '12 0x10 word\nsecond line\n\nlast'
  t('read', f:read('*n', '*n'), f:read '*l')
  t('read line', f:read(), f:read '*l', f:read(2), f:read '*a', f:read '*l', f:read(1))
  t('seek', f:seek('set', 3), f:read '*n', f:seek('cur', 0), f:seek('end', -4), f:read '*a')
  t.try('bad format', f.read, f, '*q')
  t.try('close', f.close, f)
  t.each('lines', 9, stringio.lines 'a\nb\nc')
  t.each('lines by format', 9, stringio.lines('1 2 3', '*n'))
  t.each('two lines', 9, stringio.open('a b\nc d\n'):lines())
end

return function(t)
  asking(t)
  changing(t)
  templates(t)
  formatting(t)
  streams(t)
end
