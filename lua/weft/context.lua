-- SPDX-License-Identifier: MIT
-- weft.context: cancellation, deadlines and values that go down a tree of calls. The tree of who
-- cancels whom is in C (runtime/conc/context.h); a context here is a table with its node at 0.
local _, raw = ...

local type, setmetatable, getmetatable = type, setmetatable, getmetatable
local rawget, rawequal, error = rawget, rawequal, error
local scoped, protect = raw.scoped, raw.import("task").protect
local enter = raw.import("scope").enter

---@class weft.context
local context = {
  Canceled = "context canceled",
  DeadlineExceeded = "context deadline exceeded",
}

---@class weft.Context
local Context = {}
Context.__index = Context
Context.__metatable = "weft.context"

local function is_context(v)
  return type(v) == "table" and getmetatable(v) == "weft.context" and raw.is_ctx(v)
end

local function checked(self, name)
  if not is_context(self) then raw.bad_self(self, name, "context", "ctx") end
  return self
end

local function parent_of(parent, fname)
  if not is_context(parent) then raw.bad_arg(1, fname, "context", parent) end
  return parent
end

-- A context with a node of its own under `parent`.
local function derive(parent)
  return setmetatable({ [0] = raw.ctx_node(parent), parent = parent }, Context)
end

local function root(name)
  return setmetatable({ [0] = raw.ctx_node(), root = name }, Context)
end

local background, todo = root "background", root "todo"
raw.ctx_types(Context, background, todo)

-- The context of the whole program: never cancelled, no deadline, no values.
---@return weft.Context
function context.background() return background end

-- As background, for where it is not clear yet which context to use.
---@return weft.Context
function context.todo() return todo end

-- A child that ends with its parent, or when `cancel` is called, with any value as cause.
---@param parent weft.Context
---@return weft.Context ctx, fun(cause?: any) cancel
function context.with_cancel(parent)
  local ctx = derive(parent_of(parent, "with_cancel"))
  return ctx, raw.canceller(ctx)
end

local function with_deadline(parent, at, from_now, cause)
  local ctx = derive(parent)
  local outer = parent:deadline()
  ctx.deadline_cause = cause
  if outer and outer <= at then
    ctx.at = outer
  else
    ctx.at = at
    raw.ctx_deadline(ctx, from_now)
  end
  return ctx, raw.canceller(ctx)
end

local function seconds(s, fname, what)
  if type(s) ~= "number" or s ~= s then raw.bad_arg(2, fname, what, s) end
  return s
end

-- A child that ends by itself after `s` seconds.
---@param parent weft.Context
---@param s number
---@param cause? any
---@return weft.Context ctx, fun(cause?: any) cancel
function context.with_timeout(parent, s, cause)
  parent_of(parent, "with_timeout")
  seconds(s, "with_timeout", "number of seconds")
  return with_deadline(parent, raw.now() + s, s, cause)
end

-- A child that ends by itself at the time `at` of weft.time.now's clock.
---@param parent weft.Context
---@param at number
---@param cause? any
---@return weft.Context ctx, fun(cause?: any) cancel
function context.with_deadline(parent, at, cause)
  parent_of(parent, "with_deadline")
  seconds(at, "with_deadline", "time as number")
  return with_deadline(parent, at, at - raw.now(), cause)
end

-- A child that carries a value.
---@param parent weft.Context
---@param key any
---@param value any
---@return weft.Context
function context.with_value(parent, key, value)
  parent_of(parent, "with_value")
  if key == nil then raw.bad_arg(2, "with_value", "a key other than nil", key) end
  local node = raw.ctx_node(parent, true)
  return setmetatable({ [0] = node, parent = parent, key = key, val = value }, Context)
end

-- A child that has the values of its parent, but neither its end nor its deadline.
---@param parent weft.Context
---@return weft.Context
function context.without_cancel(parent)
  parent_of(parent, "without_cancel")
  return setmetatable({ [0] = raw.ctx_node(), parent = parent, cut = true }, Context)
end

local function leave(scope, ok, ...)
  raw.scope_leave(scope)
  if not ok then error((...), 0) end
  return ...
end

-- Runs `fn` in a task of its own when the context ends. The function returned keeps it from that
-- and says whether it was in time.
---@param ctx weft.Context
---@param fn fun()
---@return fun(): boolean stop
function context.after_func(ctx, fn)
  parent_of(ctx, "after_func")
  if type(fn) ~= "function" then raw.bad_arg(2, "after_func", "function", fn) end
  if scoped[1] then  -- what has to be done when a context ends is not stopped by that
    local quiet, work = context.without_cancel(context.current()), fn
    fn = function() return context.run(quiet, work) end
  end
  return raw.ctx_after(ctx, fn)
end

-- Runs fn(...) with `ctx` as the task's own context, which calls that are given none have, and
-- returns its results; tasks that are started inside have it too. Their blocking calls raise its
-- error when it has ended; a pcall around one of them only delays that.
---@param ctx weft.Context
---@param fn function
function context.run(ctx, fn, ...)
  parent_of(ctx, "run")
  if type(fn) ~= "function" then raw.bad_arg(2, "run", "function", fn) end
  return leave(enter(ctx), protect(fn, ...))
end

-- The task's own context; outside of `run` the background.
---@return weft.Context
function context.current()
  return scoped[1] and raw.scope_context() or background
end

-- A channel that is closed when the context ends.
---@return weft.Chan
function Context:done()
  local ctx = checked(self, "done")
  local ch = rawget(ctx, "closes")
  if not ch then
    ch = raw.ctx_done(ctx)
    ctx.closes = ch
  end
  return ch
end

-- nil while it lives, then why it ended. Looks at the clock itself.
---@return string?
function Context:err()
  if type(self) ~= "table" then checked(self, "err") end
  return raw.ctx_err(self)
end

-- What `cancel` was given; without anything, err().
---@return any
function Context:cause()
  local ctx = checked(self, "cause")
  local err, by_itself = raw.ctx_ended(ctx)
  while err and not by_itself and ctx.parent and not ctx.cut do
    ctx = ctx.parent
    err, by_itself = raw.ctx_ended(ctx)
  end
  if not err then return nil end
  local where = err == context.DeadlineExceeded and "deadline_cause" or "cause_value"
  local cause = rawget(ctx, where)
  if cause == nil then
    cause = raw.ctx_cause(ctx)
    if cause == nil then return err end
    ctx[where] = cause  -- each time the same
  end
  return cause
end

-- When it ends by itself, on weft.time.now's clock; nil without a deadline.
---@return number?
function Context:deadline()
  local ctx = checked(self, "deadline")
  while ctx do
    if rawget(ctx, "at") then return ctx.at end
    if rawget(ctx, "cut") then return nil end
    ctx = rawget(ctx, "parent")
  end
  return nil
end

---@param key any
---@return any
function Context:value(key)
  local ctx = checked(self, "value")
  while ctx do
    if rawget(ctx, "packed") then
      ctx.key, ctx.val = raw.ctx_value(ctx)
      ctx.packed = nil
    end
    if rawget(ctx, "key") ~= nil and rawequal(ctx.key, key) then return ctx.val end
    ctx = rawget(ctx, "parent")
  end
  return nil
end

function Context.__tostring(self)
  return raw.label(self) or ("context (%s)"):format(rawget(self, "root") or raw.ctx_ended(self)
    or "live")
end

return context
