-- SPDX-License-Identifier: MIT
-- Conditions: tasks that hold a mutex wait until another one says that something has changed. Who
-- is told takes the mutex again like everybody else, in turn. One that has crossed took its mutex
-- with it.
local _, raw = ...

local class, mutex = raw.import "sync.class", raw.import "sync.mutex"
local getmetatable = getmetatable
local scope, scoped = raw.import "scope", raw.scoped
local queue_wait, queue_wake = scope.bare.queue_wait, raw.queue_wake
local ALL = math.huge
local WAIT = raw.waits.cond

---@class weft.Cond
local Cond, Shared, astray = class.define("cond", "c")
local COND, SHARED = Cond.__metatable, Shared.__metatable

-- [1]: the mutex.
local function held(self)
  local m = self[1]
  if not mutex.is_locked(m) then raw.raise("'wait' on a cond whose mutex is not locked") end
  return m
end

local function after_wait(m, ok, err, mark)
  mutex.relock(m)
  if ok then return true end
  scope.check(err, mark)
  return nil, err
end

-- Unlocks the mutex, waits for a signal, and locks it again: it is held again in any case.
---@param ctx? weft.Context
---@return true?, string?
function Cond:wait(ctx)
  if getmetatable(self) ~= COND then return astray(self, "wait", ctx) end
  local m = held(self)
  if ctx ~= nil or scoped[1] then
    local over, err = raw.ctx_over(ctx, "wait", 1)
    if over == nil then return nil, err end
  end
  raw.check_can_park("wait")
  m:unlock()  -- nothing of this VM runs before this task stands in the queue
  return after_wait(m, queue_wait(self[0], WAIT, ctx))
end

-- Wakes the one that has waited longest. The mutex need not be held.
function Cond:signal()
  if getmetatable(self) ~= COND then return astray(self, "signal") end
  queue_wake(self[0], 1)
end

-- Wakes all who wait.
function Cond:broadcast()
  if getmetatable(self) ~= COND then return astray(self, "broadcast") end
  queue_wake(self[0], ALL)
end

function Shared:wait(ctx)
  if getmetatable(self) ~= SHARED then return astray(self, "wait", ctx) end
  local m = held(self)
  if ctx ~= nil or scoped[1] then
    local over, err = raw.ctx_over(ctx, "wait", 1)
    if over == nil then return nil, err end
  end
  return after_wait(m, scope.bare.cond_wait(self, WAIT, ctx, m))
end

function Shared:signal()
  if getmetatable(self) ~= SHARED then return astray(self, "signal") end
  raw.latch_wake(self, 1)
end

function Shared:broadcast()
  if getmetatable(self) ~= SHARED then return astray(self, "broadcast") end
  raw.latch_wake(self, ALL)
end

---@param m weft.Mutex
---@return weft.Cond
return function(m)
  if not mutex.is(m) then raw.bad_arg(1, "cond", "mutex", m) end
  return class.new(Cond, "cond", { m })
end
