-- SPDX-License-Identifier: MIT
-- The rows of the table, in its order. A new one is a line here, weft/NAME.lua and go/NAME.go
-- (and tarantool/NAME.lua or luajit/NAME.lua where these can do it).
--
--   [1], [2]  name; what one operation is
--   n         the size of one pass (harness.lua): some 20 to 50 ms of Go's time; quick: in its place
--             under --quick
--   must      the ratio weft/Go that has to be reached (design, Targets), goal: that is hoped for
--   work      the program, where it is not called like the row
--   figure    which of the program's figures: default `time`, in nanoseconds
--   unit      what is shown: default "ns"; scale: what the figure is multiplied with for that
--   nojit     the same once more with weft's compiler off: {must, goal}, or true for no target
--   absolute  the targets are of weft's own figure, in the row's unit, not of the ratio
local rows = {
  { "pingpong", "unbuffered channels: a value there and back", n = 1e5,
    must = 0.45, goal = 0.28, nojit = { 1.0, 0.6 } },
  { "stream", "unbuffered channel: a value to another task", n = 2e5,
    must = 0.45, goal = 0.28, nojit = { 1.0, 0.6 } },
  { "yield", "two tasks take turns: a turn", n = 3e5,
    must = 0.30, goal = 0.25, nojit = true },
  { "spawn", "start a task, see it finish", n = 1e5,
    must = 0.15, goal = 0.11, nojit = true },
  { "select2-recv", "select over 2 channels: receive a value", n = 1e5,
    must = 0.50, goal = 0.35, nojit = true },
}

-- Turns a line of the table into a row with all of its fields.
local function complete(line, nojit)
  local targets = { line.must, line.goal }
  if nojit then targets = line.nojit == true and {} or line.nojit end
  return {
    name = line[1] .. (nojit and "-nojit" or ""),
    text = line[2] .. (nojit and ", compiler off" or ""),
    work = line.work or line[1], figure = line.figure or "time", n = line.n,
    quick = line.quick or line.n, unit = line.unit or "ns", scale = line.scale or 1,
    must = targets[1], goal = targets[2], absolute = line.absolute, nojit = nojit,
  }
end

local list = {}
for _, line in ipairs(rows) do list[#list + 1] = complete(line, false) end
for _, line in ipairs(rows) do
  if line.nojit then list[#list + 1] = complete(line, true) end
end
return list
