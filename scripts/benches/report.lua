-- SPDX-License-Identifier: MIT
-- The results as text: the table on the terminal, line by line, and the one for README.md.
local M = {}

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

-- printf counts bytes, and a dash is three.
local function pad(text, width)
  local _, continuation = text:gsub("[\128-\191]", "")
  local missing = math.abs(width) - (#text - continuation)
  local space = (" "):rep(math.max(missing, 0))
  return width < 0 and text .. space or space .. text
end

local WIDTHS = { -18, -3, 7, 12, 7, 12, 7, 6, 6, -7, 9, 8 }

local function line(cells)
  local padded = {}
  for i, cell in ipairs(cells) do padded[i] = pad(cell, WIDTHS[i]) end
  return (table.concat(padded, " "):gsub("%s+$", ""))
end

function M.header()
  return line { "", "", "weft", "10–90 %", "Go", "10–90 %", "weft/Go", "must", "goal", "",
    "Tarantool", "LuaJIT" }
end

local MARKS = { MISSED = "MISSED", goal = "goal", ok = "ok" }

function M.line(result)
  local row = result.row
  if result.refused then return ("%s: refused: %s"):format(row.name, result.refused) end
  return line { row.name, row.unit, value(result.weft), spread(result.weft), value(result.go),
    spread(result.go), ratio(result.ratio), target(row, row.must), target(row, row.goal),
    MARKS[result.verdict] or "", value(result.tarantool), value(result.luajit) }
end

-- What was measured, on what, with what: lines of text.
function M.context(facts)
  local systems = {}
  for _, name in ipairs { "weft", "go", "tarantool", "luajit" } do
    systems[#systems + 1] = facts.versions[name]
  end
  return {
    ("%s, %d cores; load at the start %s"):format(facts.cpu, facts.cores, facts.load),
    table.concat(systems, "; "),
    ("medians of %d rounds; weft/Go: median of the rounds' ratios; %s; %s"):format(facts.rounds,
      facts.date, facts.command),
  }
end

-- What was left out or went wrong, for the end of a table.
function M.summary(results)
  local count = { MISSED = 0, ok = 0, goal = 0, refused = 0 }
  for _, result in ipairs(results) do
    local kind = result.refused and "refused" or result.verdict
    if kind then count[kind] = count[kind] + 1 end
  end
  return ("%d targets missed, %d reached, %d of them the goal too; %d rows refused"):format(
    count.MISSED, count.ok + count.goal, count.goal, count.refused), count
end

-- The results as one table, for JSON.
function M.data(results, facts)
  local rows = {}
  for i, result in ipairs(results) do
    local row = result.row
    rows[i] = {
      name = row.name, text = row.text, unit = row.unit, must = row.must, goal = row.goal,
      target_is = row.must and (row.absolute and "absolute" or "ratio") or nil,
      refused = result.refused, verdict = result.verdict, n = result.n,
      checksum = result.checksum, weft = result.weft, go = result.go, ratio = result.ratio,
      tarantool = result.tarantool, luajit = result.luajit,
    }
  end
  return { facts = facts, rows = rows }
end

local function markdown_row(cells) return "| " .. table.concat(cells, " | ") .. " |" end

local VERDICTS = { MISSED = "**missed**", ok = "reached", goal = "goal reached" }

-- The table for README.md; columns that nobody has are left out.
function M.markdown(results, facts)
  local others = {}
  for _, name in ipairs { "tarantool", "luajit" } do
    if facts.versions[name] then others[#others + 1] = name end
  end
  local head = { "", "weft", "Go", "weft/Go", "must", "goal", "" }
  local rule = { "---", "---:", "---:", "---:", "---:", "---:", "---" }
  for _, name in ipairs(others) do
    head[#head + 1] = name == "tarantool" and "Tarantool" or "LuaJIT alone"
    rule[#rule + 1] = "---:"
  end
  local lines = { markdown_row(head), markdown_row(rule) }
  for _, result in ipairs(results) do
    local row = result.row
    if not result.refused then
      local function cell(summary)
        return summary and number(summary.median) .. " " .. row.unit or "–"
      end
      local cells = { row.text, cell(result.weft), cell(result.go), ratio(result.ratio),
        target(row, row.must), target(row, row.goal), VERDICTS[result.verdict] or "" }
      for _, name in ipairs(others) do cells[#cells + 1] = cell(result[name]) end
      lines[#lines + 1] = markdown_row(cells)
    end
  end
  lines[#lines + 1] = ""
  for _, text in ipairs(M.context(facts)) do lines[#lines + 1] = text end
  return table.concat(lines, "\n") .. "\n"
end

return M
