-- SPDX-License-Identifier: MIT
-- Programs with tasks that compute, in processes of their own and in real time. What is late in
-- them is so in computing time, which other programs on the machine take nothing away from.

local assert = require 'luassert'
local proc = require 'support.proc'

local M = {}

M.PRELUDE = [[
local weft = require 'weft'
local time = weft.time
local clock = os.clock
local function compute(s)
  local t = clock()
  while clock() - t < s do end
end
-- Sleeps n times for s seconds; the most computing that went on in one.
local function longest(n, s)
  local worst = 0
  for _ = 1, n do
    local t = clock()
    weft.sleep(s)
    worst = math.max(worst, clock() - t)
  end
  return worst
end
-- Starts fn as a task that may be interrupted, and lets it run.
local function hog(fn, ...)
  weft.go(function(...)
    assert(weft.preempt(true) ~= nil)
    return fn(...)
  end, ...)
  weft.sleep(0.001)
end
]]

-- As proc.run, with the prelude in front.
function M.run(code, opts)
  opts = opts or {}
  opts.seconds = opts.seconds or 40
  return proc.run(M.PRELUDE .. code, opts)
end

-- The code runs, prints just this, and ends well.
function M.prints(out, code, opts)
  local r = M.run(code, opts)
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

-- The same twice, with the compiler on and off; how is called with each name and test.
function M.both_ways(how, name, out, code)
  how(name, function() M.prints(out, code) end)
  how(name .. ', interpreted', function() M.prints(out, 'jit.off() jit.flush() ' .. code) end)
end

return M
