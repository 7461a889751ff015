-- SPDX-License-Identifier: MIT
-- More requests than can be served. The queue is bounded, and who finds it full is turned away at
-- once: `try_send` never waits. Those who are let in are served soon, the others can go elsewhere,
-- and memory stays what it is. An unbounded queue would serve everybody, too late.

local weft = require "weft"
local time = require "weft.time"

local WORKERS, QUEUE = 4, 16
local SERVICE = 0.004 -- seconds for each request: a thousand a second

local queue = weft.chan(QUEUE)
local served, slowest = 0, 0

local workers = weft.sync.waitgroup()
for _ = 1, WORKERS do
  workers:go(function()
    for request in queue do
      weft.sleep(SERVICE)
      served = served + 1
      slowest = math.max(slowest, time.monotonic() - request.at)
    end
  end)
end

local function offer(requests)
  local accepted, rejected = 0, 0
  for n = 1, requests do
    if queue:try_send { n = n, at = time.monotonic() } then
      accepted = accepted + 1
    else
      rejected = rejected + 1
    end
  end
  return accepted, rejected
end

-- Three bursts, with time enough in between to serve what was let in.
local total = 0
for _, burst in ipairs { 10, 500, 16 } do
  local accepted, rejected = offer(burst)
  total = total + accepted
  print(("%3d requests at once: %d accepted, %d rejected"):format(burst, accepted, rejected))
  while served < total do weft.sleep(SERVICE) end
end
queue:close()
workers:wait()

print(("%d served; nobody who was let in waited for long: %s"):format(served,
  tostring(slowest < 1)))
