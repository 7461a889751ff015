-- SPDX-License-Identifier: MIT
-- What a spawned function may not do, as nobody could see it (spec/c/crossing_test.c).
package.path = 'spec/c/crossing/?.lua;' .. package.path
local support = require 'support'
local case, equal, has = support.case, support.equal, support.has

local captured, count, nothing = {}, 0, nil
local insert, T = table.insert, table
local function id(...) return ... end
global, number = {}, 1
ginsert = table.insert

-- { a function, what is said of it, on which line after the one with its `function` }
local refusals = {
  { function()
    count = count + 1
  end, "assigns the captured variable 'count'", 1 },
  { function()
    count = nil
  end, "assigns the captured variable 'count'", 1 },
  { function()
    count = 'text'
  end, "assigns the captured variable 'count'", 1 },
  { function()
    number = 2
  end, "assigns the global 'number'", 1 },
  { function()
    function helper() end
  end, "assigns the global 'helper'", 1 },
  { function(i, x)
    local y = i
    captured[i] = x + y
  end, "stores into the captured variable 'captured'", 2 },
  { function() captured[1] = 1 end, "stores into the captured variable 'captured'", 0 },
  { function() captured.x = 1 end, "stores into the captured variable 'captured'", 0 },
  { function(k) captured[k] = 1 end, "stores into the captured variable 'captured'", 0 },
  { function(a, b) captured[id(a)] = a and b or id(1) end,
    "stores into the captured variable 'captured'", 0 },
  { function(a) captured[a], a = 1, 2 return a end,
    "stores into the captured variable 'captured'", 0 },
  { function() nothing[1] = 1 end, "stores into the captured variable 'nothing'", 0 },
  { function() global.x = 1 end, "stores into the global 'global'", 0 },
  { function() for i = 1, 3 do global[i] = i end end, "stores into the global 'global'", 0 },
  { function()
    return function()
      return function() captured[1] = 1 end
    end
  end, "stores into the captured variable 'captured'", 2 },
  { function()
    local function f() count = 1 end
    return f
  end, "assigns the captured variable 'count'", 1 },
  { function() table.insert(captured, 1) end, "changes the captured variable 'captured'", 0 },
  { function() table.insert(captured, 1, id(2)) end,
    "changes the captured variable 'captured'", 0 },
  { function() table.insert(captured, id(2)) end, "changes the captured variable 'captured'", 0 },
  { function() return table.remove(captured) end, "changes the captured variable 'captured'", 0 },
  { function() table.sort(captured, function(a, b) return a < b end) end,
    "changes the captured variable 'captured'", 0 },
  { function() table.sort(global) end, "changes the global 'global'", 0 },
  { function() insert(captured, 1) end, "changes the captured variable 'captured'", 0 },
  { function() ginsert(captured, 1) end, "changes the captured variable 'captured'", 0 },
  { function() T.insert(captured, 1) end, "changes the captured variable 'captured'", 0 },
  { function() return T.remove(captured, id()) end,
    "changes the captured variable 'captured'", 0 },
  { function(list)
    local add = table.insert
    for i = 1, #list do
      add(captured, list[i])
    end
  end, "changes the captured variable 'captured'", 3 },
  { function() local t = table return t.remove(captured) end,
    "changes the captured variable 'captured'", 0 },
  { function() local t = T local sort = t.sort sort(captured) end,
    "changes the captured variable 'captured'", 0 },
}

case('what nobody could see is refused, with variable and line', function()
  for i, r in ipairs(refusals) do
    local why = refused(r[1])
    local line = debug.getinfo(r[1], 'S').linedefined + r[3]
    local ok, err = pcall(has, why, r[2] .. (' at spec/c/crossing/effects.lua:%d'):format(line))
    if not ok then error(('refusal %d: %s'):format(i, err), 0) end
  end
end)

local accepted = {
  function() local t = captured t[1] = 1 return t end,
  function() local t = captured table.insert(t, 1) insert(t, 2) table.sort(t) return #t end,
  function() local t = global t.x = 1 end,
  function(t) t[1] = 1 table.insert(t, 2) end,
  function() local t = {} t[1] = captured[1] t.x = captured.y return t end,
  function() local n = count n = n + 1 return n end,
  function() local c = 0 return (function() c = c + 1 return c end)() end,
  function() local t = {} return function() t[1] = 1 t.x = t end end,
  function() return table.concat(captured), #captured, unpack(captured) end,
  function() return id(captured), table.concat(captured, ',') end,
  function() insert({}, captured) table.insert({}, global) end,
  function() id().x = 1 end,
  function() ({ captured })[1] = 2 end,
  function() (captured and {} or {})[1] = 2 end,
  function() local a, b = captured, 1 a[b], b = b, a end,
  function() for _, t in ipairs { captured } do t[1] = 1 end end,
  function() package.path = package.path end,
  function() notthere.x = 1 end,
  function() local function f(...) return ... end return f(captured) end,
  function() local function insert() end insert(captured, 1) end,
  function() local insert = table.insert insert = id insert(captured, 1) end,
  function(insert) insert(captured, 1) end,
  function() do local add = table.insert add({}, 1) end
    for i, f in ipairs {} do f(captured, i) end end,
  function() local t = { insert = id } t.insert(captured, 1) end,
}

case('what is meant is accepted', function()
  for i, f in ipairs(accepted) do
    local why = refused(f)
    if why then error(('accepted %d: %s'):format(i, why), 0) end
  end
end)

case('every function that is shipped with it', function()
  local function helper() count = 1 end
  local function worker() return helper() end
  has(refused(worker), "upvalue 'helper' of worker: assigns the captured variable 'count'")
  has(refused(function(f) return f end, { cb = helper }), "arg 1.cb: assigns")
  ghelper = helper
  has(refused(function() return ghelper() end), "global 'ghelper' of function at ", ': assigns')
  ghelper = nil
end)

case('only of functions that are started', function()
  local function f() count = count + 1 return count end
  equal(1, (there_unchecked(f)))
  equal(0, count)
end)

case('paths through functions', function()
  local db = io.tmpfile()
  local cfg = { list = { 1, db } }
  local function worker() return db end
  equal("upvalue 'db' of worker: userdata (FILE*)", refused(worker))
  local function other() return cfg end
  equal("upvalue 'cfg'.list[2] of other: userdata (FILE*)", refused(other))
  equal("upvalue 'db' of arg 1.f: userdata (FILE*)", refused(print, { f = worker }))
  equal("upvalue 'db' of upvalue 'worker' of outer: userdata (FILE*)",
    (function() local outer = function() return worker() end return (refused(outer)) end)())
  gdb = { db }
  has(refused(function() return gdb end),
    "global 'gdb'[1] of function at spec/c/crossing/effects.lua:")
  gdb = nil
  function gworker() return db end
  equal("upvalue 'db' of gworker: userdata (FILE*)", refused(gworker))
end)
