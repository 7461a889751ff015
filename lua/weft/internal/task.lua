-- SPDX-License-Identifier: MIT
-- The end of a task: its deferred calls.
local _, raw = ...

local xpcall, unpack = xpcall, unpack

local M = {}

-- A handler for xpcall that keeps the error's stack: {error, traceback}.
function M.with_trace(err)
  return { err, raw.error_path(err) .. raw.traceback(2) }
end

-- The error and traceback of what with_trace returned; xpcall gives something else when the handler
-- itself could not run.
function M.open_trace(box)
  if type(box) == "table" and box[2] then return box[1], box[2] end
  return box, "stack traceback:\n\t(not available)"
end

-- Runs the calls in `list`, last one first, those included that they defer themselves. Returns
-- what it was given besides.
function M.run_defers(list, ...)
  while list do
    for i = #list, 1, -1 do
      local call = list[i]
      list[i] = nil
      local ok, box = xpcall(call[1], M.with_trace, unpack(call, 2, call.n))
      if not ok then
        local err, trace = M.open_trace(box)
        raw.log(("weft: a deferred call failed: %s\n%s\n"):format(raw.error_text(err), trace))
      end
    end
    list = raw.take_defers()
  end
  return ...
end

raw.set_run_defers(M.run_defers)

return M
