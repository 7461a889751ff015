-- SPDX-License-Identifier: MIT
-- Lines of a log come in, at times many, at times none; they are parsed and stored in batches: as
-- soon as there are ten, or, when it is quiet, some time after the first of them. So the store is
-- called rarely, and still nothing waits for long.
--
-- Where the lines come from is one function (a socket's lines would do as well).

local weft = require "weft"
local pipeline = require "weft.pipeline"

local BATCH, SECONDS = 10, 0.02

-- Two bursts with a pause between them, and a broken line.
local function lines()
  local n = 0
  return function()
    n = n + 1
    if n == 26 then weft.sleep(5 * SECONDS) end
    if n == 13 then return "?? broken" end
    local level = n % 5 == 0 and "warn" or "info"
    if n <= 30 then return ("%s request %d took %d ms"):format(level, n, n) end
  end
end

local function parse(line)
  local level, id, ms = line:match "^(%a+) request (%d+) took (%d+) ms$"
  if not level then return nil, "not a line of the log" end
  return { level = level, id = tonumber(id), ms = tonumber(ms) }
end

local rejected = {}
local entries = pipeline.map(pipeline.from(lines()), parse, {
  on_error = function(err, line) rejected[#rejected + 1] = line .. ": " .. err end,
})

local stored = { info = 0, warn = 0 }
for batch in pipeline.batch(entries, BATCH, SECONDS) do
  for _, entry in ipairs(batch) do stored[entry.level] = stored[entry.level] + 1 end
  print(("stored %d entries, %d to %d"):format(#batch, batch[1].id, batch[#batch].id))
end
print(("%d info, %d warn; rejected: %s"):format(stored.info, stored.warn,
  table.concat(rejected, "; ")))
