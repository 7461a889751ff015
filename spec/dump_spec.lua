-- SPDX-License-Identifier: MIT
-- SIGQUIT writes all stacks and ends the program, SIGUSR1 writes them and goes on.
-- Subject: host/signals.c

local proc = require 'support.proc'
local util = require 'support.util'
local has = util.has

-- Runs code, which calls ready() once, and sends it the signals then: { status =, out =, err = }.
-- What comes after ready() on standard output is `out`. opts: input: standard input stays open and
-- silent; ignored: with these signals ignored.
local function signalled(signals, code, opts)
  opts = opts or {}
  local dir, remove = proc.temp_dir()
  proc.write_file(dir .. '/script.lua', [[
    local weft = require 'weft'
    local function ready()
      print 'ready'
      io.stdout:flush()
    end
  ]] .. code)
  proc.write_file(dir .. '/run.sh', ([[
    weft=$(readlink -f %s)
    cd %s
    mkfifo out in
    exec 4<>in
    %s
    "$weft" %s script.lua >out 2>err <%s &
    pid=$!
    exec 3<out
    read -r line <&3
    for signal in %s; do kill -$signal $pid; done
    cat <&3 >rest
    wait $pid
    echo $? >status
  ]]):format(proc.quote(proc.bin), dir, opts.ignored and "trap '' " .. opts.ignored or '',
    opts.options or '', opts.input and 'in' or '/dev/null', signals))
  local r = proc.shell('sh ' .. dir .. '/run.sh')
  local result = {
    status = tonumber(proc.read_file(dir .. '/status')),
    out = proc.read_file(dir .. '/rest'), err = proc.read_file(dir .. '/err'), shell = r.err,
    script = 'script.lua',
  }
  remove()
  return result
end

local PARKED = [[
  local ch, m = weft.name(weft.chan(), 'jobs'), weft.name(weft.sync.mutex(), 'the lock')
  m:lock()
  for _ = 1, 3 do weft.go(function() ch:recv() end) end
  weft.go(function() m:lock() end)
  weft.sleep(0.05)
]]

describe('SIGQUIT', function()
  it('shows every task and ends the program with status 131', function()
    local r = signalled('QUIT', PARKED .. " ready() print 'buffered' weft.sleep(60)")
    assert.equals(131, r.status)
    assert.equals('buffered\n', r.out)
    has(r.err, 'weft: 5 live tasks\n\ntask 1 [sleep', ' and 2 more like it:\nstack traceback:\n',
      'script.lua:', 'created by task 1 at script.lua:')
    -- They have waited for 0.05 s at least.
    local jobs = r.err:match ' %[chan receive on jobs, (%d+%.%d%d%d) s%]'
    local lock = r.err:match ' %[mutex on the lock, (%d+%.%d%d%d) s%]'
    assert.is_true(tonumber(jobs) >= 0.05 and tonumber(lock) >= 0.05)
  end)

  it('does so while all tasks wait, for a timer or for nothing that the loop knows', function()
    local r = signalled('QUIT', [[
      weft.go(function() weft.sleep(0.001) ready() weft.time.tick(3600):recv() end)
      weft.sleep(3600)
    ]])
    assert.equals(131, r.status)
    has(r.err, 'task 1 [sleep', 'task 2 [chan receive')
  end)

  it('does so between tasks that compute', function()
    local r = signalled('QUIT', [[
      local function busy()
        while true do
          local t = os.clock()
          while os.clock() - t < 0.02 do end
          weft.yield()
        end
      end
      for _ = 1, 20 do weft.go(busy) end
      ready()
      busy()
    ]])
    assert.equals(131, r.status)
    has(r.err, 'weft: 21 live tasks', '[ready', 'more like it')
  end)

  it('names the task that lets nobody else run, compiled', function()
    local r = signalled('QUIT', [[
      weft.go(function()
        ready()
        print 'buffered'
        while true do end
      end)
      weft.sleep(60)
    ]])
    assert.equals(131, r.status)
    assert.equals('buffered\n', r.out)
    has(r.err, 'weft: task 2 has kept its VM for ', ' s (created by task 1 at script.lua:')
  end)

  it('names the task that lets nobody else run, interpreted', function()
    local r = signalled('QUIT', 'jit.off() ready() while true do end')
    assert.equals(131, r.status)
    has(r.err, 'weft: task 1 has kept its VM for ', ' s (created by the host)')
  end)

  it('ends a program that waits in a C function', function()
    local r = signalled('QUIT', 'ready() io.read()', { input = true })
    assert.equals(131, r.status)
    has(r.err, 'weft: task 1 has kept its VM')
  end)

  it('ends a program that loads its script, or runs finalisers at its end', function()
    local r = signalled('QUIT', [[
      local p = newproxy(true)
      getmetatable(p).__gc = function() ready() while true do end end
    ]])
    assert.equals(131, r.status)
    has(r.err, 'weft: no task runs')
  end)

  it('does so too where a shell had it ignored', function()
    local r = signalled('QUIT', 'ready() weft.sleep(60)', { ignored = 'QUIT' })
    assert.equals(131, r.status)
  end)

  it('shows what it can in game and virtual time', function()
    local r = signalled('QUIT', [[
      weft.go(function() ready() while true do weft.sleep(1) end end)
      weft.sleep(1e9)
    ]], { options = '--clock=virtual' })
    assert.equals(131, r.status)
    has(r.err, 'task 1 [sleep')
  end)
end)

describe('SIGUSR1', function()
  it('shows every task and goes on', function()
    local r = signalled('USR1', PARKED .. [[
      ready()
      weft.sleep(1.3)  -- longer than the watcher's patience
      print 'went on'
    ]])
    assert.same({ 0, 'went on\n' }, { r.status, r.out })
    has(r.err, 'weft: 5 live tasks', 'chan receive on jobs', 'mutex on the lock')
    assert.equals(1, select(2, r.err:gsub('weft: ', '')))
  end)

  it('says which task lets nobody else run, and shows them all when that is over', function()
    local r = signalled('USR1', [[
      weft.go(function() weft.chan():recv() end)
      weft.yield()
      ready()
      local t = weft.time.monotonic()
      while weft.time.monotonic() - t < 1.5 do end
      weft.sleep(0.01)
      print 'went on'
    ]])
    assert.same({ 0, 'went on\n' }, { r.status, r.out })
    local held, shown = r.err:find('weft: task 1 has kept its VM', 1, true),
      r.err:find('weft: 2 live tasks', 1, true)
    assert.is_true(held < shown)
  end)

  it('may come again and again', function()
    local r = signalled('USR1 USR1 USR1 USR1', [[
      ready()
      weft.sleep(0.3)
      print 'went on'
    ]])
    assert.same({ 0, 'went on\n' }, { r.status, r.out })
    has(r.err, 'weft: 1 live tasks')
  end)

  it('does not outweigh a SIGQUIT', function()
    local r = signalled('QUIT USR1', [[
      ready()
      local t = os.clock()
      while os.clock() - t < 0.3 do end
      weft.sleep(60)
    ]])
    assert.equals(131, r.status)
  end)
end)

describe('handling signals', function()
  it('keeps no program alive, and hides no deadlock', function()
    local r = proc.run "require 'weft'.chan():recv()"
    assert.equals(2, r.status)
    has(r.err, 'deadlock')
  end)

  it('is no idle work after a signal', function()
    local r = signalled('USR1', [[
      ready()
      weft.sleep(0.1)
      local cpu = os.clock()
      weft.sleep(0.5)
      print(os.clock() - cpu < 0.2)
    ]])
    assert.same({ 0, 'true\n' }, { r.status, r.out })
  end)

  it('is left to the children: they have the default actions', function()
    local r = proc.run "os.exit(os.execute 'kill -USR1 $$; echo not reached' ~= 0 and 7 or 8)"
    assert.equals(7, r.status)
    assert.is_nil(r.out:find('not reached', 1, true))
  end)

  it("is the command's, not the library's: a plain LuaJIT keeps its default actions", function()
    if proc.sanitized() then pending "a sanitizer's build is no module" end
    local r = proc.luajit [[
      local weft = require 'weft'
      weft.run(function() os.execute('kill -USR1 ' .. io.open'/proc/self/stat':read'*n') end)
      print 'not reached'
    ]]
    assert.equals(128 + 10, r.status)
    assert.equals('', r.out)
  end)
end)
