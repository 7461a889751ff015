-- SPDX-License-Identifier: MIT
-- Datagrams and names: what was sent comes, as it was sent, however often it takes to receive it.
local weft = require 'weft'
local support = require 'support'
local net = weft.net
local call, try = support.call, support.try

local sockets, n = { false, false, false, false }, 0

local function open()
  local socket = call(net.udp, '127.0.0.1:0')
  if not socket then return nil end
  n = n + 1
  sockets[n] = socket
  return socket
end

local function address(socket)
  local ok, addr = try(socket.addr, socket)
  return ok and addr
end

-- One that there was no memory for is lost, and those that were sent again come twice.
local function receive(socket, method, expected, send_again)
  local data
  repeat
    data = call(socket[method], socket)
    if not data then
      send_again()
    elseif data ~= expected then
      assert(data == 'one' or data == 'two', 'another datagram')
    end
  until data == expected
end

local function exchange(a, b)
  local to, from = address(b), address(a)
  if not (to and from) then return false end
  local function one() return call(a.send_to, a, 'one', to) end
  local function two() return call(b.send, b, 'two') end
  if one() then receive(b, 'recv_from', 'one', one) end
  if not (call(a.connect, a, to) and call(b.connect, b, from)) then return false end
  if two() then receive(a, 'recv', 'two', two) end
  -- The receiver waits by then.
  if try(weft.go, call, b.send, b, 'three') then
    local data = call(a.recv, a, 100)
    assert(data == 'three' or data == 'two' or not data)
  end
  return true
end

local DNS, SYSTEM = { family = 4 }, { family = 4, resolver = 'system' }

local function look_up(options)
  local list = call(net.lookup, 'localhost', options)
  assert(not list or list[1] == '127.0.0.1')
  return list
end

local function work()
  local a, b = open(), open()
  if a and b then exchange(a, b) end
  look_up(DNS)
  look_up(SYSTEM)
end

local function close_all()
  for i = 1, n do sockets[i]:close() end
end

local function check(panicked)
  support.alone(panicked, close_all)
  local a, b = assert(net.udp '127.0.0.1:0'), assert(net.udp '127.0.0.1:0')
  assert(exchange(a, b))
  a:close()
  b:close()
  assert(look_up(DNS) and look_up(SYSTEM))
  support.alone(panicked)
end

return work, check, true
