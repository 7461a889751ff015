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

-- A task of a worker that talks with a process on core arg[1], so that the worker has nothing to
-- do but to wait, 4,000 times. Prints the processor time of that, and how often the other threads
-- slept.
local TALK = [[
local weft = require 'weft'
weft.spawn(function(rounds, core)
  local w = require 'weft'
  local function others()
    local naps, mine = 0, io.open '/proc/thread-self/status':read '*a':match 'Pid:%s+(%d+)'
    for tid in io.popen 'ls /proc/$PPID/task':lines() do
      local f = tid ~= mine and io.open(('/proc/self/task/%s/status'):format(tid))
      if f then
        naps = naps + f:read '*a':match '\nvoluntary_ctxt_switches:%s+(%d+)'
        f:close()
      end
    end
    return naps
  end
  local cat = w.process.start { 'taskset', '-c', core, 'cat', stdin = 'pipe', stdout = 'pipe' }
  local function talk(n)
    for _ = 1, n do
      cat.stdin:write 'x'
      cat.stdout:read()
    end
  end
  talk(500)
  local naps, t = others(), os.clock()
  talk(rounds)
  t = os.clock() - t
  print(t, others() - naps)
  os.exit(0)
end, 4000, arg[1])
weft.sleep(1000)  -- a deadline keeps the main VM's worker free of it
]]

describe('a worker that waits for the loop', function()
  local cores = proc.read_file('/proc/self/status'):match 'Cpus_allowed_list:%s+(%S+)'
  local first, last = cores:match '^%d+', cores:match '%d+$'

  -- The best of three. Without a second worker it stays off the other process's core: there each
  -- would only switch to the other, which takes a tenth of what it takes to wake another core.
  local function talk(workers)
    local least, naps = math.huge, math.huge
    local place = workers == 1 and ('taskset -pc %s $$ >/dev/null;'):format(first) or ''
    for _ = 1, 3 do
      local r = proc.run(TALK,
        { options = { '--workers=' .. workers }, args = { last }, before = place })
      assert.same({ 0, '' }, { r.status, r.err })
      local time, slept = r.out:match '^(%S+)%s+(%d+)\n$'
      least, naps = math.min(least, tonumber(time)), math.min(naps, tonumber(slept))
    end
    return least, naps
  end

  it('hears of it while it looks for work, and wakes nobody to look in its place', function()
    local alone, two, naps = talk(1), talk(2)
    assert.is_true(naps < 200, ('others slept %d times'):format(naps))
    -- On one core who looks for work would keep the other process from its turn.
    if first == last then return end
    assert.is_true(two < 2.5 * alone, ('%g s with two workers, %g with one'):format(two, alone))
  end)
end)
