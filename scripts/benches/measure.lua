-- SPDX-License-Identifier: MIT
-- Runs the programs, in turns, and gathers their figures. What is run together is a group: the
-- rows that come from one work of one size, so that no program runs twice for two of its figures.
local stats = require "stats"

local M = {}

local ORDER = { "weft", "go", "tarantool", "luajit", "uv" }
local LIMIT_S = 300  -- for one run of one program

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

-- Runs a command: what it printed, or nil and its last words.
local function run(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = quote(word) end
  local pipe = assert(io.popen(("timeout %d %s 2>&1; echo \"status $?\"")
    :format(LIMIT_S, table.concat(quoted, " "))))
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.*)status (%d+)\n$")
  if status == "0" then return output end
  return nil, ("%s: status %s: %s"):format(words[1]:match("[^/]*$"), status,
    output:gsub("%s+$", ""))
end

local function append(words, ...)
  for i = 1, select("#", ...) do words[#words + 1] = (select(i, ...)) end
  return words
end

-- The command that drives a system's server: `arg` cores, 0: all of them.
local function serving(group, system, work, size)
  local cores = group.workers or (group.arg > 0 and group.arg or system.cores)
  local server = append({ unpack(system.command) }, work, "0", ("%d"):format(cores), "0")
  return append({ unpack(system.load) }, ("%d"):format(group.conns), ("%d"):format(group.bytes),
    ("%d"):format(size), unpack(system.with_workers(server, cores)))
end

-- The command that does a group's work under a system, or nil where that cannot do it.
local function command_of(group, system, size, seconds)
  if group.workers and not system.with_workers then return nil end
  local function start(words)
    return group.workers and system.with_workers(words, group.workers) or { unpack(words) }
  end
  if group.launch then
    if not system.empty then return nil end
    return append({ unpack(system.launch) }, ("%d"):format(size), unpack(start(system.empty)))
  end
  local work = system.find(group.work)
  if not work then return nil end
  if group.conns then return serving(group, system, work, size) end
  local words = append(start(system.command), work, ("%d"):format(size), ("%d"):format(group.arg),
    tostring(seconds))
  return group.names and append({ unpack(system.names) }, unpack(words)) or words
end

-- What runs in every round: a list of {key = system, with "nojit" for that variant; words = the
-- command}.
local function programs_of(group, systems, size, seconds)
  local list = {}
  for _, name in ipairs(ORDER) do
    local words = systems[name] and name ~= group.without and
      command_of(group, systems[name], size, seconds)
    if words and (name ~= "weft" or group.jit) then
      list[#list + 1] = { key = name, words = words }
    end
    if words and name == "weft" and group.nojit then
      list[#list + 1] = { key = "weft nojit", words = append({ unpack(words) }, "nojit") }
    end
  end
  return list
end

-- One run of a program: figure -> {value=, checksum=}.
local function run_program(program)
  local output, why = run(program.words)
  if not output then error(why, 0) end
  local figures = {}
  for line in output:gmatch("[^\n]+") do
    local name, value, checksum = line:match("^(%S+) (%S+) (%S+) %d+$")
    if not tonumber(value) then error(("%s printed %q"):format(program.key, line), 0) end
    figures[name] = { value = tonumber(value), checksum = checksum }
  end
  return figures
end

local function check_checksums(group, key, figures)
  for _, figure in pairs(figures) do
    group.checksum = group.checksum or figure.checksum
    group.checksum_of = group.checksum_of or key
    if figure.checksum ~= group.checksum then
      error(("the checksums differ: %s %s, %s %s"):format(group.checksum_of, group.checksum,
        key, figure.checksum), 0)
    end
  end
end

-- Runs every program of a group in every round: group.samples[key][figure] = list of values.
local function run_group(group, programs, rounds)
  group.samples = {}
  for round = 1, rounds do
    for i = 1, #programs do
      -- Each begins a round in its turn.
      local program = programs[(i + round - 2) % #programs + 1]
      local figures = run_program(program)
      check_checksums(group, program.key, figures)
      local samples = group.samples[program.key] or {}
      group.samples[program.key] = samples
      for name, figure in pairs(figures) do
        samples[name] = append(samples[name] or {}, figure.value)
      end
    end
  end
end

-- Puts together the rows that are measured together.
function M.groups(rows)
  local list, by_key = {}, {}
  for _, row in ipairs(rows) do
    local key = ("%s %d %d %d %d %d"):format(row.work, row.n, row.arg, row.conns or 0,
      row.bytes or 0, row.workers or 0)
    local group = by_key[key]
    if not group then
      group = { rows = {} }
      for _, field in ipairs { "work", "n", "quick", "arg", "slow", "without", "launch",
        "workers", "conns", "bytes", "names" } do
        group[field] = row[field]
      end
      by_key[key] = group
      list[#list + 1] = group
    end
    append(group.rows, row)
    group.jit = group.jit or not row.nojit
    group.nojit = group.nojit or row.nojit
  end
  return list
end

local function verdict(row, result)
  local reached = row.absolute and result.weft.median or
    result.ratio and result.ratio.median
  if not row.must or not reached then return nil end
  local sign = row.more and -1 or 1
  if sign * reached > sign * row.must then return "missed" end
  return row.goal and sign * reached <= sign * row.goal and "goal" or "reached"
end

local function row_result(row, group, size)
  local function samples(key)
    local values = group.samples[key] and group.samples[key][row.figure]
    if not values then return nil end
    local scaled = {}
    for i, value in ipairs(values) do scaled[i] = value * row.scale end
    return scaled
  end
  local weft, go = samples(row.nojit and "weft nojit" or "weft"), samples "go"
  if not weft then error("weft's program has no figure " .. row.figure, 0) end
  local other = go
  if row.against then other = samples(row.against) end
  local result = { row = row, n = size, checksum = group.checksum,
    weft = stats.summary(weft), go = stats.summary(go),
    ratio = other and stats.summary(stats.ratios(weft, other)) }
  if not row.nojit then
    result.tarantool = stats.summary(samples "tarantool")
    result.luajit = stats.summary(samples "luajit")
    result.uv = stats.summary(samples "uv")
  end
  result.verdict = verdict(row, result)
  return result
end

-- Measures a group: a list of results, one for each row: {row=, n=, checksum=, weft=, go=, ratio=,
-- tarantool=, luajit=, uv=, verdict= "missed", "reached", "goal" or nil}, or {row=, refused=why}.
function M.group(group, systems, options)
  local size = options.quick and group.quick or group.n
  local programs = programs_of(group, systems, size, options.seconds)
  local rounds = group.slow and options.slow_rounds or options.rounds
  local ok, why = pcall(run_group, group, programs, rounds)
  local results = {}
  for i, row in ipairs(group.rows) do
    local fine, result = ok, why
    if fine then fine, result = pcall(row_result, row, group, size) end
    results[i] = fine and result or { row = row, refused = result }
  end
  return results
end

return M
