-- SPDX-License-Identifier: MIT
-- Helpers of values.lua, functions.lua and effects.lua, which spec/c/crossing_test.c runs.
package.path = package.path .. ';spec/?.lua'

local M = { has = require 'support.util'.has }

passed = 0

function M.case(name, fn)
  local ok, err = xpcall(fn, debug.traceback)
  if not ok then error(name .. ': ' .. tostring(err), 0) end
  passed = passed + 1
end

function M.equal(expected, actual)
  if expected ~= actual then
    error(('expected %s, got %s'):format(tostring(expected), tostring(actual)), 2)
  end
end

function M.raises(want, fn, ...)
  local ok, err = pcall(fn, ...)
  if ok then error('expected an error, got none', 2) end
  M.has(tostring(err), want)
end

-- Whether two values are the same but for the identity of tables: cycles and sharing included.
function M.alike(a, b)
  local known = {}
  local todo = { { a, b } }
  while #todo > 0 do
    local pair = table.remove(todo)
    local x, y = pair[1], pair[2]
    if type(x) == 'table' and type(y) == 'table' then
      if known[x] == nil then
        known[x] = y
        if getmetatable(x) ~= getmetatable(y) then return false end
        for k, v in pairs(x) do todo[#todo + 1] = { v, y[k] } end
        for k in pairs(y) do if x[k] == nil then return false end end
      elseif known[x] ~= y then
        return false
      end
    elseif type(x) == 'cdata' and type(y) == 'cdata' then
      if tostring(x) ~= tostring(y) then return false end
    elseif x ~= y and (x == x or y == y) then
      return false
    elseif type(x) == 'number' and x == 0 and 1 / x ~= 1 / y then
      return false
    end
  end
  return true
end

return M
