-- SPDX-License-Identifier: MIT
-- A server that stops in good order: it takes no new connections, lets what is under way finish,
-- and cuts off what has not finished by a deadline.
--
-- The context that stops it comes from SIGTERM where there is weft.signal; here, so that the
-- program ends by itself, a client asks for it with the request "stop".

local weft = require "weft"
local net, context = weft.net, weft.context

local GRACE = 0.3

local stopping, stop = context.with_cancel(context.background())
local listener = assert(net.listen("tcp", "127.0.0.1:0"))

-- A request is a number of seconds to work for, or "stop".
local function handle(conn, ctx)
  for request in conn:lines() do
    if request == "stop" then
      stop("a client asked for it")
    else
      local ok, err = weft.sleep(tonumber(request), ctx) -- the work
      if not ok then
        print("gave up on " .. request .. ": " .. err)
        return
      end
    end
    conn:write("done ", request, "\n")
  end
end

local function ask(request)
  local conn, err = net.dial("tcp", listener:addr())
  if not conn then return "refused: " .. err:match("%((.-)%)") end
  conn:write(request, "\n")
  conn:close_write()
  local answer = conn:read_line() or "cut off"
  conn:close()
  return answer
end

local server = weft.async(net.serve, listener, handle, { ctx = stopping, grace = GRACE })
local quick, slow = weft.async(ask, "0.1"), weft.async(ask, "60")
weft.sleep(0.05) -- both are under way by now
print(ask("stop"))
print("new:   " .. ask("0"))
print("quick: " .. quick:await())
print("slow:  " .. slow:await())
print("server: " .. tostring((select(2, server:await()))))
print("cause: " .. stopping:cause())
