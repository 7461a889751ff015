-- SPDX-License-Identifier: MIT
-- A server that gives back what it gets, for scripts/benches/c/load.c: on the main VM's core (arg
-- 1), or on every core, each with a listener of its own at the same port. Prints the port; never
-- returns.
local weft = require "weft"

local function serve(address, ready)
  local function echo(conn)
    while true do
      local data = conn:read()
      if not data then break end
      conn:write(data)
    end
    conn:close()
  end
  local listener = assert(weft.net.listen("tcp", address, { reuse_port = true }))
  ready:send(listener:addr())
  for conn in listener do weft.go(echo, conn) end
end

local function tell(address)
  io.stdout:write(address:match "%d+$", "\n")
  io.stdout:flush()
end

local function once(_, cores)
  local ready = weft.chan()
  if cores == 1 then
    weft.go(serve, "127.0.0.1:0", ready)
    tell(ready:recv())
  else
    local address = "127.0.0.1:0"
    for _ = 1, weft.nworkers() do
      weft.spawn(serve, address, ready)
      address = ready:recv()
    end
    tell(address)
  end
  weft.sleep(math.huge)
end

return { once = once }
