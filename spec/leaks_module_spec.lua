-- SPDX-License-Identifier: MIT
-- weft.leaks where the host is not weft: what its own stacks have counts.
-- Subject: runtime/task/leaks.c

local proc = require 'support.proc'

-- Runs code in plain LuaJIT; it must end well and print exactly this.
local function prints(code, out)
  if proc.sanitized() then pending "a sanitizer's build is no module" end
  local r = proc.luajit([[
    local function park(weft, ch) weft.go(function() ch:recv() end) end
    local function settle(weft) weft.run(function() weft.sleep(0.01) end) end
  ]] .. code)
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

describe('in another host, leaks', function()
  it('counts what the main chunk has in its locals', function()
    prints([[
      local weft = require 'weft'
      local function start(ch) park(weft, ch) return ch end
      local ch = start(weft.chan())
      settle(weft)
      weft.run(function() print(#weft.leaks()) end)
      ch = ch:len()
      weft.run(function() print(#weft.leaks()) end)
    ]], '0\n1\n')
  end)

  it('can be asked outside of any task, and reclaims there', function()
    prints([[
      local weft = require 'weft'
      weft.go(function()
        weft.defer(print, 'deferred')
        weft.chan():recv()
      end)
      settle(weft)
      print(#weft.leaks(), #weft.leaks { reclaim = true }, weft.ntasks())
      print(weft.step())
    ]], '1\t1\t1\ndeferred\n0\t0\tnil\n')
  end)

  it('counts what a coroutine of the host has', function()
    prints([[
      local weft = require 'weft'
      coroutine.wrap(function()
        local ch = weft.chan()
        park(weft, ch)
        weft.run(function() weft.sleep(0.01) print(#weft.leaks()) end)
        print(#weft.leaks())
        coroutine.wrap(function() print(#weft.leaks()) end)()
        return ch
      end)()
      settle(weft)
      print(#weft.leaks())
    ]], '0\n0\n0\n1\n')
  end)

  it('counts the results of the main task until the host has them', function()
    prints([[
      local weft = require 'weft'
      local function run()
        return weft.run(function()
          local ch, started = weft.chan(), false
          weft.go(function() started = true ch:recv() end)
          weft.on_panic(function() print('panic', #weft.leaks()) end)
          local failed = false
          weft.go(function()
            weft.defer(weft.yield)
            failed = true
            error 'x'
          end)
          while not (failed and started) do weft.yield() end
          return ch
        end)
      end
      local ch = run()
      print(#weft.leaks())
      ch = ch:len()
      print(#weft.leaks())
    ]], 'panic\t0\n0\n1\n')
  end)

  it('refuses finalisers that ask while the state is closed', function()
    prints([[
      local weft = require 'weft'
      park(weft, weft.chan())
      weft.go(function() weft.defer(print) weft.select() end)
      settle(weft)
      kept = newproxy(true)
      getmetatable(kept).__gc = function()
        local ok, found = pcall(weft.leaks, { reclaim = true })
        print(ok and #found or found:match ': (.*)')
      end
    ]], 'weft has been closed\n')
  end)

  it('finds nothing while it has never seen the main thread of the host', function()
    prints([[
      local weft
      coroutine.wrap(function()
        weft = require 'weft'
        park(weft, weft.chan())
        settle(weft)
        print(#weft.leaks())
      end)()
      settle(weft)
      print(#weft.leaks())
    ]], '0\n1\n')
  end)
end)
