-- SPDX-License-Identifier: MIT
-- Sessions that nobody uses are swept out every now and then, until the program shuts down: a
-- ticker and the shutdown in one select loop. The sweeper owns the table, so nothing is locked;
-- whoever uses a session tells it over a channel.

local weft = require "weft"
local context, time = weft.context, weft.time

local EVERY, IDLE = 0.01, 0.035 -- seconds

local function sweeper(ctx, used, log)
  local sessions, ticker = {}, time.ticker(EVERY)
  while true do
    local what, id = weft.select { tick = ticker.c, used = used, stop = ctx:done() }
    if what == "used" then
      if not sessions[id] then log:send("new: " .. id) end
      sessions[id] = time.monotonic()
    elseif what == "tick" then
      local idle = {}
      for name, at in pairs(sessions) do
        if time.monotonic() - at > IDLE then idle[#idle + 1] = name end
      end
      for _, name in ipairs(idle) do
        sessions[name] = nil
        log:send("swept: " .. name)
      end
    else
      ticker:stop()
      local left = 0
      for _ in pairs(sessions) do left = left + 1 end
      log:send(("shut down, as %s; sessions left: %d"):format(ctx:cause(), left))
      return log:close()
    end
  end
end

local ctx, cancel = context.with_cancel(context.background())
local used, log = weft.chan(), weft.chan(100)
weft.go(sweeper, ctx, used, log)

used:send "Ada"
weft.sleep(2 * IDLE) -- Ada has gone for tea
used:send "Grace"
for _ = 1, 20 do -- Grace works
  used:send "Grace"
  weft.sleep(IDLE / 7)
end
used:send "Hedy"
cancel "it is late"

for line in log do print(line) end
