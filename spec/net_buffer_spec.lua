-- SPDX-License-Identifier: MIT
-- Subject: lua/weft/internal/conn.lua runtime/io/intake.c runtime/io/outlet.c
-- Clock: real
-- Connections: reading into and writing from LuaJIT's string.buffer.

local weft = require 'weft'
local context = require 'weft.context'
local buffer = require 'string.buffer'
local s = require 'support.net'
local util = require 'support.util'
local proc = require 'support.proc'

local with_pair = s.with_pair

local function of(text)
  return buffer.new():put(text)
end

describe('read_into', function()
  it('appends what has come, at most max bytes, and returns how many', function()
    with_pair(function(a, b)
      local buf = of '>'
      a:write('hello')
      assert.are.equal(3, b:read_into(buf, 3))
      assert.are.equal('>hel', tostring(buf))
      assert.are.equal(2, b:read_into(buf))
      assert.are.equal('>hello', tostring(buf))
    end)
  end)

  it('gives nil, "eof" at the end, again and again, and what came before first', function()
    with_pair(function(a, b)
      local buf = buffer.new()
      a:write('last')
      a:close()
      assert.are.equal(4, b:read_into(buf))
      for _ = 1, 2 do
        assert.are.same({ nil, 'eof' }, { b:read_into(buf) })
      end
      assert.are.equal('last', tostring(buf))
    end)
  end)

  it('waits for what comes, and takes what the other reads have left', function()
    with_pair(function(a, b)
      local buf = buffer.new()
      local n = s.waiting(function() return b:read_into(buf) end)
      a:write('one\ntwo')
      assert.are.equal(7, n:await())
      assert.are.equal('one\ntwo', buf:get())
      a:write('line\nthree')
      assert.are.equal('line', b:read_line())
      if b:read_into(buf, 2) == 1 then b:read_into(buf, 1) end
      assert.are.equal('th', buf:get())
      assert.are.equal('ree', b:read_exactly(3))
    end)
  end)

  it('finds the buffer as others have left it meanwhile', function()
    with_pair(function(a, b)
      local buf = of(('x'):rep(100))
      local n = s.waiting(function() return b:read_into(buf) end)
      buf:free()
      buf:put('new:')
      a:write('data')
      assert.are.equal(4, n:await())
      assert.are.equal('new:data', tostring(buf))
    end)
  end)

  it('serves in their order those who read into a buffer and those who do not', function()
    with_pair(function(a, b)
      local bufs, readers = { buffer.new(), buffer.new() }, {}
      readers[1] = s.waiting(function() return b:read_into(bufs[1], 2) end)
      readers[2] = s.waiting(function() return b:read(2) end)
      readers[3] = s.waiting(function() return b:read_into(bufs[2], 2) end)
      a:write('abcdef')
      assert.are.equal(2, readers[1]:await())
      assert.are.equal('cd', readers[2]:await())
      assert.are.equal(2, readers[3]:await())
      assert.are.equal('ab|ef', tostring(bufs[1]) .. '|' .. tostring(bufs[2]))
      -- The same when all has been read for the first of them.
      readers[1] = s.waiting(function() return b:read_line() end)
      readers[2] = s.waiting(function() return b:read_into(bufs[1], 2) end)
      readers[3] = s.waiting(function() return b:read(2) end)
      a:write('line\nghij')
      assert.are.equal('line', readers[1]:await())
      assert.are.equal(2, readers[2]:await())
      assert.are.equal('ij', readers[3]:await())
      assert.are.equal('abgh', tostring(bufs[1]))
    end)
  end)

  it('is cancelled, times out and is closed without having taken anything', function()
    with_pair(function(a, b)
      local buf = of 'kept'
      local ctx, cancel = context.with_cancel(context.background())
      local n = s.waiting(function() return { b:read_into(buf, ctx) } end)
      cancel()
      assert.are.same({ nil, 'context canceled' }, n:await())
      assert.are.same({ nil, 'context canceled' }, { b:read_into(buf, 4, ctx) })
      b:set_timeout(0.001)
      assert.are.same({ nil, 'timeout' }, { b:read_into(buf) })
      b:set_timeout()
      a:write('there')
      assert.are.equal('there', b:read_exactly(5))
      n = s.waiting(function() return { b:read_into(buf) } end)
      b:close()
      assert.are.same({ nil, 'closed' }, n:await())
      assert.are.same({ nil, 'closed' }, { b:read_into(buf) })
      assert.are.equal('kept', tostring(buf))
    end)
  end)

  it('ends with the own context of its task', function()
    with_pair(function(_, b)
      local ctx, cancel = context.with_cancel(context.background())
      local run = s.waiting(function()
        return pcall(context.run, ctx, function() return b:read_into(buffer.new()) end)
      end)
      cancel()
      local ok, err = run:await()
      assert.is_false(ok)
      assert.is_truthy(tostring(err):find('context canceled', 1, true), err)
    end)
  end)

  it('reads files and pipes', function()
    local script = [[
      local weft = require 'weft'
      local buf, n = require 'string.buffer'.new(), 0
      while weft.stdin:read_into(buf, 1000) do n = n + 1 end
      io.write(n, ' ', #buf, ' ', tostring(buf))]]
    local text = ('0123456789'):rep(250)
    local pieces, rest = proc.run(script, { stdin = text }).out:match '^(%d+)(.*)'
    assert.is_true(tonumber(pieces) >= 3)
    assert.are.equal(' 2500 ' .. text, rest)
    local child = weft.process.start { proc.bin, '-e', script, stdin = 'pipe', stdout = 'pipe' }
    assert.is_true(child.stdin:write_from(of(text)))
    child.stdin:close()
    assert.are.equal(' 2500 ' .. text, child.stdout:read_all():match '^%d+(.*)')
    child:wait()
  end)
end)

describe('write_from', function()
  it('writes all that is in the buffer, and empties it', function()
    with_pair(function(a, b)
      local buf = of 'head:'
      buf:put('body')
      assert.is_true(a:write_from(buf))
      assert.are.equal(0, #buf)
      assert.is_true(a:write_from(buf))
      a:close()
      assert.are.equal('head:body', b:read_all())
    end)
  end)

  -- More than sockets hold.
  local function much(letter) return letter:rep(8e6) end

  it('needs the buffer no more when it waits', function()
    with_pair(function(a, b)
      local buf = of(much 'w')
      local wrote = s.waiting(function() return a:write_from(buf) end)
      assert.are.equal(0, #buf)
      buf:put(much 'v')
      buf:free()
      local got = weft.async(function() return b:read_all() end)
      assert.is_true(wrote:await())
      a:close()
      assert.is_true(got:await() == much 'w')
    end)
  end)

  it('keeps its place among several writers', function()
    with_pair(function(a, b)
      local sent = s.fill(a)
      local buf = of(('2'):rep(1000))
      local writers = { s.waiting(function() return a:write(('1'):rep(200000)) end),
        s.waiting(function() return a:write_from(buf) end),
        s.waiting(function() return a:write('3') end) }
      assert.are.equal(0, #buf)
      local got = weft.async(function() return b:read_all() end)
      for i = 1, 3 do assert.is_true(writers[i]:await()) end
      a:close()
      assert.is_true(got:await():sub(sent + 1) == ('1'):rep(200000) .. ('2'):rep(1000) .. '3')
    end)
  end)

  it('gives up, and what had begun is not torn', function()
    with_pair(function(a, b)
      local ctx, cancel = context.with_cancel(context.background())
      local buf = of(much 'w')
      local wrote = s.waiting(function() return { a:write_from(buf, ctx) } end)
      cancel()
      assert.are.same({ nil, 'context canceled' }, wrote:await())
      assert.are.equal(0, #buf)
      a:set_timeout(0.001)
      assert.are.same({ nil, 'timeout' }, { a:write_from(of 'no') })
      a:set_timeout()
      local got = weft.async(function() return b:read_all() end)
      assert.is_true(a:write('end'))
      a:close()
      assert.is_true(got:await() == much 'w' .. 'end')
    end)
  end)

  it('keeps what did not begin, behind others, before it was given up', function()
    with_pair(function(a, b)
      local first = s.waiting(function() return a:write(much 'w') end)
      local buf = of 'kept'
      local ctx, cancel = context.with_cancel(context.background())
      local wrote = s.waiting(function() return { a:write_from(buf, ctx) } end)
      assert.are.equal(0, #buf)
      buf:put ', and more'
      cancel()
      assert.are.same({ nil, 'context canceled' }, wrote:await())
      assert.are.equal('kept, and more', tostring(buf))
      -- One that has begun meanwhile is out of it.
      buf:reset():put(much 'v')
      local late, give_up = context.with_cancel(context.background())
      wrote = s.waiting(function() return { a:write_from(buf, late) } end)
      local got = weft.async(function()
        local n = 0
        repeat n = n + #assert(b:read()) until n > 8e6
        give_up()
        return n + #b:read_all()
      end)
      assert.are.same({ nil, 'context canceled' }, wrote:await())
      assert.is_true(first:await())
      assert.are.equal(0, #buf)
      a:close_write()
      assert.are.equal(16e6, got:await())
    end)
  end)

  it('ends with the own context of its task, as write does', function()
    local writes = {
      function(c) return c:write_from(of(much 'w')) end,
      function(c) return c:write(much 'w') end,
      function(c)  -- behind another one
        s.waiting(function() c:write(much 'w') end)
        return c:write_from(of 'x')
      end,
    }
    for i = 1, #writes do
      with_pair(function(a)
        local ctx, cancel = context.with_cancel(context.background())
        local run = s.waiting(function() return pcall(context.run, ctx, writes[i], a) end)
        cancel()
        local ok, err = run:await()
        assert.is_false(ok)
        assert.is_truthy(tostring(err):find('context canceled', 1, true), err)
        assert.is_false((pcall(context.run, ctx, a.write, a, 'x')))
      end)
    end
  end)

  it('leaves the buffer as it is where it fails at once', function()
    with_pair(function(a)
      local buf = of 'kept'
      local ctx, cancel = context.with_cancel(context.background())
      cancel()
      assert.are.same({ nil, 'context canceled' }, { a:write_from(buf, ctx) })
      a:close_write()
      assert.are.same({ nil, 'closed' }, { a:write_from(buf) })
      a:close()
      assert.are.same({ nil, 'closed' }, { a:write_from(buf) })
      assert.are.equal('kept', tostring(buf))
    end)
  end)

  it('writes to a file', function()
    local r = proc.run [[
      local weft = require 'weft'
      local buf = require 'string.buffer'.new()
      for i = 1, 3 do weft.stdout:write_from(buf:put(('x'):rep(100000), i)) end]]
    local x = ('x'):rep(100000)
    assert.is_true(r.out == x .. '1' .. x .. '2' .. x .. '3', r.err)
  end)
end)

describe('a buffer and a connection', function()
  it('carry every byte, and much, past other tasks', function()
    with_pair(function(a, b)
      local echo = weft.async(function()
        local buf = buffer.new()
        while b:read_into(buf) do assert(b:write_from(buf)) end
        b:close()
      end)
      local text = {}
      for i = 1, 20000 do text[i] = i .. '\0\r\n' end
      text = table.concat(text)
      local wrote = weft.async(function()
        for at = 1, #text, 7777 do assert(a:write(text:sub(at, at + 7776))) end
        a:close_write()
      end)
      assert.is_true(a:read_all() == text)
      wrote:await()
      echo:await()
    end)
  end)

  it('may share the buffer with others, who leave nothing in it', function()
    local shared = buffer.new()
    local function echo(c)
      while c:read_into(shared) do
        assert(c:write_from(shared))
        assert(#shared == 0)
      end
      c:close()
    end
    local function talk(c, i)
      for size = 1, 20 do
        local text = (string.char(64 + i)):rep(size == 20 and 1e6 or size * 997)
        local wrote = weft.async(c.write, c, text)
        assert.is_true(c:read_exactly(#text) == text)
        assert.is_true(wrote:await())
      end
      c:close()
    end
    local tasks = {}
    for i = 1, 8 do
      local a, b = s.pair()
      tasks[2 * i - 1], tasks[2 * i] = weft.async(echo, b), weft.async(talk, a, i)
    end
    for i = 1, #tasks do tasks[i]:await() end
  end)

  it('make no strings', function()
    with_pair(function(a, b)
      local buf, back = buffer.new(), buffer.new()
      local message = ('m'):rep(16384)
      b:read_into(buf, a:write_from(of 'm') and 16384)
      buf:reset()
      back:put(message):reset()
      collectgarbage()
      collectgarbage 'stop'
      local before = collectgarbage 'count'
      for _ = 1, 100 do
        back:put(message)
        a:write_from(back)
        repeat b:read_into(buf) until #buf == 16384
        buf:reset()
      end
      local grown = collectgarbage 'count' - before
      collectgarbage 'restart'
      assert.is_true(grown < 400, grown)
    end)
  end)

  it('raise misuse at the line of the caller', function()
    with_pair(function(a)
      local buf = buffer.new()
      local raises = util.raises
      raises(function() a:read_into() end, "#1 to 'read_into'", 'string.buffer expected')
      raises(function() a:read_into('') end, "'read_into'", 'string.buffer', 'got string')
      raises(function() a:read_into(io.stdout) end, "'read_into'", 'string.buffer')
      raises(function() a:read_into(buf, 0) end, "#2 to 'read_into'", 'integer >= 1', 'got 0')
      raises(function() a:read_into(buf, 5, 7) end, "#3 to 'read_into'", 'context')
      raises(function() a.read_into({}, buf) end, "'read_into'", 'c:read_into(...)')
      raises(function() a:write_from({}) end, "#1 to 'write_from'", 'string.buffer', 'got table')
      raises(function() a:write_from(buf, 7) end, "#2 to 'write_from'", 'context', 'got number')
      raises(function() a.write_from(nil, buf) end, "'write_from'", 'c:write_from(...)')
    end)
  end)
end)
