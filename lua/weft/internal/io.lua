-- SPDX-License-Identifier: MIT
-- What calls of the system have in common: waiting for one, and checking arguments.
local _, raw = ...

local type, find, floor = type, string.find, math.floor
local scope = raw.import "scope"
local call_wait, call_left, call_results = scope.bare.call_wait, raw.call_left, raw.call_results

local M = {}

-- Has the call made and waits for it: its results; nil, err, code; nil and why it was given up.
-- `data`: what it reads from meanwhile.
function M.finish(caller, fname, ctx, arg, data)
  local ok, err, mark = call_wait(caller, fname, ctx, arg, data)
  if ok then return call_results(caller) end
  call_left(caller)
  scope.check(err, mark)
  return nil, err
end

-- A path: a string that the system can take.
function M.path(v, arg, fname, what)
  if type(v) ~= "string" then raw.bad_arg(arg, fname, what or "path as string", v) end
  if find(v, "\0", 1, true) then
    raw.raise(("bad argument #%d to '%s' (a path without zero bytes expected, got %q)")
      :format(arg, fname, v))
  end
  return v
end

function M.integer(v, arg, fname, what)
  if type(v) ~= "number" or v ~= floor(v) or v < 0 or v > 2 ^ 53 then
    raw.bad_arg(arg, fname, what or "integer >= 0", v)
  end
  return v
end

-- Options and context, of which the options may be left out: f(x[, opts][, ctx]). Returns both and
-- which argument the context is.
function M.options(opts, ctx, arg, fname)
  if opts == nil then return {}, ctx, arg + 1 end
  if type(opts) ~= "table" then raw.bad_arg(arg, fname, "table of options", opts) end
  if ctx == nil and raw.is_ctx(opts) then return {}, opts, arg end
  return opts, ctx, arg + 1
end

function M.flag(opts, name, arg, fname)
  local v = opts[name]
  if v ~= nil and type(v) ~= "boolean" then raw.bad_arg(arg, fname, name .. " as boolean", v) end
  return v or false
end

-- Permissions, 0 to 07777.
function M.mode(v, arg, fname)
  if type(v) ~= "number" or v ~= floor(v) or v < 0 or v > 4095 then
    raw.bad_arg(arg, fname, "mode as integer from 0 to 07777 (octal)", v)
  end
  return v
end

return M
