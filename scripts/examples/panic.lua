-- SPDX-License-Identifier: MIT
-- Fails on purpose: an error that nobody catches in one task ends the whole program.
--
-- First the errors that are caught: by `pcall`, as everywhere in Lua, and by whoever awaits a
-- future. Then one that is not. weft writes `panic: ` and the message, the task's traceback and
-- where the task was started to standard error, and ends the program with status 2. No error is
-- ever lost in a background task; what was printed before has been printed.

local weft = require "weft"

local function price_of(order)
  return order.amount * order.article.price
end

local orders = {
  { id = 1, amount = 2, article = { price = 10 } },
  { id = 2, amount = 1 }, -- no article
}

-- Caught where it happens.
local ok, err = pcall(price_of, orders[2])
print("pcall:  " .. tostring(ok) .. ", " .. err:match("attempt to %a+"))

-- Caught where the result is wanted.
local first, second = weft.async(price_of, orders[1]), weft.async(price_of, orders[2])
print("future: " .. tostring(first:await()))
print("future: " .. tostring((second:try())))

-- Not caught.
local done = weft.chan()
weft.go(function()
  weft.defer(print, "deferred calls run, also now")
  for _, order in ipairs(orders) do
    print(("order %d costs %d"):format(order.id, price_of(order)))
  end
  done:send(true)
end)
done:recv()
print "not reached"
