-- SPDX-License-Identifier: MIT
-- The driver behind scripts/bench: luajit main.lua [--plan] ARG…
--
-- With --plan it only looks at the command line, and prints `plan:` with what has to be there, for
-- scripts/bench to install and build.
local folder = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = folder .. "/?.lua;" .. package.path

local rows = require "rows"
local report = require "report"
local system_facts = require "facts"
local measure = require "measure"
local options = require "options"

local function print_plan(opts)
  local parts = {}
  if not opts.weft then parts[#parts + 1] = "weft" end
  for _, row in ipairs(opts.rows) do
    if row.conns or row.names then
      parts[#parts + 1] = "c"
      break
    end
  end
  for _, name in ipairs { "go", "tarantool" } do
    if not opts.without[name] then parts[#parts + 1] = name end
  end
  print("plan: " .. table.concat(parts, " "))
end

local function print_list(list)
  for _, row in ipairs(list) do print(("%-18s %s"):format(row.name, row.text)) end
end

-- Opened before anything is measured: minutes later is too late for a wrong name.
local function open_output(path)
  if not path then return nil end
  if path == "-" then return io.stdout end
  local file, why = io.open(path, "w")
  if not file then
    io.stderr:write("scripts/bench: cannot write ", why, "\n")
    os.exit(1)
  end
  return file
end

-- Measures everything, and writes the table line by line: the results, and how many of each kind.
local function measure_all(opts, facts, systems, out)
  local function say(text)
    out:write(text, "\n")
    out:flush()
  end
  for _, text in ipairs(report.context(facts)) do say(text) end
  say(report.header())
  local results = {}
  for _, group in ipairs(measure.groups(opts.rows)) do
    for _, result in ipairs(measure.group(group, systems, opts)) do
      results[#results + 1] = result
      if result.refused then io.stderr:write("scripts/bench: ", report.refusal(result), "\n") end
      if not result.refused then say(report.line(result)) end
    end
  end
  local text, count = report.summary(results)
  say(text)
  return results, count
end

local function main()
  local opts = options.parse(arg, rows)
  if opts.help then return io.stdout:write(options.usage) end
  if opts.list then return print_list(opts.rows) end
  if opts.plan then return print_plan(opts) end
  local json, plot = open_output(opts.json), open_output(opts.plot)
  local piped = opts.markdown or json == io.stdout or plot == io.stdout
  local systems = system_facts.systems(opts, folder)
  local facts = system_facts.gather(systems, opts, arg)
  local results, count = measure_all(opts, facts, systems, piped and io.stderr or io.stdout)
  if opts.markdown then io.stdout:write(report.markdown(results, facts)) end
  if json then json:write(require("json").encode(report.data(results, facts))) end
  if plot then plot:write(require("plot").draw(results, facts)) end
  if count.refused > 0 or opts.check and count.missed > 0 then os.exit(1, true) end
end

main()
