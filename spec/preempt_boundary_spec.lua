-- SPDX-License-Identifier: MIT
-- Where a task that may be interrupted is not, and what keeps it from being.

local hogs = require 'support.hogs'
local prints = hogs.prints

local function both_ways(...) hogs.both_ways(it, ...) end

describe('a task that may be interrupted is not', function()
  -- Computes below a C function for several slices; others must not run meanwhile, and must after.
  local function boundary(name, code)
    both_ways(name, 'held\twent on\n', [[
      local others, held = 0, nil
      local function hold()
        local before = others
        compute(0.05)
        if held == nil then held = others == before end
        return others == before
      end
      weft.go(function() while true do others = others + 1 weft.yield() end end)
      hog(function()
        ]] .. code .. [[
        local before = others
        compute(0.1)
        print(held and 'held', others ~= before and 'went on')
        os.exit(0)
      end)
      weft.sleep(100)
    ]])
  end

  boundary('in a comparator of table.sort',
    'table.sort({ 2, 1 }, function(a, b) hold() return a < b end)')
  boundary('in a callback of string.gsub', "string.gsub('a', 'a', function() hold() end)")
  boundary('in a reader of load', 'load(function() hold() end)')
  boundary('in a handler of xpcall', "xpcall(error, hold, 'x')")
  boundary('in __tostring under print', [[
    io.stdout:setvbuf 'full'
    local text = setmetatable({}, { __tostring = function() hold() return '' end })
    pcall(string.format, '%s', text)
  ]])
  boundary('in a finaliser', [[
    local function lose() getmetatable(newproxy(true)).__gc = function() hold() end end
    lose()
    repeat collectgarbage() until held ~= nil
  ]])
  boundary('in a finaliser of ffi.gc', [[
    local ffi = require 'ffi'
    local function lose() ffi.gc(ffi.new 'int[1]', function() hold() end) end
    lose()
    repeat collectgarbage() until held ~= nil
  ]])
  boundary('in a callback of the FFI', [[
    local ffi = require 'ffi'
    ffi.cdef 'void qsort(void *, size_t, size_t, int (*)(const void *, const void *));'
    local cb = ffi.cast('int (*)(const void *, const void *)', function() hold() return 0 end)
    local sort = ffi.C.qsort
    jit.off(true, true)
    sort(ffi.new('int[2]', { 2, 1 }), 2, 4, cb)
  ]])
  boundary('in a coroutine that is resumed below a C function', [[
    local gen = coroutine.wrap(function() while true do coroutine.yield(hold()) end end)
    table.sort({ 2, 1 }, function() gen() return false end)
  ]])
  boundary('in a debug hook', [[
    debug.sethook(function() debug.sethook() hold() end, '', 1)
    for _ = 1, 1000 do if held ~= nil then break end end
    debug.sethook()
    weft.yield()
  ]])
end)

describe('a task that may be interrupted is not', function()
  -- For every place where it waits for its next turn: was it weft's own code that was stopped?
  both_ways("in weft's own Lua code, but before and after it", 'true\tfalse\n', [[
    local co, done, inside = nil, false, false
    for _ = 1, 20000 do weft.go(function() weft.chan():recv() end) end
    weft.go(function()
      while not done do
        if co then
          local first = debug.traceback(co, '', 0):match '\n\t([^\n]*)'
          inside = inside or (first or ''):find('[weft', 1, true) == 1
        end
        weft.yield()
      end
    end)
    weft.preempt(true)
    co = coroutine.running()
    for _ = 1, 5 do weft.stacks() end
    compute(0.1)
    done = true
    print(weft.stats().preemptions > 0, inside)
  ]])
end)

describe('a debug hook of a script', function()
  it('wins: nothing is interrupted, and preempt says why', function()
    prints('nil\ta debug hook is set\nfalse\nfalse\n', [[
      debug.sethook(function() end, '', 1000)
      print(weft.preempt(true))
      print(weft.preempt(false))
      debug.sethook()
      print(weft.preempt(true))
    ]])
  end)

  both_ways('wins when it comes later, for as long as it is set',
    'called\tnot interrupted\tinterrupted again\n', [[
    local others, calls = 0, 0
    weft.go(function() while true do others = others + 1 weft.yield() end end)
    hog(function()
      debug.sethook(function() calls = calls + 1 end, 'l')
      local before = others
      compute(0.05)
      local whole = others == before
      debug.sethook()
      weft.yield()
      before = others
      compute(0.1)
      print(calls > 0 and 'called', whole and 'not interrupted',
        others ~= before and 'interrupted again')
      os.exit(0)
    end)
    weft.sleep(100)
  ]])
end)

describe('a profiler of a script', function()
  it('that runs is left alone; interpreted code is interrupted all the same', function()
    prints('true\ttrue\n', [[
      local profile, samples = require 'jit.profile', 0
      profile.start('li2', function() samples = samples + 1 end)
      jit.off()
      hog(function() while true do end end)
      local worst = longest(5, 0.05)
      print(worst < 0.1, samples > 10)
      profile.stop()
    ]])
  end)

  it('that takes over gets its samples; after it preempt(true) brings ours back', function()
    prints('true\ttrue\n', [[
      local profile, samples = require 'jit.profile', 0
      jit.off()  -- LuaJIT, started a second time, forgets to look in traces
      weft.preempt(true)
      profile.start('li2', function() samples = samples + 1 end)
      compute(0.2)
      jit.on()
      profile.stop()
      hog(function() while true do end end)
      print(samples > 10, longest(5, 0.05) < 0.1)
    ]])
  end)
end)
