-- SPDX-License-Identifier: MIT
-- What a workload writes: calls with their arguments, results and errors, as lines that are the
-- same on every run and in every task (sorted keys, no addresses, no tracebacks).
--
-- A workload is a function of a transcript t:
--   local List = t.wrap('List', require 'pl.List')   calls of List.f(...) are written down
--   List.range(1, 3)                                 "List.range(1, 3) -> {1, 2, 3}"
--                                                    (and what its first argument is now)
--   t('label', ...)                                  "label: ..."
--   t.try('label', f, ...)                           as a wrapped call
-- Wrapped calls return what the function returned, or nothing when it raised. Every line is a
-- point where other tasks may run, so t must not be called where a task cannot block (in a
-- comparator of table.sort, in a callback of gsub or of lpeg).

local M = {}

local show

local function show_string(s)
  s = s:gsub('0x%x%x%x%x%x%x+', '0x?'):gsub('\nstack traceback:\n.*', '\nstack traceback')
  return "'" .. s:gsub("[%c\\'\127-\255]", function(c) return ('\\%d'):format(c:byte()) end) .. "'"
end

local function show_number(n)
  if n ~= n then return 'nan' end
  if n == 0 and 1 / n < 0 then return '-0' end
  return ('%.14g'):format(n)
end

local RANK = { number = 1, string = 2, boolean = 3 }

-- The keys of a table behind its sequence, in an order of their own.
local function other_keys(t, n)
  local keys = {}
  for k in next, t do
    if not (type(k) == 'number' and k >= 1 and k <= n and k % 1 == 0) then
      keys[#keys + 1] = { rank = RANK[type(k)] or 4, text = show(k), key = k }
    end
  end
  table.sort(keys, function(a, b)
    if a.rank ~= b.rank then return a.rank < b.rank end
    if a.rank == 1 then return a.key < b.key end
    return a.text < b.text
  end)
  return keys
end

local function show_table(t, seen)
  if seen[t] then return '<again>' end
  seen[t] = true
  local parts, n = {}, 0
  while rawget(t, n + 1) ~= nil do n = n + 1 end
  for i = 1, n do parts[i] = show(rawget(t, i), seen) end
  for _, k in ipairs(other_keys(t, n)) do
    parts[#parts + 1] = '[' .. k.text .. '] = ' .. show(rawget(t, k.key), seen)
  end
  seen[t] = nil
  return '{' .. table.concat(parts, ', ') .. '}'
end

function show(v, seen)
  local kind = type(v)
  if kind == 'string' then return show_string(v) end
  if kind == 'number' then return show_number(v) end
  if kind == 'table' then return show_table(v, seen or {}) end
  if kind == 'userdata' then
    local text = tostring(v)
    return (text:find 'NULL' or text:find '%(nil%)') and 'null' or 'userdata'
  end
  if kind == 'function' or kind == 'thread' then return kind end
  return tostring(v)
end
M.show = show

local function show_all(n, ...)
  local parts = {}
  for i = 1, n do parts[i] = show((select(i, ...))) end
  return table.concat(parts, ', ')
end

-- A transcript that gives each line to write(line).
function M.new(write)
  local t, hidden = {}, {}

  local function out(line)
    for text, name in pairs(hidden) do
      local first, last = line:find(text, 1, true)
      while first do
        line = line:sub(1, first - 1) .. name .. line:sub(last + 1)
        first, last = line:find(text, first + #name, true)
      end
    end
    write(line)
  end

  -- From now on `text`, the name of a temporary file say, is written as `name`.
  function t.hide(text, name) hidden[text] = name end

  local function finish(label, first, before, ok, ...)
    local after = type(first) == 'table' and show(first) or before
    local change = after ~= before and '; now ' .. after or ''
    if ok then
      out(label .. ' -> ' .. show_all(select('#', ...), ...) .. change)
      return ...
    end
    out(label .. ' raised ' .. show((...)) .. change)
  end

  function t.try(label, f, ...)
    local first, given = ..., show_all(select('#', ...), ...)
    return finish(('%s(%s)'):format(label, given), first, show(first), pcall(f, ...))
  end

  -- Calls of functions of lib, of its methods too: W.method(object, ...).
  function t.wrap(name, lib)
    return setmetatable({}, {
      __index = function(_, key)
        return function(...) return t.try(name .. '.' .. key, lib[key], ...) end
      end,
      __call = function(_, ...) return t.try(name, lib, ...) end,
    })
  end

  -- What an iterator gives, as a list of lists, at most `limit` steps; and its error, if any.
  function t.each(label, limit, f, state, control)
    local rows = {}
    local function step(...)
      if (...) == nil then return false end
      rows[#rows + 1] = { ... }
      control = ...
      return true
    end
    local ok, err = pcall(function()
      while #rows < limit and step(f(state, control)) do end
    end)
    out(label .. ': ' .. show(rows) .. (ok and '' or ' raised ' .. show(err)))
    return rows
  end

  return setmetatable(t, {
    __call = function(_, label, ...)
      out(label .. ': ' .. show_all(select('#', ...), ...))
    end,
  })
end

return M
