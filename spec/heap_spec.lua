-- SPDX-License-Identifier: MIT
-- Subject: runtime/sched/heap.c
-- When the collector begins anew, in VMs of weft's own.

local proc = require 'support.proc'

-- Makes garbage for some cycles. most_kb(): the largest heap seen meanwhile.
local GARBAGE = [[
  local weft = require 'weft'
  local function most_kb()
    jit.off()  -- compiled code need not make the tables
    local cycles, most = 0, 0
    local function arm()
      getmetatable(newproxy(true)).__gc = function()
        cycles = cycles + 1
        arm()
      end
    end
    arm()
    repeat
      for i = 1, 100 do local _ = { i } end
      most = math.max(most, collectgarbage 'count')
    until cycles >= 4
    return most
  end
]]

local function prints(code, out)
  if proc.torture() then pending 'there the collector never rests' end
  local r = proc.run(GARBAGE .. code)
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

describe('the collector', function()
  it('lets a small heap grow to 1.5 MB', function()
    prints("local kb = most_kb() print(kb > 1280 and kb < 1792 or kb)", 'true\n')
  end)

  it('does so in VMs for isolated tasks', function()
    prints([[
      local kb = weft.parallel(function() return most_kb() end):await()
      print(kb > 1280 and kb < 1792 or kb)
    ]], 'true\n')
  end)

  it('lets a large one double', function()
    prints([[
      local keep = {}
      for i = 1, 2e5 do keep[i] = { i } end
      collectgarbage()
      local live = collectgarbage 'count'
      local kb = most_kb()
      print(live > 16384 and kb < 2.5 * live or kb, collectgarbage('setpause', 200), #keep)
    ]], 'true\t200\t200000\n')
  end)

  it('leaves alone a script that has set it', function()
    prints([[
      collectgarbage('setpause', 150)
      local kb = most_kb()
      print(kb < 1024 or kb, collectgarbage('setpause', 150))
    ]], 'true\t150\n')
  end)
end)
