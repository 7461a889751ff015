-- SPDX-License-Identifier: MIT
-- Helpers of the specs of weft.net: pairs of connected sockets. Nothing here waits for a time:
-- what a spec needs to have happened it asks of the sockets themselves.

local weft = require 'weft'
local net = require 'weft.net'

local M = {}

-- A listener of its own on this machine, on any port.
function M.listen(opts)
  return assert(net.listen('tcp', '127.0.0.1:0', opts))
end

-- Two connected ends, over `network` ("tcp"); the client's first.
function M.pair(network, path)
  network = network or 'tcp'
  local l = assert(net.listen(network, network == 'unix' and path or '127.0.0.1:0'))
  local accepted = weft.async(function() return assert(l:accept()) end)
  local client = assert(net.dial(network, l:addr()))
  local server = accepted:await()
  l:close()
  return client, server
end

-- Runs fn(client, server) on such a pair, and closes both.
function M.with_pair(fn, ...)
  local client, server = M.pair(...)
  local ok, err = pcall(fn, client, server)
  client:close()
  server:close()
  if not ok then error(err, 0) end
end

-- Waits until task `id` is in that state, as it will be: others run meanwhile.
function M.until_state(id, state)
  for _ = 1, 100000 do
    for _, t in ipairs(weft.tasks()) do
      if t.id == id and t.state == state then return t end
    end
    weft.yield()
  end
  error(('task %d never came to "%s"\n%s'):format(id, state, weft.stacks()), 2)
end

-- Starts fn(...) as a task and lets others run until it waits for I/O: its Future and its number.
function M.waiting(fn, ...)
  local id
  local args = { n = select('#', ...), ... }
  local future = weft.async(function()
    id = weft.id()
    return fn(unpack(args, 1, args.n))
  end)
  repeat weft.yield() until id
  M.until_state(id, 'IO wait')
  return future, id
end

-- Makes writing to `c` block: its peer reads nothing.
function M.fill(c)
  local chunk = ('f'):rep(65536)
  local total = 0
  c:set_timeout(0.05)
  repeat
    local ok = c:write(chunk)
    if ok then total = total + #chunk end
  until not ok
  c:set_timeout()
  return total + #chunk
end

return M
