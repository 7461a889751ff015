-- SPDX-License-Identifier: MIT
-- The end of a task: its deferred calls.
local _, raw = ...

local xpcall, unpack, select = xpcall, unpack, select

local scope = raw.import "scope"

local M = {}

local function fix(ok, ...)
  if not ok and ... == "error in error handling" then return false, "stack overflow" end
  return ok, ...
end

-- As pcall, but an error keeps the stack that it came from for the report of a panic, should it
-- become one. (At the stack's limit there is no room for the handler that sees to that.)
function M.protect(fn, ...)
  return fix(xpcall(fn, raw.note_stack, ...))
end

-- What becomes of an error in the task of a Future; internal/future.lua sets it.
M.catch = nil

-- Runs the calls in `list`, last one first, those included that they defer themselves. When the
-- task has failed, error and traceback come along, and go to the Future or back to the caller.
function M.run_defers(list, ...)
  local future = list and list.future
  if list then scope.shield() end
  while list do
    for i = #list, 1, -1 do
      local call = list[i]
      list[i] = nil
      local ok, err = M.protect(call[1], unpack(call, 2, call.n))
      if not ok then
        raw.log(("weft: a deferred call failed: %s\n%s\n"):format(raw.error_text(err),
          raw.error_path(err)))
      end
    end
    list = raw.take_defers()
  end
  if future and select("#", ...) > 0 then return M.catch(future, ...) end
  return ...
end

-- The end of the program, and the deferred calls of a failed task have not come to theirs.
local function overdue(list)
  if not list.future then return list.err, list.trace end
  M.catch(list.future, list.err, list.trace)
end

-- What becomes of those who await a task that is reclaimed; internal/future.lua sets it.
M.forsake = nil

-- function -> { handler, how many values } (runtime/task/unwind.h)
local landings = { [M.protect] = true }

-- fn calls `handler` with n values and what `protect` returns, or run_defers. When a task is
-- reclaimed in there, the handler is called all the same.
function M.lands(fn, handler, n) landings[fn] = { handler, n } end

local function unwind(calls, why)
  for i = 1, calls and #calls or 0 do
    local call = calls[i]
    call[call.n + 1], call[call.n + 2] = false, why
    local ok, err = M.protect(call[1], unpack(call, 2, call.n + 2))
    if not ok and err ~= why then
      raw.log(("weft: clean-up of a reclaimed task failed: %s\n"):format(raw.error_text(err)))
    end
  end
end

-- The last turn of a task that nothing could wake: the clean-up of the calls that it was in, and
-- its deferred calls, those in `list` when it was in the middle of them. `outer` is then the
-- clean-up of the calls around that. A failed task has its failure in the list: it goes its way.
local function reclaim(list, inner, outer, failed, why, trace)
  unwind(inner, why)
  list = list or raw.take_defers()
  if failed then return M.run_defers(list, list.err, list.trace) end
  local future = list and list.future
  M.run_defers(list)
  unwind(outer, why)
  if future then M.forsake(future, why, trace) end
end

raw.set_run_defers(M.run_defers, overdue, reclaim, landings)

return M
