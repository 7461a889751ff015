-- SPDX-License-Identifier: MIT
-- Subject: runtime/io/copy.c
-- Clock: real
-- Copies of files: what they hold, and what is left of one that is given up.

local weft = require 'weft'
local fs = require 'weft.fs'
local proc = require 'support.proc'
local util = require 'support.util'

local dir, clean, from, to

local function make_fifo()
  assert.are.equal(0, os.execute('mkfifo ' .. from))
end

-- Starts to copy from a pipe, and waits until some of what is written to it has arrived.
local function begin(fn)
  make_fifo()
  local copying = weft.async(fn)
  local w = assert(fs.open(from, 'w'))
  w:write 'some'
  for _ = 1, 20000 do
    local st = fs.stat(to)
    if st and st.size == 4 then return copying, w end
    weft.sleep(0.0005)
  end
  error('nothing has arrived')
end

-- The copy has been given up when nobody reads any more.
local function expect_end(w)
  local code
  for _ = 1, 2000 do
    code = select(3, w:write 'more')
    if code then break end
    weft.sleep(0.001)
  end
  w:close()
  assert.are.equal('EPIPE', code)
  for _ = 1, 2000 do
    if not fs.stat(to) then return end
    weft.sleep(0.001)
  end
  error('the copy is still there')
end

describe('weft.fs.copy', function()
  before_each(function()
    dir, clean = proc.temp_dir()
    from, to = dir .. '/from', dir .. '/to'
  end)
  after_each(function() clean() end)

  it('copies files of all sizes, in place of longer and shorter ones', function()
    for _, size in ipairs { 0, 1, 4095, 300000 } do
      local data = ('%d bytes, '):format(size):rep(size):sub(1, size)
      fs.write_file(from, data)
      for _, before in ipairs { '', ('x'):rep(400000) } do
        fs.write_file(to, before)
        assert.is_true(fs.copy(from, to))
        assert.is_true(fs.read_file(to) == data)
      end
    end
  end)

  it('leaves a file that is copied to itself as it is', function()
    fs.write_file(from, 'text')
    fs.link(from, to)
    assert.is_true(fs.copy(from, to))
    assert.is_true(fs.copy(from, from))
    assert.are.equal('text', fs.read_file(from))
  end)

  it('copies what the system knows no size of', function()
    assert.is_true(fs.copy('/proc/self/status', to))
    util.has(fs.read_file(to), 'Name:')
    local copying, w = begin(function() return fs.copy(from, to) end)
    w:write ' more'
    w:close()
    assert.is_true(copying:await())
    assert.are.equal('some more', fs.read_file(to))
  end)

  it('writes to devices, and leaves them as they are', function()
    local before = fs.stat '/dev/null'
    fs.write_file(from, 'text', { mode = tonumber('600', 8) })
    assert.is_true(fs.copy(from, '/dev/null'))
    assert.are.equal(before.mode, fs.stat('/dev/null').mode)
    local ok, err, code = fs.copy(from, '/dev/full')
    assert.are.same({ nil, 'ENOSPC' }, { ok, code })
    util.has(err, ('copy %s to /dev/full: '):format(from))
    assert.are.equal('char', fs.stat('/dev/full').type)
  end)

  it('stops when its context ends, and leaves nothing', function()
    local ctx, cancel = weft.context.with_cancel(weft.context.background())
    local copying, w = begin(function() return fs.copy(from, to, ctx) end)
    cancel()
    assert.are.same({ nil, 'context canceled' }, { copying:await() })
    expect_end(w)
  end)

  it("stops when the task's own context ends", function()
    local ctx, cancel = weft.context.with_cancel(weft.context.background())
    local copying, w = begin(function()
      return weft.context.run(ctx, fs.copy, from, to)
    end)
    cancel()
    local ok, err = copying:try()
    assert.is_false(ok)
    util.has(err, 'context canceled')
    expect_end(w)
  end)
end)
