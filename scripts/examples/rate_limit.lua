-- SPDX-License-Identifier: MIT
-- A token bucket in front of a service that takes 100 calls a second, and 5 at once.
--
-- Three kinds of callers: one who waits for a token, in line; one who has a deadline, and is told
-- at once when a token would come too late; one who would rather drop the call than wait.

local weft = require "weft"
local context, time, rate = weft.context, weft.time, weft.rate

local PER_SECOND, BURST = 100, 5
local limiter = rate.limiter(PER_SECOND, BURST)

local calls = {} -- when the service was called
local function service()
  calls[#calls + 1] = time.monotonic()
end

local team = weft.errgroup.new()
for _ = 1, 4 do
  team:go(function()
    for _ = 1, 5 do
      assert(limiter:wait())
      service()
    end
  end)
end
assert(team:wait())

-- However they come, in every stretch of time there are at most so many calls.
local kept = true
for i = 1, #calls do
  for j = i, #calls do
    -- A call may be late, but never early: the clock is read after the token was taken.
    local allowed = BURST + (calls[j] - calls[1]) * PER_SECOND + 0.01
    kept = kept and j <= allowed
  end
end
print(("%d calls waited for their turn; the limit was kept: %s"):format(#calls, tostring(kept)))

-- The bucket is empty, and four tokens are 40 ms away.
local ctx, cancel = context.with_timeout(context.background(), 0.02)
local ok, why = limiter:wait(4, ctx)
cancel()
print(("with 20 ms to spare for 4 tokens: %s, %s"):format(tostring(ok), why))

local dropped = 0
for _ = 1, 10 do
  if not limiter:allow(BURST) then dropped = dropped + 1 end
end
print(("%d calls were dropped"):format(dropped))
