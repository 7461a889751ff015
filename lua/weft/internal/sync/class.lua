-- SPDX-License-Identifier: MIT
-- What the objects of weft.sync have in common. An object is a table with its userdata at 0
-- (runtime/conc/sync.h) and its state behind that, where what need not wait compiles into the
-- caller's trace. One that has crossed to another VM has another metatable, whose methods find the
-- state in C.
local _, raw = ...

local getmetatable, setmetatable, type, rawget = getmetatable, setmetatable, type, rawget
local bad_self = raw.bad_self

local M = {}

local function describe(what)
  return function(self)
    local label = raw.label(self)
    return label and ("%s '%s'"):format(what, label) or what
  end
end

-- The metatables of a kind of object: while it is local to the VM, and when it has crossed; and
-- astray(self, name, ...), for a method that got a self which is not its own: one of the other
-- form, whose method is called, or an error. `var` is how the error calls an object.
function M.define(what, var)
  local near = { __metatable = "weft." .. what, __tostring = describe(what) }
  local far = { __metatable = near.__metatable .. " (shared)", __tostring = near.__tostring }
  near.__index, far.__index = near, far
  raw.sync_type(what, far)
  local function astray(self, name, ...)
    local kind = getmetatable(self)
    local class = kind == near.__metatable and near or kind == far.__metatable and far
    if not class then bad_self(self, name, what, var) end
    return class[name](self, ...)
  end
  return near, far, astray
end

-- The userdata of a table that looks like an object, for these; or nil.
function M.userdata_of(self)
  local core = type(self) == "table" and rawget(self, 0)
  return type(core) == "userdata" and core or nil
end

-- An object with this state.
function M.new(class, what, state)
  state[0] = raw.sync(what)
  return setmetatable(state, class)
end

return M
