-- SPDX-License-Identifier: MIT
-- --warn-hog: tasks that keep their VM while others wait, each slice reported once. Real processes
-- in real time; how long a slice is, they measure by the computing that is done in it, since the
-- time that the machine gives to others is nobody's fault.
-- Subject: runtime/sched/monitor.c runtime/task/hog.c

local proc = require 'support.proc'
local util = require 'support.util'
local has = util.has

local PRELUDE = [[
local weft = require 'weft'
local function compute(s)
  local t = os.clock()
  while os.clock() - t < s do end
end
local function wait_in_turns() weft.go(function() while true do weft.sleep(0.005) end end) end
]]

local PRELUDE_LINES = select(2, PRELUDE:gsub('\n', ''))

local function run(code, opts)
  opts = opts or {}
  opts.options = opts.options or { '--warn-hog=60' }
  opts.seconds = opts.seconds or 30
  local r = proc.run(PRELUDE .. code, opts)
  r.at = function(line) return r.where(PRELUDE_LINES + line) end
  return r
end

local function lines(text)
  local list = {}
  for line in text:gmatch '[^\n]+' do list[#list + 1] = line end
  return list
end

-- "… for 0.512 s (0.498 s of it computing) …": both numbers.
local function times(line)
  local kept, cpu = line:match ' (%d+%.%d+) s %((%d+%.%d+) s of it computing%)'
  return assert(tonumber(kept), line), tonumber(cpu)
end

local function between(low, value, high)
  if value < low or value > high then
    error(('%s is not between %s and %s'):format(value, low, high), 2)
  end
end

describe('a task that keeps its VM', function()
  it('is reported when its slice ends: for how long, up to where, created where', function()
    local r = run [[
      wait_in_turns()
      weft.sleep(0.01)
      weft.go(function()
        compute(0.15)
        weft.sleep(0.01)
      end)
      weft.sleep(0.1)
    ]]
    assert.same({ 0, '', 1 }, { r.status, r.out, #lines(r.err) }, r.err)
    has(r.err, 'weft: task 3 kept its VM for ', ' while others waited, until ' .. r.at(5)
      .. ' (sleep); created by task 1 at ' .. r.at(3) .. '\n')
    local kept, cpu = times(r.err)
    between(0.06, kept, 0.5)
    between(0.06, cpu, kept)
  end)

  it('for ever is reported while it does, once', function()
    local r = run([[
      wait_in_turns()
      weft.sleep(0.01)
      weft.go(function()
        weft.sleep(0.01)
        compute(0.5)
        os.exit(0)
      end)
      weft.sleep(100)
    ]], { options = { '--warn-hog=20' } })
    assert.same({ 0, '', 1 }, { r.status, r.out, #lines(r.err) }, r.err)
    has(r.err, 'weft: task 3 has kept its VM for ', ' while others wait, and goes on; '
      .. 'it last waited in sleep; created by task 1 at ' .. r.at(3) .. '\n')
    between(0.1, (times(r.err)), 0.4)
  end)

  it('for long is reported then, and again when it lets go', function()
    local r = run([[
      wait_in_turns()
      weft.sleep(0.01)
      weft.async(function()
        compute(0.5)
        weft.chan():recv()
      end)
      weft.sleep(0.1)
    ]], { options = { '--warn-hog=20' } })
    local list = lines(r.err)
    assert.same({ 0, 2 }, { r.status, #list }, r.err)
    has(list[1], 'weft: task 3 has kept its VM', 'and goes on; created by task 1 at ' .. r.at(3))
    has(list[2], 'weft: task 3 gave its VM up after ', ', at ' .. r.at(5) .. ' (chan receive)')
    between(0.1, (times(list[1])), 0.4)
    between(0.3, (times(list[2])), 1)
  end)

  it('is reported when the program has been asleep for long before', function()
    local r = run [[
      weft.sleep(0.3)
      weft.go(function() end)
      compute(0.15)
    ]]
    assert.same({ 0, 1 }, { r.status, #lines(r.err) }, r.err)
    has(r.err, 'task 1 kept its VM')
  end)

  it('is reported anew for each such slice', function()
    local r = run [[
      wait_in_turns()
      for _ = 1, 3 do
        weft.sleep(0.01)
        compute(0.15)
      end
    ]]
    local list = lines(r.err)
    assert.same({ 0, 3 }, { r.status, #list }, r.err)
    for i = 1, 2 do has(list[i], 'task 1 kept', r.at(3) .. ' (sleep); created by the host') end
    has(list[3], 'task 1 kept', 'until its end; created by the host')
  end)

  it('is reported, and the next one behind it too', function()
    local r = run [[
      wait_in_turns()
      local wg = weft.sync.waitgroup()
      for _ = 1, 3 do wg:go(compute, 0.15) end
      wg:wait()
    ]]
    local list = lines(r.err)
    assert.same({ 0, 3 }, { r.status, #list }, r.err)
    for i = 1, 3 do
      has(r.err, ('task %d kept its VM for '):format(i + 2), 'until its deferred calls; created')
    end
  end)

  it('by waiting in a C function is told from one that computes', function()
    local r = run [[
      wait_in_turns()
      weft.sleep(0.01)
      weft.go(os.execute, 'sleep 0.2')
      weft.sleep(0.01)
    ]]
    assert.same({ 0, 1 }, { r.status, #lines(r.err) }, r.err)
    local kept, cpu = times(r.err)
    between(0.06, kept, 0.5)
    between(0, cpu, 0.05)
  end)

  it('from a deadline alone is reported: of a timer, too, that it has set itself', function()
    local r = run [[
      weft.time.after_func(0.001, function() end)
      compute(0.15)
    ]]
    assert.same({ 0, 1 }, { r.status, #lines(r.err) }, r.err)
    has(r.err, 'task 1 kept its VM')
  end)

  it('is reported under a virtual clock too: its time is real', function()
    local r = run([[
      weft.go(function() end)
      compute(0.15)
    ]], { virtual = true })
    assert.same({ 0, 1 }, { r.status, #lines(r.err) }, r.err)
  end)

  it('is seen where it is, in a program some of whose tasks may be interrupted', function()
    local r = run([[
      weft.go(function() weft.preempt(true) weft.sleep(100) end)
      wait_in_turns()
      weft.sleep(0.01)
      compute(0.5)
      os.exit(0)
    ]], { options = { '--warn-hog=20' } })
    assert.same({ 0, 1 }, { r.status, #lines(r.err) }, r.err)
    has(r.err, 'and goes on; it is at ' .. r.where(4) .. ';')
  end)
end)

describe('nobody is blamed', function()
  local function silent(code, opts)
    local r = run(code, opts)
    assert.same({ 0, 'done\n', '' }, { r.status, r.out, r.err })
  end

  it('for keeping the VM from nobody', function()
    silent "compute(0.2) print 'done'"
    silent [[
      weft.go(function() weft.sleep(1000) end)
      weft.sleep(0.001)
      compute(0.2)
      print 'done'
    ]]
  end)

  it('for less than the limit', function()
    silent([[
      wait_in_turns()
      for _ = 1, 10 do
        compute(0.02)
        weft.sleep(0.001)
      end
      print 'done'
    ]], { options = { '--warn-hog=200' } })
  end)

  it('for the time that the process was stopped', function()
    local path = os.tmpname()
    local code = PRELUDE .. ([[
      weft.go(function() while true do weft.yield() end end)
      repeat
        compute(0.02)
        weft.yield()
      until io.open '%s.over'
      print 'done'
    ]]):format(path)
    proc.write_file(path, code)
    local r = proc.shell(([[sh -c '%s --warn-hog=200 %s & p=$!; for i in 1 2; do sleep 0.1;
      kill -STOP $p; sleep 0.4; kill -CONT $p; done; : >%s.over; wait $p']]):format(
      proc.bin, path, path))
    os.remove(path)
    os.remove(path .. '.over')
    assert.same({ 0, 'done\n', '' }, { r.status, r.out, r.err })
  end)

  it('when nobody has asked: standard error is no terminal', function()
    silent([[
      wait_in_turns()
      weft.sleep(0.01)
      compute(0.2)
      print 'done'
    ]], { options = {} })
  end)

  it('with --warn-hog=0, on a terminal, where it is on otherwise', function()
    local path = os.tmpname()
    proc.write_file(path, PRELUDE .. [[
      wait_in_turns()
      weft.sleep(0.01)
      compute(0.25)
      print 'done'
    ]])
    local function on_terminal(options)
      return proc.shell(("script -qec '%s %s %s' /dev/null"):format(proc.bin, options, path)).out
    end
    local on, off = on_terminal '', on_terminal '--warn-hog=0'
    os.remove(path)
    has(on, 'task 1 kept its VM', 'done\r\n')
    assert.equals('done\r\n', off)
  end)
end)

describe('--warn-hog', function()
  it('wants milliseconds', function()
    for _, value in ipairs { 'x', '-1', '1.5', '5s', '', '3600001', '99999999999999999999' } do
      local r = proc.weft { '--warn-hog=' .. value, '-e', '' }
      assert.same({ 1, '' }, { r.status, r.out })
      assert.is_truthy(r.err:match '^[^\n]*warn%-hog[^\n]*\n$', r.err)
    end
  end)
end)
