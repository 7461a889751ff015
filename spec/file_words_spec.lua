-- SPDX-License-Identifier: MIT
-- The main example: its totals against those of wc, its words against a count in plain Lua, over
-- trees with everything that makes file names and contents difficult.

local proc = require 'support.proc'

local top = debug.getinfo(1, 'S').source:match('^@(.-)spec/[^/]*$')
local script = top .. 'scripts/examples/file_words.lua'
local quote = proc.quote

local function run(args, opts)
  local list = { script }
  for _, a in ipairs(args) do list[#list + 1] = a end
  return proc.weft(list, opts)
end

-- { files =, skipped =, lines =, words =, bytes =, top = { "n word", ... } }
local function parse(out)
  local r = { top = {} }
  r.files, r.skipped = out:match '^(%d+) files under .-, (%d+) skipped\n'
  r.lines, r.words, r.bytes, r.tail =
    out:match '\n +(%d+) lines\n +(%d+) words\n +(%d+) bytes\n(.*)'
  for n, word in (r.tail or ''):gmatch ' *(%d+) (%l+)\n' do
    r.top[#r.top + 1] = n .. ' ' .. word
  end
  assert(r.lines and r.files, 'not what file_words prints: ' .. out)
  return r
end

local SUFFIXES = '-name "*.gz" -o -name "*.bz2" -o -name "*.xz" -o -name "*.zst" -o -name "*.zip"'

local function wc(tree)
  local find = ("find %s -type f ! '(' %s ')' -print0"):format(quote(tree), SUFFIXES)
  local totals = proc.shell(('sh -c %s'):format(
    quote(find .. ' | LC_ALL=C wc -lwc --files0-from=- | tail -n 1')))
  local files = proc.shell(('sh -c %s'):format(quote(find .. " | tr -dc '\\0' | wc -c")))
  local l, w, b = totals.out:match '^ *(%d+) +(%d+) +(%d+)'
  return { files = files.out:match '%d+', lines = l, words = w, bytes = b }
end

local function same_as_wc(result, tree)
  local r, expected = parse(result.out), wc(tree)
  assert.same(expected, { files = r.files, lines = r.lines, words = r.words, bytes = r.bytes })
  return r
end

-- Runs body(tree, make): make(name, text) creates a file in the temporary tree.
local function with_tree(body)
  local tree, remove = proc.temp_dir()
  local function make(name, text)
    if name:find '/' then
      assert(os.execute('mkdir -p ' .. quote(tree .. '/' .. name:match '^(.*)/')) == 0)
    end
    proc.write_file(tree .. '/' .. name, text)
  end
  local ok, err = pcall(body, tree, make)
  remove()
  if not ok then error(err, 0) end
end

local function all_bytes()
  local t = {}
  for c = 0, 255 do t[#t + 1] = string.char(c) end
  return table.concat(t)
end

-- Reproducible noise: pieces taken at random from a list.
local function noise(seed, n, pieces)
  local t = {}
  for i = 1, n do
    seed = (seed * 16807) % 2147483647
    t[i] = pieces[seed % #pieces + 1]
  end
  return table.concat(t)
end

-- The contents that a careless counter gets wrong, by what is difficult about them.
local function contents()
  local every = all_bytes()
  local bytes = {}
  for c in every:gmatch '.' do bytes[#bytes + 1] = c end
  bytes[#bytes + 1] = '\0'
  local c = {
    empty = '',
    newline = '\n',
    ['no newline at the end'] = 'one two\nthree',
    ['only white space'] = ' \t\n\v\f\r \n',
    ['all kinds of white space'] = 'a b\tc\nd\ve\ff\rg\r\nh',
    ['every byte'] = every,
    ['every byte apart'] = every:gsub('.', '%0 '):gsub('%z ', '\0 '),
    ['no printable byte'] = '\1\2 \200\201 \127 \0\0 \195\169\n',
    ['a printable one inside'] = '\1a\2 \200b\201 \127c \0d\0 \195\169e\n',
    ['not ASCII'] = 'caf\195\169 \226\128\148 na\195\175ve\194\160word \255\n',
    zeros = ('\0'):rep(200000),
    ['one word of several blocks'] = ('x'):rep(200001),
    ['words around several blocks'] = 'a ' .. ('Y'):rep(140000) .. ' b\n',
    ['not printable over several blocks'] = '\1 ' .. ('\2'):rep(140000) .. ' \3\n',
    ['becomes a word late'] = ('\2'):rep(140000) .. 'z',
    ['many lines'] = ('line\n'):rep(50000),
    ['noise of bytes'] = noise(1, 300000, bytes),
    ['noise of words'] = noise(2, 100000, { 'The', 'the', ' ', '\n', 'of', '-', '\195', 'ONE ' }),
  }
  for _, n in ipairs { 65535, 65536, 65537, 131071, 131072, 131073 } do
    c['a word that ends at ' .. n] = ('a'):rep(n) .. ' b c'
    c['words up to ' .. n] = ('ab '):rep(n / 3 + 1):sub(1, n)
    c['a space at ' .. n] = ('d '):rep(20) .. ('e'):rep(n - 41) .. ' fin\n'
  end
  return c
end

-- What a ranking of runs of letters must be, counted in the plain way.
local function ranking(texts)
  local times, order = {}, {}
  for _, text in pairs(texts) do
    for word in text:gmatch '%a+' do
      word = word:lower()
      if not times[word] then order[#order + 1] = word end
      times[word] = (times[word] or 0) + 1
    end
  end
  table.sort(order, function(a, b)
    return times[a] > times[b] or times[a] == times[b] and a < b
  end)
  local list = {}
  for i = 1, math.min(10, #order) do list[i] = times[order[i]] .. ' ' .. order[i] end
  return list
end

describe('file_words', function()
  it('prints the totals of wc and the commonest words, whatever is in the files', function()
    with_tree(function(tree, make)
      local texts = contents()
      for name, text in pairs(texts) do make(name, text) end
      local r = run { tree }
      assert.equals('', r.err)
      assert.equals(0, r.status)
      local got = same_as_wc(r, tree)
      assert.equals('0', got.skipped)
      assert.same(ranking(texts), got.top)
    end)
  end)

  it('counts the same on however many cores', function()
    with_tree(function(tree, make)
      for name, text in pairs(contents()) do make(name, text) end
      local expected = run({ tree }).out
      for _, workers in ipairs { '1', '2', '4', '16' } do
        local r = proc.weft { '--workers', workers, script, tree }
        assert.same({ expected, '', 0 }, { r.out, r.err, r.status }, workers .. ' workers')
      end
    end)
  end)

  it('counts every one of those files alone as wc does', function()
    with_tree(function(tree, make)
      for name, text in pairs(contents()) do
        make('file', text)
        local r, expected = parse(run({ tree }).out), wc(tree)
        assert.same({ name, expected.lines, expected.words, expected.bytes },
          { name, r.lines, r.words, r.bytes })
      end
    end)
  end)

  it('finds files with difficult names', function()
    with_tree(function(tree, make)
      local names = {
        'with space', ' leading', 'trailing ', 'new\nline', '\n', 'ends in newline\n',
        "apostrophe's", 'double "quotes"', 'back\\slash', '$(touch x)', '`touch y`', '$HOME',
        '-type', '--', '*', '?', '[a-z]', '%s %d %', ';ls', '&', '|', '#', '~', '!', '\1\27[31m',
        'caf\195\169', '\255\254', '.hidden', 'gz', 'text.gz.txt', ("n"):rep(250),
        "dir with 'quote'/a", 'dir\nnewline/b', '.hidden dir/c', 'a/b/c/d/e/f/g', '-d/-e',
      }
      for i, name in ipairs(names) do make(name, ('w '):rep(i) .. '\n') end
      local r = run { tree }
      assert.same({ '', 0 }, { r.err, r.status })
      local got = same_as_wc(r, tree)
      assert.same({ tostring(#names), '0' }, { got.files, got.skipped })
      assert.same({ #names * (#names + 1) / 2 .. ' w' }, got.top)
    end)
  end)

  it('takes a tree by any name', function()
    for _, name in ipairs { "it's \"a\" tree", '-print0', '!', '(', '$(x)', 'new\nline', 'a b' } do
      with_tree(function(tree, make)
        make(name .. '/sub/file', 'one two\n')
        local bin = proc.shell('realpath ' .. quote(proc.bin)).out:match '[^\n]+'
        local path = proc.shell('realpath ' .. quote(script)).out:match '[^\n]+'
        local relative = proc.shell(('%s %s %s'):format(quote(bin), quote(path), quote(name)),
          { before = 'cd ' .. quote(tree) .. ';' })
        for _, r in ipairs { run { tree .. '/' .. name }, run { tree .. '/' .. name .. '/' },
          relative } do
          assert.same({ name, '', 0 }, { name, r.err, r.status })
          assert.equals('2', parse(r.out).words)
          assert.is_truthy(r.out:find((name:gsub('%c', '?')), 1, true))
        end
      end)
    end
  end)

  it('leaves out links, compressed files and what is no regular file', function()
    with_tree(function(tree, make)
      make('real/file', 'counted\n')
      for _, suffix in ipairs { 'gz', 'bz2', 'xz', 'zst', 'zip' } do
        make('packed.' .. suffix, 'not counted\n')
        make('sub/.' .. suffix, 'not counted\n')
      end
      assert(os.execute(('cd %s && ln -s real/file link && ln -s real dir && ln -s nowhere dead'
        .. ' && ln -s . loop && ln -s ../.. real/up && mkfifo pipe'):format(quote(tree))) == 0)
      local r = run { tree }
      assert.same({ '', 0 }, { r.err, r.status })
      assert.same({ '1 counted' }, same_as_wc(r, tree).top)
      assert.equals('1', parse(r.out).files)
      -- A link that is given by name is the tree that is meant.
      assert.equals('1', parse(run({ tree .. '/dir' }).out).words)
    end)
  end)
end)

-- In front of the real `find`: also prints these names.
local function with_find_that_adds(names, body)
  with_tree(function(tree, make)
    local list = {}
    for _, name in ipairs(names) do list[#list + 1] = quote(name) end
    make('bin/find', ("#!/bin/sh\nprintf '%%s\\0' %s\n/usr/bin/find \"$@\"\n"):format(
      table.concat(list, ' ')))
    assert(os.execute('chmod +x ' .. quote(tree .. '/bin/find')) == 0)
    make('tree/file', 'one two three\n')
    body(run({ tree .. '/tree' }, { env = ('PATH=%s:$PATH'):format(quote(tree .. '/bin')) }), tree)
  end)
end

describe('file_words', function()
  it('reports files that have vanished, counts the others, and ends with status 1', function()
    with_find_that_adds({ '/nowhere/at all', '/nowhere/new\nline\27[2J' }, function(r)
      assert.equals(1, r.status)
      local got = parse(r.out)
      assert.same({ '1', '2', '3' }, { got.files, got.skipped, got.words })
      local lines = {}  -- which of two readers is first is up to the scheduler
      for line in r.err:gmatch('[^\n]+') do lines[#lines + 1] = line end
      table.sort(lines)
      assert.same({ 'skipped open /nowhere/at all: no such file or directory (ENOENT)',
        'skipped open /nowhere/new?line?[2J: no such file or directory (ENOENT)' }, lines)
    end)
  end)

  it('reports files that cannot be read to their end', function()
    with_find_that_adds({ '/', '/proc/self/mem' }, function(r)
      assert.equals(1, r.status)
      local got = parse(r.out)
      assert.same({ '2', '3' }, { got.skipped, got.words })
      assert.is_truthy(r.err:find('skipped read /: illegal operation on a directory (EISDIR)\n', 1,
        true))
      assert.is_truthy(r.err:find('skipped read /proc/self/mem: i/o error (EIO)\n', 1, true))
    end)
  end)

  it('reports files that may not be read', function()
    local bin = proc.shell('realpath ' .. quote(proc.bin)).out:match '[^\n]+'
    local path = proc.shell('realpath ' .. quote(script)).out:match '[^\n]+'
    local as_other = proc.shell('id -u').out == '0\n' and
      'setpriv --reuid 65534 --regid 65534 --clear-groups -- ' or ''
    local can = proc.shell(('%s test -x %s -a -r %s'):format(as_other, quote(bin), quote(path)))
    if can.status ~= 0 then return pending 'no other user can run weft here' end
    with_tree(function(tree, make)
      make('secret', 'one two\n')
      make('public', 'three\n')
      make('closed/file', 'four\n')
      local modes = 'cd %s && chmod 755 . && chmod 0 secret closed'
      assert(os.execute(modes:format(quote(tree))) == 0)
      local r = proc.shell(('%s%s %s %s'):format(as_other, quote(bin), quote(path), quote(tree)))
      local secret = ('skipped open %s/secret: permission denied (EACCES)\n'):format(tree)
      assert.is_truthy(r.err:find(secret, 1, true))
      assert.is_truthy(r.err:match 'find: [^\n]*/closed[^\n]*: Permission denied\n')
      assert.equals(1, r.status)
      local got = parse(r.out)
      assert.same({ '1', '1', '1' }, { got.files, got.skipped, got.words })
    end)
  end)

  it('says that there is nothing in an empty tree', function()
    with_tree(function(tree, make)
      make('only.gz', 'x')
      local r = run { tree }
      assert.same({ '', 0 }, { r.err, r.status })
      assert.equals(('0 files under %s, 0 skipped\n'):format(tree), r.out:match '^[^\n]*\n')
      local got = parse(r.out)
      assert.same({ '0', '0', '0', '' }, { got.lines, got.words, got.bytes, got.tail })
    end)
  end)

  it('says what is wrong with a tree that is none', function()
    with_tree(function(tree, make)
      make('file', 'text\n')
      for name, why in pairs {
        [tree .. '/missing'] = 'No such file or directory',
        [tree .. '/file'] = 'Not a directory',
        [''] = 'No such file or directory',
      } do
        local r = run { name }
        assert.same({ '', 1 }, { r.out, r.status })
        assert.equals(("file_words: cannot walk '%s': %s\n"):format(name, why), r.err)
      end
    end)
  end)

  it('counts /usr/share/doc, the tree that it takes by itself', function()
    local tree = '/usr/share/doc'
    local r = run {}
    assert.same({ '', 0 }, { r.err, r.status })
    assert.equals(10, #same_as_wc(r, tree).top)
  end)
end)
