-- SPDX-License-Identifier: MIT
-- Lines of logs come from sockets, are parsed, and are flushed in batches of SIZE or every PERIOD
-- seconds, whichever is first.

local weft = require "weft"
local net = weft.net

local SIZE, PERIOD = 4, 0.3

local entries = weft.chan(64) -- a full one makes the senders wait, and their peers in turn

local listener = assert(net.listen("tcp", "127.0.0.1:0"))
local ctx, stop = weft.context.with_cancel(weft.context.background())
local bad = 0
local server = weft.async(net.serve, listener, function(conn)
  for line in conn:lines(1024) do
    local level, text = line:match("^(%u+) (.+)$")
    if level then
      entries:send({ level = level, text = text })
    else
      bad = bad + 1
    end
  end
end, { ctx = ctx, grace = 5 })

-- Batches, until the channel is closed and drained. Whoever flushes knows why.
local function collect(flush)
  local batch = {}
  local ticker = weft.time.ticker(PERIOD)
  while true do
    local which, entry = weft.select(entries, ticker.c)
    if which == 1 then
      batch[#batch + 1] = entry
    end
    local is_last = which == 1 and entry == nil
    if #batch == SIZE or (#batch > 0 and (which == 2 or is_last)) then
      flush(batch, #batch == SIZE and "full" or is_last and "last" or "time")
      batch = {}
    end
    if is_last then break end
  end
  ticker:stop()
end

local total, flushed = 0, weft.chan(10)
local collector = weft.async(collect, function(batch, why)
  total = total + #batch
  flushed:send(why)
end)

local function send(text)
  local conn = assert(net.dial("tcp", listener:addr()))
  assert(conn:write(text))
  conn:close()
end

send(("INFO started\n"):rep(3) .. "no level here\nWARN disk is filling up\n")
print("flushed: " .. flushed:recv()) -- four good lines
send("ERROR disk is full\nINFO giving ")
send("up\n") -- another connection: these are two halves of no line
print("flushed: " .. flushed:recv())

send("INFO one more\n")
print("flushed: " .. flushed:recv())
stop()
assert(server:await()) -- nobody sends any more,
entries:close() -- and so the channel can be closed
collector:await()
print(("%d entries, %d bad lines"):format(total, bad))
