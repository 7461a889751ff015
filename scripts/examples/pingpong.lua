-- SPDX-License-Identifier: MIT
-- Two tasks play ping-pong over unbuffered channels.
--
-- An unbuffered channel is a meeting: `send` returns when somebody has taken the value, `recv`
-- when somebody has brought one. Neither side can run ahead, so the two lines below always take
-- turns, in the same order, on every run, without a lock or a flag in sight.

local weft = require "weft"

local ROUNDS = 5

local function player(name, from, to)
  for stroke in from do -- until the other side closes
    print(("%d %s"):format(stroke, name))
    if stroke == 2 * ROUNDS then
      break
    end
    to:send(stroke + 1)
  end
  to:close() -- the sender closes: it knows that nothing more will come
end

local left, right = weft.chan(), weft.chan()
weft.go(player, "  pong", right, left)
weft.go(function()
  left:send(1) -- the serve
end)

player("ping", left, right) -- main is a task like any other and may play, too
print("closed: " .. tostring(left:is_closed() and right:is_closed()))
