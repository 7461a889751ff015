-- SPDX-License-Identifier: MIT
-- Subject: runtime/io/handle.c
-- Clock: real
-- What --warn-unclosed says, and of what it says nothing.

local proc = require 'support.proc'

local function sorted_lines(text)
  local lines = {}
  for line in text:gmatch '[^\n]+' do lines[#lines + 1] = line end
  table.sort(lines)
  return lines
end

local function run(code)
  local dir, clean = proc.temp_dir()
  local r = proc.run(code, { options = { '--warn-unclosed' }, args = { dir } })
  clean()
  return r, dir
end

describe('--warn-unclosed', function()
  it('reports what was collected open, whatever it is, and where it was opened', function()
    local r, dir = run [[
      local weft = require 'weft'
      local net, fs, process = weft.net, weft.fs, weft.process
      local dir = arg[1]
      local function drop_all()
        local _ = net.listen('tcp', '127.0.0.1:0')
        _ = net.listen('unix', dir .. '/s')
        _ = net.udp('127.0.0.1:0')
        _ = fs.open(dir .. '/f', 'w')
        _ = fs.temp_file()
        _ = fs.watch(dir)
        _ = process.start { 'true', stdout = 'pipe' }
      end
      drop_all()
      for round = 1, 2000 do
        collectgarbage()
        weft.yield()
        -- The watch's task ends when it has a turn, which the torture build gives at random.
        if round >= 3 and weft.ntasks() == 1 then break end
        weft.sleep(0.001)
      end
      print(weft.ntasks())
    ]]
    local function warning(what, line)
      return ('weft: %s, opened at %s, was collected without being closed'):format(what,
        r.where(line))
    end
    local expected = { warning('tcp ADDRESS', 5), warning('unix ' .. dir .. '/s', 6),
      warning('udp ADDRESS', 7), warning('file ' .. dir .. '/f', 8),
      warning('file TEMPORARY', 9), warning('watch ' .. dir, 10), warning('pipe', 11) }
    table.sort(expected)
    local told = r.err:gsub('127%.0%.0%.1:%d+', 'ADDRESS')
      :gsub('file %S+/weft%-%w+', 'file TEMPORARY')
    assert.are.same(expected, sorted_lines(told))
    assert.are.same({ 0, '1\n' }, { r.status, r.out })
    for path in r.err:gmatch 'file (%S+/weft%-%w+)' do os.remove(path) end
  end)

  it('says nothing of what was closed, has failed, ended or is still there', function()
    local r = run [[
      local weft = require 'weft'
      local net, fs, process, context = weft.net, weft.fs, weft.process, weft.context
      local dir = arg[1]
      local kept = {}
      local function use_all()
        net.listen('tcp', '127.0.0.1:0'):close()
        net.udp('127.0.0.1:0'):close()
        local f = fs.open(dir .. '/f', 'w')
        f:write 'x'
        f:close()
        assert(not fs.open(dir .. '/no'))
        local _, stop = fs.watch(dir)
        stop()
        assert(not fs.watch(dir .. '/no'))
        local ctx, cancel = context.with_cancel(context.background())
        local ch = fs.watch(dir, nil, ctx)
        cancel()
        assert(not ch:recv())
        process.run { 'true' }
        for _ in fs.walk(dir) do end
        kept[1], kept[2] = fs.open(dir .. '/f'), fs.watch(dir)
      end
      use_all()
      for _ = 1, 3 do
        collectgarbage()
        weft.yield()
      end
      print(#kept)
    ]]
    assert.are.same({ 0, '2\n', '' }, { r.status, r.out, r.err })
  end)

  it('says nothing of the pipes of a process.run that was cut off', function()
    local r = run [[
      local weft = require 'weft'
      local context, process = weft.context, weft.process
      local function cut_off(opts)
        local ctx, cancel = context.with_cancel(context.background())
        weft.go(function()
          repeat weft.yield() until weft.stacks():find('IO wait', 1, true)
          cancel()
        end)
        print(pcall(context.run, ctx, function() return process.run(opts) end))
      end
      cut_off { 'sleep', '20' }
      cut_off { 'sleep', '20', input = ('x'):rep(1e6) }
      for _ = 1, 5 do
        collectgarbage()
        weft.sleep(0.001)
      end
    ]]
    assert.are.same({ 0, '' }, { r.status, r.err })
    assert.are.equal(2, select(2, r.out:gsub('context canceled', '')))
  end)
end)
