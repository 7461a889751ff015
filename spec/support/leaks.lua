-- SPDX-License-Identifier: MIT
-- For the specs of weft.leaks: tasks that wait on channels of their own, and whether they are
-- called leaked.

local weft = require 'weft'
local util = require 'support.util'

local M = {}

function M.ids(list)
  local ids = {}
  for i, task in ipairs(list) do ids[i] = task.id end
  return ids
end

-- The numbers of the leaked tasks, as a set. (The call stands alone: in the middle of another one
-- there would be a slot on the stack with something dead in it, which counts as well.)
function M.set()
  local found, set = weft.leaks(), {}
  for _, task in ipairs(found) do set[task.id] = true end
  return set
end

function M.is_leaked(id)
  local set = M.set()
  return set[id] == true
end

-- Starts a task that calls wait(...) and returns its number once it has parked.
function M.park(wait, ...)
  local id
  weft.go(function(...)
    id = weft.id()
    wait(...)
  end, ...)
  util.settle()
  return id
end

local function recv(ch) ch:recv() end

-- Starts a task that receives from a channel that nobody else has but for what keep(ch) does with
-- it. Returns its number.
function M.waiter(keep)
  local function start()
    local ch = weft.chan()
    keep(ch)
    return M.park(recv, ch)
  end
  return start()
end

function M.reclaim() return weft.leaks { reclaim = true } end

-- What keep(ch) refers to can wake a task that waits on ch; after drop() nothing can.
function M.holds(keep, drop)
  local id = M.waiter(keep)
  if M.is_leaked(id) then error('called leaked, though something refers to the channel', 2) end
  drop()
  util.settle()
  if not M.is_leaked(id) then error('not found leaked after the last reference has gone', 2) end
  M.reclaim()
end

-- What keep(ch) does with the channel does not count.
function M.ignores(keep)
  local id = M.waiter(keep)
  if not M.is_leaked(id) then error('not found leaked', 2) end
  M.reclaim()
end

-- hold(ch, wait) runs in a task: it has the channel in some place while wait() parks, and it is
-- that place which counts. `get` gives the channel once and forgets it.
function M.held_by_task(hold)
  local stop = weft.chan()
  M.holds(function(ch)
    local function get()
      local it = ch
      ch = nil
      return it
    end
    M.park(hold, get, function() return stop:recv() end)
  end, function() stop:close() end)
end

return M
