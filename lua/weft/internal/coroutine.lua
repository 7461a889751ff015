-- SPDX-License-Identifier: MIT
-- User coroutines inside tasks. A blocking call deep in a coroutine suspends the whole task: the
-- frames here pass the suspension on (PARKED) and go back in when the task is woken. Everything
-- else is stock behaviour. runtime/lib/coroutine.c is the other half; its stack traces find the
-- inner coroutine as the first local of `settle` and `settle_wrapped`.
local _, raw = ...

local resume, continue, suspend = raw.resume, raw.continue, raw.suspend
local rethrow, bad_arg = raw.rethrow, raw.bad_arg
local PARKED = raw.PARKED
local type = type
local create, yield, check_yield = coroutine.create, coroutine.yield, raw.check_yield

local function settle(co, ok, ...)
  if ok ~= PARKED then return ok, ... end
  suspend()
  return settle(co, continue(co))
end

function coroutine.resume(co, ...) return settle(co, resume(co, ...)) end

local function settle_wrapped(co, ok, ...)
  if ok == PARKED then
    suspend()
    return settle_wrapped(co, continue(co))
  end
  if ok then return ... end
  return rethrow((...))
end

function coroutine.wrap(fn)
  if type(fn) ~= "function" then bad_arg(1, "wrap", "function", fn) end
  local co = create(fn)
  return function(...) return settle_wrapped(co, resume(co, ...)) end
end

-- The stock one does the yielding: unlike lua_yield it may also be used inside finalisers and
-- debug hooks, by coroutines that live there.
function coroutine.yield(...)
  check_yield()
  return yield(...)
end

coroutine.running = raw.running
coroutine.isyieldable = raw.isyieldable

return true
