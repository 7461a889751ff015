-- SPDX-License-Identifier: MIT
-- What `value` and `map` hold while they are local: numbers, strings, booleans and shareable
-- objects as they are, all else in a box in C (runtime/conc/box.h), of which each load makes a
-- copy. So they are the same before and after they have crossed.
local _, raw = ...

local type = type
local rules = { ["table"] = true, ["function"] = true, ["thread"] = true, ["userdata"] = true,
  ["cdata"] = true }

local M = {}

-- Whether v has to be boxed.
function M.is_boxed(v) return rules[type(v)] ~= nil and not raw.is_shareable(v) end

-- Raises, for the argument `arg`, unless v can be compared with what is held: what is copied is
-- never the same as anything.
function M.check_comparable(v, arg, fname)
  if M.is_boxed(v) then
    raw.bad_arg(arg, fname, "number, string, boolean or shareable object", v)
  end
end

return M
