-- SPDX-License-Identifier: MIT
-- A program with nothing to do uses no processor time: the sleep of workers, whatever they wait
-- for, and of the monitor. Real processes in real time; what is measured is their computing.
-- Subject: runtime/sched/turn.c runtime/sched/monitor.c

local proc = require 'support.proc'

-- Tasks on all workers that wait for all there is to wait for, and main, which then sleeps for a
-- second: the processor time of that second.
local CODE = [[
local weft = require 'weft'
local ch, here, n = weft.chan(), weft.sync.int(), weft.nworkers()
weft.go(weft.sleep, 1000)
weft.yield()
for _ = 1, n - 1 do
  weft.spawn(function()
    here:add(1)
    while here:load() < n - 1 do end  -- so that each is on a worker of its own
    local w = require 'weft'
    w.go(w.sleep, 1000)
    w.go(function() w.net.listen('tcp', '127.0.0.1:0'):accept() end)
    w.go(function() w.select(w.chan(), ch) end)
    here:add(1)
    ch:recv()
  end)
end
weft.blocking(function() end)
weft.go(function() ch:recv() end)
while here:load() < 2 * (n - 1) do weft.yield() end
weft.sleep(0.3)
local t = os.clock()
weft.sleep(1)
print(os.clock() - t)
]]

describe('a program with nothing to do', function()
  -- It wakes once, for main; the rest is what the system charges for that.
  local MOST = proc.sanitized() and 0.02 or 0.004

  for _, options in ipairs { {}, { '--warn-hog=100' }, { '--preempt' } } do
    it('uses no processor time: ' .. (options[1] or 'as it is'), function()
      table.insert(options, '--workers=4')
      local r = proc.run(CODE, { options = options })
      local used = tonumber(r.out)
      assert.same({ 0, '' }, { r.status, r.err })
      assert.is_true(used <= MOST, ('%g s of one second'):format(used))
    end)
  end
end)
