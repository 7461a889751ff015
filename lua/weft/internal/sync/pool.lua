-- SPDX-License-Identifier: MIT
-- Pools of things to be used again, of one VM: they do not cross. As in Go the collector may take
-- what nobody has used for two of its cycles.
local _, raw = ...

local type, getmetatable, setmetatable = type, getmetatable, setmetatable
local each, newproxy = next, newproxy
local bad_self = raw.bad_self

---@class weft.Pool
local Pool = { __metatable = "weft.pool" }
Pool.__index = Pool
local POOL = Pool.__metatable

-- Every pool: [1] what was put there since the last cycle of the collector, [2] what is left from
-- before, [3] what makes a new thing.
local pools = setmetatable({}, { __mode = "k" })

-- The sentinel is garbage at once, so that its finaliser runs once a cycle.
local sentinel = newproxy(true)
getmetatable(sentinel).__gc = function()
  for pool in each, pools do
    pool[2] = pool[1]
    pool[1] = {}
  end
  newproxy(sentinel)
end
newproxy(sentinel)

local function pop(list)
  local n = #list
  local v = list[n]
  if v ~= nil then list[n] = nil end
  return v
end

-- Something that was put there, else what new() returns.
---@return any
function Pool:get()
  if getmetatable(self) ~= POOL then bad_self(self, "get", "pool", "p") end
  local v = pop(self[1])
  if v == nil then v = pop(self[2]) end
  if v == nil and self[3] then return self[3]() end
  return v
end

-- Gives it back. The caller uses it no more.
---@param v any
function Pool:put(v)
  if getmetatable(self) ~= POOL then bad_self(self, "put", "pool", "p") end
  if v == nil then raw.bad_arg(1, "put", "a value other than nil", v) end
  local list = self[1]
  list[#list + 1] = v
end

-- new() makes a thing when there is none; without it `get` returns nil then.
---@param new? fun(): any
---@return weft.Pool
return function(new)
  if new ~= nil and type(new) ~= "function" then raw.bad_arg(1, "pool", "function", new) end
  local self = setmetatable({ {}, {}, new or false }, Pool)
  pools[self] = true
  return self
end
