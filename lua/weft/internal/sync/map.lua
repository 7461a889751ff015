-- SPDX-License-Identifier: MIT
-- Maps that tasks have in common: keys are strings, numbers and booleans; tables are copied in and
-- out. Local ones are Lua tables, shared ones hash tables in C (runtime/conc/dict.h).
local _, raw = ...

local class, copies = raw.import "sync.class", raw.import "sync.copies"
local type, getmetatable, each = type, getmetatable, next
local is_boxed, check_comparable = copies.is_boxed, copies.check_comparable

---@class weft.SyncMap
local Map, Shared, astray = class.define("map", "m")
local MAP, SHARED = Map.__metatable, Shared.__metatable

-- [1]: key -> value, or BOXED, and then its box is in [2] (copies.lua); [3]: how many.
local BOXED = raw.boxed_mark

local function bad_key(k, fname)
  local what = "string, number or boolean"
  if k ~= k then what = "a number that is not NaN" end
  raw.bad_arg(1, fname, what, k)
end

local kinds = { string = true, number = true, boolean = true }

local function check_key(k, fname)
  if not kinds[type(k)] or k ~= k then bad_key(k, fname) end
end

local function check_value(v, arg, fname)
  if v == nil then raw.bad_arg(arg, fname, "a value other than nil", v) end
end

local function get(self, k)
  local v = self[1][k]
  if v == BOXED then return raw.unbox(self[2][k]) end
  return v
end

-- The box, or false for what needs none; before anything has changed. What goes into a box crosses
-- for good: when it leads back to the map, that has crossed afterwards, and goes on as such.
local function box(v, fname) return is_boxed(v) and raw.box(v, fname) end

local function put(self, k, v, boxed)
  local values = self[1]
  local is_new = values[k] == nil
  if boxed then
    self[2][k] = boxed
    values[k] = BOXED
  else
    values[k] = v
    if self[2][k] then self[2][k] = nil end
  end
  if is_new then self[3] = self[3] + 1 end
end

local function drop(self, k)
  if self[1][k] == nil then return end
  self[1][k], self[2][k] = nil, nil
  self[3] = self[3] - 1
end

---@param k string|number|boolean
---@return any
function Map:load(k)
  if getmetatable(self) ~= MAP then return astray(self, "load", k) end
  check_key(k, "load")
  return get(self, k)
end

---@param k string|number|boolean
---@param v any
function Map:store(k, v)
  if getmetatable(self) ~= MAP then return astray(self, "store", k, v) end
  check_key(k, "store")
  check_value(v, 2, "store")
  local boxed = box(v, "store")
  if getmetatable(self) ~= MAP then return astray(self, "store", k, v) end
  put(self, k, v, boxed)
end

-- What is there, and true; else stores v and returns that, and false.
---@param k string|number|boolean
---@param v any
---@return any actual, boolean loaded
function Map:load_or_store(k, v)
  if getmetatable(self) ~= MAP then return astray(self, "load_or_store", k, v) end
  check_key(k, "load_or_store")
  check_value(v, 2, "load_or_store")
  local actual = get(self, k)
  if actual ~= nil then return actual, true end
  local boxed = box(v, "load_or_store")
  if getmetatable(self) ~= MAP then return astray(self, "load_or_store", k, v) end
  put(self, k, v, boxed)
  return get(self, k), false
end

-- What was there, or nil.
---@param k string|number|boolean
---@return any
function Map:load_and_delete(k)
  if getmetatable(self) ~= MAP then return astray(self, "load_and_delete", k) end
  check_key(k, "load_and_delete")
  local before = get(self, k)
  drop(self, k)
  return before
end

---@param k string|number|boolean
function Map:delete(k)
  if getmetatable(self) ~= MAP then return astray(self, "delete", k) end
  check_key(k, "delete")
  drop(self, k)
end

-- Stores v; what was there, or nil.
---@param k string|number|boolean
---@param v any
---@return any
function Map:swap(k, v)
  if getmetatable(self) ~= MAP then return astray(self, "swap", k, v) end
  check_key(k, "swap")
  check_value(v, 2, "swap")
  local boxed = box(v, "swap")
  if getmetatable(self) ~= MAP then return astray(self, "swap", k, v) end
  local before = get(self, k)
  put(self, k, v, boxed)
  return before
end

-- Stores `new` if `old` is there (nil: nothing); whether it did. Tables cannot be compared: each
-- load is another.
---@param k string|number|boolean
---@param old any
---@param new any
---@return boolean
function Map:compare_and_swap(k, old, new)
  if getmetatable(self) ~= MAP then return astray(self, "compare_and_swap", k, old, new) end
  check_key(k, "compare_and_swap")
  check_comparable(old, 2, "compare_and_swap")
  check_value(new, 3, "compare_and_swap")
  if self[1][k] ~= old then return false end
  local boxed = box(new, "compare_and_swap")
  if getmetatable(self) ~= MAP then return astray(self, "compare_and_swap", k, old, new) end
  put(self, k, new, boxed)
  return true
end

---@return integer
function Map:len()
  if getmetatable(self) ~= MAP then return astray(self, "len") end
  return self[3]
end

local function keys(self)
  if getmetatable(self) == SHARED then return raw.dict_keys(self) end
  local list, n = {}, 0
  for k in each, self[1] do
    n = n + 1
    list[n] = k
  end
  return list
end

-- Calls fn(key, value) for each key that was there at the start, and still is, until it returns
-- false. Keys may come and go meanwhile.
---@param fn fun(k: string|number|boolean, v: any): boolean?
function Map:range(fn)
  local kind = getmetatable(self)
  if kind ~= MAP and kind ~= SHARED then return astray(self, "range", fn) end
  if type(fn) ~= "function" then raw.bad_arg(1, "range", "function", fn) end
  local list = keys(self)
  for i = 1, #list do
    local v = self:load(list[i])
    if v ~= nil and fn(list[i], v) == false then return end
  end
end

function Shared:load(k)
  if getmetatable(self) ~= SHARED then return astray(self, "load", k) end
  check_key(k, "load")
  return raw.dict_load(self, k)
end

function Shared:store(k, v)
  if getmetatable(self) ~= SHARED then return astray(self, "store", k, v) end
  check_key(k, "store")
  check_value(v, 2, "store")
  raw.dict_store(self, k, v)
end

function Shared:load_or_store(k, v)
  if getmetatable(self) ~= SHARED then return astray(self, "load_or_store", k, v) end
  check_key(k, "load_or_store")
  check_value(v, 2, "load_or_store")
  return raw.dict_load_or_store(self, k, v)
end

function Shared:load_and_delete(k)
  if getmetatable(self) ~= SHARED then return astray(self, "load_and_delete", k) end
  check_key(k, "load_and_delete")
  return raw.dict_swap(self, k, nil, "load_and_delete")
end

function Shared:delete(k)
  if getmetatable(self) ~= SHARED then return astray(self, "delete", k) end
  check_key(k, "delete")
  raw.dict_store(self, k, nil)
end

function Shared:swap(k, v)
  if getmetatable(self) ~= SHARED then return astray(self, "swap", k, v) end
  check_key(k, "swap")
  check_value(v, 2, "swap")
  return raw.dict_swap(self, k, v, "swap")
end

function Shared:compare_and_swap(k, old, new)
  if getmetatable(self) ~= SHARED then
    return astray(self, "compare_and_swap", k, old, new)
  end
  check_key(k, "compare_and_swap")
  check_comparable(old, 2, "compare_and_swap")
  check_value(new, 3, "compare_and_swap")
  return raw.dict_cas(self, k, old, new)
end

function Shared:len()
  if getmetatable(self) ~= SHARED then return astray(self, "len") end
  return raw.dict_len(self)
end

Shared.range = Map.range

---@return weft.SyncMap
return function() return class.new(Map, "map", { {}, {}, 0 }) end
