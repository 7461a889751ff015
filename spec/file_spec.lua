-- SPDX-License-Identifier: MIT
-- Subject: lua/weft/internal/file.lua
-- Clock: real
-- Open files: positions, lines, several tasks at once, closing.

local weft = require 'weft'
local fs = require 'weft.fs'
local proc = require 'support.proc'
local util = require 'support.util'

local dir, clean, path

-- How many descriptors of this process lead to the path.
local function opened()
  local n = 0
  for _, e in ipairs(fs.list '/proc/self/fd') do
    if fs.readlink('/proc/self/fd/' .. e.name) == path then n = n + 1 end
  end
  return n
end

describe('file', function()
  before_each(function()
    dir, clean = proc.temp_dir()
    path = dir .. '/f'
  end)
  after_each(function() clean() end)

  it('opens in the modes of io.open', function()
    local _, _, code = fs.open(path)
    assert.are.equal('ENOENT', code)
    local f = assert(fs.open(path, 'w'))
    assert.is_true(f:write('ab', 1, 'c'))
    assert.are.equal('EBADF', select(3, f:read(1)))
    f:close()
    f = assert(fs.open(path, 'a'))
    f:seek('set', 0)
    assert.is_true(f:write 'd')
    f:close()
    f = assert(fs.open(path, 'r+b'))
    assert.are.equal('ab1cd', f:read())
    assert.are.equal(5, f:seek())
    f:seek('set', 1)
    f:write 'X'
    f:close()
    f = assert(fs.open(path, 'a+'))
    assert.are.equal('aX', f:read(2))
    f:write 'end'
    assert.are.equal(8, f:seek())
    f:close()
    assert.are.equal('aX1cdend', fs.read_file(path))
    assert(fs.open(path, 'w+')):close()
    assert.are.equal('', fs.read_file(path))
  end)

  it('reads, seeks and tells the end', function()
    fs.write_file(path, ('0123456789'):rep(30000))
    local f = assert(fs.open(path))
    assert.are.equal('012', f:read(3))
    assert.are.equal('', f:read(0))
    assert.are.equal(13, f:seek('cur', 10))
    assert.are.equal('3', f:read(1))
    assert.are.equal(299999, f:seek('end', -1))
    assert.are.equal('9', f:read(10))
    assert.are.same({ nil, 'eof' }, { f:read(10) })
    assert.are.equal('45', f:read_at(2, 4))
    assert.are.same({ nil, 'eof' }, { f:read_at(2, 300000) })
    assert.are.equal('EINVAL', select(3, f:seek('set', -1)))
    assert.are.equal(300000, f:seek())
    f:seek('set', 0)
    local all = f:read(1e6)
    assert.are.equal(300000, #all)
    f:close()
  end)

  it('writes large data in pieces, cuts and syncs', function()
    local f = assert(fs.open(path, 'w+'))
    local data = ('x'):rep(5e6)
    assert.is_true(f:write(data))
    assert.are.equal(5e6, f:seek())
    assert.is_true(f:sync())
    assert.is_true(f:truncate(3))
    assert.are.equal(3, f:stat().size)
    f:seek('set', 0)
    assert.are.equal('xxx', f:read(10))
    assert.is_true(f:close())
  end)

  it('iterates over lines, of any length, and stands behind the last one', function()
    local long = ('y'):rep(200000)
    fs.write_file(path, 'one\n\n' .. long .. '\nlast')
    local f, got = assert(fs.open(path)), {}
    for line in f:lines() do
      got[#got + 1] = line
      if #got == 1 then assert.are.equal(4, f:seek()) end
    end
    assert.is_true(got[3] == long)
    got[3] = nil
    assert.are.same({ 'one', '', nil, 'last' }, got)
    f:seek('set', 0)
    assert.are.equal('one', f:lines()())
    assert.are.equal('\nyy', f:read(3))
    f:close()
  end)

  it('keeps the calls of several tasks apart', function()
    local f = assert(fs.open(path, 'a'))
    local wg = weft.sync.waitgroup()
    local size = proc.torture() and 300 or 300000  -- its pieces have 7 bytes
    for i = 1, 8 do
      wg:go(function()
        for _ = 1, 5 do assert(f:write(('%d'):format(i):rep(size), '\n')) end
      end)
    end
    wg:wait()
    f:close()
    f = assert(fs.open(path))
    local count = {}
    for _ = 1, 8 do
      wg:go(function()
        for line in f:lines() do
          local digit = line:sub(1, 1)
          assert(line == digit:rep(size))
          count[digit] = (count[digit] or 0) + 1
        end
      end)
    end
    wg:wait()
    f:close()
    for i = 1, 8 do assert.are.equal(5, count[tostring(i)]) end
  end)

  it('reads each byte once however many read', function()
    fs.write_file(path, ('0123456789'):rep(10000))
    local f, wg, total = assert(fs.open(path)), weft.sync.waitgroup(), 0
    for _ = 1, 10 do
      wg:go(function()
        while true do
          local data = f:read(10)
          if not data then return end
          assert(data == '0123456789')
          total = total + 1
        end
      end)
    end
    wg:wait()
    assert.are.equal(10000, total)
    f:close()
  end)

  it('wakes who waits when it is closed, and refuses all calls then', function()
    os.execute('mkfifo ' .. path)
    local f = assert(fs.open(path, 'r+'))  -- with a writer: nobody sees an end
    local first, second = weft.async(f.read, f, 5), weft.async(f.read, f, 5)
    repeat weft.yield() until select(2, weft.stacks():gsub('IO wait', '')) >= 1
    weft.yield()
    util.has(weft.stacks(), 'IO wait on read ' .. path)
    assert(fs.stat(dir))  -- threads take calls in order, so one has begun the first read
    assert.is_true(f:close())
    assert.are.same({ nil, 'closed' }, { first:await() })
    assert.are.same({ nil, 'closed' }, { second:await() })
    for _, call in ipairs { 'read', 'write', 'seek', 'stat', 'sync', 'truncate', 'close' } do
      assert.are.same({ nil, 'closed' }, { f[call](f) })
    end
    assert.are.equal(1, opened())  -- the call that is being made still uses it
    local w = assert(io.open(path, 'r+'))
    w:write 'later'  -- the thread comes back
    w:close()
    for _ = 1, 2000 do
      if opened() == 0 then break end
      weft.sleep(0.001)
    end
    assert.are.equal(0, opened())
  end)

  it('takes nothing when it is given up, from a pipe either', function()
    os.execute('mkfifo ' .. path)
    local f, w = assert(fs.open(path, 'r+')), assert(fs.open(path, 'r+'))
    local ctx, cancel = weft.context.with_cancel(weft.context.background())
    local given_up = weft.async(f.read, f, 5, ctx)
    repeat weft.yield() until weft.stacks():find('IO wait', 1, true)
    cancel()
    assert.are.same({ nil, 'context canceled' }, { given_up:await() })
    assert.is_true(w:write 'abcdef')
    assert.are.equal('abcde', f:read(5))
    assert.are.equal('f', f:read(5))
    f:close()
    w:close()
  end)

  it('may have calls in line when the program ends', function()
    local r = proc.run([[
      local weft = require 'weft'
      local f = assert(weft.fs.open(arg[1], 'w+'))
      for _ = 1, 8 do
        weft.go(function()
          f:write(('x'):rep(1e6))
          f:sync()
        end)
      end
      weft.yield()
    ]], { args = { path } })
    assert.are.equal('', r.err)
    assert.are.equal(0, r.status)
  end)

  it('is closed when it is collected', function()
    local function count()
      collectgarbage()
      collectgarbage()
      return #fs.list '/proc/self/fd'
    end
    fs.write_file(path, 'x')
    local before = count()
    for _ = 1, 20 do assert(fs.open(path)) end
    assert.are.equal(before, count())
  end)

  it('names misuse at the line of the call', function()
    local f = assert(fs.open(path, 'w'))
    util.raises(function() f.read() end, "calling 'read' on bad self", 'use f:read(...)')
    util.raises(function() f:read(-1) end, 'number of bytes')
    util.raises(function() f:read_at(1, 0.5) end, 'offset')
    util.raises(function() f:write({}) end, 'string or number')
    util.raises(function() f:seek('up') end, '"set", "cur" or "end"')
    util.raises(function() f:truncate(-1) end, 'size')
    f:close()
    util.has(tostring(f), path, 'closed')
  end)
end)
