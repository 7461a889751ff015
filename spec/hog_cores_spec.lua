-- SPDX-License-Identifier: MIT
-- --warn-hog and isolated tasks: one that computes for long is what spawn is for; it is reported
-- where others wait behind it. Real processes in real time, as in hog_spec.lua.
-- Subject: runtime/sched/monitor.c runtime/task/hog.c

local proc = require 'support.proc'
local has = require('support.util').has

-- main_waits: with a timer in the main VM worker 0 takes no isolated task, so that it is the other
-- worker's.
local PRELUDE = [[
local weft = require 'weft'
local function compute(s)
  local t = os.clock()
  while os.clock() - t < s do end
end
local function wait_in_turns()
  weft.go(function() while true do weft.sleep(0.005) end end)
  weft.sleep(0.01)
end
local function main_waits() weft.go(weft.sleep, 1000) weft.yield() end
local done = weft.chan()
]]
local LINES = select(2, PRELUDE:gsub('\n', ''))

-- Runs it with that many workers: the lines of its stderr, and at(line).
local function run(workers, code)
  local r = proc.run(PRELUDE .. code, {
    options = { '--warn-hog=60', '--workers=' .. workers }, seconds = 30 })
  assert.same({ 0, 'done\n' }, { r.status, r.out }, r.err)
  local list = {}
  for line in r.err:gmatch '[^\n]+' do list[#list + 1] = line end
  return list, function(line) return r.where(LINES + line) end, r.err
end

-- One report, or, where the machine lets a short slice take long, one that it goes on and one
-- that it is over: that of its end.
local function of_its_end(lines, text)
  local two = #lines == 2 and lines[1]:find(' and goes on', 1, true) ~= nil
  assert.is_true(#lines == 1 or two, text)
  return lines[#lines]
end

-- "… for 0.512 s …" between these.
local function kept(low, line, high)
  local s = assert(tonumber(line:match ' (%d+%.%d+) s %('), line)
  assert(s >= low and s <= high, line)
end

describe('an isolated task that keeps its VM', function()
  it('from another one is reported when its slice ends', function()
    local lines, at, text = run(2, [[
      main_waits()
      weft.spawn(function()
        wait_in_turns()
        compute(0.15)
        weft.sleep(0.01)
        done:send(true)
      end)
      done:recv()
      print 'done'
    ]])
    local line = of_its_end(lines, text)
    has(line, 'weft: task ', ' its VM ', at(5) .. ' (sleep); created by task 1 at ' .. at(2))
    kept(0.06, line, 0.9)
  end)

  it('for long is reported then, and again when it lets go', function()
    local lines, at, text = run(2, [[
      main_waits()
      weft.spawn(function()
        wait_in_turns()
        compute(0.9)
        done:send(true)
      end)
      done:recv()
      print 'done'
    ]])
    assert.equals(2, #lines, text)
    has(lines[1], 'has kept its VM for ', ' and goes on; it last waited in sleep; created by ' ..
      'task 1 at ' .. at(2))
    has(lines[2], 'gave its VM up after ', 'created by task 1 at ' .. at(2))
    kept(0.3, lines[1], 1.5)
  end)

  it('is reported beside another one, on another core', function()
    local _, at, text = run(3, [[
      main_waits()
      local ready = weft.sync.int()
      local function hog()
        ready:add(1)
        while ready:load() < 2 do end
        wait_in_turns()
        compute(0.3)
        weft.sleep(0.01)
        done:send(true)
      end
      weft.spawn(hog)
      weft.spawn(hog)
      done:recv()
      done:recv()
      print 'done'
    ]])
    has(text, at(11))
    has(text, at(12))
  end)

  it('from one whose value has come from another core is reported', function()
    local lines, _, text = run(2, [[
      main_waits()
      local ch = weft.chan()
      weft.spawn(function()
        weft.go(function() ch:recv() end)
        weft.yield()
        done:send(true)
        compute(0.15)
        done:send(true)
      end)
      done:recv()
      ch:send(1)
      done:recv()
      print 'done'
    ]])
    has(of_its_end(lines, text), ' its VM ')
  end)

  it('and from the main VM its thread, is reported as doing so', function()
    local lines, at, text = run(1, [[
      weft.spawn(compute, 0.15)
      weft.sleep(0.01)
      print 'done'
    ]])
    has(of_its_end(lines, text), 'weft: task 2 ', " the main VM's thread ",
      'created by task 1 at ' .. at(1))
  end)
end)

describe('nobody is blamed', function()
  it('for isolated work that keeps nobody waiting, on any core', function()
    for workers = 1, 3 do
      local lines, _, text = run(workers, [[
        local futures = {}
        for i = 1, 4 do futures[i] = weft.parallel(compute, 0.3) end
        local function main_only() weft.sleep(1000) end
        if weft.nworkers() > 1 then weft.go(main_only) end
        for i = 1, 4 do futures[i]:await() end
        print 'done'
      ]])
      assert.equals(0, #lines, text)
    end
  end)

  it('for a call that blocks its own thread', function()
    local lines, _, text = run(2, [[
      weft.blocking(function()
        weft.go(weft.sleep, 0.01)
        weft.yield()
        os.execute 'sleep 0.2'
      end)
      print 'done'
    ]])
    assert.equals(0, #lines, text)
  end)
end)
