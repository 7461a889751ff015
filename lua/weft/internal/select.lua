-- SPDX-License-Identifier: MIT
-- select, in both of its forms. The Lua frame is there because a send case may have to raise after
-- the wait, and to take send cases apart: where this is compiled together with ch:sending(v), the
-- case is never allocated (runtime/lib/select.c has the other half).
local _, raw = ...

local type, getmetatable, each, unpack = type, getmetatable, next, unpack
local tostring, select, setmetatable, concat = tostring, select, setmetatable, table.concat
local raw_select, raise, loadstring = raw.select, raw.raise, loadstring

local M = {}

M.default = setmetatable({}, {
  __metatable = "weft.default",
  __tostring = function() return "weft.default" end,
})
raw.set_default(M.default)

local function closed() raise("send on closed channel") end

local function settle(i, v, err)
  if i then return i, v, err end
  closed()
end

local function select_named(cases)
  local names, list, n = {}, {}, 0
  for name, case in each, cases do
    if name ~= "default" then
      if not raw.is_case(case) then
        local what = ("channel or ch:sending(v) as the case named '%s'"):format(tostring(name))
        raw.bad_arg(1, "select", what, case)
      end
      n = n + 1
      names[n], list[n] = name, case
    elseif case ~= true and case ~= false and case ~= M.default then
      raw.bad_arg(1, "select", "true as the case named 'default'", case)
    end
  end
  if cases.default then
    names[n + 1], list[n + 1] = "default", M.default
    n = n + 1
  end
  local i, v, err = settle(raw_select(unpack(list, 1, n)))
  return names[i], v, err
end

-- Channel and value of a send case; any other case, and nil.
local function open(case)
  if type(case) == "table" and getmetatable(case) == "weft.case" then
    local v = case[2]
    if v ~= nil then return case[1], v end
  end
  return case, nil
end

-- A fixed number of results: no trace goes on after a C call that returns as many as it likes.
local TEMPLATE = [[
local open, closed, select = ...
return function(%s)
%s  local i, v, err = select(%s)
  if i then return i, v, err end
  closed()
end
]]

-- The select of exactly n cases, without a loop or varargs in the way of the compiler.
local function of(n)
  local cases, opened, args = {}, {}, {}
  for i = 1, n do
    cases[i] = "c" .. i
    opened[i] = ("  local ch%d, v%d = open(c%d)\n  c%d = nil\n"):format(i, i, i, i)
    args[i] = ("ch%d, v%d"):format(i, i)
  end
  local code = TEMPLATE:format(concat(cases, ", "), concat(opened), concat(args, ", "))
  return loadstring(code, "=[weft.internal.select]")(open, closed, raw.select_open)
end

local by_count = {}
for n = 1, 9 do by_count[n] = of(n) end

function M.select(case, ...)
  local more = select("#", ...)
  if type(case) == "table" and getmetatable(case) == nil then
    if more > 0 then raise("'select': names go into one table, without further cases") end
    return select_named(case)
  end
  local known = by_count[more + 1]
  if known then return known(case, ...) end
  return settle(raw_select(case, ...))
end

return M
