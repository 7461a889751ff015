-- SPDX-License-Identifier: MIT
-- Isolated tasks that keep others from their turn: by being ready all the time, and by computing.
-- Subject: runtime/sched/turn.c runtime/task/preempt.c

local proc = require 'support.proc'

local function prints(n, code, out, options)
  options = options or {}
  table.insert(options, '--workers')
  table.insert(options, tostring(n))
  local r = proc.run("local weft = require 'weft' " .. code, { options = options })
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

describe('an isolated task that is always ready', function()
  -- Worker 0 has a timer and takes none, so worker 1 is the only one that can.
  it('keeps none from starting, wherever that was spawned', function()
    prints(2, [[
      local begun = weft.chan(1)
      weft.spawn(function(ch)
        ch:send(true)
        while true do require 'weft'.yield() end
      end, begun)
      local ctx = weft.context.with_timeout(weft.context.background(), 30)
      begun:recv(ctx)
      print(weft.parallel(function() return 'begun' end):await(ctx))
    ]], 'begun\n')
  end)

  it('keeps none from starting that it has spawned itself', function()
    prints(1, [[
      print(weft.parallel(function()
        local w = require 'weft'
        local f = w.parallel(function() return 'begun' end)
        local v
        w.go(function() v = f:await() end)
        while not v do w.yield() end
        return v
      end):await())
    ]], 'begun\n')
  end)
end)

describe('an isolated task that may be interrupted', function()
  -- All at once, so that each VM is somebody's.
  local FOUR = [[
    local futures = {}
    for i = 1, 4 do
      futures[i] = weft.parallel(function(on)
        jit.off()
        local w = require 'weft'
        if on then w.preempt(true) end
        local done = false
        w.go(function() done = true end)
        local start = w.time.monotonic()
        repeat until done or w.time.monotonic() - start > 30
        return done
      end, %s)
    end
    for i = 1, 4 do io.write(tostring(futures[i]:await()), ' ') end
  ]]

  it('gives its VM to others: weft.preempt', function()
    prints(4, FOUR:format 'true', ('true '):rep(4))
  end)

  it('gives its VM to others: --preempt', function()
    prints(4, FOUR:format 'false', ('true '):rep(4), { '--preempt' })
  end)

  it('goes on while nobody else waits', function()
    if proc.torture() then pending 'there every task is interrupted as often as can be' end
    prints(2, [[
      print(weft.parallel(function()
        jit.off()
        local w = require 'weft'
        w.preempt(true)
        local switches = w.stats().preemptions
        local start = w.time.monotonic()
        repeat until w.time.monotonic() - start > 0.05
        return w.stats().preemptions - switches
      end):await())
    ]], '0\n')
  end)
end)
