-- SPDX-License-Identifier: MIT
-- What rwmutexes and semaphores have in common: units, so many in all, of which a reader takes
-- one, a writer all, and who acquires as many as it asks for. They go to whoever came first: who
-- waits for many holds back those behind it who want few, so that a writer comes to its turn.
--
-- An object has at [1] the units that are held, at [2] whether somebody may be waiting, at [3] how
-- many there are.
local _, raw = ...

local class, compiled = raw.import "sync.class", raw.import "compiled"
local type, getmetatable, error = type, getmetatable, error
local task = raw.import "task"
local protect = task.protect
local scope, scoped = raw.import "scope", raw.scoped
local queue_wait, queue_grant = scope.bare.queue_wait, raw.queue_grant

local M = {}

local userdata_of = class.userdata_of
local far_take, far_give = scope.bare.latch_take, raw.latch_give
local take_now = compiled.fn("bool (*)(const void *, double)", "take")
local give_now = compiled.fn("int (*)(const void *, double)", "give")

-- Of locks that have crossed, mutexes too. Takes the units, waiting for its turn: true; nil, err,
-- mark, for after_wait.
function M.take(self, units, why, ctx)
  if take_now and ctx == nil and not scoped[1] then
    local core = userdata_of(self)
    if core and take_now(core, units) then return true end
  end
  return far_take(self, units, why, ctx)
end

-- Gives them back; false when so many are not held, or not in that way.
function M.give(self, units)
  local core = give_now and userdata_of(self)
  if core then
    local done = give_now(core, units)
    if done >= 0 then return done == 1 end
  end
  return far_give(self, units)
end

-- Gives what is free to those who wait.
local function settle(self)
  if self[2] == nil then return raw.latch_settle(self) end  -- it has crossed
  local free, more = queue_grant(self[0], self[3] - self[1])
  self[1], self[2] = self[3] - free, more
end

M.settle = settle

-- One that gave up may have held back others.
function M.after_wait(self, ok, err, mark)
  if ok then return true end
  settle(self)
  scope.check(err, mark)
  return nil, err
end

-- The slow side: others hold what is wanted, or wait, or have given up since.
function M.wait(self, units, why, fname, ctx)
  if self[2] then settle(self) end
  if not self[2] and self[1] + units <= self[3] then
    self[1] = self[1] + units
    return true
  end
  raw.check_can_park(fname)
  self[2] = true
  return M.after_wait(self, queue_wait(self[0], why, ctx, units))
end

-- Without waiting.
function M.try(self, units)
  if self[2] then settle(self) end
  if self[2] or self[1] + units > self[3] then return raw.poll_missed(false) end
  self[1] = self[1] + units
  return true
end

local function after_with(self, release, ok, ...)
  self[release](self)
  if not ok then error((...), 0) end
  return ...
end

-- Adds the method name(fn, ...): runs fn between the methods `acquire` and `release`, the latter
-- on errors too, and returns its results.
function M.with(near, far, astray, name, acquire, release)
  local function method(self, fn, ...)
    local kind = getmetatable(self)
    if kind ~= near.__metatable and kind ~= far.__metatable then return astray(self, name) end
    if type(fn) ~= "function" then raw.bad_arg(1, name, "function", fn) end
    self[acquire](self)
    return after_with(self, release, protect(fn, ...))
  end
  task.lands(method, after_with, 2)
  near[name], far[name] = method, method
end

return M
