-- SPDX-License-Identifier: MIT
-- Datagram sockets: weft.net.udp.
local _, raw = ...

local type, setmetatable = type, setmetatable
local conn = raw.import "conn"
local io_words, EINVAL = raw.io_words, raw.EINVAL
local MOST = 65536

---@class weft.Udp
local Udp = {}
Udp.__index = Udp
Udp.__metatable = "weft.udp"

-- What weft.net lends: split(address), resolve(host, family, what, where, ctx).
local M = {}

local function fail(self, what, ok, err, mark)
  if ok ~= nil then return io_words(what, "udp " .. raw.udp_name(self), err) end
  raw.udp_left(self)
  return conn.ended(err, mark)
end

-- The address in digits and the port of "host:port"; nil, err, code.
local function target(self, address, what, ctx)
  local host, port = M.split(address)
  local where = "udp " .. address
  if not host or port == 0 then return io_words(what, where, EINVAL) end
  local _, family = raw.udp_name(self)
  if host == "" then return family == 6 and "::1" or "127.0.0.1", port end
  local list, err, code = M.resolve(host, family, what, where, ctx)
  if not list then return nil, err, code end
  return list[1], port
end

local function check_data(data, fname)
  if type(data) ~= "string" and type(data) ~= "number" then
    raw.bad_arg(1, fname, "string or number", data)
  end
end

local function check_address(address, arg, fname)
  if type(address) ~= "string" then raw.bad_arg(arg, fname, "address as string", address) end
end

local function send(self, data, fname, ip, port, ctx)
  local ok, err, mark
  repeat
    ok, err, mark = raw.udp_send(self, data, fname, ip, port, ctx)
  until ok ~= true
  if ok then return true end
  return fail(self, fname, ok, err, mark)
end

-- Sends one datagram to an address.
---@param data string|number
---@param address string
---@param ctx? weft.Context
---@return true?, string?, string?
function Udp:send_to(data, address, ctx)
  check_data(data, "send_to")
  check_address(address, 2, "send_to")
  local ip, port, code = target(self, address, "send_to", ctx)
  if not ip then return nil, port, code end
  return send(self, data, "send_to", ip, port, ctx)
end

-- The same to the address that it is connected to.
---@param data string|number
---@param ctx? weft.Context
---@return true?, string?, string?
function Udp:send(data, ctx)
  check_data(data, "send")
  return send(self, data, "send", nil, nil, ctx)
end

local function receive(self, max, ctx, fname)
  if type(max) == "table" and ctx == nil then max, ctx = nil, max end
  if max ~= nil and (type(max) ~= "number" or not (max >= 1) or max % 1 ~= 0) then
    raw.bad_arg(1, fname, "integer >= 1", max)
  end
  local data, from, mark
  repeat
    data, from, mark = raw.udp_receive(self, max or MOST, fname, ctx)
  until data ~= true
  if data then return data, from end
  return fail(self, fname, data, from, mark)
end

-- The next datagram, or its first `max` bytes, and where it came from.
---@param max? integer
---@param ctx? weft.Context
---@return string?, string?, string?
function Udp:recv_from(max, ctx) return receive(self, max, ctx, "recv_from") end

-- The same without the address.
---@param max? integer
---@param ctx? weft.Context
---@return string?, string?, string?
function Udp:recv(max, ctx)
  local data, err, code = receive(self, max, ctx, "recv")
  if data then return data end
  return nil, err, code
end

-- From now on it sends to that address, and receives from it alone.
---@param address string
---@param ctx? weft.Context
---@return true?, string?, string?
function Udp:connect(address, ctx)
  check_address(address, 1, "connect")
  local ip, port, code = target(self, address, "connect", ctx)
  if not ip then return nil, port, code end
  local ok, err = raw.udp_connect(self, ip, port)
  if ok then return true end
  return fail(self, "connect", ok, err)
end

-- Its own address.
---@return string
function Udp:addr() return (raw.udp_name(self)) end

---@return true?, string?
function Udp:close()
  local ok, code = raw.udp_close(self)
  if ok then return true end
  return io_words("close", "", code)
end

function Udp.__tostring(self) return raw.label(self) or "udp " .. raw.udp_name(self) end

-- A socket at an address; without one at any port of this machine.
function M.open(address)
  local where = "udp " .. (address or "0.0.0.0:0")
  local host, port = "0.0.0.0", 0
  if address then host, port = M.split(address) end
  if not host then return io_words("listen", where, EINVAL) end
  if host == "" then host = "0.0.0.0" end
  local list, err, code = M.resolve(host, 0, "listen", where)
  if not list then return nil, err, code end
  local socket
  socket, code = raw.udp_open(list[1], port)
  if socket then return setmetatable({ [0] = socket }, Udp) end
  return io_words("listen", where, code)
end

return M
