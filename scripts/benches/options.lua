-- SPDX-License-Identifier: MIT
-- The command line of scripts/bench.
local M = {}

M.usage = [[
scripts/bench [OPTION…] [NAME…]

Runs works in weft and their twins in Go, and in Tarantool, with LuaJIT's bare coroutines and in C
on libuv where these can do them, in turns. Prints the medians over the rounds, 10th to 90th
percentile, and the median of the rounds' ratios weft/Go (weft/libuv in rows that say so) beside
its target: the ratio that must be reached, and the goal. Installs what is missing (Debian
packages) and builds what is measured.

NAME               a row, or how the names of some begin; without one, all
--list             the rows and what they measure
--rounds N         how often each program is run (default 5, with --quick 3; rows that take
                   seconds at most 3 times, with --quick 2)
--quick            shorter runs, and 100,000 where a row says 1M: within a minute
--workers N[,N…]   each row once for each of these numbers of cores: weft with so many workers, Go
                   with as many threads
--check            status 1 when a target that must be reached is missed
--markdown         the table for README.md, on standard output
--json FILE        everything measured, as JSON (-: standard output)
--plot FILE        the ratios as an SVG drawing (-: standard output)
--without SYSTEM   leaves a column out: go, tarantool, luajit or uv (libuv); may be repeated
--weft FILE        measures this weft, and builds none

Status: 0; 1 when a row could not be measured or is refused (the programs' checksums differ), or by
--check; 64 when the command line is wrong.
]]

local WRONG = 64

local function fail(text, ...)
  io.stderr:write("scripts/bench: ", text:format(...), "\n")
  os.exit(WRONG)
end

local FLAGS = { ["--list"] = "list", ["--quick"] = "quick", ["--check"] = "check",
  ["--markdown"] = "markdown", ["--help"] = "help", ["-h"] = "help", ["--plan"] = "plan" }
local VALUES = { ["--rounds"] = "rounds", ["--json"] = "json", ["--plot"] = "plot",
  ["--without"] = "without", ["--weft"] = "weft", ["--workers"] = "workers" }
local OPTIONAL = { go = true, tarantool = true, luajit = true, uv = true }

local SET = {}

local function whole(option, value, most)
  local n = tonumber(value)
  if not n or n < 1 or n > most or n % 1 ~= 0 then
    fail("%s takes a whole number from 1 to %d, not %s", option, most, value)
  end
  return n
end

function SET.rounds(options, value) options.rounds = whole("--rounds", value, 1000) end

function SET.workers(options, value)
  options.workers = {}
  for n in (value .. ","):gmatch("(.-),") do
    table.insert(options.workers, whole("--workers", n, 1024))
  end
end

function SET.without(options, value)
  if not OPTIONAL[value] then
    fail("--without takes go, tarantool, luajit or uv, not %s", value)
  end
  options.without[value] = true
end

function SET.weft(options, value)
  local file = io.open(value)
  if not file then fail("there is no file %s", value) end
  file:close()
  -- Without a slash it would be looked for among the commands.
  options.weft = value:find("/", 1, true) and value or "./" .. value
end

function SET.json(options, value) options.json = value end
function SET.plot(options, value) options.plot = value end

-- The rows that a name means: the one that is called so, or all whose names begin so.
local function mark_rows(rows, name, wanted)
  local found = false
  for _, exact in ipairs { true, false } do
    for _, row in ipairs(rows) do
      local hit = exact and row.name == name or not exact and row.name:sub(1, #name) == name
      if hit then wanted[row], found = true, true end
    end
    if found then return end
  end
  fail("there is no row %s; --list shows them", name)
end

-- In the table's order, whatever the order of the names.
local function select_rows(rows, names)
  if #names == 0 then return rows end
  local wanted, list = {}, {}
  for _, name in ipairs(names) do mark_rows(rows, name, wanted) end
  for _, row in ipairs(rows) do
    if wanted[row] then list[#list + 1] = row end
  end
  return list
end

-- The rows, once for each number of workers.
local function multiply(rows, counts)
  local list = {}
  for _, row in ipairs(rows) do
    for _, workers in ipairs(counts) do
      local copy = {}
      for key, value in pairs(row) do copy[key] = value end
      copy.name = ("%s@%d"):format(row.name, workers)
      copy.text = ("%s; workers: %d"):format(row.text, workers)
      copy.workers = workers
      list[#list + 1] = copy
    end
  end
  return list
end

local function check_together(options)
  local outputs = (options.markdown and 1 or 0) + (options.json == "-" and 1 or 0) +
    (options.plot == "-" and 1 or 0)
  if outputs > 1 then
    fail("only one of --markdown, --json - and --plot - can have the standard output")
  end
  if options.without.go and (options.check or options.plot) then
    fail("--check and --plot are about Go: not with --without go")
  end
end

-- The options as a table, with the rows that are wanted in .rows. Ends the program where the
-- command line is wrong.
function M.parse(args, rows)
  local options, names, i = { without = {} }, {}, 1
  while args[i] do
    local word = args[i]
    local option, value = word:match("^(%-%-[%w-]+)=(.*)$")
    if FLAGS[word] then
      options[FLAGS[word]] = true
    elseif VALUES[option or word] then
      if not option then
        i = i + 1
        option, value = word, args[i]
      end
      if value == nil or value == "" then fail("%s needs a value", option) end
      SET[VALUES[option]](options, value)
    elseif word:sub(1, 1) == "-" then
      fail("there is no option %s; --help shows them", word)
    else
      names[#names + 1] = word
    end
    i = i + 1
  end
  options.rows = select_rows(rows, names)
  if options.workers then options.rows = multiply(options.rows, options.workers) end
  check_together(options)
  options.rounds = options.rounds or (options.quick and 3 or 5)
  options.slow_rounds = math.min(options.rounds, options.quick and 2 or 3)
  options.seconds = options.quick and 0.05 or 0.3
  return options
end

return M
