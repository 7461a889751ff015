-- SPDX-License-Identifier: MIT
-- The methods of channels. Those of unbuffered ones are doors in frames: a blocked sender may have
-- to raise after the wait (measured: within noise with the JIT, 15 ns a call without), and
-- compiled code has a way past the door. Those of buffered ones do what need not wait right here,
-- in Lua that compiles into the caller's trace; runtime/conc/chan.h has the layout and figures.
local _, raw = ...

local getmetatable, setmetatable, rawget, error = getmetatable, setmetatable, rawget, error
local type, tostring, ipairs = type, tostring, ipairs
local raise, bad_self = raw.raise, raw.bad_self
local raw_recv, raw_try_send, raw_try_recv = raw.recv, raw.try_send, raw.try_recv
local scope, scoped = raw.import "scope", raw.scoped
local compiled = raw.import "compiled"
local check = scope.check

-- A view made by send_only or recv_only raises for what goes the other way.
---@class weft.Chan
---@operator call(): any
---@field send fun(self: weft.Chan, v: any, ctx?: weft.Context): true?, string? waits until taken
---@field recv fun(self: weft.Chan, ctx?: weft.Context): any, any nil, "closed" at the end
---@field try_send fun(self: weft.Chan, v: any): boolean, string? false, "full"
---@field try_recv fun(self: weft.Chan): any, any nil, "empty"; nil, "closed"
---@field close fun(self: weft.Chan, err?: any) raises when it is closed already
---@field iter fun(self: weft.Chan, ctx?: weft.Context): fun(): any ends when closed and drained
---@field len fun(self: weft.Chan): integer
---@field cap fun(self: weft.Chan): integer
---@field is_closed fun(self: weft.Chan): boolean
---@field sending fun(self: weft.Chan, v: any): weft.Case a send case for select
---@field send_only fun(self: weft.Chan): weft.Chan
---@field recv_only fun(self: weft.Chan): weft.Chan

---@class weft.Case

-- What getmetatable says of each kind.
local UNBUFFERED, BUFFERED, SYSTEM = "weft.chan", "weft.chan (buffered)", "weft.chan (weft's own)"
local SHARED = "weft.chan (shared)"  -- it has crossed to another VM

local Case = { __metatable = "weft.case" }
local Unbuffered, Buffered, Shared, SendOnly, RecvOnly = {}, {}, {}, {}, {}

-- Under the names that stack traces show, and so are the locals of functions below. In compiled
-- code these two are send_now and recv_now.
-- luacheck: ignore 431
local raw_send = raw.send
local send, recv = raw_send, raw_recv

local function send_with(self, v, ctx)
  local send = raw_send
  local ok, err, mark = send(self, v, ctx)
  if ok then return true end
  if ok == false then raise("send on closed channel") end
  check(err, mark)
  return nil, err
end

local function fail_send()
  if scoped[1] then raw.scope_check() end
  raise("send on closed channel")
end

-- What send_now says when nothing has happened; recv_now says nothing then, not even an error.
local NOT_NOW = 0

-- The C function alone cannot raise after a wait. As it is here this frame costs nothing in
-- compiled code and 9 ns interpreted; a second result of `send` alone cost 10 more.
local function framed_send(self, v, ctx)
  if ctx == nil then
    local sent = send(self, v)
    if sent == true then return true end
    if sent == NOT_NOW then
      local send = raw_send
      if send(self, v) then return true end
    end
    fail_send()
  end
  return send_with(self, v, ctx)
end

local function plain_recv(self, ctx)
  if ctx == nil then
    local v, err = recv(self)
    if v ~= nil then return v end
    if err ~= nil then return nil, err end
  end
  local recv = raw_recv
  return recv(self, ctx)
end

-- For the same reason as send: what ends a wait may be the task's own context. That does cost (370
-- of 1,650 instructions of a ping-pong's round trip), so it is there from the first one on.
local function framed_recv(self, ctx)
  local v, err, mark
  if ctx == nil then v, err, mark = recv(self) end
  if v == nil and err == nil then
    local recv = raw_recv
    v, err, mark = recv(self, ctx)
  end
  if v ~= nil then return v end
  check(err, mark)
  return nil, err
end

-- A number whose other side waits already goes through the FFI in compiled code. A C function ends
-- the trace: a stream takes 39 ns a value with these and 51 without, a sieve 3.7 us and 4.9. The
-- frame of plain_recv costs 10 ns interpreted.
if compiled.is_on then
  local send_number = compiled.fn("bool (*)(const void *, double)", "send_now")
  local recv_number = compiled.fn("double (*)(const void *)", "recv_now")

  local function send_now(self, v)
    if type(v) == "number" and type(self) == "userdata" and send_number(self, v) then
      return true
    end
    return NOT_NOW
  end

  local function recv_now(self)
    if type(self) ~= "userdata" then return nil end
    local v = recv_number(self)
    if v == v then return v end
    return nil
  end

  compiled.exchange { { framed_send, "send", send_now }, { plain_recv, "recv", recv_now } }
end

Unbuffered.send = framed_send
Unbuffered.recv = compiled.is_on and plain_recv or raw_recv
scope.before_first(function() Unbuffered.recv = framed_recv end)
Unbuffered.try_recv = raw_try_recv

function Buffered.send(self, v, ctx)
  if getmetatable(self) == BUFFERED and v ~= nil and ctx == nil and not scoped[1] then
    local w = self[2]
    local after = w == self[5] and 6 or w + 1
    if after ~= self[1] and self[3] then
      self[w] = v
      self[2] = after
      return true
    end
  end
  return framed_send(self, v, ctx)
end

function Buffered.recv(self, ctx)
  if getmetatable(self) == BUFFERED and ctx == nil and not scoped[1] then
    local r = self[1]
    if r ~= self[2] and self[4] then
      local v = self[r]
      self[1] = r == self[5] and 6 or r + 1
      self[r] = nil
      return v
    end
  end
  return framed_recv(self, ctx)
end

function Buffered.try_recv(self)
  if getmetatable(self) == BUFFERED and self[1] ~= self[2] then return Buffered.recv(self) end
  return raw_try_recv(self)
end

Shared.try_recv = raw_try_recv

-- What compiled code can send and receive without leaving its trace, if it need not wait:
-- internal/record.lua, once a channel has crossed.
local record

-- The userdata that stands for the channel, or nil.
local function userdata_of(self)
  if type(self) == "userdata" then return self end
  local core = type(self) == "table" and rawget(self, 0)
  return type(core) == "userdata" and core or nil
end

function Shared.send(self, v, ctx)
  if ctx == nil and not scoped[1] then
    record = record or raw.import "record"
    local core = userdata_of(self)
    if core and record.send(core, v) then return true end
  end
  return framed_send(self, v, ctx)
end

-- What was received by a task that waited cannot always be unpacked. Nobody but this frame can
-- raise then.
function Shared.recv(self, ctx)
  if ctx == nil and not scoped[1] then
    record = record or raw.import "record"
    local core = userdata_of(self)
    local v = core and record.recv(core)
    if v then return v end
  end
  local v, err, failed = raw_recv(self, ctx)
  if v ~= nil then return v end
  check(err, failed)
  if failed then error(err, 0) end
  return v, err
end

local function try_send(self, v)
  local ok, err = raw_try_send(self, v)
  if ok then return true end
  if ok == nil then raise("send on closed channel") end
  return false, err
end

local function checked(self, name)
  if not raw.is_chan(self) then bad_self(self, name, "channel", "ch") end
  return self
end

-- Plain Lua, so that it compiles into the caller's trace; select looks closely at what it gets.
local function sending(self, v)
  local kind = getmetatable(self)
  if kind ~= UNBUFFERED and kind ~= BUFFERED and kind ~= SHARED then raw.check_sendable(self) end
  if v == nil then raw.bad_arg(1, "sending", "a value other than nil", v) end
  return setmetatable({ self, v }, Case)
end

-- After the last value of `for v in ch`: raises what the channel was closed with.
local function finish(ch)
  if scoped[1] then raw.scope_check() end
  if raw.closed_plainly(ch) then return nil end
  local _, err = ch:try_recv()
  error(err, 0)
end

local function next_unbuffered(self)
  local v, err = recv(self)
  if v ~= nil then return v end
  if err == nil then
    local recv = raw_recv
    v = recv(self)
    if v ~= nil then return v end
  end
  return finish(self)
end

local function next_buffered(self)
  local v = Buffered.recv(self)
  if v ~= nil then return v end
  return finish(self)
end

local function next_shared(self)
  local v = Shared.recv(self)
  if v ~= nil then return v end
  return finish(self)
end

local function iter(self, ctx)
  checked(self, "iter")
  if ctx == nil then return function() return self() end end
  if not raw.is_ctx(ctx) then raw.bad_arg(1, "iter", "context", ctx) end
  return function()
    local v, err = self:recv(ctx)
    if v ~= nil then return v end
    if raw.is_closed(self) and raw.ctx_ended(ctx) ~= err then return finish(self) end
    return nil
  end
end

local function send_only(self)
  return setmetatable({ [0] = checked(self, "send_only") }, SendOnly)
end

local function recv_only(self)
  return setmetatable({ [0] = checked(self, "recv_only") }, RecvOnly)
end

local function describe(self)
  local label = raw.label(self)
  return label and ("chan '%s'"):format(label) or ("chan (capacity %d)"):format(raw.cap(self))
end

-- The metatable is not the table of methods: a script that could reach __gc would free a channel
-- that is in use.
local function metatable(class, kind)
  class.try_send, class.sending, class.iter = try_send, sending, iter
  class.send_only, class.recv_only = send_only, recv_only
  class.close, class.len, class.cap = raw.close, raw.len, raw.cap
  class.is_closed = raw.is_closed
  return {
    __index = class,
    __metatable = kind,
    __call = class == Buffered and next_buffered or class == Shared and next_shared
      or next_unbuffered,
    __tostring = describe,
  }
end

-- Views. They hold their channel at 0, where C looks for it. Who waits in a view's method has the
-- view, too, and not the channel alone: of some (internal/feed.lua) it matters that the last
-- reader has gone.
local function held(_, ...) return ... end

local function forward(class, names)
  for _, name in ipairs(names) do
    class[name] = function(self, ...)
      local view = type(self) == "table" and getmetatable(self) == class.__metatable
      local ch = view and rawget(self, 0)
      if not ch then bad_self(self, name, class.what, "view") end
      return held(self, ch[name](ch, ...))
    end
  end
end

local function refuse(class)
  class.__index = function(_, name)
    local method = rawget(class, name)
    if method then return method end
    if Buffered[name] then raise(("'%s' on a %s"):format(name, class.what)) end
    return nil
  end
end

SendOnly.what, RecvOnly.what = "send-only channel", "receive-only channel"
SendOnly.__metatable, RecvOnly.__metatable = "weft.chan (send only)", "weft.chan (receive only)"
forward(SendOnly, { "send", "try_send", "sending", "close", "len", "cap", "is_closed" })
forward(RecvOnly, { "recv", "try_recv", "iter", "len", "cap", "is_closed" })
local iter_of_channel = RecvOnly.iter
function RecvOnly.iter(self, ctx)
  local step = iter_of_channel(self, ctx)
  return function() return held(self, step()) end
end
function SendOnly.send_only(self) return self end
function RecvOnly.recv_only(self) return self end
function SendOnly.__call() raise("receive on a send-only channel") end
function RecvOnly.__call(self) return held(self, rawget(self, 0)()) end
function SendOnly.__tostring(self) return "send-only " .. tostring(rawget(self, 0)) end
function RecvOnly.__tostring(self) return "receive-only " .. tostring(rawget(self, 0)) end
refuse(SendOnly)
refuse(RecvOnly)
-- A view that comes back from another VM is another table.
local function same(a, b) return rawget(a, 0) == rawget(b, 0) end
SendOnly.__eq, RecvOnly.__eq = same, same

raw.chan_types(metatable(Unbuffered, UNBUFFERED), metatable(Buffered, BUFFERED),
  metatable(Unbuffered, SYSTEM), metatable(Shared, SHARED), RecvOnly, SendOnly, Case)

return raw.chan
