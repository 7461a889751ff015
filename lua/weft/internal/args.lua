-- SPDX-License-Identifier: MIT
-- Classes of objects, and arguments checked at the script's line, for the modules in plain Lua.
local _, raw = ...

local type, getmetatable, floor = type, getmetatable, math.floor
local bad_arg = raw.bad_arg

local M = {}

-- A metatable for objects that getmetatable calls "weft.<what>".
function M.class(what)
  local class = { __metatable = "weft." .. what }
  class.__index = class
  return class
end

-- Raises unless `self` is of this class; `var` is what the message calls it.
function M.self(self, class, fname, var)
  if getmetatable(self) ~= class.__metatable then
    raw.bad_self(self, fname, class.__metatable:sub(6), var)
  end
end

function M.fn(v, arg, fname, what)
  if type(v) ~= "function" then bad_arg(arg, fname, what or "function", v) end
end

-- An integer of at least `least`; `what` tells which one it is.
function M.integer(v, arg, fname, least, what)
  if type(v) ~= "number" or v < least or v ~= floor(v) or v - v ~= 0 then
    bad_arg(arg, fname, ("%sinteger >= %d"):format(what or "", least), v)
  end
  return v
end

-- A number of at least `least`: not NaN, and infinite only where that is said.
function M.number(v, arg, fname, least, what, infinite)
  if type(v) ~= "number" or not (v >= least) or (v - v ~= 0 and not infinite) then
    bad_arg(arg, fname, ("%snumber >= %d"):format(what or "", least), v)
  end
  return v
end

-- As number, but more than 0.
function M.positive(v, arg, fname, what, infinite)
  if type(v) ~= "number" or not (v > 0) or (v - v ~= 0 and not infinite) then
    bad_arg(arg, fname, (what or "") .. "number > 0", v)
  end
  return v
end

-- A table of options, perhaps not given.
function M.options(opts, arg, fname)
  if opts == nil then return {} end
  if type(opts) ~= "table" then bad_arg(arg, fname, "table of options", opts) end
  return opts
end

function M.context(ctx, arg, fname, what)
  if ctx == nil or raw.is_ctx(ctx) then return ctx end
  bad_arg(arg, fname, (what or "") .. "context", ctx)
end

return M
