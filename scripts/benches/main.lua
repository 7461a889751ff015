-- SPDX-License-Identifier: MIT
-- The driver behind scripts/bench: luajit main.lua [--plan] ARG…
--
-- With --plan it only looks at the command line, and prints `plan:` with what has to be there, for
-- scripts/bench to install and build.
local folder = arg[0]:match("^(.*)/[^/]*$") or "."
package.path = folder .. "/?.lua;" .. package.path

local rows = require "rows"
local report = require "report"
local facts_of = require "facts"
local measure = require "measure"
local options = require "options"

local function print_plan(opts)
  local parts = {}
  if not opts.weft then parts[#parts + 1] = "weft" end
  for _, name in ipairs { "go", "tarantool" } do
    if not opts.without[name] then parts[#parts + 1] = name end
  end
  print("plan: " .. table.concat(parts, " "))
end

local function print_list(list)
  for _, row in ipairs(list) do print(("%-18s %s"):format(row.name, row.text)) end
end

local function write_file(path, text)
  if path == "-" then return io.stdout:write(text) end
  local file, why = io.open(path, "w")
  if not file then
    io.stderr:write("scripts/bench: cannot write ", why, "\n")
    os.exit(1)
  end
  file:write(text)
  file:close()
end

-- Where the lines of the running table go: not to where something else is to be read.
local function table_file(opts)
  return (opts.markdown or opts.json == "-" or opts.plot == "-") and io.stderr or io.stdout
end

local function measure_all(opts, facts, systems)
  local out = table_file(opts)
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
      say(report.line(result))
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
  local systems = facts_of.systems(opts, folder)
  local facts = facts_of.gather(systems, opts, arg)
  local results, count = measure_all(opts, facts, systems)
  if opts.markdown then io.stdout:write(report.markdown(results, facts)) end
  if opts.json then write_file(opts.json, require("json").encode(report.data(results, facts))) end
  if opts.plot then write_file(opts.plot, require("plot").draw(results, facts)) end
  if count.refused > 0 or opts.check and count.MISSED > 0 then os.exit(1) end
end

main()
