-- SPDX-License-Identifier: MIT
-- weft --leaks: at the end of main, the tasks that nothing could have woken.
-- Subject: host/options.c runtime/task/main.c

local proc = require 'support.proc'
local util = require 'support.util'
local has = util.has

local WEFT = "local weft = require 'weft' "

local function run(code, ...)
  return proc.run(WEFT .. code, { options = { ... }, virtual = true })
end

local LEAK = [[
  local jobs = weft.name(weft.chan(), 'jobs')
  for _ = 1, 3 do weft.go(function() for _ in jobs do end end) end
  weft.go(function() weft.sleep(10) end)
  weft.sleep(0.25)
]]

describe('--leaks', function()
  it('lists the tasks that can never wake, equal ones together, and changes no status', function()
    local r = run(LEAK, '--leaks')
    assert.same({ 0, '' }, { r.status, r.out })
    has(r.err, 'weft: main has returned; 3 tasks can never wake again:\n\ntask ',
      ' [chan receive on jobs, 0.250 s] and 2 more like it:\nstack traceback:\n',
      r.where(2), 'created by task 1 at ' .. r.where(2))
    assert.is_nil(r.err:find('sleep', 1, true))
    assert.equals(select(2, r.err:gsub('stack traceback', '')), 1)
  end)

  it('says so of a single task', function()
    local r = run('weft.go(function() weft.chan():recv() end) weft.sleep(0.01)', '--leaks')
    assert.equals(0, r.status)
    has(r.err, 'weft: main has returned; 1 task can never wake again:')
  end)

  it('says nothing where there is none', function()
    local r = run([[
      kept = weft.chan()
      weft.go(function() kept:recv() end)
      weft.go(function() weft.sleep(1) end)
      weft.go(function() weft.time.tick(1):recv() end)
      weft.sleep(0.01)
    ]], '--leaks')
    assert.same({ 0, '', '' }, { r.status, r.out, r.err })
  end)

  it('does not count what main had in its locals', function()
    local r = run([[
      local ch = weft.chan()
      weft.go(function() ch:recv() end)
      weft.sleep(0.01)
      print(#weft.leaks(), ch:len())
    ]], '--leaks')
    assert.same({ 0, '0\t0\n' }, { r.status, r.out })
    has(r.err, '1 task can never wake')
  end)

  it('comes without the option only from weft.leaks', function()
    local r = run(LEAK)
    assert.same({ 0, '', '' }, { r.status, r.out, r.err })
  end)

  it('works with --warn-pending, which lists all that is cut off', function()
    local r = run(LEAK, '--leaks', '--warn-pending')
    assert.equals(0, r.status)
    local leaked, pending = r.err:find('can never wake again', 1, true),
      r.err:find('weft: main has returned; cut off:', 1, true)
    assert.is_true(leaked < pending)
    has(r.err:sub(pending), 'chan receive on jobs', '[sleep')
  end)

  it('keeps the report of a Future that nobody awaited, and its status', function()
    for _, option in ipairs { '--leaks', '--warn-pending' } do
      local r = run(LEAK .. " weft.async(function() error 'lost' end) weft.sleep(0.01)", option)
      assert.equals(2, r.status)
      has(r.err, 'weft: main has returned;', ': lost (in a Future that nobody awaited)')
    end
  end)

  it('lets no garbage have a hand in it', function()
    local r = run([[
      kept = setmetatable({}, { __mode = 'v' })
      local function start()
        local ch = weft.chan()
        weft.go(function() ch:recv() end)
        kept[1] = { ch }
      end
      start()
      weft.sleep(0.01)
    ]], '--leaks')
    assert.equals(0, r.status)
    has(r.err, '1 task can never wake again')
  end)

  it('goes on whatever finalisers do', function()
    local r = run([[
      local function drop(fn) getmetatable(newproxy(true)).__gc = fn end
      local function start()
        local ch = weft.chan()
        weft.go(function() ch:recv() end)
        drop(function() ch:close() end)
        drop(function() error 'in a finaliser' end)
      end
      start()
      weft.sleep(0.01)
    ]], '--leaks')
    assert.same({ 0, '', '' }, { r.status, r.out, r.err })
  end)

  it('says nothing at the end by a panic or a deadlock', function()
    local r = run(LEAK .. " error 'boom'", '--leaks')
    assert.equals(2, r.status)
    assert.is_nil(r.err:find('can never wake', 1, true))
    r = run(LEAK .. ' weft.sleep(20) weft.chan():recv()', '--leaks')
    assert.equals(2, r.status)
    assert.is_nil(r.err:find('can never wake', 1, true))
  end)

  it('is told by --help', function()
    has(proc.weft { '--help' }.out, '--leaks ')
  end)
end)
