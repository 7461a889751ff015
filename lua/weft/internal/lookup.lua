-- SPDX-License-Identifier: MIT
-- Looking names up, for all of weft.net.
local _, raw = ...

local found = raw.net_found

local M = {}

-- The addresses of a name: a list, or nil, err, code. `what` and `where` are for the error.
function M.of(host, family, what, where, ctx, resolver)
  raw.check_can_park("lookup")
  local lookup, code = raw.net_lookup(host, family, resolver == "system")
  if not lookup then return raw.io_words(what, where, code) end
  local list, err, mark
  repeat
    list, err, mark = found(lookup, ctx)
  until list ~= true
  if list then return list end
  if list == false then return raw.io_words(what, where, err) end
  raw.net_lookup_left(lookup)
  return raw.import("conn").ended(err, mark)
end

return M
