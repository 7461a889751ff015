-- SPDX-License-Identifier: MIT
-- Subject: lua/weft/process.lua
-- Clock: real
-- Child processes: streams, ends, kills, failures.

local weft = require 'weft'
local process = require 'weft.process'
local fs = require 'weft.fs'
local proc = require 'support.proc'
local util = require 'support.util'

local background = weft.context.background

local function descriptors()
  collectgarbage()
  collectgarbage()
  return #fs.list '/proc/self/fd'
end

-- Whether the process is there, or its remains are.
local function exists(pid) return fs.stat('/proc/' .. pid) ~= nil end

local function wait_gone(pid)
  for _ = 1, 2000 do
    if not exists(pid) then return end
    weft.sleep(0.005)
  end
  error('process ' .. pid .. ' is still there')
end

describe('weft.process', function()
  it('runs a command and gives its ends and its words', function()
    assert.are.same({ code = 0, stdout = 'hi\n', stderr = '' }, process.run { 'echo', 'hi' })
    assert.are.same({ code = 3, stdout = 'a', stderr = 'b' },
      process.run { 'sh', '-c', 'printf a; printf b >&2; exit 3' })
    assert.are.same({ signal = 'SIGKILL', stdout = '', stderr = '' },
      process.run { 'sh', '-c', 'kill -9 $$' })
    assert.are.same({ code = 0, stdout = '1 x', stderr = '' }, process.run { 'printf', '%s x', 1 })
  end)

  it('feeds it while it reads both of its streams', function()
    local data = ('0123456789'):rep(300000)
    local r = assert(process.run { 'sh', '-c', 'tee /dev/stderr', input = data })
    assert.is_true(r.stdout == data and r.stderr == data)
    assert.are.equal(0, r.code)
    -- One that does not read it all has its reasons.
    assert.are.equal('01234', process.run { 'head', '-c', '5', input = data }.stdout)
    assert.are.equal('', process.run { 'cat' }.stdout)
  end)

  it('starts one with pipes to talk through', function()
    local p = assert(process.start { 'cat', stdin = 'pipe', stdout = 'pipe', stderr = 'null' })
    assert.is_nil(p.stderr)
    assert.is_true(exists(p.pid))
    p.stdin:write 'one\n'
    assert.are.equal('one', p.stdout:read_line())
    p.stdin:write 'two\n'
    assert.are.equal('two', p.stdout:read_line())
    p.stdin:close()
    assert.are.same({ nil, 'eof' }, { p.stdout:read() })
    assert.are.same({ code = 0 }, p:wait())
    assert.are.same({ code = 0 }, p:wait())
    assert.is_false(exists(p.pid))
    util.has(tostring(p), 'process ' .. p.pid)
  end)

  it('gives it files and connections as streams, and swaps them', function()
    local file, path = fs.temp_file()
    local p = assert(process.start { 'echo', 'text', stdout = file })
    assert.are.same({ code = 0 }, p:wait())
    assert.are.equal('text\n', fs.read_file(path))
    file:close()
    fs.remove(path)
    local cat = assert(process.start { 'cat', stdin = 'pipe', stdout = 'pipe' })
    p = assert(process.start { 'echo', 'through', stdout = cat.stdin })
    p:wait()
    cat.stdin:close()
    assert.are.equal('through\n', cat.stdout:read_all())
    cat:wait()
    local r = proc.run [[
      local p = require "weft".process
      p.start { "sh", "-c", "echo out; echo err >&2", stdout = require "weft".stderr,
        stderr = require "weft".stdout }:wait()
    ]]
    assert.are.same({ 'err\n', 'out\n', 0 }, { r.out, r.err, r.status })
  end)

  it('runs it elsewhere, with another environment', function()
    assert.are.equal('/etc\n', process.run { 'pwd', cwd = '/etc' }.stdout)
    assert.are.equal('A=1\n', process.run { 'env', env = { A = 1 } }.stdout)
    assert.are.equal('', process.run { '/usr/bin/env', env = {} }.stdout)
  end)

  it('has the signals of a program that starts', function()
    local r = process.run { 'grep', '-E', '^Sig(Blk|Ign)', '/proc/self/status' }
    assert.are.equal(tonumber('0', 16), tonumber(r.stdout:match 'SigBlk:%s*(%x+)', 16))
    local ignored = tonumber(r.stdout:match 'SigIgn:%s*(%x+)', 16)
    assert.are.equal(0, math.floor(ignored / 2 ^ 12) % 2)  -- SIGPIPE
  end)

  it('says why one cannot be started, and leaves nothing open', function()
    local before = descriptors()
    local p, err, code = process.start { '/no/such', stdin = 'pipe', stdout = 'pipe' }
    assert.is_nil(p)
    assert.are.equal('start /no/such: no such file or directory (ENOENT)', err)
    assert.are.equal('ENOENT', code)
    assert.are.equal('EACCES', select(3, process.run { '/etc/passwd' }))
    assert.are.equal('ENOENT', select(3, process.run { 'true', cwd = '/no' }))
    local file = fs.open '/etc/passwd'
    file:close()
    assert.are.equal('EBADF', select(3, process.run { 'true', stdin = file }))
    assert.are.equal(before, descriptors())
  end)

  it('says so when there are no descriptors', function()
    local r = proc.run([[
      local weft = require "weft"
      local files, f, err, code = {}
      weft.fs.stat "/"
      repeat
        f, err, code = weft.fs.open "/etc/passwd"
        files[#files + 1] = f
      until not f
      print(err, code)
      print(select(3, weft.process.run { "true" }), select(3, weft.fs.list "/"))
      for i = 1, 12 do files[i]:close() end
      print(weft.process.run { "echo", "again" }.stdout)
    ]], { before = 'ulimit -n 64;' })
    assert.are.same({ 'open /etc/passwd: too many open files (EMFILE)\tEMFILE\n'
      .. 'EMFILE\tEMFILE\nagain\n\n', '', 0 }, { r.out, r.err, r.status })
  end)

  it('kills it, and tells all who wait', function()
    local p = assert(process.start { 'sleep', '100' })
    local a, b = weft.async(p.wait, p), weft.async(p.wait, p)
    repeat weft.yield() until weft.stacks():find('IO wait', 1, true)
    util.has(weft.stacks(), 'IO wait on process ' .. p.pid)
    assert.is_true(p:kill())
    assert.are.same({ signal = 'SIGTERM' }, a:await())
    assert.are.same({ signal = 'SIGTERM' }, b:await())
    assert.are.same({ nil, ('kill %d: no such process (ESRCH)'):format(p.pid), 'ESRCH' },
      { p:kill() })
    p = assert(process.start { 'sleep', '100' })
    assert.is_true(p:kill 'SIGKILL')
    assert.are.same({ signal = 'SIGKILL' }, p:wait())
    p = assert(process.start { 'sleep', '100' })
    assert.is_true(p:kill(2))
    assert.are.same({ signal = 'SIGINT' }, p:wait())
  end)

  it('gives up waiting when a context ends, and the child lives on', function()
    local p = assert(process.start { 'sleep', '100' })
    local ctx = weft.context.with_timeout(background(), 0.01)
    assert.are.same({ nil, 'context deadline exceeded' }, { p:wait(ctx) })
    assert.is_true(exists(p.pid))
    p:kill 'SIGKILL'
    p:wait()
  end)

  it('is killed with its group when its context ends', function()
    local ctx, cancel = weft.context.with_cancel(background())
    local p = assert(process.start { 'sh', '-c', 'sleep 100 & echo $!; wait', stdout = 'pipe',
      ctx = ctx })
    local grandchild = p.stdout:read_line()
    assert.is_true(exists(grandchild))
    cancel()
    assert.are.same({ signal = 'SIGKILL' }, p:wait())
    -- Whoever inherits it is to reap it: in here that may be nobody.
    for _ = 1, 2000 do
      local stat = fs.read_file('/proc/' .. grandchild .. '/stat')
      if not stat or stat:find ') Z' then break end
      weft.sleep(0.005)
    end
    local stat = fs.read_file('/proc/' .. grandchild .. '/stat')
    assert.is_true(not stat or stat:find ') Z' ~= nil)
    ctx, cancel = weft.context.with_cancel(background())
    local r = weft.async(process.run, { 'sh', '-c', 'sleep 100 & sleep 100', ctx = ctx })
    repeat weft.yield() until weft.stacks():find('IO wait', 1, true)
    cancel()
    assert.are.same({ nil, 'context canceled' }, { r:await() })
    assert.are.same({ nil, 'context canceled' }, { process.run { 'true', ctx = ctx } })
  end)

  it("is killed when its task's own context ends", function()
    local ctx, cancel = weft.context.with_cancel(background())
    local pid
    local task = weft.async(weft.context.run, ctx, function()
      local p = process.start { 'sleep', '100' }
      pid = p.pid
      p:wait()
    end)
    repeat weft.yield() until pid
    cancel()
    local ok, err = task:try()
    assert.is_false(ok)
    util.has(err, 'context canceled')
    wait_gone(pid)
    ctx, cancel = weft.context.with_cancel(background())
    task = weft.async(weft.context.run, ctx, process.run, { 'sleep', '100' })
    repeat weft.yield() until weft.stacks():find('IO wait', 1, true)
    cancel()
    ok, err = task:try()
    assert.is_false(ok)
    util.has(err, 'context canceled')
    collectgarbage()
    weft.sleep(0.001)
  end)

  it('leaves no zombie when nobody waits, nor a descriptor', function()
    local before = descriptors()
    local pids = {}
    for i = 1, 10 do
      pids[i] = assert(process.start { 'true', stdin = 'pipe', stdout = 'pipe' }).pid
    end
    collectgarbage()
    for i = 1, 10 do wait_gone(pids[i]) end
    assert.is_true(descriptors() <= before)  -- those before may just have gone
  end)

  it('runs many at once, from every core', function()
    local list = weft.map({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, function(i)
      return tonumber(process.run { 'sh', '-c', 'echo ' .. i }.stdout)
    end)
    list.n = nil
    assert.are.same({ 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 }, list)
    local out = weft.parallel(function()
      return require 'weft.process'.run { 'echo', 'there' }.stdout
    end):await()
    assert.are.equal('there\n', out)
  end)

  it('names misuse at the line of the call', function()
    util.raises(function() process.run 'ls' end, 'table of command')
    util.raises(function() process.run {} end, 'command as [1]')
    util.raises(function() process.run { 'a', {} } end, 'argument [2] as string')
    util.raises(function() process.run { 'a\0' } end, 'zero bytes')
    util.raises(function() process.start { 'a', stdin = 'pip' } end, 'stdin as "pipe"')
    util.raises(function() process.start { 'a', env = 1 } end, 'env as table')
    util.raises(function() process.start { 'a', env = { ['a='] = 1 } } end, 'names of env')
    util.raises(function() process.start { 'a', cwd = 1 } end, 'cwd as string')
    util.raises(function() process.start { 'a', ctx = 1 } end, 'ctx as context')
    util.raises(function() process.run { 'a', input = {} } end, 'input as string')
    util.raises(function() process.run { 'a', input = '', stdin = 'null' } end, 'leave stdin out')
    local p = process.start { 'true' }
    util.raises(function() p:kill 'SIGNO' end, 'signal, as in')
    util.raises(function() p.wait() end, "calling 'wait' on bad self")
    p:wait()
  end)
end)
