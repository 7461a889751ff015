-- SPDX-License-Identifier: MIT
-- Draws the ratios weft/Go as an SVG: a bar from 1 for each row, on a logarithmic scale, with its
-- 10th to 90th percentile, and its targets as ticks.
local report = require "report"

local M = {}

local WIDTH, LEFT, RIGHT, TOP, ROW, BAR = 980, 424, 900, 92, 22, 12
local COLUMNS = 140
local COLOR = { goal = "#1b7f5c", reached = "#3f7fbf", missed = "#c8443c", none = "#8b919a" }
local INK, FAINT = "#1f2328", "#d5d9de"
local STEPS = { 1, 2, 5 }

local function escape(text)
  return (text:gsub("[&<>\"]", { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;",
    ['"'] = "&quot;" }))
end

-- An element: element("rect", {x = 1, fill = "red"}); text makes it one with content.
local function element(name, attributes, text)
  local keys, parts = {}, { "<" .. name }
  for key in pairs(attributes) do keys[#keys + 1] = key end
  table.sort(keys)
  for _, key in ipairs(keys) do
    local value = attributes[key]
    if type(value) == "number" then value = ("%.6g"):format(value) end
    parts[#parts + 1] = (' %s="%s"'):format(key, escape(value))
  end
  parts[#parts + 1] = text and ">" .. escape(text) .. "</" .. name .. ">" or "/>"
  return table.concat(parts)
end

local function label(x, y, text, more)
  local attributes = { x = x, y = y, fill = INK, ["font-size"] = 12 }
  for key, value in pairs(more or {}) do attributes[key] = value end
  return element("text", attributes, text)
end

local function stroke(x1, y1, x2, y2, color, width)
  return element("line", { x1 = x1, y1 = y1, x2 = x2, y2 = y2, stroke = color,
    ["stroke-width"] = width })
end

-- From a ratio to its place: the scale holds every ratio, percentile and target.
local function make_scale(results)
  local low, high = 0.1, 2
  for _, result in ipairs(results) do
    local row = result.row
    for _, ratio in pairs { result.ratio.p10, result.ratio.p90,
      not row.absolute and row.must or 1, not row.absolute and row.goal or 1 } do
      low, high = math.min(low, ratio), math.max(high, ratio)
    end
  end
  low, high = math.log(low / 1.15), math.log(high * 1.15)
  return function(ratio) return LEFT + (math.log(ratio) - low) / (high - low) * (RIGHT - LEFT) end,
    math.exp(low), math.exp(high)
end

local function grid(out, place, low, high, bottom)
  for decade = math.floor(math.log10(low)), math.ceil(math.log10(high)) do
    for _, step in ipairs(STEPS) do
      local ratio = step * 10 ^ decade
      if ratio >= low and ratio <= high then
        local x = place(ratio)
        out[#out + 1] = stroke(x, TOP - 4, x, bottom, ratio == 1 and INK or FAINT, 1)
        out[#out + 1] = label(x, TOP - 10, ("%g"):format(ratio),
          { ["text-anchor"] = "middle", ["font-size"] = 11 })
      end
    end
  end
end

local function tick(out, x, y, wide)
  out[#out + 1] = stroke(x, y - ROW / 2 + 2, x, y + ROW / 2 - 2, INK, wide)
end

local function draw_row(out, place, result, y)
  local row, ratio = result.row, result.ratio
  local color = COLOR[row.absolute and "none" or result.verdict or "none"]
  local from, to = place(1), place(ratio.median)
  out[#out + 1] = label(LEFT - 12, y + 4, row.text, { ["text-anchor"] = "end" })
  out[#out + 1] = element("rect", { x = math.min(from, to), y = y - BAR / 2,
    width = math.max(math.abs(to - from), 1), height = BAR, fill = color })
  out[#out + 1] = stroke(place(ratio.p10), y, place(ratio.p90), y, INK, 1)
  if not row.absolute then
    if row.goal then tick(out, place(row.goal), y, 1) end
    if row.must then tick(out, place(row.must), y, 3) end
  end
  out[#out + 1] = label(WIDTH - 16, y + 4, ("%.2f"):format(ratio.median),
    { ["text-anchor"] = "end", fill = color, ["font-weight"] = "bold" })
end

local function legend(out, y)
  local x = 24
  for _, entry in ipairs { { "goal", "goal reached" }, { "reached", "target reached" },
    { "missed", "target missed" }, { "none", "no target" } } do
    out[#out + 1] = element("rect", { x = x, y = y - 10, width = 12, height = 12,
      fill = COLOR[entry[1]] })
    out[#out + 1] = label(x + 18, y, entry[2])
    x = x + 132
  end
  tick(out, x + 4, y - 4, 3)
  out[#out + 1] = label(x + 14, y, "to be reached")
  tick(out, x + 126, y - 4, 1)
  out[#out + 1] = label(x + 136, y, "goal")
  out[#out + 1] = stroke(x + 190, y - 4, x + 214, y - 4, INK, 1)
  out[#out + 1] = label(x + 220, y, "10th to 90th percentile")
end

-- Breaks lines that are too long for the drawing, between words where there are some.
local function wrapped(lines)
  local list = {}
  for _, text in ipairs(lines) do
    while #text > COLUMNS do
      local at = text:sub(1, COLUMNS):match(".*() ") or COLUMNS
      list[#list + 1], text = text:sub(1, at), text:sub(at + 1)
    end
    list[#list + 1] = text
  end
  return list
end

-- The drawing, as text. Rows without a ratio, or where more is better, are not in it.
function M.draw(results, facts)
  local drawn = {}
  for _, result in ipairs(results) do
    if result.ratio and not result.row.more then drawn[#drawn + 1] = result end
  end
  local bottom = TOP + #drawn * ROW + 4
  local notes = wrapped(report.context(facts))
  local height = bottom + 44 + 17 * #notes
  local out = {
    '<?xml version="1.0" encoding="UTF-8"?>',
    "<!-- SPDX-License-Identifier: MIT -->",
    ('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d"')
      :format(WIDTH, height, WIDTH, height),
    '  font-family="system-ui, \'DejaVu Sans\', Arial, sans-serif">',
    element("rect", { width = WIDTH, height = height, fill = "#ffffff" }),
    label(24, 34, "weft beside Go", { ["font-size"] = 20, ["font-weight"] = "bold" }),
    label(24, 56, "time or memory, weft / Go: a bar to the left is less than Go's",
      { fill = "#57606a" }),
  }
  local place, low, high = make_scale(drawn)
  grid(out, place, low, high, bottom)
  for i, result in ipairs(drawn) do draw_row(out, place, result, TOP + (i - 0.5) * ROW) end
  legend(out, bottom + 24)
  for i, text in ipairs(notes) do
    out[#out + 1] = label(24, bottom + 32 + 17 * i, text, { fill = "#57606a", ["font-size"] = 11 })
  end
  out[#out + 1] = "</svg>\n"
  return table.concat(out, "\n")
end

return M
