-- SPDX-License-Identifier: MIT
-- weft.blocking: code that blocks its thread, on threads of an elastic pool.
-- Subject: runtime/task/blocking.c, lua/weft/internal/future.lua

local weft = require 'weft'
local proc = require 'support.proc'
local util = require 'support.util'
local has = util.has

local function prints(code, out, options)
  local r = proc.run("local weft = require 'weft' " .. code, { options = options })
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

-- A call that blocks its thread until that file is there.
local UNTIL = [[
  local function until_there(path)
    return function()
      local code = os.execute('while [ ! -e ' .. path .. ' ]; do sleep 0.01; done')
      return code == 0 or code == true
    end
  end
  local path = os.tmpname()
  os.remove(path)
]]

describe('blocking', function()
  it('gives results, and raises the very error', function()
    assert.same({ n = 3, 1, nil, 'x' },
      util.pack(weft.blocking(function(a, b) return a, nil, b end, 1, 'x')))
    local ok, err = pcall(weft.blocking, function() error { code = 3 } end)
    assert.same({ false, { code = 3 } }, { ok, err })
    ok, err = pcall(weft.blocking, function() error 'boom' end)
    assert.is_false(ok)
    has(err, 'blocking_spec.lua:', 'boom', 'created by task')
  end)

  it('suspends its caller only', function()
    prints(UNTIL .. [[
      weft.go(function() weft.yield() io.open(path, 'w'):close() end)
      print(weft.blocking(until_there(path)))
      os.remove(path)
    ]], 'true\n')
  end)

  it('shows as blocking', function()
    prints(UNTIL .. [[
      local done = weft.async(function() return weft.blocking(until_there(path)) end)
      local function waits()
        for _, t in ipairs(weft.tasks()) do if t.state == 'blocking' then return true end end
      end
      while not waits() do weft.yield() end
      io.open(path, 'w'):close()
      print(done:await())
      os.remove(path)
    ]], 'true\n')
  end)

  it('runs at most 64 at a time, and the others in order', function()
    if proc.torture() then pending 'tasks start in any order there' end
    prints(UNTIL .. [[
      local calls, order = {}, {}
      for i = 1, 64 do calls[i] = weft.async(weft.blocking, until_there(path)) end
      for i = 65, 80 do
        calls[i] = weft.async(function()
          local k = weft.blocking(function(k) return k end, i)
          order[#order + 1] = k
        end)
      end
      weft.sleep(0.05)
      assert(#order == 0)
      io.open(path, 'w'):close()
      for i = 1, 80 do calls[i]:await() end
      os.remove(path)
      local sorted = {}
      for i, k in ipairs(order) do sorted[i] = k end
      table.sort(sorted)
      print(#order, sorted[1], sorted[16])
    ]], '16\t65\t80\n')
  end)

  it('runs several calls at the same time', function()
    prints(UNTIL .. [[
      local first = weft.async(weft.blocking, until_there(path))
      local second = weft.async(weft.blocking, function() io.open(path, 'w'):close() end)
      second:await()
      print(first:await())
      os.remove(path)
    ]], 'true\n')
  end)

  it('a place is used again, and given to those who wait in their order', function()
    if proc.torture() then pending 'tasks start in any order there' end
    prints(UNTIL .. [[
      for i = 1, 70 do assert(weft.blocking(function(k) return k end, i) == i) end
      local calls, order, last = {}, {}, path .. '_last'
      for i = 1, 63 do calls[i] = weft.async(weft.blocking, until_there(last)) end
      calls[64] = weft.async(weft.blocking, until_there(path))
      for i = 65, 70 do
        calls[i] = weft.async(function()
          local k = weft.blocking(function(k) return k end, i)
          order[#order + 1] = k
        end)
      end
      weft.go(function() io.open(path, 'w'):close() end)
      for i = 64, 70 do calls[i]:await() end
      io.open(last, 'w'):close()
      for i = 1, 63 do calls[i]:await() end
      os.remove(path)
      os.remove(last)
      print(table.concat(order, ' '))
    ]], '65 66 67 68 69 70\n')
  end)

  -- The thread ends after five seconds without a call, slowly, and main comes to rest meanwhile.
  it('threads without a call end, and the last one awake leaves the clock moving', function()
    prints([[
      local path = os.tmpname()
      os.remove(path)
      local function threads() return #weft.fs.list '/proc/self/task' end
      local calls, before = {}, threads()
      for i = 1, 5 do calls[i] = weft.async(weft.blocking, os.execute, 'sleep 0.1') end
      local most = 0
      repeat most = math.max(most, threads()) until calls[5]:done():is_closed()
      for i = 1, 5 do calls[i]:await() end
      weft.blocking(function(name)
        local held = newproxy(true)
        getmetatable(held).__gc = function()
          io.open(name, 'w'):close()
          local start = os.clock()
          while os.clock() - start < 0.3 do end
        end
        rawset(_G, 'held', held)
      end, path)
      local ends
      repeat
        weft.sleep(1e-3)
        ends = io.open(path)
      until ends
      ends:close()
      os.remove(path)
      weft.sleep(1)
      print('goes on', most - before >= 5)
      while threads() > before do weft.sleep(1e-3) end
    ]], 'goes on\ttrue\n', { '--clock=virtual', '--workers=1' })  -- or one could get a thread
  end)

  it('threads that end do not lose their VM to who moves the clock meanwhile', function()
    prints([[
      for round = 1, 20 do
        local calls = {}
        for i = 1, 3 do calls[i] = weft.async(weft.blocking, function() return 1 end) end
        for i = 1, 3 do calls[i]:await() end
        for _ = 1, 200 do weft.sleep(1e-3) end
      end
      print 'there'
    ]], 'there\n', { '--clock=virtual' })
  end)

  it('may spawn tasks, which other threads run', function()
    prints([[
      print(weft.blocking(function()
        local w, f, sum = require 'weft', {}, 0
        for i = 1, 20 do f[i] = w.parallel(function(k) return k end, i) end
        for i = 1, 20 do sum = sum + f[i]:await() end
        return sum
      end))
    ]], '210\n')
  end)

  it('may use channels and tasks of its own, and a deadlock there is found', function()
    prints([[
      print(weft.blocking(function()
        local w = require 'weft'
        local ch = w.chan()
        w.go(function() ch:send(5) end)
        return ch:recv()
      end))
    ]], '5\n')
    local r = proc.run [[
      local weft = require 'weft'
      weft.blocking(function() require 'weft'.chan():recv() end)
    ]]
    assert.equals(2, r.status)
    has(r.err, 'deadlock', '[blocking', 'chan receive')
  end)

  it('refuses what cannot cross, and calls where nobody can be suspended', function()
    local co = coroutine.create(print)
    local ok, err = pcall(weft.blocking, function() return co end)
    assert.is_false(ok)
    has(err, "'blocking': ", "upvalue 'co'", 'coroutine')
    ok, err = pcall(table.sort, { 2, 1 }, function() weft.blocking(print) end)
    assert.is_false(ok)
    has(err, "'blocking' cannot block across a C-call boundary (inside 'sort')")
    ok, err = pcall(weft.blocking, 3)
    assert.is_false(ok)
    has(err, "bad argument #1 to 'blocking'")
  end)

  it('a call that never ends does not keep the program', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.go(weft.blocking, function() while true do end end)
      weft.sleep(0.02)
      print 'end'
    ]])
    assert.same({ 0, 'end\n' }, { r.status, r.out })
  end)
end)
