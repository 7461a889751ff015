-- SPDX-License-Identifier: MIT
-- Subject: lua/weft/internal/walk.lua
-- Clock: real
-- Walks: order, links, errors, and their end when nobody reads.

local weft = require 'weft'
local fs = require 'weft.fs'
local proc = require 'support.proc'
local util = require 'support.util'

local dir, clean

local function make(...)
  for _, path in ipairs { ... } do
    local full = dir .. '/' .. path
    fs.mkdir(full:match '^(.*)/', { parents = true })
    if path:sub(-1) ~= '/' then assert(fs.write_file(full, 'x')) end
  end
end

local function walked(opts, from)
  local list = {}
  for e in fs.walk(from or dir, opts) do
    list[#list + 1] = ('%s %s'):format(e.path:sub(#dir + 2), e.type:sub(1, 1))
  end
  return list
end

local function collect()
  for _ = 1, 3 do
    collectgarbage()
    weft.yield()
  end
end

describe('weft.fs.walk', function()
  before_each(function() dir, clean = proc.temp_dir() end)
  after_each(function() clean() end)

  it('goes by name, a folder before what is in it, whatever is listed ahead', function()
    make('b/x', 'b/c/', 'b/a/1', 'b/a/2', 'a', 'c/')
    fs.symlink('b', dir .. '/d')
    local expected = { 'a f', 'b d', 'b/a d', 'b/a/1 f', 'b/a/2 f', 'b/c d', 'b/x f', 'c d',
      'd l' }
    for limit = 1, 5 do assert.are.same(expected, walked { limit = limit }) end
    assert.are.same(expected, walked())
    assert.are.same({ 'b/a/1 f', 'b/a/2 f' }, walked(nil, dir .. '/b/a'))
    assert.are.same({}, walked(nil, dir .. '/c'))
  end)

  it('follows links, but into no folder that it is in', function()
    make('a/f', 'o/g')
    fs.symlink('..', dir .. '/a/up')
    fs.symlink('../o', dir .. '/a/z')
    fs.symlink('nowhere', dir .. '/dangling')
    assert.are.same({ 'a d', 'a/f f', 'a/up d', 'a/z d', 'a/z/g f', 'dangling l', 'o d', 'o/g f' },
      walked { follow = true })
    assert.are.same({ 'a d', 'a/f f', 'a/up l', 'a/z l', 'dangling l', 'o d', 'o/g f' }, walked())
  end)

  it('is closed with the error of what cannot be listed', function()
    local v, err = fs.walk(dir .. '/no'):recv()
    assert.is_nil(v)
    util.has(err, 'list ' .. dir .. '/no: ', '(ENOENT)')
    make 'f'
    v, err = fs.walk(dir .. '/f'):recv()
    assert.is_nil(v)
    util.has(err, '(ENOTDIR)')
    local ok, raised = pcall(walked, nil, dir .. '/no')
    assert.is_false(ok)
    util.has(raised, '(ENOENT)')
  end)

  it('ends when nobody has its channel any more', function()
    for i = 1, 50 do make(i .. '/f') end
    local before = weft.ntasks()
    -- Its task ends when it has a turn, which the torture build gives at random.
    local function expect_end()
      for _ = 1, 2000 do
        collect()
        if weft.ntasks() == before then break end
        weft.sleep(0.001)
      end
      assert.are.equal(before, weft.ntasks())
    end
    assert.are.equal(dir .. '/1', fs.walk(dir):recv().path)
    expect_end()
    fs.walk(dir)
    expect_end()
  end)

  it('goes on while somebody waits for it, whoever has the channel besides', function()
    make 'a'
    local background, done = weft.context.background(), false
    weft.go(function()
      while not done do
        collectgarbage()
        weft.yield()
      end
    end)
    local ways = {
      function() return fs.walk(dir):recv() end,
      function() return fs.walk(dir):recv(background) end,
      function() return fs.walk(dir)() end,
      function() return fs.walk(dir):iter()() end,
      function() return fs.walk(dir):iter(background)() end,
      function() return select(2, weft.select(fs.walk(dir), weft.chan())) end,
      function() return select(2, weft.select { walk = fs.walk(dir) }) end,
      function()
        local last
        for e in fs.walk(dir) do last = e end
        return last
      end,
      function()
        local last
        for e in fs.walk(dir):iter() do last = e end
        return last
      end,
    }
    for i, way in ipairs(ways) do
      local ok, entry = pcall(way)
      if not ok or not entry then
        done = true
        assert.are.same({}, { i, entry })
      end
    end
    done = true
    assert.are.equal(9, #ways)
  end)

  it('ends with its context', function()
    make('a', 'b')
    local ctx, cancel = weft.context.with_cancel(weft.context.background())
    local ch = fs.walk(dir, { limit = 2 }, ctx)
    assert.are.equal(dir .. '/a', ch:recv().path)
    cancel()
    assert.are.same({ nil, 'context canceled' }, { ch:recv() })
    assert.are.same({ nil, 'context canceled' }, { fs.walk(dir, util.cancelled()):recv() })
  end)

  it('refuses options that it does not know what to do with', function()
    util.raises(function() fs.walk(1) end, 'path as string')
    util.raises(function() fs.walk('.', { limit = 0 }) end, 'limit as integer >= 1')
    util.raises(function() fs.walk('.', { follow = 1 }) end, 'follow as boolean')
    util.raises(function() fs.walk('.', nil, {}) end, 'context')
  end)
end)
