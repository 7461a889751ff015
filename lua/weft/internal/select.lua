-- SPDX-License-Identifier: MIT
-- select, in both of its forms. The Lua frame is there because a send case may have to raise after
-- the wait, and to take send cases apart: where this is compiled together with ch:sending(v), the
-- case is never allocated (runtime/lib/select.c has the other half).
local _, raw = ...

local type, getmetatable, each, unpack, error = type, getmetatable, next, unpack, error
local tostring, select, setmetatable, concat = tostring, select, setmetatable, table.concat
local raw_select, raise, loadstring = raw.select, raw.raise, loadstring

local check_own = raw.import("scope").check

local M = {}

M.default = setmetatable({}, {
  __metatable = "weft.default",
  __tostring = function() return "weft.default" end,
})
raw.set_default(M.default)

-- A send case met a closed channel, what was received cannot be unpacked, or the task's own
-- context has ended.
local function fail(err, mark)
  check_own(err, mark)
  if err ~= nil then error(err, 0) end
  raise("send on closed channel")
end

local function settle(i, v, err)
  if i then return i, v, err end
  fail(v, err)
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

-- With weft.default last and nothing ready, which is what loops that poll meet most, compiled code
-- does not even leave its trace: it calls C through the FFI. Measured over two channels, ns
-- compiled / interpreted: 15 / 270, without: 85 / 220. So it is for whoever has the compiler on.
local compiled = raw.import "compiled"
local would_wait = compiled.fn("bool (*)(const void *)", "would_wait")
local poll_is_free = compiled.fn("bool (*)(void)", "poll_is_free")

local POLL = [[
  if would_wait and ch%d == default and %s poll_is_free() then
    return %d, nil, nil
  end
]]

-- The lines that find out that the first n of n + 1 cases would wait.
local function poll_of(n)
  local checks = {}
  local check = "v%d == nil and type(ch%d) == 'userdata' and would_wait(ch%d) and"
  for i = 1, n do checks[i] = check:format(i, i, i) end
  return POLL:format(n + 1, concat(checks, " "), n + 1)
end

-- A fixed number of results: no trace goes on after a C call that returns as many as it likes.
local TEMPLATE = [[
local open, fail, select, type, default, would_wait, poll_is_free = ...
return function(%s)
%s  local i, v, err = select(%s)
  if i then return i, v, err end
  fail(v, err)
end
]]

-- The select of exactly n cases, without a loop or varargs in the way of the compiler.
local function of(n)
  local cases, lines, args = {}, {}, {}
  for i = 1, n do
    cases[i] = "c" .. i
    lines[i] = ("  local ch%d, v%d = open(c%d)\n  c%d = nil\n"):format(i, i, i, i)
    args[i] = ("ch%d, v%d"):format(i, i)
  end
  if n > 1 then lines[n + 1] = poll_of(n - 1) end
  local code = TEMPLATE:format(concat(cases, ", "), concat(lines), concat(args, ", "))
  local make = loadstring(code, "=[weft.internal.select]")
  return make(open, fail, raw.select_open, type, M.default, would_wait, poll_is_free)
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
