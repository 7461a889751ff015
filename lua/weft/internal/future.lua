-- SPDX-License-Identifier: MIT
-- Futures: a task whose results somebody waits for.
local _, raw = ...

local task = raw.import "task"
local failures = raw.import("report").failures

local error, type, unpack, select, setmetatable = error, type, unpack, select, setmetatable
local getmetatable, newproxy, pcall, ALL = getmetatable, newproxy, pcall, math.huge
local go = raw.go
local WAIT_AWAIT, WAIT_BLOCKING = 3, 5  -- runtime/lib/queue.c: wait_kinds

---@class weft.Future
local Future = {}
Future.__index = Future
Future.__metatable = "weft.future"

-- A failed Future owns a sentinel. When it is collected before anybody has awaited the Future, the
-- failure becomes a panic: an error is never lost.
local template = newproxy(true)
getmetatable(template).__gc = function(sentinel)
  local f = failures[sentinel]
  if f and not f.awaited then
    f.awaited = true
    raw.orphan(f.err, f.trace)
  end
end

local function settle(self)
  self.settled = true
  raw.queue_wake(self[0], ALL)
  if self.closes then raw.close_system(self.closes) end
end

local function new_failure(err, trace)
  local sentinel = newproxy(template)
  local f = { err = err, trace = trace }
  failures[sentinel] = f
  return f, sentinel
end

-- Somebody has got the error. Its entry goes at once: an error that refers to its Future would
-- keep both alive through it.
local function settle_failure(self, failure)
  failure.awaited = true
  if self.sentinel then failures[self.sentinel] = nil end
end

-- Of a task whose own failure could not be kept, for lack of memory.
local lost = { err = "not enough memory", trace = "", awaited = true }

-- Sends the end of a job home. What cannot cross is a failure of the task; an error value that
-- cannot cross goes as its text.
local function answer(job, ok, ...)
  local sent, why = raw.answer_job(job, ok, ...)
  if sent then return end
  if ok then return answer(job, false, "cannot return " .. why, "") end
  local err, trace = ...
  raw.answer_job(job, false, raw.error_text(err), trace)
end

local function answer_safely(job, ...)
  if not pcall(answer, job, ...) then raw.fail_job(job) end
end

-- The task has failed; its deferred calls have run. Who waits is told in any case; what cannot be
-- kept is a panic.
-- A task that its own context has stopped has told nobody anything new: its Future need not be
-- awaited.
function task.catch(self, err, trace, stopped)
  stopped = stopped or raw.stopped(err)
  if self.job then return answer_safely(self.job, false, err, trace, stopped) end
  local ok, f, sentinel = pcall(new_failure, err, trace)
  self.failure, self.sentinel = ok and f or lost, sentinel
  if ok and stopped then settle_failure(self, f) end
  settle(self)
  if not ok then error(err, 0) end
end

-- The task was reclaimed. Whoever awaits it is told; for nobody it is a panic.
function task.forsake(self, err, trace)
  if self.job then return answer_safely(self.job, false, err, trace) end
  self.failure = { err = err, trace = trace, awaited = true }
  settle(self)
end

-- What there is no memory for comes first: as long as the calls are there, the task can fail.
local function succeed(self, ...)
  if not self.job then self.results = { n = select("#", ...), ... } end
  task.run_defers(raw.take_defers())
  if self.job then return answer_safely(self.job, true, ...) end
  settle(self)
end

local function run(self, fn, ...)
  local ok, err = pcall(raw.catch, self)
  if not ok then return task.catch(self, err, "") end
  return succeed(self, fn(...))
end

local function checked(self, name)
  if type(self) ~= "table" or getmetatable(self) ~= "weft.future" then
    raw.bad_self(self, name, "future", "f")
  end
  return self
end

-- Waits for the end; nil and an error when the context ended first.
local function wait(self, name, ctx)
  local over, err = raw.ctx_over(ctx, name, 1)
  if over == nil then return nil, err end
  if self.settled then return true end
  return raw.queue_wait(self[0], self.waiting or WAIT_AWAIT, ctx)
end

-- Waits for the task and returns its results, or raises its error: a string with the task's
-- traceback after it, any other value as it is. Awaiting again gives the same again.
---@param ctx? weft.Context
function Future:await(ctx)
  local ok, err = wait(checked(self, "await"), "await", ctx)
  if not ok then return nil, err end
  local failure = self.failure
  if not failure then return unpack(self.results, 1, self.results.n) end
  settle_failure(self, failure)
  err = failure.err
  if type(err) == "string" then err = err .. "\n" .. failure.trace end
  error(err, 0)
end

-- As pcall: true and the results, or false and the very value of the error.
---@param ctx? weft.Context
function Future:try(ctx)
  local ok, err = wait(checked(self, "try"), "try", ctx)
  if not ok then return nil, err end
  local failure = self.failure
  if not failure then return true, unpack(self.results, 1, self.results.n) end
  settle_failure(self, failure)
  return false, failure.err
end

-- The traceback of the failed task; nil while it runs and when it did not fail.
---@return string?
function Future:traceback()
  local failure = checked(self, "traceback").failure
  return failure and failure.trace or nil
end

-- A channel that is closed when the task has ended.
---@return weft.Chan
function Future:done()
  checked(self, "done")
  if not self.closes then
    self.closes = raw.chan_system(raw.chan())
    if self.settled then raw.close_system(self.closes) end
  end
  return self.closes
end

-- All that it will ever have is there: to settle it takes no memory.
local function new_future()
  return setmetatable({ [0] = raw.queue(), settled = false, results = false, failure = false,
    sentinel = false, closes = false }, Future)
end

local M = {}

function M.async(fn, ...)
  if type(fn) ~= "function" then raw.bad_arg(1, "async", "function", fn) end
  local self = new_future()
  go(run, self, fn, ...)
  return self
end

-- Starts fn(...) as an isolated task, for the call of this name.
function M.isolated(name, fn, ...)
  if type(fn) ~= "function" then raw.bad_arg(1, name, "function", fn) end
  local self = new_future()
  raw.start_job(self, name, fn, ...)
  return self
end

-- As future:try(), but the task's own context does not end it: for tasks that are there to wait.
function M.outcome(future)
  if not raw.scoped[1] then return future:try() end
  local context = raw.require "weft.context"
  return context.run(context.without_cancel(context.current()), future.try, future)
end

function M.parallel(fn, ...) return M.isolated("parallel", fn, ...) end

function M.blocking(fn, ...)
  if type(fn) ~= "function" then raw.bad_arg(1, "blocking", "function", fn) end
  raw.ctx_over(nil, "blocking", 1)
  raw.check_can_park("blocking")
  local self = new_future()
  self.waiting = WAIT_BLOCKING
  raw.start_blocking(self, fn, ...)
  return self:await()
end

-- The task of a job, in the VM where it is done.
function raw.run_job(job, fn, ...)
  return run({ job = job }, fn, ...)
end

-- The end of a job, in the VM that asked for it.
function raw.settle_job(self, ok, ...)
  if not ok then return task.catch(self, ...) end
  self.results = { n = select("#", ...), ... }
  return settle(self)
end

return M
