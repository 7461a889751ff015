-- SPDX-License-Identifier: MIT
-- Calls that fail now and then are made again, after delays that grow, with some chance in them:
-- clients that have failed together must not all come back together.

local weft = require "weft"
local context, time, retry = weft.context, weft.time, weft.retry

-- A service that is down until the third call, one by one.
local calls = 0
local function flaky()
  calls = calls + 1
  if calls == 1 then return nil, "connection refused" end
  if calls == 2 then error("half an answer", 0) end
  return "answer", calls
end

print(retry(flaky, { delay = 0.001 }))

-- A service that stays down.
local function down(attempt) return nil, "still down at attempt " .. attempt end
print(retry(down, { attempts = 4, delay = 0.001, factor = 3, max = 0.005 }))

-- Not longer than the caller has time.
local ctx, cancel = context.with_timeout(context.background(), 0.05)
print((select(2, retry(down, { delay = 1, ctx = ctx }))))
cancel()

-- Fifty clients lose their connection at the same moment. Without jitter all of them come back at
-- the same moment too, again and again.
local function crowd(jitter)
  local started, moments, most = time.monotonic(), {}, 0
  local group = weft.errgroup.new()
  for _ = 1, 50 do
    group:go(function()
      return retry(function(attempt)
        if attempt == 2 then
          local ms = math.floor((time.monotonic() - started) * 1000)
          moments[ms] = (moments[ms] or 0) + 1
          most = math.max(most, moments[ms])
          return true
        end
        return nil, "lost"
      end, { attempts = 2, delay = 0.2, jitter = jitter })
    end)
  end
  assert(group:wait())
  return most
end

local together, apart = crowd(0), crowd(1)
print("most clients in one millisecond: fewer with jitter: " .. tostring(apart < together))
