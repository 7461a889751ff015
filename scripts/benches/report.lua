-- SPDX-License-Identifier: MIT
-- The results as text: the table on the terminal, line by line, and the one for README.md; and as
-- one Lua table, for JSON.
local M = {}

local ORDER = { "weft", "go", "tarantool", "luajit", "uv" }

-- Three digits that mean something.
local function number(value)
  if value >= 99.95 then return ("%.0f"):format(value) end
  if value >= 9.995 then return ("%.1f"):format(value) end
  return ("%.2f"):format(value)
end

local function value(summary) return summary and number(summary.median) or "–" end
local function spread(summary)
  return summary and number(summary.p10) .. "–" .. number(summary.p90) or "–"
end
local function ratio(summary) return summary and ("%.2f"):format(summary.median) or "–" end
local function target(row, bound)
  if not bound then return "–" end
  return row.absolute and ("%g %s"):format(bound, row.unit) or ("%.2f"):format(bound)
end

-- Fills up with spaces, on the right where the width is negative. A dash is one column, but three
-- bytes.
local function pad(text, width)
  local _, continuation_bytes = text:gsub("[\128-\191]", "")
  local space = (" "):rep(math.abs(width) - (#text - continuation_bytes))
  return width < 0 and text .. space or space .. text
end

local WIDTHS = { -18, -2, 7, 13, 7, 13, 7, 6, 6, -7, 9, 7, 7 }

local function line(cells)
  local padded = {}
  for i, cell in ipairs(cells) do padded[i] = pad(cell, WIDTHS[i]) end
  return (table.concat(padded, " "):gsub("%s+$", ""))
end

function M.header()
  return line { "", "", "weft", "10–90 %", "Go", "10–90 %", "weft/Go", "must", "goal", "",
    "Tarantool", "LuaJIT", "libuv" }
end

local MARKS = { missed = "MISSED", reached = "ok", goal = "goal" }

function M.line(result)
  local row = result.row
  return line { row.name, row.unit, value(result.weft), spread(result.weft), value(result.go),
    spread(result.go), ratio(result.ratio), target(row, row.must), target(row, row.goal),
    MARKS[result.verdict] or "", value(result.tarantool), value(result.luajit),
    value(result.uv) }
end

function M.refusal(result)
  return ("%s is refused: %s"):format(result.row.name, result.refused)
end

-- What was measured, on what, with what, how: lines of text.
function M.context(facts)
  local systems = {}
  for _, name in ipairs(ORDER) do systems[#systems + 1] = facts.versions[name] end
  local slow = facts.slow_rounds < facts.rounds and
    (", %d where one takes seconds"):format(facts.slow_rounds) or ""
  return {
    ("%s, %d cores, load %.2f at the start."):format(facts.cpu, facts.cores, facts.load),
    table.concat(systems, ", ") .. ".",
    ("%s, `%s`."):format(facts.date, facts.command),
    ("Medians of %d rounds%s; weft/Go is the median of the rounds' ratios.%s"):format(
      facts.rounds, slow, facts.quick and " Quick: 100,000 where a row says 1M." or ""),
  }
end

-- A line that counts the verdicts, and the counts.
function M.summary(results)
  local count = { missed = 0, reached = 0, goal = 0, refused = 0 }
  for _, result in ipairs(results) do
    local kind = result.refused and "refused" or result.verdict
    if kind then count[kind] = count[kind] + 1 end
  end
  return ("%d targets missed, %d reached (%d of them with the goal), %d rows refused"):format(
    count.missed, count.reached + count.goal, count.goal, count.refused), count
end

-- Everything, as one table.
function M.data(results, facts)
  local rows = {}
  for i, result in ipairs(results) do
    local row = result.row
    rows[i] = {
      name = row.name, text = row.text, unit = row.unit, must = row.must, goal = row.goal,
      target_is = row.must and (row.absolute and "absolute" or "ratio") or nil,
      refused = result.refused, verdict = result.verdict, n = result.n,
      checksum = result.checksum, weft = result.weft, go = result.go, ratio = result.ratio,
      tarantool = result.tarantool, luajit = result.luajit, uv = result.uv,
    }
  end
  return { facts = facts, rows = rows }
end

local function markdown_line(cells) return "| " .. table.concat(cells, " | ") .. " |" end

local VERDICTS = { missed = "**missed**", reached = "reached", goal = "goal reached" }
local HEADS = { tarantool = "Tarantool", luajit = "LuaJIT alone", uv = "libuv alone" }

local function markdown_row(result, others)
  local row = result.row
  local function cell(summary) return summary and value(summary) .. " " .. row.unit or "–" end
  local cells = { row.text, cell(result.weft), cell(result.go), ratio(result.ratio),
    target(row, row.must), target(row, row.goal), VERDICTS[result.verdict] or "" }
  for _, name in ipairs(others) do cells[#cells + 1] = cell(result[name]) end
  return markdown_line(cells)
end

-- The table for README.md; columns of systems that were left out are not there, nor libuv's where
-- no row has one.
function M.markdown(results, facts)
  local others, head = {}, { "", "weft", "Go", "weft/Go", "must", "goal", "" }
  local rule = { "---", "---:", "---:", "---:", "---:", "---:", "---" }
  local function has(name)
    for _, result in ipairs(results) do
      if result[name] then return true end
    end
    return name ~= "uv" and facts.versions[name]
  end
  for _, name in ipairs { "tarantool", "luajit", "uv" } do
    if has(name) then
      others[#others + 1] = name
      head[#head + 1] = HEADS[name]
      rule[#rule + 1] = "---:"
    end
  end
  local lines = { markdown_line(head), markdown_line(rule) }
  for _, result in ipairs(results) do
    if not result.refused then lines[#lines + 1] = markdown_row(result, others) end
  end
  lines[#lines + 1] = ""
  for _, text in ipairs(M.context(facts)) do lines[#lines + 1] = text end
  return table.concat(lines, "\n") .. "\n"
end

return M
