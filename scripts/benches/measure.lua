-- SPDX-License-Identifier: MIT
-- Runs the programs, in turns, and gathers their figures. What is run together is a group: the
-- rows that come from one work of one size, so that no program runs twice for two of its figures.
local stats = require "stats"

local M = {}

local LIMIT_S = 300  -- for one run of one program

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function exists(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

-- Runs a command: what it printed, or nil and its last words.
local function run(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = quote(word) end
  local command = ("timeout %d %s 2>&1; echo \"status $?\""):format(LIMIT_S, table.concat(quoted, " "))
  local pipe = assert(io.popen(command))
  local text = pipe:read("*a")
  pipe:close()
  local output, status = text:match("^(.*)status (%d+)\n$")
  if status == "0" then return output end
  return nil, ("%s: status %s: %s"):format(words[1]:match("[^/]*$"), status,
    output:gsub("%s+$", ""))
end

-- The systems that can do a work: a list of {system=, variant=, words=}; words: the command.
local function programs_of(group, systems, size, seconds)
  local work, list = group.work, {}
  local function add(system, variant)
    local words = { unpack(systems[system].command) }
    if system == "go" then
      words[#words + 1] = work
    else
      local file = ("%s/%s/%s.lua"):format(systems.folder, system, work)
      if not exists(file) then return end
      words[#words + 1] = file
    end
    words[#words + 1] = ("%d"):format(size)
    words[#words + 1] = tostring(seconds)
    words[#words + 1] = variant
    list[#list + 1] = { system = system, key = system .. (variant or ""), words = words }
  end
  for _, system in ipairs { "weft", "go", "tarantool", "luajit" } do
    if systems[system] and (system ~= "weft" or group.jit) then add(system) end
    if system == "weft" and group.nojit then add(system, "nojit") end
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

-- Runs everything of a group that many times: group.samples[key][figure] = list of values.
local function run_group(group, programs, rounds)
  group.samples = {}
  for round = 1, rounds do
    for i = 1, #programs do
      -- Each begins a round in its turn.
      local program = programs[(i + round) % #programs + 1]
      local figures = run_program(program)
      check_checksums(group, program.key, figures)
      local samples = group.samples[program.key] or {}
      group.samples[program.key] = samples
      for name, figure in pairs(figures) do
        samples[name] = samples[name] or {}
        table.insert(samples[name], figure.value)
      end
    end
  end
end

-- Gathers rows that are measured together.
function M.groups(rows)
  local list, by_key = {}, {}
  for _, row in ipairs(rows) do
    local key = row.work .. " " .. row.n
    if not by_key[key] then
      by_key[key] = { work = row.work, n = row.n, quick = row.quick, rows = {} }
      list[#list + 1] = by_key[key]
    end
    local group = by_key[key]
    table.insert(group.rows, row)
    group.jit = group.jit or not row.nojit
    group.nojit = group.nojit or row.nojit
  end
  return list
end

local function verdict(row, result)
  local reached = row.absolute and result.weft.median or
    result.ratio and result.ratio.median
  if not row.must or not reached then return nil end
  if reached > row.must then return "MISSED" end
  return row.goal and reached <= row.goal and "goal" or "ok"
end

local function row_result(row, group, size)
  local scale = row.scale or 1
  local function samples(key)
    local list = group.samples[key] and group.samples[key][row.figure]
    if not list then return nil end
    local scaled = {}
    for i, value in ipairs(list) do scaled[i] = value * scale end
    return scaled
  end
  local weft, go = samples(row.nojit and "weftnojit" or "weft"), samples "go"
  local result = { row = row, n = size, checksum = group.checksum,
    weft = stats.summary(weft), go = stats.summary(go),
    ratio = go and stats.summary(stats.ratios(weft, go)) }
  if not result.weft then error("weft's program has no figure " .. row.figure, 0) end
  if not row.nojit then
    result.tarantool = stats.summary(samples "tarantool")
    result.luajit = stats.summary(samples "luajit")
  end
  result.verdict = verdict(row, result)
  return result
end

-- Measures a group: a list of results, one for each row: {row=, n=, checksum=, weft=, go=, ratio=,
-- tarantool=, luajit=, verdict=}, or {row=, refused=why}.
function M.group(group, systems, options)
  local size = options.quick and group.quick or group.n
  local programs = programs_of(group, systems, size, options.seconds)
  local ok, why = pcall(run_group, group, programs, options.rounds)
  local results = {}
  for i, row in ipairs(group.rows) do
    local fine, result = ok, why
    if fine then fine, result = pcall(row_result, row, group, size) end
    results[i] = fine and result or { row = row, refused = result }
  end
  return results
end

return M
