-- SPDX-License-Identifier: MIT
-- Subject: lua/weft/signal.lua
-- Clock: real
-- Signals to channels and contexts. Those that would end the program are sent to one of its own.

local weft = require 'weft'
local signal = require 'weft.signal'
local ffi = require 'ffi'
local proc = require 'support.proc'
local util = require 'support.util'

ffi.cdef 'int kill(int pid, int signal); int getpid(void);'
local USR2, WINCH = 12, 28

local function send(number) assert(ffi.C.kill(ffi.C.getpid(), number) == 0) end

local HEAD = [[
  local weft = require "weft"
  local signal = weft.signal
  local ffi = require "ffi"
  ffi.cdef "int kill(int pid, int signal); int getpid(void);"
  local function send(n) ffi.C.kill(ffi.C.getpid(), n) end
]]

describe('weft.signal', function()
  it('gives the names of signals to a channel, until it is stopped', function()
    local ch = weft.chan(2)
    assert.is_true(signal.notify(ch, 'SIGUSR2', 'SIGWINCH', 'SIGUSR2'))
    send(USR2)
    assert.are.equal('SIGUSR2', ch:recv())
    send(WINCH)
    assert.are.equal('SIGWINCH', ch:recv())
    assert.are.equal(0, ch:len())
    signal.stop(ch)
    assert.is_true(signal.notify(ch, 'SIGUSR2'))
    send(WINCH)  -- ignored by default
    send(USR2)
    assert.are.equal('SIGUSR2', ch:recv())
    signal.stop(ch)
    signal.stop(ch)
    assert.is_false(ch:is_closed())
  end)

  it('drops what a channel has no room for, and never waits', function()
    local ch, seen = weft.chan(1), weft.chan(3)
    signal.notify(ch, 'SIGUSR2')
    signal.notify(seen:send_only(), 'SIGUSR2')
    for _ = 1, 3 do
      send(USR2)
      assert.are.equal('SIGUSR2', seen:recv())
    end
    assert.are.equal('SIGUSR2', ch:recv())
    assert.are.equal(0, ch:len())
    ch:close()
    send(USR2)
    assert.are.equal('SIGUSR2', seen:recv())
    signal.stop(ch)
    signal.stop(seen:send_only())
  end)

  it('gives them to a channel that is read on another core', function()
    local ch = weft.chan(1)
    local other = weft.parallel(function(c) return (c:recv()) end, ch)
    signal.notify(ch, 'SIGUSR2')
    send(USR2)
    assert.are.equal('SIGUSR2', other:await())
    signal.stop(ch)
  end)

  it('takes subscriptions of every VM', function()
    local ch, ready = weft.chan(1), weft.chan()
    local f = weft.parallel(function(c, up)
      local s = require 'weft.signal'
      local mine = require 'weft'.chan(1)
      s.notify(mine, 'SIGUSR2')
      up:send(true)
      c:send(mine:recv())
      s.stop(mine)
    end, ch, ready)
    ready:recv()
    send(USR2)
    assert.are.equal('SIGUSR2', (ch:recv()))
    f:await()
  end)

  it('ends a context, with the name as cause', function()
    local ctx, stop = signal.context(weft.context.background(), 'SIGUSR2', 'SIGWINCH')
    assert.is_nil(ctx:err())
    send(USR2)
    assert.are.same({ nil, 'closed' }, { ctx:done():recv() })
    assert.are.same({ 'context canceled', 'SIGUSR2' }, { ctx:err(), ctx:cause() })
    send(USR2)  -- nothing, as it is not stopped
    weft.sleep(0.001)
    stop()
    local other, stop_other = signal.context(weft.context.background(), 'SIGUSR2')
    stop_other()
    assert.are.equal('context canceled', other:err())
  end)

  it('takes the place of the default action, which comes back', function()
    local r = proc.run(HEAD .. [[
      local ch = weft.chan(1)
      signal.notify(ch, "SIGTERM")
      send(15)
      print(ch:recv())
      io.stdout:flush()
      signal.stop(ch)
      send(15)
      weft.sleep(20)
    ]])
    assert.are.same({ 'SIGTERM\n', 128 + 15 }, { r.out, r.status })
  end)

  it("takes the place of SIGQUIT's and SIGUSR1's dumps, which come back", function()
    local r = proc.run(HEAD .. [[
      local ch = weft.chan(1)
      signal.notify(ch, "SIGQUIT", "SIGUSR1")
      send(10)
      print(ch:recv())
      send(3)
      print(ch:recv())
      io.stderr:write "now\n"
      signal.stop(ch)
      send(3)
      weft.sleep(20)
    ]])
    assert.are.same({ 'SIGUSR1\nSIGQUIT\n', 128 + 3 }, { r.out, r.status })
    assert.are.equal('now\nweft: 1 live tasks', r.err:match '^[^\n]*\n[^\n]*')
  end)

  it('keeps a program waiting that has nothing else to wait for', function()
    local r = proc.run(HEAD .. [[
      local ch = weft.chan(1)
      signal.notify(ch, "SIGINT")
      os.execute("(sleep 0.2; kill -INT " .. ffi.C.getpid() .. ") &")
      print(ch:recv())
      signal.stop(ch)
      ch:recv()
    ]])
    assert.are.same({ 'SIGINT\n', 2 }, { r.out, r.status })
    util.has(r.err, 'all tasks are asleep')
  end)

  it('refuses what cannot be subscribed to, at the line of the call', function()
    local ch = weft.chan(1)
    for _, name in ipairs { 'SIGKILL', 'SIGSTOP', 'SIGPROF', 'SIGSEGV', 'TERM', 'SIGNO' } do
      util.raises(function() signal.notify(ch, name) end, "'notify'", name)
    end
    util.raises(function() signal.notify(ch) end, 'name of a signal')
    util.raises(function() signal.notify({}, 'SIGINT') end, 'channel to send on')
    util.raises(function() signal.notify(ch:recv_only(), 'SIGINT') end, 'channel to send on')
    util.raises(function() signal.notify(weft.time.after(1), 'SIGINT') end, 'channel to send on')
    util.raises(function() signal.stop(1) end, 'channel to send on')
    util.raises(function() signal.context(1, 'SIGINT') end, 'context')
  end)
end)
