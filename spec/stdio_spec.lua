-- SPDX-License-Identifier: MIT
-- Subject: runtime/io/stdio.c
-- Standard input, output and error as connections: pipes, files, terminals, in the order of print.

local proc = require 'support.proc'
local util = require 'support.util'

local function run(code, opts) return proc.run("local weft = require 'weft'\n" .. code, opts) end

-- The same inside a pipeline: shell text before and after it. The pipeline's status is the last
-- one's.
local function piped(before, code, after)
  local path = os.tmpname()
  proc.write_file(path, "local weft = require 'weft'\n" .. code)
  local r = proc.shell('bash -c ' .. proc.quote(('%s %s %s %s'):format(before, proc.bin, path,
    after)))
  os.remove(path)
  return r
end

describe('weft.stdout', function()
  local MIXED = [[
    print 'one'
    assert(weft.stdout:write('two\n', 3, '\n'))
    io.write 'four\n'
    io.stderr:write 'e1\n'
    assert(weft.stderr:write 'e2\n')
    assert(weft.stdout:write 'five\n')
    print 'six'
  ]]
  local OUT = 'one\ntwo\n3\nfour\nfive\nsix\n'

  it('keeps the order with print when it is a file', function()
    local r = run(MIXED)
    assert.are.same({ 0, OUT, 'e1\ne2\n' }, { r.status, r.out, r.err })
  end)

  it('keeps it when it is a pipe', function()
    local r = piped('', MIXED, '| cat')
    assert.are.same({ 0, OUT, 'e1\ne2\n' }, { r.status, r.out, r.err })
  end)

  it('is a terminal', function()
    local r = proc.shell(("script -qec %s /dev/null"):format(proc.quote(proc.bin ..
      [[ -e "local w = require 'weft' print(w.stdout) assert(w.stdout:write('x', '\n'))"]])))
    assert.are.equal('tty stdout\r\nx\r\n', r.out)
  end)

  it('writes more than a pipe holds while other tasks run', function()
    local r = piped('', [[
      local turns = 0
      weft.go(function() while true do turns = turns + 1 weft.sleep(0.001) end end)
      assert(weft.stdout:write(('x'):rep(1e6)))
      io.stderr:write(turns > 0 and 'others ran' or turns)
    ]], '| (sleep 0.6; wc -c)')
    assert.are.same({ '1000000', 'others ran' }, { r.out:match '%d+', r.err })
  end)

  it('says that nobody reads any more, where print ends the program', function()
    local r = piped('', [[
      local ok, err, name
      repeat ok, err, name = weft.stdout:write(('x'):rep(65536)) until not ok
      io.stderr:write(err, ' ', name)
      repeat print(('x'):rep(65536)) until false
    ]], '| true; echo ${PIPESTATUS[0]}')
    assert.are.equal('141', r.out:match '%d+')
    util.has(r.err, 'write pipe stdout: broken pipe (EPIPE) EPIPE')
  end)

  it('can be closed, and what is printed later goes nowhere', function()
    local r = piped('', [[
      print 'before'
      assert(weft.stdout:close())
      print 'after'
      io.stderr:write(tostring(select(2, weft.stdout:write 'x')))
    ]], '| cat')
    assert.are.same({ 'before\n', 'closed' }, { r.out, r.err })
  end)
end)

describe('weft.stdin', function()
  local READ = [[
    local t = {}
    for line in weft.stdin:lines() do t[#t + 1] = line end
    print(#t, t[1], t[#t], weft.stdin)
  ]]

  it('is read from a file', function()
    local r = run(READ, { stdin = 'a\nb\nlast' })
    assert.are.equal('3\ta\tlast\tfile stdin\n', r.out)
  end)

  it('is read from a pipe, while other tasks run', function()
    local r = piped('(sleep 0.6; echo late) |', [[
      local turns = 0
      weft.go(function() while true do turns = turns + 1 weft.sleep(0.001) end end)
      print(weft.stdin, weft.stdin:read_all() == 'late\n', turns > 0)
    ]], '')
    assert.are.equal('pipe stdin\ttrue\ttrue\n', r.out == '' and r.err or r.out)
  end)

  it('is at its end at once when it is /dev/null', function()
    local r = run('print(weft.stdin:read())', { redirect = '</dev/null' })
    assert.are.equal('nil\teof\n', r.out)
  end)

  it('keeps the deadlock detector quiet while a task reads it, and no longer', function()
    local r = piped('sleep 1 |', 'print(weft.stdin:read())', '')
    assert.are.same({ 'nil\teof\n', '' }, { r.out, r.err })
    r = piped('sleep 1 |', [[
      local ctx = weft.context.with_timeout(weft.context.background(), 0.01)
      print(weft.stdin:read(ctx))
      weft.chan():recv()
    ]], '')
    assert.are.equal('nil\tcontext deadline exceeded\n', r.out)
    util.has(r.err, 'all tasks are asleep')
  end)
end)
