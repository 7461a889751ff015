-- SPDX-License-Identifier: MIT
-- Mutexes. An unlock with waiters hands the lock to the first: nobody overtakes.
local _, raw = ...

local class, gate = raw.import "sync.class", raw.import "sync.gate"
local compiled = raw.import "compiled"
local type, getmetatable, error = type, getmetatable, error
local task = raw.import "task"
local protect = task.protect
local check, scoped = raw.import("scope").check, raw.scoped
local raise = raw.raise
local queue_wait, queue_wake = raw.queue_wait, raw.queue_wake
local take, try_take, give = gate.take, raw.latch_try, gate.give
local WAIT, WAIT_AGAIN = raw.waits.lock, raw.waits.relock

---@class weft.Mutex
local Mutex, Shared, astray = class.define("mutex", "m")
local MUTEX, SHARED = Mutex.__metatable, Shared.__metatable

local M = {}

-- At 0 the number of the task that runs, or of the last one. Read so by compiled code it costs
-- next to nothing; without the compiler `raw.id` is the quicker way.
local current = compiled.fn("const double *", "current_id") or {}

local function me() return current[0] or raw.id() or 0 end

-- [1]: 0 free, 1 locked, 2 locked and somebody waits (or has given up since). For reports of
-- deadlocks: [2] who has locked it, false when the lock was handed over and the queue knows; [3]
-- where it was locked first: to note that each time would cost more than the lock.
---@return weft.Mutex
function M.new() return class.new(Mutex, "mutex", { 0, false, false }) end

local function own(self)
  if not self[3] then self[3] = raw.site() end  -- first: it may take memory
  self[1], self[2] = 1, me()
  return true
end

-- The slow side: somebody has it.
local function wait(self, why, ctx)
  self[1] = 2
  return queue_wait(self[0], why, ctx, self[2], self[3])
end

-- Locks it, waiting for its turn.
---@param ctx? weft.Context
---@return true?, string?
function Mutex:lock(ctx)
  if getmetatable(self) ~= MUTEX then return astray(self, "lock", ctx) end
  if ctx ~= nil or scoped[1] then
    local over, err = raw.ctx_over(ctx, "lock", 1)
    if over == nil then return nil, err end
  end
  if self[1] == 0 then return own(self) end
  raw.check_can_park("lock")
  return wait(self, WAIT, ctx)
end

-- Locks it if it is free.
---@return boolean
function Mutex:try_lock()
  if getmetatable(self) ~= MUTEX then return astray(self, "try_lock") end
  if self[1] ~= 0 then return raw.poll_missed(false) end
  return own(self)
end

-- Unlocks it, or hands it to the first who waits.
function Mutex:unlock()
  if getmetatable(self) ~= MUTEX then return astray(self, "unlock") end
  local state = self[1]
  if state == 1 then
    self[1] = 0
  elseif state == 2 then
    local woken, more = queue_wake(self[0], 1)
    -- 0: all have given up; 1: handed over; 2: and others wait
    self[1], self[2] = woken + more, false
  else
    raise("unlock of unlocked mutex")
  end
end

local function after_with(self, ok, ...)
  self:unlock()
  if not ok then error((...), 0) end
  return ...
end

-- Runs fn(...) under the lock and returns its results; unlocks on errors too.
---@param fn function
function Mutex:with(fn, ...)
  local kind = getmetatable(self)
  if kind ~= MUTEX and kind ~= SHARED then return astray(self, "with") end
  if type(fn) ~= "function" then raw.bad_arg(1, "with", "function", fn) end
  self:lock()
  return after_with(self, protect(fn, ...))
end

task.lands(Mutex.with, after_with, 1)

-- [3]: true when what reports say of the first lock has been noted from here.
local function note_first(self, site)
  raw.latch_first(self, site)
  self[3] = true
end

-- Who gives up holds nobody back: there is only one unit.
local function after_wait(self, site, ok, err, mark)
  if ok then
    if site then note_first(self, site) end
    return true
  end
  check(err, mark)
  return nil, err
end

function Shared:lock(ctx)
  if getmetatable(self) ~= SHARED then return astray(self, "lock", ctx) end
  local site = not self[3] and raw.site()
  return after_wait(self, site, take(self, 1, WAIT, ctx))
end

function Shared:try_lock()
  if getmetatable(self) ~= SHARED then return astray(self, "try_lock") end
  local site = not self[3] and raw.site()
  if not try_take(self, 1) then return raw.poll_missed(false) end
  if site then note_first(self, site) end
  return true
end

function Shared:unlock()
  if getmetatable(self) ~= SHARED then return astray(self, "unlock") end
  if not give(self, 1) then raise("unlock of unlocked mutex") end
end

Shared.with = Mutex.with

-- Whether it is one.
function M.is(v)
  local kind = getmetatable(v)
  return type(v) == "table" and (kind == MUTEX or kind == SHARED)
end

-- Whether somebody has locked it.
function M.is_locked(self)
  if getmetatable(self) == MUTEX then return self[1] ~= 0 end
  return raw.latch_held(self) ~= 0
end

-- Locks it, after a wait for something else that began with unlocking it. No context ends that.
function M.relock(self)
  if getmetatable(self) ~= MUTEX then
    raw.latch_take(self, 1, WAIT_AGAIN)
  elseif self[1] == 0 then
    own(self)
  else
    wait(self, WAIT_AGAIN)
  end
end

return M
