-- SPDX-License-Identifier: MIT
-- Random programs of tasks, channels, selects, contexts, timers and locks do what a model of Go's
-- rules lets them do, event by event (spec/torture/model.lua). 10^5 steps, with WEFT_LONG 10^6,
-- in the release build 10^7.
-- Subject: runtime/conc/chan.c, runtime/conc/select.c, runtime/conc/context.c, runtime/conc/tick.c
--
-- What fails is made smaller and shown; WEFT_SEED=n runs the program n alone, again and again, as
-- the choices that chance makes in it differ from run to run.

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local program = require 'torture.program'
local execute = require 'torture.execute'
local shrink = require 'torture.shrink'

local STEPS = proc.much(1e5, 1e7, 'release')

-- What goes wrong in a few runs of p, and the run.
local function violation(p, tries)
  for _ = 1, tries do
    local run = execute.run(p)
    if run.violation then return run.violation, run end
  end
end

local function report(p, run)
  util.leaves_tasks()
  local why, last = run.violation, run
  local small = shrink.shrink(p, function(smaller)
    local found, again = violation(smaller, 5)
    if found then why, last = found, again end
    return found ~= nil
  end)
  error(('program %d: %s\nagain: WEFT_SEED=%d and this spec\n%s\nThe last events:\n%s'):format(
    p.seed, why, p.seed, program.show(small), execute.show_log(last, 60)), 0)
end

-- Choices among k: how often each was made, over all programs.
local function add_chances(all, chances)
  for kind, counts in pairs(chances) do
    local sums = all[kind] or { of = counts.of }
    all[kind] = sums
    for rank = 1, counts.of do sums[rank] = (sums[rank] or 0) + (counts[rank] or 0) end
  end
end

-- Equally likely, within six standard deviations.
local function check_chances(all)
  local checked = 0
  for kind, counts in pairs(all) do
    local n, k = 0, counts.of
    for rank = 1, k do n = n + counts[rank] end
    local limit = 6 * math.sqrt(n / k * (1 - 1 / k))
    for rank, count in ipairs(counts) do
      if n > 100 and math.abs(count - n / k) > limit then
        error(('of %d choices among %s the %dth was made %d times'):format(n, kind, rank, count),
          0)
      end
    end
    if n > 100 then checked = checked + 1 end
  end
  return checked
end

describe('random programs', function()
  local only = tonumber(os.getenv 'WEFT_SEED')

  it('do what the model lets them do', function()
    if only then
      local p = program.new(only)
      local _, run = violation(p, 1000)
      if run then report(p, run) end
      return
    end
    local first, chances = proc.seed() or os.time(), {}
    local steps, seed = 0, first
    while steps < STEPS do
      local p = program.new(seed)
      local run = execute.run(p)
      if run.violation then report(p, run) end
      steps, seed = steps + run.model.steps, seed + 1
      add_chances(chances, run.model.chances)
    end
    assert.is_true(check_chances(chances) >= 3)
    assert.is_true(steps / (seed - first) > 20, 'too few steps in a program')
  end)

  it('leave nothing behind', function()
    if only then return end
    local runs, tasks = setmetatable({}, { __mode = 'k' }), weft.ntasks()
    local function run_some()
      for seed = 1, 50 do runs[execute.run(program.new(seed))] = true end
    end
    run_some()
    for _ = 1, 4 do collectgarbage() end
    assert.is_true(next(runs) == nil, 'something of a program is still there')
    assert.equals(tasks, weft.ntasks())
  end)
end)
