-- SPDX-License-Identifier: MIT
-- Subject: lua/weft/net.lua lua/weft/fs.lua lua/weft/process.lua lua/weft/internal/feed.lua
-- Clock: real
-- Contexts and input and output: the task's own (context.run) and those that are given, where a
-- call is made of several.

local weft = require 'weft'
local context, net, fs, process = weft.context, weft.net, weft.fs, weft.process
local s = require 'support.net'
local util = require 'support.util'
local proc = require 'support.proc'

local function cancelled()
  local ctx, cancel = context.with_cancel(context.background())
  cancel()
  return ctx
end

-- What fn raises in a task whose own context ends when it waits.
local function stopped(fn)
  local ctx, cancel = context.with_cancel(context.background())
  local run = s.waiting(function() return pcall(context.run, ctx, fn) end)
  cancel()
  local ok, err = run:await()
  assert.is_false(ok)
  return tostring(err)
end

local function has(text, part) assert.is_truthy(text:find(part, 1, true), text) end

describe("the task's own context", function()
  it('ends a dial with a limit of its own by raising', function()
    local l = s.listen { backlog = 1 }
    -- The system accepts what fits into the backlog by itself.
    has(stopped(function()
      local kept = {}
      for i = 1, 100 do
        kept[i] = assert(net.dial('tcp', l:addr(), { timeout = 20 }))
      end
      return kept
    end), 'context canceled')
    local ok, err = pcall(context.run, cancelled(), net.dial, 'tcp', l:addr(), { timeout = 1 })
    assert.is_false(ok)
    has(tostring(err), 'context canceled')
    assert.are.same({ nil, 'context canceled' },
      { net.dial('tcp', l:addr(), { timeout = 1 }, cancelled()) })
    l:close()
  end)

  it('does not keep a file from being closed', function()
    local dir, clean = proc.temp_dir()
    local function count() return #assert(fs.list '/proc/self/fd') end
    local before, kept = count(), {}
    for i = 1, 3 do
      local ctx, cancel = context.with_cancel(context.background())
      assert.is_true(context.run(ctx, function()
        kept[i] = assert(fs.open(dir .. '/f', 'w'))
        kept[i]:write 'text'
        cancel()
        return kept[i]:close()
      end))
    end
    assert.are.equal(before, count())
    clean()
  end)

  it('gives way to one that is given to process.run', function()
    local dir, clean = proc.temp_dir()
    local ctx, cancel = context.with_cancel(context.background())
    local id
    local r = weft.async(function()
      id = weft.id()
      return context.run(ctx, process.run, { 'sh', '-c',
        'until [ -e go ]; do sleep 0.01; done; echo hi', cwd = dir, ctx = context.background() })
    end)
    repeat weft.yield() until id
    s.until_state(id, 'await')
    cancel()
    weft.yield()
    fs.write_file(dir .. '/go', '')
    assert.are.equal('hi\n', r:await().stdout)
    clean()
  end)

  it('ends walks and watches that were begun under it', function()
    local dir, clean = proc.temp_dir()
    for i = 1, 3 do assert(fs.write_file(dir .. '/' .. i, '')) end
    local ctx, cancel = context.with_cancel(context.background())
    local entries, events
    context.run(ctx, function() entries, events = fs.walk(dir, { limit = 1 }), fs.watch(dir) end)
    cancel()
    local _, err
    repeat _, err = entries:recv() until err
    assert.are.equal('context canceled', err)
    repeat _, err = events:recv() until err
    assert.are.equal('context canceled', err)
    clean()
  end)
end)

describe('a context that has ended', function()
  it('is minded where nothing would have to wait', function()
    assert.are.same({ nil, 'context canceled' }, { net.lookup('127.0.0.1', cancelled()) })
    assert.are.same({ nil, 'context canceled' }, { process.start { 'true', ctx = cancelled() } })
    for _, fn in ipairs { function() return net.lookup '127.0.0.1' end,
      function() return process.start { 'true' } end } do
      local ok, err = pcall(context.run, cancelled(), fn)
      assert.is_false(ok)
      has(tostring(err), 'context canceled')
    end
  end)
end)

describe('a context that is given', function()
  it('ends the lines of a connection', function()
    s.with_pair(function(a, b)
      local ctx, cancel = context.with_cancel(context.background())
      local run = s.waiting(function()
        return pcall(function() for _ in b:lines(100, ctx) do end end)
      end)
      a:write 'no end'
      cancel()
      local ok, err = run:await()
      assert.is_false(ok)
      has(tostring(err), 'context canceled')
    end)
  end)

  it('is refused where options are taken and no context is', function()
    local ctx, l = context.background(), s.listen()
    util.raises(function() net.listen('tcp', '127.0.0.1:0', ctx) end, "#3 to 'listen'", 'options')
    util.raises(function() net.serve(l, print, ctx) end, "#3 to 'serve'", 'options')
    l:close()
  end)
end)

describe('read_file', function()
  it('gives one result, whatever way it takes', function()
    local dir, clean = proc.temp_dir()
    for _, size in ipairs { 0, 10, 30000, 3e5 } do
      assert(fs.write_file(dir .. '/f', ('x'):rep(size)))
      local n, text = select('#', fs.read_file(dir .. '/f')), fs.read_file(dir .. '/f')
      assert.are.same({ 1, size }, { n, #text })
    end
    assert(fs.write_file(dir .. '/f', 'small'))
    assert.are.same({ nil, 'context canceled' }, { fs.read_file(dir .. '/f', cancelled()) })
    clean()
  end)
end)
