-- SPDX-License-Identifier: MIT
-- Courier, parcel and route of a delivery are looked up at the same time, with an errgroup: it
-- takes as long as the slowest, and the first error cancels the others.
--
-- The tasks get the group's context. Whoever waits under it stops when it ends, and its cause is
-- the error that ended it, so that the log of a look-up can tell why it was given up.

local weft = require "weft"
local context, errgroup = weft.context, weft.errgroup

local couriers = { [7] = "Ada" }
local parcels = { [42] = { weight = 3, to = "Harbour 1" } }

-- A look-up in a table far away.
local function look_up(ctx, what, rows, id, seconds)
  local ok = weft.sleep(seconds, ctx)
  if not ok then
    print(("  %s: given up, as %s"):format(what, ctx:cause()))
    return nil, "not looked up"
  end
  if not rows[id] then return nil, ("there is no %s %d"):format(what, id) end
  return rows[id]
end

local function dispatch(parent, courier_id, parcel_id)
  local group, ctx = errgroup.with_context(parent)
  local courier, parcel, route, err -- of one task each
  group:go(function()
    courier, err = look_up(ctx, "courier", couriers, courier_id, 0.02)
    return courier, err
  end)
  group:go(function()
    parcel, err = look_up(ctx, "parcel", parcels, parcel_id, 0.01)
    return parcel, err
  end)
  group:go(function()
    route, err = look_up(ctx, "route", { "over the bridge" }, 1, 0.03)
    return route, err
  end)
  local ok, why = group:wait() -- until all three have ended
  if not ok then return nil, why end
  return ("%s takes %d kg to %s %s"):format(courier, parcel.weight, parcel.to, route)
end

local background = context.background()
print(dispatch(background, 7, 42))
print(dispatch(background, 7, 43))

local ctx, cancel = context.with_timeout(background, 0.005, "the customer has hung up")
print(dispatch(ctx, 7, 42))
cancel()
