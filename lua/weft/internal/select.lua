-- SPDX-License-Identifier: MIT
-- select, in both of its forms. The Lua frame is there because a send case may have to raise after
-- the wait.
local _, raw = ...

local type, getmetatable, each, unpack = type, getmetatable, next, unpack
local tostring, select, setmetatable = tostring, select, setmetatable
local raw_select, raise = raw.select, raw.raise

local M = {}

M.default = setmetatable({}, {
  __metatable = "weft.default",
  __tostring = function() return "weft.default" end,
})
raw.set_default(M.default)

local function settle(i, v, err)
  if i then return i, v, err end
  raise("send on closed channel")
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

function M.select(case, ...)
  if type(case) == "table" and getmetatable(case) == nil then
    if select("#", ...) > 0 then
      raise("'select': names go into one table, without further cases")
    end
    return select_named(case)
  end
  return settle(raw_select(case, ...))
end

return M
