-- SPDX-License-Identifier: MIT
-- Background tasks that fail now and then are started again, after a pause; one that fails all the
-- time ends the supervisor, and with it all the others, in good order.

local weft = require "weft"
local supervisor = require "weft.supervisor"

-- A reader that loses its connection twice.
local lost = 0
local function reader(ctx, out)
  for n = 1, 3 do
    if not weft.sleep(0.005, ctx) then return end
    if n == 2 and lost < 2 then
      lost = lost + 1
      error("connection lost", 0)
    end
    out:send("line " .. n)
  end
  out:close() -- it has finished: nobody starts it again
end

-- Counts what it gets, until there is no more.
local count = 0
local function writer(_, lines)
  for _ in lines do count = count + 1 end
end

local lines = weft.chan()
local s = supervisor.new { backoff = 0.01, max_restarts = 5, within = 1 }
s:add("reader", reader, lines)
s:add("writer", writer, lines)
print("run:", s:run())
print(("%d lines, though the connection was lost %d times"):format(count, lost))

-- A worker that cannot work, and one that depends on it. They start again together: that is what
-- rest_for_one means.
local starts = { database = 0, cache = 0 }
local two = supervisor.new { strategy = "rest_for_one", max_restarts = 2, within = 60 }
two:add("database", function(ctx)
  starts.database = starts.database + 1
  if not weft.sleep(0.005, ctx) then return end
  return nil, "the disk is full"
end)
two:add("cache", function(ctx)
  starts.cache = starts.cache + 1
  ctx:done():recv() -- works until it is told to stop
end)
print("run:", two:run())
print(("started: database %d, cache %d times; tasks left: %d"):format(starts.database,
  starts.cache, weft.ntasks() - 1))
