-- SPDX-License-Identifier: MIT
-- What Lua has to do with a task's own context (runtime/conc/scope.h): raise after a wait that it
-- has ended, as C functions have no continuation there. Comes before all that takes functions out
-- of the raw table.
local _, raw = ...

local ENDED, raise, scoped = raw.ENDED, raw.scope_raise, raw.scoped
local each, pcall = next, pcall

local M = {}

-- The doors that may wait for the caller's context, as the raw table names them; all of them give
-- nil and an error, and nothing more, when it ends.
local DOORS = { "sleep", "queue_wait", "latch_take", "latch_wait", "cond_wait", "call_wait",
  "process_wait", "watch_wait" }

local function settle(...)
  local _, err, mark = ...
  if mark == ENDED then raise(err) end
  return ...
end

-- The door with a Lua frame around it.
local function framed(door)
  return function(...) return settle(door(...)) end
end

-- The doors themselves, for who has something to do before it raises.
M.bare = {}

for _, name in each, DOORS do
  M.bare[name], raw[name] = raw[name], framed(raw[name])
end

-- What a wait has ended with, when it is no value: raises the error of the task's own context.
function M.check(err, mark)
  if mark == ENDED then raise(err) end
end

-- What is to be done before the first task of the VM gets a context of its own.
local pending = {}

function M.before_first(fn) pending[#pending + 1] = fn end

-- The running task gets `ctx` as its own context; what is returned is for raw.scope_leave.
function M.enter(ctx)
  for i = #pending, 1, -1 do
    pending[i]()
    pending[i] = nil
  end
  return raw.scope_enter(ctx)
end

-- An isolated task that was started under a context. It keeps that to its end.
function raw.run_under(ctx, fn, ...)
  M.enter(ctx)
  return fn(...)
end

-- The rest of the task is clean-up, which its own context does not stop.
local function shield()
  local context = raw.require "weft.context"
  M.enter(context.without_cancel(raw.scope_context()))
end

function M.shield()
  if scoped[1] and not pcall(shield) then raw.scope_drop() end
end

return M
