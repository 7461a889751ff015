-- SPDX-License-Identifier: MIT
-- weft.leaks in random worlds, against what happens then. WEFT_LONG: more of them.
-- Subject: runtime/task/leaks.c

-- weft.leaks is asked; then the program does with all that it has whatever can wake anybody, and
-- so does every task that wakes. Who was called leaked must never wake, and who was not must:
-- `walk` (support/leak_world.lua) leaves out no way, so that both are the same question.
-- WEFT_SEED=n runs that world alone.

local weft = require 'weft'
local util = require 'support.util'
local leaks = require 'support.leaks'
local proc = require 'support.proc'
local world = require 'support.leak_world'

local WORLDS = proc.much(300, 5000, 'release')

-- n -> 1..n, the same for the same seed everywhere.
local function generator(seed)
  local state = (seed * 2654435761 + 88172645) % 2 ^ 31
  return function(n)
    state = (state * 1103515245 + 12345) % 2 ^ 31
    return math.floor(state / 65536) % n + 1
  end
end

-- Fails when one of `leaked` has woken.
local function still_asleep(log, leaked, when)
  for id in pairs(leaked) do
    if log.woken[id] then error(('task %d, called leaked %s, woke'):format(id, when), 0) end
  end
end

local function try(seed, seen)
  local before, log = weft.ntasks(), { parked = {}, woken = {} }
  local kept = world.make(generator(seed), log)
  util.settle()
  local leaked = leaks.set()
  local asleep = {}
  for id in pairs(log.parked) do asleep[id] = not log.woken[id] end
  -- Time goes by while the program still has what it has, and answers stay true.
  for _ = 1, 3 do
    weft.sleep(8)
    still_asleep(log, leaked, 'at first')
    local later = leaks.set()
    for id in pairs(leaked) do
      if not later[id] then error(('task %d is leaked no more'):format(id), 0) end
    end
    leaked = later
  end
  world.walk(kept)
  kept = nil
  weft.sleep(100)
  still_asleep(log, leaked, 'at last')
  for id in pairs(asleep) do
    if not log.woken[id] then
      seen.leaked = seen.leaked + 1
      if not leaked[id] then error(('task %d never woke, and was not found'):format(id), 0) end
    else
      seen.woken = seen.woken + 1
    end
  end
  leaks.reclaim()
  util.settle()
  local panic = util.take_panics()[1]
  if panic then error(('a task panicked: %s\n%s'):format(panic.err, panic.traceback), 0) end
  if weft.ntasks() ~= before then error('not all was reclaimed\n' .. weft.stacks(), 0) end
  return kept
end

describe('in random worlds', function()
  it('a task is called leaked exactly when nothing will ever wake it', function()
    local only = tonumber(os.getenv 'WEFT_SEED')
    local seen = { leaked = 0, woken = 0 }
    for seed = only or 1, only or WORLDS do
      local ok, err = pcall(try, seed, seen)
      if not ok then
        error(('random world %d (WEFT_SEED=%d): %s'):format(seed, seed, tostring(err)), 0)
      end
    end
    if not only then assert.is_true(seen.leaked > WORLDS and seen.woken > WORLDS) end
  end)
end)
