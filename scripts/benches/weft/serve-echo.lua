-- SPDX-License-Identifier: MIT
-- A server that gives back what it gets, for scripts/benches/c/load.c: on the main VM's core (arg
-- 1), or on every core, each with a listener of its own at the same port. Prints the port; never
-- returns. As c/uv.c it has one buffer for all connections of a core.
local weft = require "weft"

-- What is done with a connection of a VM.
local function by_buffer()
  local buf = require "string.buffer".new()
  return function(conn)
    while conn:read_into(buf) do
      if not conn:write_from(buf) then
        buf:reset()
        break
      end
    end
    conn:close()
  end
end

local function serve(address, ready, handler)
  local listener = assert(weft.net.listen("tcp", address, { reuse_port = true }))
  local handle = handler()
  ready:send(listener:addr())
  for conn in listener do weft.go(handle, conn) end
end

local function tell(address)
  io.stdout:write(address:match "%d+$", "\n")
  io.stdout:flush()
end

local M = {}

function M.with(handler)
  return { once = function(_, cores)
    local ready = weft.chan()
    if cores == 1 then
      weft.go(serve, "127.0.0.1:0", ready, handler)
      tell(ready:recv())
    else
      local address = "127.0.0.1:0"
      for _ = 1, weft.nworkers() do
        weft.spawn(serve, address, ready, handler)
        address = ready:recv()
      end
      tell(address)
    end
    weft.sleep(math.huge)
  end }
end

M.once = M.with(by_buffer).once

return M
