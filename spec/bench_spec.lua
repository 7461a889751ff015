-- SPDX-License-Identifier: MIT
-- Subject: scripts/bench
-- What it prints and refuses, on short runs; that the twins in the other systems move the same
-- values; never how fast anything is.

local proc = require 'support.proc'
local util = require 'support.util'
local cjson = require 'cjson'

local top = debug.getinfo(1, 'S').source:match('^@(.-)spec/[^/]*$')
local benches = top .. 'scripts/benches/'
local quote, has = proc.quote, util.has

local function bench(...)
  local words = { quote(top .. 'scripts/bench') }
  for _, word in ipairs { ... } do words[#words + 1] = quote(word) end
  return proc.shell(table.concat(words, ' '))
end

local function quick(bin, ...)
  return bench('--quick', '--rounds', '1', '--without=tarantool', '--weft', bin, ...)
end

-- Runs body(bin, dir), bin being weft behind a shell script that does this to what it prints
-- (figures are lines of four words), and leaves its arguments in dir/log.
local function with_filter(filter, body)
  local dir, remove = proc.temp_dir()
  local bin = dir .. '/weft'
  proc.write_file(bin, ('#!/bin/sh\necho "$*" >>%s/log\n%s "$@" | %s\n'):format(dir,
    quote(proc.bin), filter))
  assert(os.execute('chmod +x ' .. bin) == 0)
  local ok, err = pcall(body, bin, dir)
  remove()
  if not ok then error(err, 0) end
end

local function times(factor)
  return ("awk 'NF == 4 { $2 *= %s } { print }'"):format(factor)
end

local function row_named(data, name)
  for _, row in ipairs(data.rows) do
    if row.name == name then return row end
  end
  error('no row ' .. name)
end

-- The names in --list's lines.
local function row_names(text)
  local names = {}
  for line in text:gmatch '[^\n]+' do names[#names + 1] = line:match '^%S+' end
  return names
end

local function exists(path)
  local file = io.open(path)
  return file ~= nil and file:close()
end

-- What a program prints as the checksum of the values that it moved.
local function checksum(command)
  local r = proc.shell(command)
  assert.same({ 0, '' }, { r.status, r.err }, command)
  local sum = r.out:match '^%l+ [%d.]+ (%d+) %d+\n'
  assert(sum, command .. ' printed ' .. r.out)
  return sum
end

-- Sizes for a quick look; a pause needs garbage for two collections.
local SMALL = { pause = 400000, sieve = 500 }

-- Fails unless every element is closed in its turn; the elements, by name, as lists of attributes.
local function parse_xml(text)
  local open, elements = {}, {}
  text = text:gsub('^<%?xml.-%?>', ''):gsub('<!%-%-.-%-%->', '')
  local rest = text:gsub('<(/?)([%w-]+)(.-)(/?)>', function(closing, name, attributes, alone)
    if closing == '/' then
      assert.equal(name, table.remove(open))
    else
      elements[name] = elements[name] or {}
      local list = {}
      local left = attributes:gsub('%s+([%w:-]+)="([^"<&]*)"', function(key, value)
        list[key] = value
        return ''
      end)
      assert.equal('', left)
      table.insert(elements[name], list)
      if alone == '' then open[#open + 1] = name end
    end
    return ''
  end)
  assert.same({}, open)
  assert.is_nil(rest:find '[<>]')
  assert.is_nil(rest:gsub('&%l+;', ''):find '&')
  return elements
end

describe('bench', function()
  it('refuses a wrong command line, before anything is measured', function()
    for _, case in ipairs {
      { { '--nothing' }, 'there is no option --nothing' },
      { { 'nothing' }, 'there is no row nothing' },
      { { '--rounds' }, '--rounds needs a value' },
      { { '--rounds', '0' }, '--rounds takes a whole number' },
      { { '--rounds=1.5' }, '--rounds takes a whole number' },
      { { '--workers', '1,0' }, '--workers takes a whole number from 1 to 1024, not 0' },
      { { '--workers=1,,2' }, '--workers takes a whole number' },
      { { '--without', 'weft' }, '--without takes go, tarantool, luajit or uv, not weft' },
      { { '--weft', '/nowhere/weft' }, 'there is no file /nowhere/weft' },
      { { '--check', '--without=go' }, '--check and --plot are about Go' },
      { { '--json', '-', '--plot=-' }, 'only one of' },
    } do
      local r = bench(unpack(case[1]))
      assert.same({ 64, '' }, { r.status, r.out })
      has(r.err, 'scripts/bench: ' .. case[2])
    end
  end)

  it('tells its options and its rows', function()
    local help, list = bench '--help', bench '--list'
    assert.same({ 0, 0 }, { help.status, list.status })
    has(help.out, 'scripts/bench [OPTION…] [NAME…]', '--rounds N', '--check')
    assert.same({ 'pingpong', 'pingpong-nojit', 'stream' }, { unpack(row_names(list.out), 1, 3) })
    -- An exact name means one row, a beginning all that have it, in the table's order.
    local some = bench('--list', 'startup-rss', 'select2', 'stream')
    assert.same({ 'stream', 'select2-recv', 'select2-recv-nojit', 'select2-send',
      'select2-default', 'startup-rss' }, row_names(some.out))
    some = bench('--list', 'cores-work', 'mutex', '--workers', '1,8')
    assert.same({ 'mutex@1', 'mutex@8', 'cores-work@1', 'cores-work@8' }, row_names(some.out))
  end)

  it('measures rows, and writes the table, JSON and a drawing', function()
    local dir, remove = proc.temp_dir()
    -- The command line is in all that is written, and has every character that needs care.
    local awkward = [[/j"s'o\n <&>.json]]
    local r = quick(proc.bin, 'pingpong', 'pingpong-nojit', 'startup', 'startup-rss', '--json',
      dir .. awkward, '--plot', dir .. '/svg')
    assert.same({ 0, '' }, { r.status, r.err })
    local data = cjson.decode(proc.read_file(dir .. awkward))
    local svg = proc.read_file(dir .. '/svg')
    remove()

    assert.same({ 1, 1 }, { data.facts.rounds, data.facts.slow_rounds })
    has(data.facts.command, 'scripts/bench --quick --rounds 1 ',
      ' startup startup-rss --json ' .. proc.quote(dir .. awkward) .. ' --plot ')
    has(data.facts.versions.go, 'Go 1.')
    assert.equal(4, #data.rows)
    local row = row_named(data, 'pingpong')
    assert.same({ '5000050000', 100000, 'ns', 0.45 }, { row.checksum, row.n, row.unit, row.must })
    assert.is_true(row.weft.median > 0 and row.go.median > 0 and row.luajit.median > 0)
    assert.near(row.weft.samples[1] / row.go.samples[1], row.ratio.median, 1e-6)
    -- The same work once more, without the compiler: Go's figure is the same one.
    local nojit = row_named(data, 'pingpong-nojit')
    assert.equal(row.go.samples[1], nojit.go.samples[1])
    assert.not_equal(row.weft.samples[1], nojit.weft.samples[1])
    local rss = row_named(data, 'startup-rss')
    assert.same({ 'absolute', 'MB' }, { rss.target_is, rss.unit })
    assert.is_true(rss.weft.median > 1 and rss.weft.median < 500)

    has(r.out, ' weft/Go ', '`' .. data.facts.command .. '`')
    local marks = { missed = ' MISSED', reached = ' ok', goal = ' goal' }
    has(r.out:match '\npingpong [^\n]*', (' %.2f '):format(row.ratio.median), marks[row.verdict])

    local elements = parse_xml(svg)
    assert.equal(1, #elements.svg)
    -- The ground, four in the legend, and a bar for each row.
    assert.equal(1 + 4 + 4, #elements.rect)
    has(svg, '>' .. row.text .. '<', ('>%.2f<'):format(row.ratio.median))
  end)

  it('takes the median of the rounds\' ratios, and percentiles', function()
    local r = quick(proc.bin, 'mutex', '--rounds', '3', '--json=-')
    assert.equal(0, r.status)
    has(r.err, '\nmutex ')
    local row = row_named(cjson.decode(r.out), 'mutex')
    local weft, ratios = { unpack(row.weft.samples) }, {}
    assert.same({ 3, 3 }, { #weft, #row.go.samples })
    for i = 1, 3 do ratios[i] = weft[i] / row.go.samples[i] end
    table.sort(ratios)
    table.sort(weft)
    local function is(expected, actual) assert.near(1, actual / expected, 1e-6) end
    is(ratios[2], row.ratio.median)
    is(weft[2], row.weft.median)
    is(0.8 * weft[1] + 0.2 * weft[2], row.weft.p10)
    is(0.8 * weft[3] + 0.2 * weft[2], row.weft.p90)
  end)

  it('refuses a row whose checksums differ, and measures the others', function()
    with_filter("awk '$3 == 5000050000 { $3 = \"5000050001\" } { print }'", function(bin, dir)
      local r = quick(bin, 'pingpong', 'pingpong-nojit', 'mutex', '--json', '-')
      assert.equal(1, r.status)
      has(r.err, 'pingpong is refused: the checksums differ: weft 5000050001, go 5000050000',
        'pingpong-nojit is refused', '2 rows refused')
      -- The row without the compiler is one more run of the same work.
      has(proc.read_file(dir .. '/log'), '/pingpong.lua 100000 0 0.05\n',
        '/pingpong.lua 100000 0 0.05 nojit\n')
      local data = cjson.decode(r.out)
      local refused = row_named(data, 'pingpong')
      has(refused.refused, 'the checksums differ')
      assert.same({}, { refused.weft, refused.go, refused.ratio, refused.verdict })
      assert.is_true(row_named(data, 'mutex').weft.median > 0)
    end)
  end)

  it('refuses a row whose program fails', function()
    with_filter('cat; echo cannot >&2; exit 3', function(bin)
      local r = quick(bin, 'yield', '--markdown')
      assert.equal(1, r.status)
      has(r.err, 'yield is refused: weft: status 3: ', 'cannot')
      assert.is_nil(r.out:find('yield', 1, true) and r.out:find('| two tasks', 1, true))
    end)
  end)

  it('--check fails where a target is missed, and only there', function()
    with_filter(times(1e6), function(bin)
      local free, checked = quick(bin, 'mutex'), quick(bin, 'mutex', '--check')
      assert.same({ 0, 1 }, { free.status, checked.status })
      has(checked.out, ' MISSED', '1 targets missed')
      has(free.out, ' MISSED')
    end)
    with_filter(times(1e-6), function(bin)
      local r = quick(bin, 'mutex', '--check')
      assert.equal(0, r.status)
      has(r.out, ' goal ', '0 targets missed, 1 reached (1 of them with the goal)')
    end)
  end)

  it('--check takes more for better where it is', function()
    with_filter(times(1e6), function(bin)
      local r = quick(bin, 'mutex', 'cores-work', '--plot=-')
      assert.equal(0, r.status)
      has(r.err, 'cores-work ', ' goal ')
      -- A drawing of ratios, in which the shorter bar is the better one.
      has(r.out, '>mutex: ')
      assert.is_nil(r.out:find('computing on all cores', 1, true))
    end)
    with_filter(times(1e-6), function(bin)
      local r = quick(bin, 'cores-work', '--check')
      assert.equal(1, r.status)
      has(r.out, ' MISSED', '1 targets missed')
    end)
  end)

  it('--workers runs each row with each number of them', function()
    with_filter('cat', function(bin, dir)
      local r = quick(bin, 'cores-parallel', 'startup', '--workers=1,3', '--json', '-')
      assert.equal(0, r.status)
      local data, log = cjson.decode(r.out), proc.read_file(dir .. '/log')
      for _, n in ipairs { 1, 3 } do
        local row = row_named(data, 'cores-parallel@' .. n)
        assert.is_true(row.weft.median > 0 and row.go.median > 0)
        assert.is_truthy(row.text:find('; workers: ' .. n, 1, true))
        local started = '%-%-workers ' .. n .. ' %S+/harness.lua %S+/cores%-parallel.lua 20000 0 '
        assert.is_truthy(log:find(started), log)
        has(log, ('\n--workers %d -e '):format(n))
      end
    end)
    local facts = dofile(benches .. 'facts.lua').systems({ without = {} }, benches)
    assert.same({ 'env', 'GOMAXPROCS=3', 'go' }, facts.go.with_workers({ 'go' }, 3))
  end)

  it('drives servers, and compares them also with one in C', function()
    local r = quick(proc.bin, 'tcp-1', 'tcp-1-uv', 'tcp-1-cpu', '--json', '-')
    assert.same({ 0, true }, { r.status, r.err:find('libuv', 1, true) ~= nil })
    local data = cjson.decode(r.out)
    local one, uv, cpu = row_named(data, 'tcp-1'), row_named(data, 'tcp-1-uv'),
      row_named(data, 'tcp-1-cpu')
    assert.equal('256000', one.checksum)
    assert.near(one.weft.samples[1] / one.go.samples[1], one.ratio.median, 1e-6)
    assert.near(uv.weft.samples[1] / uv.uv.samples[1], uv.ratio.median, 1e-6)
    assert.is_true(cpu.weft.median > 0)
    -- What a server gives back is looked at.
    local load = quote(top .. 'build/release/bench/load') .. ' 1 16 3 '
    local serve = "weft=require 'weft' l=weft.net.listen('tcp','127.0.0.1:0') " ..
      "print((l:addr():match '%d+$')) io.flush() c=l:accept() while true do s=c:read() " ..
      "if not s then break end c:write(%s) end"
    for answer, words in pairs { ['s'] = false, ['s:upper()'] = 'sends something else',
      ['s .. s'] = 'sends something else' } do
      r = proc.shell(load .. quote(proc.bin) .. ' -e ' .. quote(serve:gsub('%%s', answer)))
      assert.equal(words and 1 or 0, r.status, r.err)
      if words then has(r.err, words) end
    end
  end)

  it('writes a table for README.md', function()
    with_filter(times(1e-6), function(bin)
      local r = quick(bin, 'mutex', 'startup', '--markdown')
      assert.equal(0, r.status)
      local lines = {}
      for line in r.out:gmatch '(|[^\n]*)\n' do
        -- Every line has as many columns.
        assert.equal(9, select(2, line:gsub('|', '')))
        lines[#lines + 1] = line
      end
      assert.equal(4, #lines)
      has(lines[3], '| mutex: lock and unlock, nobody waits | ', ' | 0.50 | 0.20 | goal reached |')
      has(lines[4], '| start and end of an empty program | ', ' | 5 ms | 3 ms | ')
    end)
  end)

  it('runs a work again and again until its time is over', function()
    local function harness(work, ...)
      local words = { benches .. 'harness.lua', os.tmpname(), ... }
      proc.write_file(words[2], 'local bench = ...\nlocal calls = 0\n' .. work)
      local r = proc.weft(words)
      os.remove(words[2])
      return r
    end
    -- The first call does not count; what a pass says of its own time does.
    local r = harness('return { pass = function(n, arg) calls = calls + 1 ' ..
      'return n * arg, calls == 1 and 1e9 or 70 end }', 7, 6, 0)
    assert.same({ 0, 'time 10.000000 42 7\n', '' }, { r.status, r.out, r.err })
    r = harness('return { pass = function(n) calls = calls + 1 local start = bench.now_ns() ' ..
      'repeat until bench.now_ns() - start > 1e7 return 1 end }', 1, 0, 0.035)
    local ns, ops = r.out:match '^time ([%d.]+) 1 (%d+)\n$'
    assert.is_true(tonumber(ns) >= 1e7 and tonumber(ops) >= 1 and tonumber(ops) <= 4)
    r = harness('return { pass = function() calls = calls + 1 return calls end }', 1, 0, 0)
    assert.equal(2, r.status)
    has(r.err, 'pass 1 has checksum 2, the first has 1')
    -- The compiler is off where that is measured.
    local compiles = 'return { once = function() return jit.status() and 1 or 0, { is = 5 } end }'
    assert.equal('is 5.000000 1 3\n', harness(compiles, 3, 0, 0).out)
    assert.equal('is 5.000000 0 3\n', harness(compiles, 3, 0, 0, 'nojit').out)
  end)

  it('has twins in every work, which move the same values', function()
    -- Also what builds the twins.
    assert.equal(0, quick(proc.bin, 'startup', 'lookup-16').status)
    local works, others = {}, 0
    for _, row in ipairs(dofile(benches .. 'rows.lua')) do
      if not row.launch and not row.conns then works[('%s %d'):format(row.work, row.arg)] = row end
    end
    local systems = { weft = proc.bin, luajit = 'luajit' }
    systems.tarantool = proc.shell('command -v tarantool').status == 0 and 'tarantool' or nil
    for _, row in pairs(works) do
      local arguments = (' %d %d 0'):format(SMALL[row.work] or 8000, math.min(row.arg, 200))
      local work = ('%s/%s.lua'):format('%s', row.work)
      local before = row.names and quote(top .. 'build/release/bench/names') .. ' ' or ''
      local twin = before .. quote(top .. 'build/bench/twins')
      local expected = checksum(twin .. ' ' .. row.work .. arguments)
      for system, bin in pairs(systems) do
        local file = benches .. work:format(system)
        if system == 'weft' or exists(file) and system ~= row.without then
          local command = ('%s%s %s %s'):format(before, quote(bin),
            quote(benches .. 'harness.lua'), quote(file))
          assert.equal(expected, checksum(command .. arguments), system .. ' ' .. row.work)
          others = others + 1
        end
      end
    end
    assert.is_true(others > 20)
  end)
end)
