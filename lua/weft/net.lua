-- SPDX-License-Identifier: MIT
-- weft.net: connections, and sockets that they come to.
local _, raw = ...

local type, setmetatable, getmetatable = type, setmetatable, getmetatable
local tonumber, error, math = tonumber, error, math
local conn = raw.import "conn"
local context = raw.require "weft.context"
local io_words, wrap = raw.io_words, conn.wrap
local EINVAL = raw.EINVAL
local FAMILY = { tcp = 0, tcp4 = 4, tcp6 = 6, unix = 0 }
local BACKLOG, MAX_BACKLOG = 511, 65535

---@class weft.net
local net = {}

-- Arguments ------------------------------------------------------------------------------------

local function check_network(network, fname)
  if type(network) ~= "string" or not FAMILY[network] then
    raw.bad_arg(1, fname, 'network "tcp", "tcp4", "tcp6" or "unix"', network)
  end
end

local function check_address(address, arg, fname)
  if type(address) ~= "string" then raw.bad_arg(arg, fname, "address as string", address) end
end

-- Options that stand in the place of a context; `ctx` is false where none is taken.
local function options(opts, ctx, arg, fname)
  local is_ctx = raw.is_ctx(opts)
  if is_ctx and ctx == nil then return nil, opts end
  if is_ctx or opts ~= nil and type(opts) ~= "table" then
    raw.bad_arg(arg, fname, "table of options", opts)
  end
  return opts, ctx
end

local function option(opts, name, kind, arg, fname)
  local v = opts and opts[name]
  if v ~= nil and type(v) ~= kind then
    raw.bad_arg(arg, fname, name .. " as " .. kind, v)
  end
  return v
end

local function number(opts, name, least, most, arg, fname)
  local v = option(opts, name, "number", arg, fname)
  if v and not (v >= least and v <= most) then
    raw.bad_arg(arg, fname, ("%s as number from %g to %g"):format(name, least, most), v)
  end
  return v
end

-- The host and the port of "host:port" or "[::1]:port"; nil when it is none.
local function split(address)
  local host, port = address:match "^%[([^%[%]]*)%]:(%d+)$"
  if host and not raw.is_ip(host) then return nil end
  if not host then host, port = address:match "^([^:%[%]]*):(%d+)$" end
  port = tonumber(port)
  if not port or port > 65535 or address:find "[%z%s]" then return nil end
  return host, port
end

-- The addresses that a name, or an address in digits, stands for: a list; or nil, err, code.
local function resolve(host, family, what, where, ctx)
  local is = raw.is_ip(host)
  if is then
    if family ~= 0 and family ~= is then return io_words(what, where, EINVAL) end
    return { host }
  end
  return raw.import("lookup").of(host, family, what, where, ctx)
end

-- Dialling -------------------------------------------------------------------------------------

-- One attempt: true, or false and a code, or nil and the context's error.
local function attempt(c, network, ip, port, here, ctx)
  if network == "unix" then return raw.net_connect_unix(c, ip, ctx) end
  return raw.net_connect(c, ip, port, here and here[1], here and here[2], ctx)
end

local function set_up(c, opts)
  if not opts or opts.nodelay ~= false then raw.stream_nodelay(c, true) end
  if opts and opts.keepalive then raw.stream_keepalive(c, opts.keepalive) end
end

-- Tries one address after the other.
local function connect(network, list, port, opts, here, ctx, where)
  local err, code
  for i = 1, #list do
    local c = wrap(raw.net_stream(network))
    local ok, why, mark = attempt(c, network, list[i], port, here, ctx)
    if ok then
      if network ~= "unix" then set_up(c, opts) end
      return c
    end
    raw.stream_close(c)
    if ok == nil then return conn.ended(why, mark) end
    local _, e, n = io_words("dial", where, why)
    err, code = err or e, code or n
  end
  return nil, err, code
end

local function local_address(network, text, where)
  if not text then return nil end
  local host, port = split(text)
  if host == "" then host = network == "tcp6" and "::" or "0.0.0.0" end
  if not host or not raw.is_ip(host) then return nil, io_words("dial", where, EINVAL) end
  return { host, port }
end

local function dial(network, address, opts, ctx)
  local where = network .. " " .. address
  if network == "unix" then
    if address == "" or address:find "%z" then return io_words("dial", where, EINVAL) end
    return connect(network, { address }, 0, opts, nil, ctx, where)
  end
  local host, port = split(address)
  if not host or port == 0 then return io_words("dial", where, EINVAL) end
  if host == "" then host = network == "tcp6" and "::1" or "127.0.0.1" end
  local here, _, err, code = local_address(network, opts and opts.local_addr, where)
  if err then return nil, err, code end
  local list
  list, err, code = resolve(host, FAMILY[network], "dial", where, ctx)
  if not list then return nil, err, code end
  return connect(network, list, port, opts, here, ctx, where)
end

local function parent_of(ctx)
  return ctx or (context.current and context.current()) or context.background()
end

-- Connects to an address: a connection, or nil, err, code. All addresses of a name are tried, one
-- after the other; the error is the first one's.
---@class weft.dial_options
---@field timeout? number
---@field nodelay? boolean
---@field keepalive? number
---@field local_addr? string
---@param network "tcp"|"tcp4"|"tcp6"|"unix"
---@param address string
---@param opts? weft.dial_options
---@param ctx? weft.Context
---@return weft.Conn?, string?, string?
function net.dial(network, address, opts, ctx)
  check_network(network, "dial")
  check_address(address, 2, "dial")
  opts, ctx = options(opts, ctx, 3, "dial")
  option(opts, "nodelay", "boolean", 3, "dial")
  option(opts, "local_addr", "string", 3, "dial")
  number(opts, "keepalive", 1, 32767, 3, "dial")
  local timeout = number(opts, "timeout", 0, math.huge, 3, "dial")
  if not timeout then return dial(network, address, opts, ctx) end
  local limited, cancel = context.with_timeout(parent_of(ctx), timeout)
  local c, err, code = dial(network, address, opts, limited)
  cancel()
  -- Raises when the task's own has ended.
  if not c and not ctx then raw.ctx_over(nil, "dial", 4) end
  if not c and err == context.DeadlineExceeded and not (ctx and ctx:err()) then
    return nil, "timeout"
  end
  return c, err, code
end

-- Listening ------------------------------------------------------------------------------------

---@class weft.Listener
local Listener = {}
Listener.__index = Listener
Listener.__metatable = "weft.listener"

local accept = raw.net_accept

-- The next connection, or nil, err, code: nil, "closed" when the listener was closed.
---@param ctx? weft.Context
---@return weft.Conn?, string?, string?
function Listener:accept(ctx)
  -- First, as a connection that there is no memory for would stay open until it is collected.
  local accepted = wrap(false)
  local c, err, mark
  repeat
    c, err, mark = accept(self, ctx)
  until c ~= true
  if c then
    accepted[0] = c
    return accepted
  end
  if c == false then return io_words("accept", raw.listener_where(self), err) end
  raw.net_accept_left(self)
  return conn.ended(err, mark)
end

-- `for c in l do`: until the listener is closed; raises other errors.
function Listener:__call()
  local c, err = Listener.accept(self)
  if not c and err ~= "closed" then error(err, 2) end
  return c
end

-- The address that it listens at: "127.0.0.1:80", or its path.
---@return string
function Listener:addr() return raw.listener_addr(self) end

-- Nobody is accepted any more; whoever waits gets nil, "closed". The file of a unix socket goes.
---@return true?, string?
function Listener:close()
  local ok, code = raw.listener_close(self)
  if ok then return true end
  return io_words("close", "", code)
end

function Listener.__tostring(self) return raw.label(self) or raw.listener_where(self) end

local function listen_at(network, address)
  if network == "unix" then
    if address == "" or address:find "%z" then return nil end
    return { address }, nil
  end
  local host, port = split(address)
  if not host then return nil end
  if host ~= "" then
    local list, err, code = resolve(host, FAMILY[network], "listen", network .. " " .. address)
    return list, port, err, code
  end
  if network == "tcp4" then return { "0.0.0.0" }, port end
  return network == "tcp6" and { "::" } or { "::", "0.0.0.0" }, port
end

-- Listens at an address: a listener, or nil, err, code. Port 0: any (see addr). An address without
-- a host means all of this machine's.
---@alias weft.listen_options {backlog?: integer, reuse_port?: boolean, max_conns?: integer}
---@param network "tcp"|"tcp4"|"tcp6"|"unix"
---@param address string
---@param opts? weft.listen_options
---@return weft.Listener?, string?, string?
function net.listen(network, address, opts)
  check_network(network, "listen")
  check_address(address, 2, "listen")
  opts = options(opts, false, 3, "listen")
  local backlog = number(opts, "backlog", 1, MAX_BACKLOG, 3, "listen") or BACKLOG
  local reuse = option(opts, "reuse_port", "boolean", 3, "listen")
  local most = number(opts, "max_conns", 1, 2 ^ 31, 3, "listen") or 0
  local list, port, err, name = listen_at(network, address)
  local where = network .. " " .. address
  if err then return nil, err, name end
  if not list then return io_words("listen", where, EINVAL) end
  local listen = network == "unix" and raw.net_listen_unix or raw.net_listen
  local l, code
  for i = 1, #list do
    l, code = listen(network, list[i], port, backlog, reuse, most)
    if l then return setmetatable({ [0] = l }, Listener) end
  end
  return io_words("listen", where, code)
end

-- A context under `parent` that is cancelled when the peer hangs up, or the connection is closed;
-- nothing is read for that. And the function that cancels it before.
---@param parent? weft.Context
---@return weft.Context?, function|string, string?
function conn.Conn:context(parent)
  if parent ~= nil and not raw.is_ctx(parent) then
    raw.bad_arg(1, "context", "context", parent)
  end
  local ctx, cancel = context.with_cancel(parent or parent_of())
  local ok, code = raw.net_context(self, ctx)
  if ok then return ctx, cancel end
  cancel()
  if code > 0 then return ctx, cancel end  -- closed
  return io_words("context", raw.stream_where(self), code)
end

-- A socket for datagrams at an address ("host:port"; without one: any port), or nil, err, code.
---@param address? string
---@return weft.Udp?, string?, string?
function net.udp(address)
  if address ~= nil then check_address(address, 1, "udp") end
  local udp = raw.import "udp"
  udp.split, udp.resolve = split, resolve
  return udp.open(address)
end

local function is_listener(l) return type(l) == "table" and getmetatable(l) == "weft.listener" end

-- Runs fn(conn, ctx) in a task for each connection of the listener, which is closed when that
-- returns; an error in one is logged. It stops accepting, and closes the listener, when `ctx`
-- ends; then those that are left have `grace` seconds (no limit) until they are cancelled and
-- closed. True, or nil and "n connections cut off".
---@alias weft.serve_options {ctx?: weft.Context, grace?: number}
---@param l weft.Listener
---@param fn fun(c: weft.Conn, ctx: weft.Context)
---@param opts? weft.serve_options
---@return true?, string?, string?
function net.serve(l, fn, opts)
  if not is_listener(l) then raw.bad_arg(1, "serve", "listener", l) end
  if type(fn) ~= "function" then raw.bad_arg(2, "serve", "function", fn) end
  opts = options(opts, false, 3, "serve")
  local ctx = option(opts, "ctx", "table", 3, "serve")
  if ctx and not raw.is_ctx(ctx) then raw.bad_arg(3, "serve", "ctx as context", ctx) end
  local grace = number(opts, "grace", 0, math.huge, 3, "serve")
  return raw.import("serve")(l, fn, parent_of(ctx), grace)
end

-- The addresses of a host, as text: a list, or nil, err, code.
---@alias weft.lookup_options {family?: 4|6, resolver?: "dns"|"system"}
---@param host string
---@param opts? weft.lookup_options
---@param ctx? weft.Context
---@return string[]?, string?, string?
function net.lookup(host, opts, ctx)
  if type(host) ~= "string" then raw.bad_arg(1, "lookup", "host as string", host) end
  opts, ctx = options(opts, ctx, 2, "lookup")
  local family = option(opts, "family", "number", 2, "lookup") or 0
  if family ~= 0 and family ~= 4 and family ~= 6 then
    raw.bad_arg(2, "lookup", "family as 4 or 6", family)
  end
  local resolver = option(opts, "resolver", "string", 2, "lookup") or "dns"
  if resolver ~= "dns" and resolver ~= "system" then
    raw.bad_arg(2, "lookup", 'resolver as "dns" or "system"', resolver)
  end
  local over, err = raw.ctx_over(ctx, "lookup", 3)
  if over == nil then return nil, err end
  local is = raw.is_ip(host)
  if is and (family == 0 or family == is) then return { host } end
  if host == "" or host:find "[%z%s]" or is then return io_words("lookup", host, EINVAL) end
  return raw.import("lookup").of(host, family, "lookup", host, ctx, resolver)
end

return net
