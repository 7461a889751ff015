-- SPDX-License-Identifier: MIT
-- A hundred requests want the same price at the same moment. The first one asks the shop; the
-- others wait for its answer. When it fails, it fails for all, and the next one asks again.

local weft = require "weft"

local flights, cache = weft.singleflight.new(), {}
local asked, is_open = 0, false

-- Slow, and it must not be called more often than necessary.
local function ask_shop(article)
  asked = asked + 1
  weft.sleep(0.02)
  if not is_open then return nil, "the shop is closed" end
  return #article * 10
end

local function price_of(article)
  if cache[article] then return cache[article] end
  return flights:call(article, function()
    local price, err = ask_shop(article)
    cache[article] = price
    return price, err
  end)
end

local function requests(n, article)
  local answers, failures, shared = {}, {}, 0
  local group = weft.errgroup.new()
  for _ = 1, n do
    group:go(function()
      local price, more = price_of(article)
      if price then
        answers[price] = (answers[price] or 0) + 1
        if more == true then shared = shared + 1 end
      else
        failures[more] = (failures[more] or 0) + 1
      end
    end)
  end
  group:wait()
  for price, count in pairs(answers) do
    print(("%d times %d, %d of them shared"):format(count, price, shared))
  end
  for err, count in pairs(failures) do print(("%d times: %s"):format(count, err)) end
  print("the shop has been asked " .. asked .. " times")
end

asked, is_open = 0, false
requests(100, "teapot")
is_open = true
requests(100, "teapot")
requests(100, "teapot") -- from the cache
