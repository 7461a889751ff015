-- SPDX-License-Identifier: MIT
-- A value that tasks exchange as a whole; tables are copied in and out.
local _, raw = ...

local class, copies = raw.import "sync.class", raw.import "sync.copies"
local getmetatable = getmetatable
local is_boxed, check_comparable = copies.is_boxed, copies.check_comparable

---@class weft.Value
local Value, Shared, astray = class.define("value", "v")
local VALUE, SHARED = Value.__metatable, Shared.__metatable

-- [1]: the value; [2]: whether that is a box (copies.lua). What goes into a box crosses for good:
-- when it leads back to the object itself, that has crossed afterwards, and `put` does nothing.
local function put(self, v, fname)
  local boxed = is_boxed(v)
  if boxed then v = raw.box(v, fname) end
  if getmetatable(self) ~= VALUE then return false end
  self[1], self[2] = v, boxed
  return true
end

local function get(boxed, v)
  if boxed then return raw.unbox(v) end
  return v
end

---@return any
function Value:load()
  if getmetatable(self) ~= VALUE then return astray(self, "load") end
  return get(self[2], self[1])
end

---@param v any
function Value:store(v)
  if getmetatable(self) ~= VALUE then return astray(self, "store", v) end
  if not put(self, v, "store") then astray(self, "store", v) end
end

-- Stores v; what was there.
---@param v any
---@return any
function Value:swap(v)
  if getmetatable(self) ~= VALUE then return astray(self, "swap", v) end
  local before, boxed = self[1], self[2]
  if not put(self, v, "swap") then return astray(self, "swap", v) end
  return get(boxed, before)
end

-- Stores `new` if `old` is there; whether it did. Tables cannot be compared: each load is another.
---@param old any
---@param new any
---@return boolean
function Value:compare_and_swap(old, new)
  if getmetatable(self) ~= VALUE then return astray(self, "compare_and_swap", old, new) end
  check_comparable(old, 1, "compare_and_swap")
  if self[2] or self[1] ~= old then return false end
  if put(self, new, "compare_and_swap") then return true end
  return astray(self, "compare_and_swap", old, new)
end

function Shared:load()
  if getmetatable(self) ~= SHARED then return astray(self, "load") end
  return raw.value_load(self)
end

function Shared:store(v)
  if getmetatable(self) ~= SHARED then return astray(self, "store", v) end
  raw.value_store(self, v)
end

function Shared:swap(v)
  if getmetatable(self) ~= SHARED then return astray(self, "swap", v) end
  return raw.value_swap(self, v)
end

function Shared:compare_and_swap(old, new)
  if getmetatable(self) ~= SHARED then return astray(self, "compare_and_swap", old, new) end
  check_comparable(old, 1, "compare_and_swap")
  return raw.value_cas(self, old, new)
end

---@param v? any
---@return weft.Value
return function(v)
  local self = class.new(Value, "value", { nil, false })
  put(self, v, "value")
  return self
end
