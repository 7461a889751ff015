-- SPDX-License-Identifier: MIT
-- rwmutexes: many readers, or one writer.
local _, raw = ...

local class, gate = raw.import "sync.class", raw.import "sync.gate"
local getmetatable = getmetatable
local raise, scoped = raw.raise, raw.scoped
local settle, wait, try, after_wait = gate.settle, gate.wait, gate.try, gate.after_wait
local far_take, try_take, give = gate.take, raw.latch_try, gate.give
local WAIT_READ, WAIT_WRITE = raw.waits.rlock, raw.waits.wlock

local READERS = 2 ^ 31  -- the units of a rwmutex

---@class weft.RWMutex
---@field with fun(self: weft.RWMutex, fn: function, ...: any): ... under the lock for writing
---@field rwith fun(self: weft.RWMutex, fn: function, ...: any): ... under the one for reading
local RWMutex, Shared, astray = class.define("rwmutex", "m")
local RWMUTEX, SHARED = RWMutex.__metatable, Shared.__metatable

-- Locks it for reading: others may too.
---@param ctx? weft.Context
---@return true?, string?
function RWMutex:rlock(ctx)
  if getmetatable(self) ~= RWMUTEX then return astray(self, "rlock", ctx) end
  if ctx ~= nil or scoped[1] then
    local over, err = raw.ctx_over(ctx, "rlock", 1)
    if over == nil then return nil, err end
  end
  local held = self[1]
  if held < READERS and not self[2] then
    self[1] = held + 1
    return true
  end
  return wait(self, 1, WAIT_READ, "rlock", ctx)
end

-- Locks it for writing: nobody else has it then. From now on no reader overtakes.
---@param ctx? weft.Context
---@return true?, string?
function RWMutex:lock(ctx)
  if getmetatable(self) ~= RWMUTEX then return astray(self, "lock", ctx) end
  if ctx ~= nil or scoped[1] then
    local over, err = raw.ctx_over(ctx, "lock", 1)
    if over == nil then return nil, err end
  end
  if self[1] == 0 and not self[2] then
    self[1] = READERS
    return true
  end
  return wait(self, READERS, WAIT_WRITE, "lock", ctx)
end

---@return boolean
function RWMutex:try_rlock()
  if getmetatable(self) ~= RWMUTEX then return astray(self, "try_rlock") end
  return try(self, 1)
end

---@return boolean
function RWMutex:try_lock()
  if getmetatable(self) ~= RWMUTEX then return astray(self, "try_lock") end
  return try(self, READERS)
end

function RWMutex:runlock()
  if getmetatable(self) ~= RWMUTEX then return astray(self, "runlock") end
  local held = self[1]
  if held == 0 or held == READERS then raise("runlock of rwmutex that nobody reads") end
  self[1] = held - 1
  if self[2] then settle(self) end
end

function RWMutex:unlock()
  if getmetatable(self) ~= RWMUTEX then return astray(self, "unlock") end
  if self[1] ~= READERS then raise("unlock of unlocked rwmutex") end
  self[1] = 0
  if self[2] then settle(self) end
end

function Shared:rlock(ctx)
  if getmetatable(self) ~= SHARED then return astray(self, "rlock", ctx) end
  return after_wait(self, far_take(self, 1, WAIT_READ, ctx))
end

function Shared:lock(ctx)
  if getmetatable(self) ~= SHARED then return astray(self, "lock", ctx) end
  return after_wait(self, far_take(self, READERS, WAIT_WRITE, ctx))
end

function Shared:try_rlock()
  if getmetatable(self) ~= SHARED then return astray(self, "try_rlock") end
  return try_take(self, 1) or raw.poll_missed(false)
end

function Shared:try_lock()
  if getmetatable(self) ~= SHARED then return astray(self, "try_lock") end
  return try_take(self, READERS) or raw.poll_missed(false)
end

function Shared:runlock()
  if getmetatable(self) ~= SHARED then return astray(self, "runlock") end
  if not give(self, 1) then raise("runlock of rwmutex that nobody reads") end
end

function Shared:unlock()
  if getmetatable(self) ~= SHARED then return astray(self, "unlock") end
  if not give(self, READERS) then raise("unlock of unlocked rwmutex") end
end

gate.with(RWMutex, Shared, astray, "with", "lock", "unlock")
gate.with(RWMutex, Shared, astray, "rwith", "rlock", "runlock")

---@return weft.RWMutex
return function() return class.new(RWMutex, "rwmutex", { 0, false, READERS }) end
