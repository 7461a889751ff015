-- SPDX-License-Identifier: MIT
-- At most N at a time: forty requests to a service that three may use at once. Once by a channel
-- with three places, as one does in Go; once by a semaphore, which also hands out several units in
-- one go and can be waited for with a context; and once more on all cores.

local weft = require "weft"
local context, sync = require "weft.context", require "weft.sync"

local LIMIT, REQUESTS = 3, 40

-- Runs all requests, each between enter() and leave(); how many were inside at most.
local function run(enter, leave)
  local inside, most, group = 0, 0, sync.waitgroup()
  for i = 1, REQUESTS do
    group:go(function()
      enter()
      inside = inside + 1
      most = math.max(most, inside)
      weft.sleep(0.0005 * (i % 3))
      inside = inside - 1
      leave()
    end)
  end
  group:wait()
  return most
end

local slots = weft.chan(LIMIT)
print(("channel:   %d requests, at most %d at a time"):format(REQUESTS,
  run(function() slots:send(true) end, function() slots:recv() end)))

local service = sync.semaphore(LIMIT)
print(("semaphore: %d requests, at most %d at a time"):format(REQUESTS,
  run(function() service:acquire() end, function() service:release() end)))

-- A big request takes two places at once. Who has waited long enough goes, and has taken none.
service:acquire(2)
local patience = context.with_timeout(context.background(), 0.005)
print("big request:", service:acquire(2, patience))
print("small one: ", service:try_acquire())
service:release(3)

-- The same semaphore on all cores: it crosses by reference, and so does the counter.
local inside, most, group = sync.int(), sync.int(), sync.waitgroup()
for _ = 1, REQUESTS do
  group:spawn(function()
    service:with(function()
      local now = inside:add(1)
      local before = most:load()
      while now > before and not most:compare_and_swap(before, now) do before = most:load() end
      require("weft").sleep(0.0005)
      inside:add(-1)
    end)
  end)
end
group:wait()
print(("all cores: %d requests, at most %d at a time"):format(REQUESTS, most:load()))
