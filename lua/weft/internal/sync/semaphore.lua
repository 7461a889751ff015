-- SPDX-License-Identifier: MIT
-- Semaphores: at most so many units are held at a time.
local _, raw = ...

local class, gate = raw.import "sync.class", raw.import "sync.gate"
local type, getmetatable, floor = type, getmetatable, math.floor
local raise, scoped = raw.raise, raw.scoped
local settle, wait, try, after_wait = gate.settle, gate.wait, gate.try, gate.after_wait
local far_take, try_take, give = gate.take, raw.latch_try, gate.give
local WAIT = raw.waits.acquire

local MOST = 2 ^ 53

---@class weft.Semaphore
---@field with fun(self: weft.Semaphore, fn: function, ...: any): ... while it holds one unit
local Semaphore, Shared, astray = class.define("semaphore", "s")
local SEMAPHORE, SHARED = Semaphore.__metatable, Shared.__metatable

gate.with(Semaphore, Shared, astray, "with", "acquire", "release")

local function units_of(k, fname)
  if k == nil then return 1 end
  if type(k) ~= "number" or k ~= floor(k) or k < 1 or k > MOST then
    raw.bad_arg(1, fname, "integer >= 1", k)
  end
  return k
end

local function at_most(k, n, fname)
  if k > n then
    raise(("'%s': %d units of a semaphore that has %d"):format(fname, k, n))
  end
end

-- acquire([k][, ctx]): which is which, and the position of the context.
local function arguments(k, ctx)
  if type(k) == "table" and ctx == nil then return 1, k, 1 end
  return units_of(k, "acquire"), ctx, 2
end

-- Takes k units (default 1), waiting for its turn.
---@overload fun(self: weft.Semaphore, ctx?: weft.Context): true?, string?
---@param k? integer
---@param ctx? weft.Context
---@return true?, string?
function Semaphore:acquire(k, ctx)
  if getmetatable(self) ~= SEMAPHORE then return astray(self, "acquire", k, ctx) end
  if k == nil and ctx == nil and not scoped[1] then
    local held = self[1]
    if held < self[3] and not self[2] then
      self[1] = held + 1
      return true
    end
  end
  local units, context, arg = arguments(k, ctx)
  at_most(units, self[3], "acquire")
  if context ~= nil or scoped[1] then
    local over, err = raw.ctx_over(context, "acquire", arg)
    if over == nil then return nil, err end
  end
  return wait(self, units, WAIT, "acquire", context)
end

---@param k? integer
---@return boolean
function Semaphore:try_acquire(k)
  if getmetatable(self) ~= SEMAPHORE then return astray(self, "try_acquire", k) end
  local units = units_of(k, "try_acquire")
  at_most(units, self[3], "try_acquire")
  return try(self, units)
end

-- Gives k units (default 1) back; any task may.
---@param k? integer
function Semaphore:release(k)
  if getmetatable(self) ~= SEMAPHORE then return astray(self, "release", k) end
  local units = units_of(k, "release")
  local left = self[1] - units
  if left < 0 then
    raise(("'release': %d units of a semaphore of which %d are held"):format(units, self[1]))
  end
  self[1] = left
  if self[2] then settle(self) end
end

function Shared:acquire(k, ctx)
  if getmetatable(self) ~= SHARED then return astray(self, "acquire", k, ctx) end
  local units, context, arg = arguments(k, ctx)
  at_most(units, raw.latch_total(self), "acquire")
  if context ~= nil or scoped[1] then
    local over, err = raw.ctx_over(context, "acquire", arg)
    if over == nil then return nil, err end
  end
  return after_wait(self, far_take(self, units, WAIT, context))
end

function Shared:try_acquire(k)
  if getmetatable(self) ~= SHARED then return astray(self, "try_acquire", k) end
  local units = units_of(k, "try_acquire")
  at_most(units, raw.latch_total(self), "try_acquire")
  return try_take(self, units) or raw.poll_missed(false)
end

function Shared:release(k)
  if getmetatable(self) ~= SHARED then return astray(self, "release", k) end
  local units = units_of(k, "release")
  if give(self, units) then return end
  raise(("'release': %d units of a semaphore of which %d are held"):format(units,
    raw.latch_held(self)))
end

-- At most n units are held at a time.
---@param n integer
---@return weft.Semaphore
return function(n)
  if type(n) ~= "number" or n ~= floor(n) or n < 1 or n > MOST then
    raw.bad_arg(1, "semaphore", "integer >= 1", n)
  end
  return class.new(Semaphore, "semaphore", { 0, false, n })
end
