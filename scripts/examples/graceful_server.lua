-- SPDX-License-Identifier: MIT
-- A server that stops in good order on SIGTERM (or Ctrl-C): it takes no new connections, lets what
-- is under way finish, and cuts off what has not finished by a deadline. So that the program ends
-- by itself, it sends itself the signal while two requests are under way.

local weft = require "weft"
local net, signal = weft.net, weft.signal

local GRACE = 0.3

local stopping = signal.context(weft.context.background(), "SIGTERM", "SIGINT")
local listener = assert(net.listen("tcp", "127.0.0.1:0"))
local begun, ended = weft.chan(2), weft.chan(2)

-- A request is a number of seconds to work for.
local function handle(conn, ctx)
  weft.defer(function() ended:send(true) end)
  for request in conn:lines() do
    begun:send(request)
    local ok, err = weft.sleep(tonumber(request), ctx) -- the work
    if not ok then
      print("gave up on " .. request .. ": " .. err)
      return
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
begun:recv()
begun:recv()
assert(weft.process.run { "sh", "-c", "kill -TERM $PPID" })
stopping:done():recv()
print("stopping: " .. stopping:cause())
print("quick: " .. quick:await())
print("new:   " .. ask("0"))
ended:recv()
ended:recv()
print("slow:  " .. slow:await())
print("server: " .. tostring((select(2, server:await()))))
