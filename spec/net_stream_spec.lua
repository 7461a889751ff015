-- SPDX-License-Identifier: MIT
-- Subject: lua/weft/internal/conn.lua
-- Clock: real
-- Connections: what is read and written, the end, deadlines, cancels, closing under a wait.

local weft = require 'weft'
local time, context = require 'weft.time', require 'weft.context'
local net = require 'weft.net'
local s = require 'support.net'
local util = require 'support.util'
local proc = require 'support.proc'

local with_pair = s.with_pair

describe('reading', function()
  -- Who waits reads what has come when it runs, and then it may have gone.
  it('waits on when another process, or C, has been faster', function()
    if proc.torture() then pending 'there the task itself may be the faster one' end
    local child = weft.process.start { proc.bin, '-e', [[
      local weft, ffi = require 'weft', require 'ffi'
      io.stdout:setvbuf 'no'
      ffi.cdef 'long read(int fd, void *to, size_t n);'
      local id
      local a = weft.async(function() id = weft.id() return weft.stdin:read() end)
      local stop = os.time() + 20
      local function waits()
        if os.time() > stop then os.exit(1) end
        for _, task in ipairs(weft.tasks()) do
          if task.id == id then return task.state == 'IO wait' end
        end
      end
      repeat weft.yield() until waits() print 'ready' repeat weft.yield() until not waits()
      local to = ffi.new 'char[1]' local n = tonumber(ffi.C.read(0, to, 1))
      print(n, n > 0 and ffi.string(to, n))
      repeat weft.yield() until waits() or a:done():is_closed()
      print(waits())
      print(a:await())
    ]], stdin = 'pipe', stdout = 'pipe' }
    assert.are.equal('ready', child.stdout:read_line())
    child.stdin:write 'x'
    assert.are.equal('1\tx', child.stdout:read_line())
    assert.are.equal('true', child.stdout:read_line())
    child.stdin:write 'y'
    assert.are.equal('y', child.stdout:read_line())
    child:wait()
  end)

  it('gives what has come, at most max bytes', function()
    with_pair(function(a, b)
      assert.is_true(a:write('hello'))
      assert.are.equal('hel', b:read(3))
      assert.are.equal('lo', b:read())
    end)
  end)

  it('gives nil, "eof" at the end, again and again, and what came before first', function()
    with_pair(function(a, b)
      a:write('last')
      a:close()
      assert.are.equal('last', b:read())
      for _ = 1, 2 do
        assert.are.same({ nil, 'eof' }, { b:read() })
      end
    end)
  end)

  it('gives exactly n bytes, however they come', function()
    with_pair(function(a, b)
      local got = weft.async(function() return b:read_exactly(10) end)
      for i = 0, 9 do
        a:write(i)
        weft.yield()
      end
      assert.are.equal('0123456789', got:await())
      assert.are.equal('', b:read_exactly(0))
    end)
  end)

  it('leaves readable what is too little', function()
    with_pair(function(a, b)
      a:write('abc')
      a:close_write()
      assert.are.same({ nil, 'eof' }, { b:read_exactly(4) })
      assert.are.same({ nil, 'eof' }, { b:read_line() })
      assert.are.same({ nil, 'eof' }, { b:read_until(';') })
      assert.are.equal('abc', b:read())
    end)
  end)

  it('reads lines without their ends, of either kind', function()
    with_pair(function(a, b)
      a:write('one\r\n\ntwo\nthr')
      assert.are.equal('one', b:read_line())
      assert.are.equal('', b:read_line())
      assert.are.equal('two', b:read_line())
      local rest = s.waiting(function() return b:read_line() end)
      a:write('ee\r')
      a:write('\n')
      assert.are.equal('three', rest:await())
    end)
  end)

  it('says that a line is too long, and leaves it readable', function()
    with_pair(function(a, b)
      a:write(('x'):rep(20), '\nrest')
      assert.are.same({ nil, 'line too long' }, { b:read_line(19) })
      assert.are.equal(('x'):rep(20), b:read_line(20))
      local long = s.waiting(function() return b:read_line(10) end)
      a:write('0123456789')
      assert.are.same({ nil, 'line too long' }, { long:try() and select(2, long:try()),
        select(3, long:try()) })
      assert.are.equal('rest0123456789', b:read_exactly(14))
    end)
  end)

  it('has a limit for lines of 64 KiB by itself', function()
    with_pair(function(a, b)
      weft.go(function() a:write(('x'):rep(65537), '\n') end)
      assert.are.same({ nil, 'line too long' }, { b:read_line() })
      assert.are.equal(65537, #b:read_line(65537))
    end)
  end)

  it('reads up to a separator, which is part of it', function()
    with_pair(function(a, b)
      local got = s.waiting(function() return b:read_until('--b') end)
      with_pair(function(c, d)
        for _, part in ipairs { 'abc-', '-', '-', 'btail' } do
          a:write(part)
          c:write('x')  -- when this has come, so has the part
          d:read()
        end
      end)
      assert.are.equal('abc---b', got:await())
      assert.are.equal('tail', b:read())
      a:write('0123456789;')
      assert.are.same({ nil, 'too long' }, { b:read_until(';', 9) })
      assert.are.equal('0123456789;', b:read_until(';', 10))
    end)
  end)

  it('reads all until the end, within a limit', function()
    with_pair(function(a, b)
      weft.go(function()
        a:write(('x'):rep(300000))
        a:close_write()
      end)
      assert.are.same({ nil, 'too long' }, { b:read_all(299999) })
      assert.are.equal(('x'):rep(300000), b:read_all(300000))
      assert.are.equal('', b:read_all())
    end)
  end)

  it('iterates over lines, the last one without an end included', function()
    with_pair(function(a, b)
      a:write('a\nb\nc')
      a:close_write()
      local got = {}
      for line in b:lines() do got[#got + 1] = line end
      assert.are.same({ 'a', 'b', 'c' }, got)
    end)
  end)

  it('raises out of lines what is no end', function()
    with_pair(function(a, b)
      a:write(('x'):rep(100))
      local ok, err = pcall(function() for _ in b:lines(50) do error 'no' end end)
      assert.is_false(ok)
      util.has(err, 'line too long')
    end)
  end)

  it('serves readers in their order, each with a whole line', function()
    with_pair(function(a, b)
      local got = {}
      local function read() return b:read_line() end
      for i = 1, 5 do got[i] = s.waiting(read) end
      a:write('1\n2\n3')
      a:write('\n4\n5\n')
      for i = 1, 5 do assert.are.equal(tostring(i), got[i]:await()) end
    end)
  end)

  it('lets nobody overtake who waits for more', function()
    with_pair(function(a, b)
      local line = s.waiting(function() return b:read_line() end)
      a:write('half')
      with_pair(function(c, d)
        c:write('x')
        d:read()
      end)
      local rest = s.waiting(function() return b:read() end)
      a:write(' whole\nrest')
      assert.are.equal('half whole', line:await())
      assert.are.equal('rest', rest:await())
    end)
  end)

  it('carries every byte, and much', function()
    with_pair(function(a, b)
      local all = {}
      for i = 0, 255 do all[#all + 1] = string.char(i) end
      local text = table.concat(all):rep(4000)
      weft.go(function() assert(a:write(text)) a:close_write() end)
      assert.is_true(text == b:read_all())
    end)
  end)

  it('stops when nobody reads: a peer that floods costs no memory', function()
    with_pair(function(a, b)
      a:write('x')
      b:read(1)
      local kb = function()
        local f = assert(io.open '/proc/self/statm')
        local pages = f:read '*a':match '^%d+ (%d+)'
        f:close()
        return tonumber(pages) * 4
      end
      local before = kb()
      local sent = s.fill(a)
      assert.is_true(kb() - before < 3000, 'memory grew by ' .. kb() - before .. ' KiB')
      assert.are.equal(sent, #b:read_exactly(sent))
    end)
  end)
end)

describe('writing', function()
  it('takes strings and numbers', function()
    with_pair(function(a, b)
      assert.is_true(a:write('a', 1, '', 2.5, 'b'))
      assert.are.equal('a12.5b', b:read_exactly(6))
      assert.is_true(a:write())
      assert.is_true(a:write(''))
    end)
  end)

  it('takes more pieces than the system does at once', function()
    with_pair(function(a, b)
      local parts = {}
      for i = 1, 200 do parts[i] = ('%d;'):format(i) end
      assert.is_true(a:write(unpack(parts)))
      local want = table.concat(parts)
      assert.are.equal(want, b:read_exactly(#want))
    end)
  end)

  it('keeps whole writes of several writers apart, in their order', function()
    with_pair(function(a, b)
      local n, size, filled = 12, 150000, s.fill(a)
      for i = 1, n do
        s.waiting(function()
          assert(a:write(string.char(96 + i):rep(size), '|', i, '\n'))
        end)
      end
      b:read_exactly(filled)
      for i = 1, n do
        local line = b:read_line(1e6)
        assert.is_true(line == string.char(96 + i):rep(size) .. '|' .. i)
      end
    end)
  end)

  it('says that the peer has gone, without a signal', function()
    with_pair(function(a, b)
      b:close()
      local ok, err, code
      repeat ok, err, code = a:write(('x'):rep(100000)) until not ok
      assert.is_true(code == 'EPIPE' or code == 'ECONNRESET', code)
      util.has(err, 'write tcp 127.0.0.1:', '(' .. code .. ')')
    end)
  end)

  it('closes its side alone', function()
    with_pair(function(a, b)
      assert.is_true(a:close_write())
      assert.are.same({ nil, 'closed' }, { a:write('x') })
      assert.are.same({ nil, 'eof' }, { b:read() })
      b:write('still')
      assert.are.equal('still', a:read())
    end)
  end)

  it('closes its side after the writes that wait', function()
    with_pair(function(a, b)
      local big = ('x'):rep(8e6)
      s.waiting(function() return a:write(big) end)
      local shut = s.waiting(function() return a:close_write() end)
      assert.are.equal(8e6, #b:read_all())
      assert.is_true(shut:await())
    end)
  end)
end)

describe('an operation that waits', function()
  local function none() end

  it('wakes with nil, "closed" when it is closed, reading and writing', function()
    with_pair(function(a)
      s.fill(a)
      local r = s.waiting(function() return a:read() end)
      local w = s.waiting(function() return a:write('x') end)
      assert.is_true(a:close())
      assert.are.same({ true, nil, 'closed' }, { r:try() })
      assert.are.same({ true, nil, 'closed' }, { w:try() })
      for _, call in ipairs { 'read', 'read_line', 'close', 'close_write', 'local_addr' } do
        assert.are.same({ nil, 'closed' }, { a[call](a) })
      end
      assert.are.same({ nil, 'closed' }, { a:write('x') })
    end)
  end)

  it('is cancelled without having taken anything', function()
    with_pair(function(a, b)
      local ctx, cancel = context.with_cancel(context.background())
      local r = s.waiting(function() return b:read_line(nil, ctx) end)
      a:write('half')
      weft.yield()
      cancel()
      assert.are.same({ true, nil, context.Canceled }, { r:try() })
      a:write(' whole\n')
      assert.are.equal('half whole', b:read_line())
      assert.are.same({ nil, context.Canceled }, { b:read(ctx) })
      assert.are.same({ nil, context.Canceled }, { b:read(1, ctx) })
    end)
  end)

  it('lets those behind it go on when it is cancelled', function()
    with_pair(function(a, b)
      local ctx, cancel = context.with_cancel(context.background())
      local first = s.waiting(function() return b:read_exactly(100, ctx) end)
      local second = s.waiting(function() return b:read_exactly(3) end)
      a:write('abc')
      s.until_state(select(2, s.waiting(function() return b:read() end)), 'IO wait')
      cancel()
      assert.are.same({ true, nil, context.Canceled }, { first:try() })
      assert.are.equal('abc', second:await())
      a:write('x')
    end)
  end)

  it('gives up after its time: a peer that never ends its line', function()
    with_pair(function(a, b)
      b:set_timeout(0.03)
      a:write('half a line')
      assert.are.same({ nil, 'timeout' }, { b:read_line() })
      assert.are.equal('half a line', b:read())
      b:set_timeout()
      a:write('more')
      assert.are.equal('more', b:read())
    end)
  end)

  it('has a deadline for all operations, also for those that wait', function()
    with_pair(function(a, b)
      local r = s.waiting(function() return b:read() end)
      b:set_deadline(time.now() + 0.02)
      assert.are.same({ true, nil, 'timeout' }, { r:try() })
      a:write('x')
      assert.are.same({ nil, 'timeout' }, { b:read() })
      assert.are.same({ nil, 'timeout' }, { b:write('x') })
      b:set_deadline(nil)
      assert.are.equal('x', b:read())
      util.raises(function() b:set_deadline(5) end, "'set_deadline'", 'time.now()')
      b:set_deadline(2e8)
      assert.are.same({ nil, 'timeout' }, { b:read() })
    end)
  end)

  it('gives up writing, and what had begun is not torn', function()
    with_pair(function(a, b)
      local whole = ('w'):rep(8e6) .. '\n'
      a:set_timeout(0.03)
      assert.are.same({ nil, 'timeout' }, { a:write(whole) })
      assert.are.same({ nil, 'timeout' }, { a:write('never begun\n') })
      a:set_timeout()
      local last = s.waiting(function() return a:write('last\n') end)
      assert.is_true(whole == b:read_exactly(#whole))
      assert.are.equal('last', b:read_line())
      assert.is_true(last:await())
    end)
  end)

  it('shows what it waits for', function()
    with_pair(function(a, b)
      local _, id = s.waiting(function() return b:read() end)
      local task = util.task(id)
      assert.are.equal('IO wait', task.state)
      util.has(weft.stacks(), ('IO wait on tcp %s read'):format(b:remote_addr()))
      a:write('x')
    end)
  end)

  it('is no leaked task', function()
    with_pair(function(a, b)
      local _, id = s.waiting(function() return b:read() end)
      for _, t in ipairs(weft.leaks()) do assert.are_not.equal(id, t.id) end
      a:write('x')
    end)
  end)

  it('fails at the line of the caller where it cannot wait', function()
    with_pair(function(_, b)
      util.raises(function() table.sort({ 1, 2 }, function() return b:read() end) end,
        "'read' cannot block")
      none()
    end)
  end)
end)

describe('misuse', function()
  it('raises at the line of the caller', function()
    with_pair(function(a)
      local raises = util.raises
      raises(function() a.read() end, "'read'", 'connection')
      raises(function() a.read(1) end, "'read'", 'c:read(...)')
      raises(function() a:read(0) end, "'read'", 'integer >= 1', 'got 0')
      raises(function() a:read('x') end, "'read'", 'got string')
      raises(function() a:read_exactly() end, "'read_exactly'")
      raises(function() a:read_exactly(1.5) end, "'read_exactly'")
      raises(function() a:read_until('') end, "'read_until'")
      raises(function() a:write({}) end, "'write'", 'string or number', 'got table')
      raises(function() a:write('x', nil) end, "#2 to 'write'", 'got nil')
      raises(function() a:set_timeout(0) end, "'set_timeout'")
      raises(function() a:read(1, 5) end, "'read'", 'context')
      raises(function() a:context(5) end, "'context'", 'context')
    end)
  end)
end)

describe('c:context', function()
  it('is cancelled when the peer hangs up, and nothing is consumed', function()
    with_pair(function(a, b)
      local ctx = b:context(context.background())
      a:write('unread')
      assert.is_nil(ctx:err())
      a:close()
      ctx:done():recv()
      assert.are.equal(context.Canceled, ctx:err())
      assert.are.equal('unread', b:read())
      assert.are.same({ nil, 'eof' }, { b:read() })
      b:context():done():recv()
    end)
  end)

  it('is cancelled when the connection is closed, and with its parent', function()
    with_pair(function(_, b)
      local parent, cancel = context.with_cancel(context.background())
      local one, two = b:context(parent), b:context(context.background())
      cancel()
      assert.are.equal(context.Canceled, one:err())
      assert.is_nil(two:err())
      b:close()
      assert.are.equal(context.Canceled, two:err())
      assert.are.equal(context.Canceled, b:context():err())
    end)
  end)

  it('ends a wait of somebody else', function()
    with_pair(function(a, b)
      local ctx = b:context(context.background())
      local sleeper = weft.async(function() return weft.sleep(60, ctx) end)
      weft.yield()
      a:close()
      assert.are.same({ nil, context.Canceled }, { sleeper:await() })
    end)
  end)
end)

describe('a connection that nobody has any more', function()
  it('is closed', function()
    local ends = { s.pair() }
    local b = ends[2]
    ends[1] = nil
    collectgarbage()
    collectgarbage()
    assert.are.same({ nil, 'eof' }, { b:read() })
    b:close()
  end)

  it('is reported by --warn-unclosed, and no other', function()
    local r = proc.run([[
      local net = require 'weft'.net
      local l = net.listen('tcp', '127.0.0.1:0')
      local kept = net.dial('tcp', l:addr())
      local closed = net.dial('tcp', l:addr())
      closed:close()
      net.dial('tcp', l:addr())
      collectgarbage() collectgarbage()
      print(l:addr())
    ]], { options = { '--warn-unclosed' } })
    assert.are.equal(0, r.status)
    local addr = r.out:match '%S+'
    assert.are.equal(('weft: tcp %s, opened at %s, was collected without being closed\n'):format(
      addr, r.where(6)), r.err)
    assert.are.equal(net.listen, weft.net.listen)
  end)
end)
