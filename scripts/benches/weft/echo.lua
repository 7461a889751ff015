-- SPDX-License-Identifier: MIT
-- n messages of 64 bytes, or of 16 KiB where arg is below 0, there and back, over so
-- many connections at once; both ends in this process.
local weft = require "weft"
local net = weft.net


local function serve(listener)
  for conn in listener do
    weft.go(function()
      while true do
        local data = conn:read()
        if not data then break end
        conn:write(data)
      end
      conn:close()
    end)
  end
end

local function client(address, message, count)
  local conn = assert(net.dial("tcp", address))
  local bytes = 0
  for _ = 1, count do
    conn:write(message)
    bytes = bytes + #assert(conn:read_exactly(#message))
  end
  conn:close()
  return bytes
end

local function pass(n, arg)
  local conns, message = math.abs(arg), ("x"):rep(arg < 0 and 16384 or 64)
  local listener = assert(net.listen("tcp", "127.0.0.1:0"))
  weft.go(serve, listener)
  local clients, bytes = {}, 0
  for i = 1, conns do
    clients[i] = weft.async(client, listener:addr(), message, math.floor(n / conns))
  end
  for i = 1, conns do bytes = bytes + clients[i]:await() end
  listener:close()
  return bytes
end

return { pass = pass }
