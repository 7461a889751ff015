-- SPDX-License-Identifier: MIT
-- Makes a program smaller that fails, as long as it still does: tasks, then steps are left out,
-- halves first; then the cases of selects.
local M = {}

local function copy(v)
  if type(v) ~= 'table' then return v end
  local t = {}
  for k, x in pairs(v) do t[k] = copy(x) end
  return t
end

-- Every list of a program that something may be left out of.
local function lists(p)
  local found = { p.tasks }
  local function add_plan(plan)
    found[#found + 1] = plan
    for _, step in ipairs(plan) do
      if step.plan then add_plan(step.plan) end
      if step.cases then found[#found + 1] = step.cases end
    end
  end
  for _, plan in ipairs(p.tasks) do add_plan(plan) end
  return found
end

-- The program without the elements from..to of its n-th list.
local function without(p, n, from, to)
  local smaller = copy(p)
  local list = lists(smaller)[n]
  for _ = from, to do table.remove(list, from) end
  return smaller
end

-- One pass over the n-th list; the program that is left.
local function pass(p, n, fails)
  local size = #lists(p)[n]
  while size > 0 do
    local from = 1
    while lists(p)[n] and from <= #lists(p)[n] do
      local to = math.min(from + size - 1, #lists(p)[n])
      local smaller = without(p, n, from, to)
      if fails(smaller) then p = smaller else from = to + 1 end
    end
    size = size == 1 and 0 or math.ceil(size / 2)
  end
  return p
end

-- `fails(program)` has to be true of p. It is asked some hundred times.
function M.shrink(p, fails)
  repeat
    local before, n = p, 1
    while lists(p)[n] do
      p = pass(p, n, fails)
      n = n + 1
    end
  until p == before
  return p
end

return M
