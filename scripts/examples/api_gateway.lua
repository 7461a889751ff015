-- SPDX-License-Identifier: MIT
-- A gateway: one request asks three backends at once, under a deadline and with a limit on the
-- calls under way, and merges what they say. A slow backend spoils its own part alone, and a
-- client that hangs up cancels the calls that were made for it.

local weft = require "weft"
local net, context = weft.net, weft.context

local DEADLINE, CALLS = 0.25, 4
local calls = weft.chan(CALLS) -- as many values as it holds, so many calls are under way

-- Backends: a line with an id comes, a line goes.
local cancelled = weft.chan(10)
local function backend(name, delay)
  local listener = assert(net.listen("tcp", "127.0.0.1:0"))
  weft.go(net.serve, listener, function(conn)
    local gone = conn:context(context.background())
    for id in conn:lines() do
      if not weft.sleep(delay, gone) then
        cancelled:send(name)
        return
      end
      conn:write(name, "-of-", id, "\n")
    end
  end)
  return { name = name, addr = listener:addr() }
end

local backends = { backend("user", 0.01), backend("orders", 0.02), backend("stock", 60) }

-- What one backend says about the id, or why it says nothing.
local function call(which, id, ctx)
  if not calls:send(true, ctx) then return "busy" end
  local conn, err = net.dial("tcp", which.addr, ctx)
  local answer
  if conn then
    conn:write(id, "\n")
    answer, err = conn:read_line(nil, ctx)
    conn:close() -- the backend notices, and stops working for us
  end
  calls:recv()
  return answer or ("no " .. which.name .. " (" .. err .. ")")
end

local gateway = assert(net.listen("tcp", "127.0.0.1:0"))
weft.go(net.serve, gateway, function(conn)
  for id in conn:lines() do
    -- Ends with the deadline, or when the client hangs up, whichever is first.
    local ctx, done = context.with_timeout(conn:context(context.background()), DEADLINE)
    local parts = weft.map(backends, function(which) return call(which, id, ctx) end)
    done()
    conn:write(table.concat(parts, " | "), "\n")
  end
end)

local client = assert(net.dial("tcp", gateway:addr()))
for id = 1, 2 do
  client:write(id, "\n")
  print(assert(client:read_line()))
end
for _ = 1, 2 do cancelled:recv() end -- the slow backend has heard of both
client:write("3\n")
weft.sleep(DEADLINE / 5) -- its calls are under way,
client:close() -- and nobody wants the answer any more
print("cancelled: " .. cancelled:recv())
