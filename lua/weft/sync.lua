-- SPDX-License-Identifier: MIT
-- weft.sync: waiting for each other. The state of an object is in its table, so that what need not
-- wait compiles into the caller's trace; waiters stand in a queue in C (runtime/conc/queue.h),
-- first in, first out. An unlock with waiters hands the lock to the first: nobody overtakes.
local _, raw = ...

local type, setmetatable, getmetatable, floor = type, setmetatable, getmetatable, math.floor
local error, pcall, protect = error, pcall, raw.import("task").protect
local raise, bad_self = raw.raise, raw.bad_self
local scoped = raw.scoped
local queue_wait, queue_wake = raw.queue_wait, raw.queue_wake
local ALL = math.huge
local WAIT_LOCK, WAIT_GROUP = 1, 2  -- runtime/lib/queue.c: wait_kinds

---@class weft.sync
local sync = {}

local function class(what)
  local c = { __metatable = "weft." .. what }
  c.__index = c
  return c
end

---@class weft.Mutex
local Mutex = class "mutex"
local MUTEX = Mutex.__metatable

-- [1]: 0 free, 1 locked, 2 locked and somebody waits (or has given up since).
---@return weft.Mutex
function sync.mutex() return setmetatable({ [0] = raw.queue(), 0 }, Mutex) end

-- Locks it, waiting for its turn.
---@param ctx? weft.Context
---@return true?, string?
function Mutex:lock(ctx)
  if getmetatable(self) ~= MUTEX then bad_self(self, "lock", "mutex", "m") end
  if ctx ~= nil or scoped[1] then
    local over, err = raw.ctx_over(ctx, "lock", 1)
    if over == nil then return nil, err end
  end
  if self[1] == 0 then
    self[1] = 1
    return true
  end
  raw.check_can_park("lock")
  self[1] = 2
  return queue_wait(self[0], WAIT_LOCK, ctx)
end

-- Locks it if it is free.
---@return boolean
function Mutex:try_lock()
  if getmetatable(self) ~= MUTEX then bad_self(self, "try_lock", "mutex", "m") end
  if self[1] ~= 0 then return raw.poll_missed(false) end
  self[1] = 1
  return true
end

-- Unlocks it, or hands it to the first who waits.
function Mutex:unlock()
  if getmetatable(self) ~= MUTEX then bad_self(self, "unlock", "mutex", "m") end
  local state = self[1]
  if state == 1 then
    self[1] = 0
  elseif state == 2 then
    local woken, more = queue_wake(self[0], 1)
    self[1] = woken + more  -- 0: all have given up; 1: handed over; 2: and others wait
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
  if getmetatable(self) ~= MUTEX then bad_self(self, "with", "mutex", "m") end
  if type(fn) ~= "function" then raw.bad_arg(1, "with", "function", fn) end
  self:lock()
  return after_with(self, protect(fn, ...))
end

---@class weft.WaitGroup
local WaitGroup = class "waitgroup"
local WAITGROUP = WaitGroup.__metatable

-- [1]: the counter, [2]: whether somebody may be waiting.
---@return weft.WaitGroup
function sync.waitgroup() return setmetatable({ [0] = raw.queue(), 0, false }, WaitGroup) end

local function change(self, n, fname)
  local count = self[1] + n
  if count < 0 then raise("'" .. fname .. "': negative waitgroup counter") end
  self[1] = count
  if count == 0 and self[2] then
    self[2] = false
    queue_wake(self[0], ALL)
  end
end

-- Adds to the counter; raises when it would become negative.
---@param n integer
function WaitGroup:add(n)
  if getmetatable(self) ~= WAITGROUP then bad_self(self, "add", "waitgroup", "wg") end
  if type(n) ~= "number" or n ~= floor(n) or n - n ~= 0 then
    raw.bad_arg(1, "add", "integer", n)
  end
  change(self, n, "add")
end

-- Takes one off the counter.
function WaitGroup:done()
  if getmetatable(self) ~= WAITGROUP then bad_self(self, "done", "waitgroup", "wg") end
  change(self, -1, "done")
end

-- Waits until the counter is zero.
---@param ctx? weft.Context
---@return true?, string?
function WaitGroup:wait(ctx)
  if getmetatable(self) ~= WAITGROUP then bad_self(self, "wait", "waitgroup", "wg") end
  if ctx ~= nil or scoped[1] then
    local over, err = raw.ctx_over(ctx, "wait", 1)
    if over == nil then return nil, err end
  end
  if self[1] == 0 then return true end
  raw.check_can_park("wait")
  self[2] = true
  return queue_wait(self[0], WAIT_GROUP, ctx)
end

local function run(self, fn, ...)
  local ok, err = pcall(raw.defer, self.done, self)
  if not ok then
    self:done()
    error(err, 0)
  end
  fn(...)
end

-- Starts fn(...) as a task that counts: add(1) now, done() when it ends, however it ends.
---@param fn function
function WaitGroup:go(fn, ...)
  if getmetatable(self) ~= WAITGROUP then bad_self(self, "go", "waitgroup", "wg") end
  if type(fn) ~= "function" then raw.bad_arg(1, "go", "function", fn) end
  raw.go(run, self, fn, ...)
  self[1] = self[1] + 1
end

return sync
