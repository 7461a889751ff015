-- SPDX-License-Identifier: MIT
-- What is done once, by whoever comes first, while the others wait for it. A function that fails
-- has been done as well.
local _, raw = ...

local class = raw.import "sync.class"
local type, getmetatable, error, select, unpack = type, getmetatable, error, select, unpack
local pcall = pcall
local task = raw.import "task"
local protect = task.protect
local queue_wait, queue_wake = raw.queue_wait, raw.queue_wake
local ALL = math.huge
local WAIT = raw.waits.once
local NEW, RUNNING, DONE = 0, 1, 2  -- runtime/conc/latch.h: wf_latch_once

---@class weft.Once
local Once, Shared, astray = class.define("once", "o")
local ONCE, SHARED = Once.__metatable, Shared.__metatable

-- [1]: the state; [2]: the task that runs the function; [3]: what came of it, for once_value.
local function new() return class.new(Once, "once", { NEW, false, false }) end

-- Whether the caller is the one to run it; if not it has been done by now.
local function enter(self, fname)
  local near, me = getmetatable(self) == ONCE, raw.id() or 0
  local state, runner
  if near then
    state, runner = self[1], self[2]
    if state == NEW then self[1], self[2] = RUNNING, me end
  else
    state, runner = raw.once_enter(self, me)
  end
  if state ~= RUNNING then return state == NEW end
  if runner == me then raw.raise("'" .. fname .. "' inside the function that it runs") end
  if not near then
    raw.latch_wait(self, WAIT)
  else
    raw.check_can_park(fname)
    queue_wait(self[0], WAIT)
  end
  return false
end

local function leave_far(self, outcome)
  local kept, why = raw.once_leave(self, outcome)
  if kept then return end
  -- What cannot cross is a failure for everybody; an error value goes as its text.
  if outcome[1] then
    outcome.n, outcome[1], outcome[2] = 2, false, "cannot return " .. why
  else
    outcome = { n = 2, false, raw.error_text(outcome[2]) }
  end
  raw.once_leave(self, outcome)
end

-- It has been done, and that came of it; what there is no memory to keep is a failure by itself.
local function leave(self, outcome)
  if getmetatable(self) == ONCE then
    self[1], self[2], self[3] = DONE, false, outcome or false
    queue_wake(self[0], ALL)
  elseif not pcall(leave_far, self, outcome) then
    raw.once_leave(self)
  end
end

local function after_call(self, ok, ...)
  leave(self)
  if not ok then error((...), 0) end
  return true
end

-- Runs fn(...) unless that, or another function, has been done already; true when it is done. An
-- error is raised to the one that called it.
---@param fn function
---@return true
function Once:call(fn, ...)
  local kind = getmetatable(self)
  if kind ~= ONCE and kind ~= SHARED then return astray(self, "call") end
  if type(fn) ~= "function" then raw.bad_arg(1, "call", "function", fn) end
  if kind == ONCE and self[1] == DONE then return true end
  if not enter(self, "call") then return true end
  return after_call(self, protect(fn, ...))
end

task.lands(Once.call, after_call, 1)

local function give(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

local function pack(...) return { n = select("#", ...), ... } end

local function after_value(self, ...)
  local fine, outcome = pcall(pack, ...)
  if not fine then
    leave(self)
    return give(...)
  end
  leave(self, outcome)
  return give(unpack(outcome, 1, outcome.n))
end

-- What fn returns or raises, each time. Of the functions below, which cross with their upvalues:
-- so it is a method, and found by its name there.
function Once:outcome_of(fn, fname)
  if enter(self, fname) then return after_value(self, protect(fn)) end
  local outcome
  if getmetatable(self) == ONCE then outcome = self[3] else outcome = raw.once_outcome(self) end
  if not outcome then error("not enough memory", 0) end
  return give(unpack(outcome, 1, outcome.n))
end

task.lands(Once.outcome_of, after_value, 1)

Shared.call, Shared.outcome_of = Once.call, Once.outcome_of

local M = { new = new }

-- A function that runs fn the first time it is called, and returns true; if fn failed it raises
-- the same at every call.
---@param fn function
---@return fun(): true
function M.once_func(fn)
  if type(fn) ~= "function" then raw.bad_arg(1, "once_func", "function", fn) end
  local once = new()
  return function()
    once:outcome_of(fn, "once_func")
    return true
  end
end

-- A function that runs fn the first time it is called, and returns what that returned; if fn
-- failed it raises the same at every call.
---@param fn function
---@return fun(): ...
function M.once_value(fn)
  if type(fn) ~= "function" then raw.bad_arg(1, "once_value", "function", fn) end
  local once = new()
  return function() return once:outcome_of(fn, "once_value") end
end

return M
