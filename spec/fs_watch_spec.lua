-- SPDX-License-Identifier: MIT
-- Subject: lua/weft/internal/watch.lua
-- Clock: real
-- Watches of files and folders.

local weft = require 'weft'
local fs = require 'weft.fs'
local proc = require 'support.proc'
local util = require 'support.util'

local dir, clean

-- Waits for the event that is meant: others may come before it.
local function expect(ch, path, event)
  repeat
    local e = assert(ch:recv())
    assert.are.equal(dir, e.path:sub(1, #dir))
  until e.path == path and (event == nil or e.event == event)
end

local function tasks_end(before)
  for _ = 1, 1000 do
    if weft.ntasks() == before then return end
    collectgarbage()
    weft.sleep(0.001)
  end
  error(weft.stacks())
end

describe('weft.fs.watch', function()
  before_each(function() dir, clean = proc.temp_dir() end)
  after_each(function() clean() end)

  it('tells what comes, changes and goes in a folder', function()
    local ch, stop = assert(fs.watch(dir))
    fs.write_file(dir .. '/f', 'x')
    expect(ch, dir .. '/f', 'rename')
    expect(ch, dir .. '/f', 'change')
    fs.remove(dir .. '/f')
    expect(ch, dir .. '/f', 'rename')
    stop()
    local e, err
    repeat e, err = ch:recv() until e == nil
    assert.are.equal('closed', err)
  end)

  it('tells of a file by its own path', function()
    fs.write_file(dir .. '/f', 'x')
    local ch, stop = assert(fs.watch(dir .. '/f'))
    fs.write_file(dir .. '/f', 'y', { append = true })
    expect(ch, dir .. '/f', 'change')
    stop()
  end)

  it('watches folders below, new ones and what is in them by then', function()
    fs.mkdir(dir .. '/a/b', { parents = true })
    local ch, stop = assert(fs.watch(dir, { recursive = true }))
    fs.write_file(dir .. '/a/b/f', 'x')
    expect(ch, dir .. '/a/b/f', 'rename')
    fs.mkdir(dir .. '/n/m', { parents = true })
    expect(ch, dir .. '/n')
    expect(ch, dir .. '/n/m')
    fs.write_file(dir .. '/n/m/g', 'x')
    expect(ch, dir .. '/n/m/g')
    stop()
  end)

  it('leaves no task behind when its channel is collected, or its context ends', function()
    local before = weft.ntasks()
    assert(fs.watch(dir))
    tasks_end(before)
    local ctx, cancel = weft.context.with_cancel(weft.context.background())
    local ch = assert(fs.watch(dir, {}, ctx))
    cancel()
    assert.are.same({ nil, 'context canceled' }, { ch:recv() })
    tasks_end(before)
  end)

  it('says what cannot be watched', function()
    local ch, err, code = fs.watch(dir .. '/no')
    assert.is_nil(ch)
    assert.are.equal('ENOENT', code)
    util.has(err, 'watch ' .. dir .. '/no: ')
    util.raises(function() fs.watch(dir, { recursive = 3 }) end, 'recursive as boolean')
  end)

  it('keeps the program waiting', function()
    local r = proc.run([[
      local weft = require "weft"
      local fs = weft.fs
      local ch, stop = fs.watch(arg[1])
      weft.async(function() fs.write_file(arg[1] .. "/f", "") end)
      print(ch:recv().event)
      stop()
    ]], { args = { dir } })
    assert.are.same({ 'rename\n', '', 0 }, { r.out, r.err, r.status })
  end)
end)
