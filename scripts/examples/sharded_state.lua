-- SPDX-License-Identifier: MIT
-- State that many change, without a lock: each part of it belongs to one task, and whatever
-- concerns an account goes to the task that owns it, in order. Here the owners are isolated tasks,
-- on all cores; each has its accounts for itself.
--
-- Which owner that is follows from a consistent hash of the account's name. With one owner more,
-- only a fifth of the accounts moves, all of them to the new one.

local weft = require "weft"
local pipeline = require "weft.pipeline"

local ACCOUNTS, PAYMENTS = 1000, 10000

local function name(i) return "account-" .. i end

-- Owns its accounts until there are no more payments; returns how many, and their sum.
local function owner(payments)
  local balance, count, sum = {}, 0, 0
  for payment in payments do
    if not balance[payment.account] then count = count + 1 end
    balance[payment.account] = (balance[payment.account] or 0) + payment.amount
  end
  for _, amount in pairs(balance) do sum = sum + amount end
  return { accounts = count, sum = sum }
end

local function payments()
  local n = 0
  return pipeline.from(function()
    n = n + 1
    if n <= PAYMENTS then return { account = name(n % ACCOUNTS), amount = n % 100 } end
  end)
end

local futures, sum = {}, 0
for i, channel in ipairs { pipeline.partition(payments(), 4, "account") } do
  futures[i] = weft.parallel(owner, channel)
end
for i, future in ipairs(futures) do
  local mine = future:await()
  print(("owner %d has %d of %d accounts"):format(i, mine.accounts, ACCOUNTS))
  sum = sum + mine.sum
end
print(("%d payments make %d"):format(PAYMENTS, sum))

-- Where each account is, with so many owners.
local function places(owners)
  local place, names = {}, {}
  for i = 1, ACCOUNTS do names[i] = name(i) end
  local channels = { pipeline.partition(pipeline.from(names), owners) }
  local group = weft.errgroup.new()
  for i, channel in ipairs(channels) do
    group:go(function()
      for account in channel do place[account] = i end
    end)
  end
  group:wait()
  return place
end

local before, after, moved, elsewhere = places(4), places(5), 0, 0
for account, place in pairs(before) do
  if after[account] ~= place then
    moved = moved + 1
    if after[account] ~= 5 then elsewhere = elsewhere + 1 end
  end
end
print(("a fifth owner takes over %d accounts; moved elsewhere: %d"):format(moved, elsewhere))
