-- SPDX-License-Identifier: MIT
-- What every VM needs before any script runs: coroutines and `require` that let a task block
-- inside, and the start of a main chunk.
local _, raw = ...

raw.import "scope"
raw.import "coroutine"
raw.import "task"
raw.import "require"
raw.import "report"
raw.import "chan"
raw.import "select"
raw.import "future"

-- The main task of the weft command: the modules of -l, then the script.
function raw.start(requires, main, ...)
  for i = 1, requires and #requires or 0 do
    local name = requires[i]
    if not raw.find_module(name) then
      return raw.fail_to_load(("module '%s' not found"):format(name))
    end
    raw.require(name)
  end
  return main(...)
end

return true
