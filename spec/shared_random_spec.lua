-- SPDX-License-Identifier: MIT
-- Random programs over shared channels: tasks on all workers send, receive, select, give up,
-- close. Every value sent is received exactly once or still there; what one sender has sent on a
-- channel comes in order; and nothing that was refused, given up or not chosen has any effect.
-- Subject: runtime/conc/shared.c runtime/conc/wait_all.c runtime/task/remote.c
-- runtime/task/claim.c

local weft = require 'weft'
local shared_play = require 'support.shared_play'
local util = require 'support.util'

local play, check = shared_play.play, shared_play.check

local LONG = tonumber(os.getenv 'WEFT_LONG' or '') ~= nil

local function run(seed, tasks, steps, may_close)
  local channels = {}
  for i = 1, 4 do channels[i] = weft.chan(({ 0, 0, 1, 5 })[i]) end
  local futures = {}
  for i = 1, tasks do
    futures[i] = weft.parallel(play, channels, i, seed * 1000 + i, steps, may_close)
  end
  -- Some in this VM as well, where the channels come from.
  futures[tasks + 1] = weft.async(play, channels, tasks + 1, seed, steps, may_close)
  local results = {}
  for i = 1, tasks + 1 do results[i] = futures[i]:await() end
  util.settle()  -- for those that were to cancel what was over by then
  return check(channels, results)
end

describe('shared chan: random programs', function()
  it('lose no value and double none', function()
    local total = 0
    for seed = 1, LONG and 100 or 12 do total = total + run(seed, 5, 150, false) end
    assert.is_true(total > 500)
  end)

  it('that close channels do not either', function()
    for seed = 1, LONG and 100 or 12 do run(1000 + seed, 5, 150, true) end
  end)
end)
