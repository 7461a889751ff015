-- SPDX-License-Identifier: MIT
-- weft.errgroup: tasks that do one piece of work together. The first that fails cancels the
-- context of the group, and its error is what `wait` gives when all of them have ended.
--
-- A task of a group has failed when its function raised an error, returned nil or false and an
-- error, or returned nothing but a string (`return err`).
local _, raw = ...

local type, select, setmetatable, pcall, error = type, select, setmetatable, pcall, error
local HUGE = math.huge
local task, futures = raw.import "task", raw.import "future"
local protect, run_defers = task.protect, task.run_defers
local args = raw.import "args"
local go, take_defers = raw.go, raw.take_defers
local context, sync = raw.require "weft.context", raw.require "weft.sync"

---@class weft.errgroup
local errgroup = {}

---@class weft.ErrGroup
local Group = args.class "errgroup"

local function fail(self, err)
  if self.failed then return end
  self.failed, self.err = true, err
  if self.cancel then self.cancel(err) end
end

local function settle(self, ok, ...)
  local v, err = ...
  if not ok then
    fail(self, v == nil and raw.error_text(v) or v)
  elseif not v then
    if err ~= nil then fail(self, err) end
  elseif type(v) == "string" and select("#", ...) == 1 then
    fail(self, v)
  end
end

local function leave_place(self)
  if self.places then self.places:try_recv() end
end

-- `running` counts the tasks, `any` is 1 as long as there are some.
local function leave(self)
  local running = self.running - 1
  self.running = running
  if self.places then leave_place(self) end
  if running == 0 then self.any:done() end
end

-- After the task's own deferred calls, so that wait returns when all is over. (A deferred call of
-- ours would see to that as well; with it a task took 1.7 µs instead of 0.5.)
local function finish(self, ok, ...)
  settle(self, ok, ...)
  local list = take_defers()
  if list then return leave(self, run_defers(list)) end
  return leave(self)
end

local function run(self, fn, ...)
  return finish(self, protect(fn, ...))
end

task.lands(run, finish, 1)
task.lands(finish, leave, 1)

local function await(self, future) return settle(self, futures.outcome(future)) end

-- Starts the task in the place that it has been given.
local function start(self, fn, ...)
  if self.places then
    local ok, err = pcall(go, run, self, fn, ...)
    if not ok then
      leave_place(self)
      error(err, 0)
    end
  else
    go(run, self, fn, ...)
  end
  local running = self.running
  self.running = running + 1
  if running == 0 then self.any:add(1) end
end

-- An isolated task, and one here that waits for it.
local function start_isolated(self, fn, ...)
  local ok, future = pcall(futures.isolated, "spawn", fn, ...)
  if not ok then
    leave_place(self)
    error(future, 0)
  end
  start(self, await, self, future)
end

local function take_place(self)
  if not self.places then return true end
  return self.places:send(true, self.parent)
end

local function new(ctx)
  return setmetatable({ any = sync.waitgroup(), running = 0, failed = false, err = false,
    places = false, parent = ctx }, Group)
end

-- A group. While `go` and `spawn` wait for a place they give up when ctx ends.
---@param ctx? weft.Context
---@return weft.ErrGroup
function errgroup.new(ctx) return new(args.context(ctx, 1, "new")) end

-- A group and its context: cancelled by the first failure, which is its cause, and when `wait`
-- has returned.
---@param parent weft.Context
---@return weft.ErrGroup g, weft.Context ctx
function errgroup.with_context(parent)
  if not raw.is_ctx(parent) then raw.bad_arg(1, "with_context", "context", parent) end
  local ctx, cancel = context.with_cancel(parent)
  local g = new()
  g.cancel = cancel
  return g, ctx
end

-- Starts fn(...) as a task of the group, when there is a place for it: true. nil and the error of
-- the group's context when that ended first.
---@param fn function
---@return true?, string?
function Group:go(fn, ...)
  args.self(self, Group, "go", "g")
  args.fn(fn, 1, "go")
  local ok, err = take_place(self)
  if not ok then return nil, err end
  start(self, fn, ...)
  return true
end

-- As go, but fn(...) is an isolated task, which runs on any core.
---@param fn function
---@return true?, string?
function Group:spawn(fn, ...)
  args.self(self, Group, "spawn", "g")
  args.fn(fn, 1, "spawn")
  local ok, err = take_place(self)
  if not ok then return nil, err end
  start_isolated(self, fn, ...)
  return true
end

-- Starts fn(...) if there is a place for it now; whether it did.
---@param fn function
---@return boolean
function Group:try_go(fn, ...)
  args.self(self, Group, "try_go", "g")
  args.fn(fn, 1, "try_go")
  if self.places and not self.places:try_send(true) then return false end
  start(self, fn, ...)
  return true
end

-- At most n tasks of the group at a time from now on; math.huge: as many as like. Raises while
-- some run.
---@param n number
function Group:set_limit(n)
  args.self(self, Group, "set_limit", "g")
  if n ~= HUGE then args.integer(n, 1, "set_limit", 1) end
  if self.running > 0 then
    raw.raise(("'set_limit': %d tasks of the group still run; set the limit before any starts")
      :format(self.running))
  end
  self.places = n <= 1e8 and raw.chan(n) or false
end

-- Waits until every task of the group has ended: true, or nil and the first failure. nil and the
-- error of ctx when that ends first; the tasks go on then.
---@param ctx? weft.Context
---@return true?, any
function Group:wait(ctx)
  args.self(self, Group, "wait", "g")
  local ok, err = self.any:wait(ctx)
  if not ok then return nil, err end
  if self.cancel then self.cancel() end
  if self.failed then return nil, self.err end
  return true
end

return errgroup
