-- SPDX-License-Identifier: MIT
-- What tracebacks show and what they leave out.

local weft = require 'weft'
local util = require 'support.util'
local has = util.has

local function lacks(text, what)
  if text:find(what, 1, true) then error(('expected no %q\nin: %s'):format(what, text), 2) end
end

-- The traceback of the panic of a task that runs fn.
local function traceback_of(fn)
  weft.go(fn)
  util.settle()
  return util.take_panics()[1].traceback
end

describe('a traceback', function()
  it('of a panic leaves weft\'s own frames out', function()
    local ch, m = weft.chan(1), weft.sync.mutex()
    ch:close 'on purpose'
    local line
    for _, fn in ipairs {
      function() line = util.here() for _ in ch do error 'no value' end end,
      function() line = util.here() ch:send(1) end,
      function() line = util.here() m:with(error, 'on purpose') end,
      function() line = util.here() coroutine.wrap(error)('on purpose') end,
    } do
      local text = traceback_of(fn)
      has(text, 'stack traceback:', line)
      lacks(text, '[weft')
    end
  end)

  it('of tasks that wait leaves weft\'s own frames out', function()
    local ch, full, m = weft.chan(), weft.chan(1), weft.sync.mutex()
    full:send(1)
    m:lock()
    local waits = {
      function() for _ in ch do error 'no value' end end,
      function() full:send(2) end,
      function() m:with(error) end,
      function() weft.select { a = ch } end,
      function() coroutine.wrap(function() ch:recv() end)() end,
    }
    for _, wait in ipairs(waits) do weft.go(function() pcall(wait) end) end
    util.settle()
    local text = weft.stacks()
    lacks(text, '[weft')
    has(text, 'trace_spec.lua')
    m:unlock()
    ch:close()
    full:recv()
    util.settle()
  end)

  it('names what the script called', function()
    local ch, closed, m, wg = weft.chan(), weft.chan(), weft.sync.mutex(), weft.sync.waitgroup()
    closed:close()
    m:lock()
    for name, fn in pairs {
      send = function() closed:send(1) end,
      unlock = function() weft.sync.mutex():unlock() end,
      done = function() wg:done() end,
      with = function() m:with(5) end,
    } do
      has(traceback_of(fn), ("stack traceback:\n\t[C]: in function '%s'\n"):format(name))
    end
    for name, fn in pairs {
      send = function() pcall(ch.send, ch, 1) end,
      lock = function() m:lock() end,
    } do
      weft.go(fn)
      util.settle()
      has(weft.stacks(), ("stack traceback:\n\t[C]: in function '%s'\n"):format(name))
    end
    ch:recv()
    m:unlock()
    util.settle()
  end)

  it('shows nothing of an error before', function()
    local function earlier() error('earlier', 0) end
    local name = ('trace_spec.lua:%d'):format(debug.getinfo(earlier, 'S').linedefined)
    local text = traceback_of(function()
      pcall(coroutine.wrap(function() earlier() end))
      error('another', 0)
    end)
    lacks(text, name)
    text = traceback_of(function()
      local _, err = pcall(coroutine.wrap(function() earlier() end))
      error(err, 0)
    end)
    has(text, name)
  end)
end)
