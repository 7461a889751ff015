-- SPDX-License-Identifier: MIT
-- int and bool. Within a VM plain code is atomic anyway; once they have crossed, the number is a
-- word that C changes, which compiled code calls through the FFI (runtime/conc/compiled.h).
local _, raw = ...

local class, compiled = raw.import "sync.class", raw.import "compiled"
local type, getmetatable, floor = type, getmetatable, math.floor
local bad_arg, userdata_of = raw.bad_arg, class.userdata_of
local MOST = 2 ^ 53 - 1

-- NaN, or -1 of word_cas: what stands at 0 is not known just now; the door knows it afterwards.
local word_load = compiled.fn("double (*)(const void *)", "word_load")
local word_swap = compiled.fn("double (*)(const void *, double)", "word_swap")
local word_add = compiled.fn("double (*)(const void *, double)", "word_add")
local word_cas = compiled.fn("int (*)(const void *, double, double)", "word_cas")

local function far_load(self)
  local core = word_load and userdata_of(self)
  if core then
    local v = word_load(core)
    if v == v then return v end
  end
  return raw.word_load(self)
end

local function far_swap(self, new)
  local core = word_swap and userdata_of(self)
  if core then
    local v = word_swap(core, new)
    if v == v then return v end
  end
  return raw.word_swap(self, new)
end

local function far_cas(self, old, new)
  local core = word_cas and userdata_of(self)
  if core then
    local done = word_cas(core, old, new)
    if done >= 0 then return done == 1 end
  end
  return raw.word_cas(self, old, new)
end

-- int -----------------------------------------------------------------------------------------

---@class weft.Int
local Int, SharedInt, int_astray = class.define("int", "n")
local INT, SHARED_INT = Int.__metatable, SharedInt.__metatable

local function integer(v, arg, fname)
  if type(v) ~= "number" or v ~= floor(v) or v > MOST or v < -MOST then
    bad_arg(arg, fname, "integer below 2^53", v)
  end
  return v
end

local function too_far() raw.raise("'add': the sum is 2^53 or beyond") end

---@return integer
function Int:load()
  if getmetatable(self) ~= INT then return int_astray(self, "load") end
  return self[1]
end

---@param v integer
function Int:store(v)
  if getmetatable(self) ~= INT then return int_astray(self, "store", v) end
  self[1] = integer(v, 1, "store")
end

-- Stores v; what was there.
---@param v integer
---@return integer
function Int:swap(v)
  if getmetatable(self) ~= INT then return int_astray(self, "swap", v) end
  integer(v, 1, "swap")
  local before = self[1]
  self[1] = v
  return before
end

-- Stores `new` if `old` is there; whether it did.
---@param old integer
---@param new integer
---@return boolean
function Int:compare_and_swap(old, new)
  if getmetatable(self) ~= INT then return int_astray(self, "compare_and_swap", old, new) end
  integer(old, 1, "compare_and_swap")
  integer(new, 2, "compare_and_swap")
  if self[1] ~= old then return false end
  self[1] = new
  return true
end

-- Adds n; the sum.
---@param n integer
---@return integer
function Int:add(n)
  if getmetatable(self) ~= INT then return int_astray(self, "add", n) end
  local sum = self[1] + integer(n, 1, "add")
  if sum > MOST or sum < -MOST then too_far() end
  self[1] = sum
  return sum
end

function SharedInt:load()
  if getmetatable(self) ~= SHARED_INT then return int_astray(self, "load") end
  return far_load(self)
end

function SharedInt:store(v)
  if getmetatable(self) ~= SHARED_INT then return int_astray(self, "store", v) end
  far_swap(self, integer(v, 1, "store"))
end

function SharedInt:swap(v)
  if getmetatable(self) ~= SHARED_INT then return int_astray(self, "swap", v) end
  return far_swap(self, integer(v, 1, "swap"))
end

function SharedInt:compare_and_swap(old, new)
  if getmetatable(self) ~= SHARED_INT then
    return int_astray(self, "compare_and_swap", old, new)
  end
  integer(old, 1, "compare_and_swap")
  return far_cas(self, old, integer(new, 2, "compare_and_swap"))
end

function SharedInt:add(n)
  if getmetatable(self) ~= SHARED_INT then return int_astray(self, "add", n) end
  integer(n, 1, "add")
  local core = word_add and userdata_of(self)
  if core then
    local v = word_add(core, n)
    if v == v then return v end
  end
  return raw.word_add(self, n) or too_far()
end

-- bool ----------------------------------------------------------------------------------------

---@class weft.Bool
local Bool, SharedBool, bool_astray = class.define("bool", "b")
local BOOL, SHARED_BOOL = Bool.__metatable, SharedBool.__metatable

local function boolean(v, arg, fname)
  if type(v) ~= "boolean" then bad_arg(arg, fname, "boolean", v) end
  return v
end

local function bit(v, arg, fname) return boolean(v, arg, fname) and 1 or 0 end

---@return boolean
function Bool:load()
  if getmetatable(self) ~= BOOL then return bool_astray(self, "load") end
  return self[1]
end

---@param v boolean
function Bool:store(v)
  if getmetatable(self) ~= BOOL then return bool_astray(self, "store", v) end
  self[1] = boolean(v, 1, "store")
end

-- Stores v; what was there.
---@param v boolean
---@return boolean
function Bool:swap(v)
  if getmetatable(self) ~= BOOL then return bool_astray(self, "swap", v) end
  boolean(v, 1, "swap")
  local before = self[1]
  self[1] = v
  return before
end

-- Stores `new` if `old` is there; whether it did.
---@param old boolean
---@param new boolean
---@return boolean
function Bool:compare_and_swap(old, new)
  if getmetatable(self) ~= BOOL then return bool_astray(self, "compare_and_swap", old, new) end
  boolean(old, 1, "compare_and_swap")
  boolean(new, 2, "compare_and_swap")
  if self[1] ~= old then return false end
  self[1] = new
  return true
end

function SharedBool:load()
  if getmetatable(self) ~= SHARED_BOOL then return bool_astray(self, "load") end
  return far_load(self) == 1
end

function SharedBool:store(v)
  if getmetatable(self) ~= SHARED_BOOL then return bool_astray(self, "store", v) end
  far_swap(self, bit(v, 1, "store"))
end

function SharedBool:swap(v)
  if getmetatable(self) ~= SHARED_BOOL then return bool_astray(self, "swap", v) end
  return far_swap(self, bit(v, 1, "swap")) == 1
end

function SharedBool:compare_and_swap(old, new)
  if getmetatable(self) ~= SHARED_BOOL then
    return bool_astray(self, "compare_and_swap", old, new)
  end
  return far_cas(self, bit(old, 1, "compare_and_swap"), bit(new, 2, "compare_and_swap"))
end

local M = {}

---@param v? integer default 0
---@return weft.Int
function M.int(v)
  return class.new(Int, "int", { v == nil and 0 or integer(v, 1, "int") })
end

---@param v? boolean default false
---@return weft.Bool
function M.bool(v)
  return class.new(Bool, "bool", { v ~= nil and boolean(v, 1, "bool") })
end

return M
