-- SPDX-License-Identifier: MIT
-- Waitgroups: a counter, and those who wait until it is zero.
local _, raw = ...

local class, compiled = raw.import "sync.class", raw.import "compiled"
local type, getmetatable, floor = type, getmetatable, math.floor
local error, pcall = error, pcall
local raise, scoped = raw.raise, raw.scoped
local queue_wait, queue_wake = raw.queue_wait, raw.queue_wake
local ALL, MOST = math.huge, 2 ^ 31
local WAIT = raw.waits.group

---@class weft.WaitGroup
local WaitGroup, Shared, astray = class.define("waitgroup", "wg")
local WAITGROUP, SHARED = WaitGroup.__metatable, Shared.__metatable

local function negative(fname) raise("'" .. fname .. "': negative waitgroup counter") end

local function check(n)
  if type(n) ~= "number" or n ~= floor(n) or n > MOST or n < -MOST then
    raw.bad_arg(1, "add", "integer up to 2^31", n)
  end
end

local function change(self, n, fname)
  local count = self[1] + n
  if count < 0 then negative(fname) end
  self[1] = count
  if count == 0 and self[2] then
    self[2] = false
    queue_wake(self[0], ALL)
  end
end

-- Adds to the counter; raises when it would become negative.
---@param n integer
function WaitGroup:add(n)
  if getmetatable(self) ~= WAITGROUP then return astray(self, "add", n) end
  check(n)
  change(self, n, "add")
end

-- Takes one off the counter.
function WaitGroup:done()
  if getmetatable(self) ~= WAITGROUP then return astray(self, "done") end
  change(self, -1, "done")
end

-- Waits until the counter is zero.
---@param ctx? weft.Context
---@return true?, string?
function WaitGroup:wait(ctx)
  if getmetatable(self) ~= WAITGROUP then return astray(self, "wait", ctx) end
  if ctx ~= nil or scoped[1] then
    local over, err = raw.ctx_over(ctx, "wait", 1)
    if over == nil then return nil, err end
  end
  if self[1] == 0 then return true end
  raw.check_can_park("wait")
  self[2] = true
  return queue_wait(self[0], WAIT, ctx)
end

local add_now = compiled.fn("int (*)(const void *, double)", "add")

local function far_add(self, n, fname)
  local core = add_now and class.userdata_of(self)
  local done = core and add_now(core, n) or -1
  if done < 0 then done = raw.latch_add(self, n) and 1 or 0 end
  if done == 0 then negative(fname) end
end

function Shared:add(n)
  if getmetatable(self) ~= SHARED then return astray(self, "add", n) end
  check(n)
  far_add(self, n, "add")
end

function Shared:done()
  if getmetatable(self) ~= SHARED then return astray(self, "done") end
  far_add(self, -1, "done")
end

function Shared:wait(ctx)
  if getmetatable(self) ~= SHARED then return astray(self, "wait", ctx) end
  return raw.latch_wait(self, WAIT, ctx)
end

local function checked(self, name, fn)
  local kind = getmetatable(self)
  if kind ~= WAITGROUP and kind ~= SHARED then astray(self, name) end
  if type(fn) ~= "function" then raw.bad_arg(1, name, "function", fn) end
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
  checked(self, "go", fn)
  raw.go(run, self, fn, ...)
  self:add(1)
end

-- As go, but in an isolated task: any worker may run it, in parallel with everything else.
---@param fn function
function WaitGroup:spawn(fn, ...)
  checked(self, "spawn", fn)
  self:add(1)
  local ok, err = pcall(raw.spawn_counted, self, fn, ...)
  if ok then return end
  self:done()
  error(err, 0)
end

-- What raw.spawn_counted starts in the other VM.
raw.run_counted = run

Shared.go, Shared.spawn = WaitGroup.go, WaitGroup.spawn

---@return weft.WaitGroup
return function() return class.new(WaitGroup, "waitgroup", { 0, false }) end
