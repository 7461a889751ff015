-- SPDX-License-Identifier: MIT
-- Connections: what weft.net, weft.process and weft.stdin give to read from and write to. A table
-- with its stream (runtime/io/stream.h) at 0.
local _, raw = ...

local type, setmetatable, error, select = type, setmetatable, error, select
local getmetatable, pcall, min = getmetatable, pcall, math.min
local read, take, write = raw.stream_read, raw.stream_take, raw.stream_write
local io_words = raw.io_words
local take_into, write_from = raw.stream_take_into, raw.stream_write_from
local SOME, EXACTLY, UNTIL, LINE, ALL, INTO = 0, 1, 2, 3, 4, 5  -- io/stream.h: wf_read_mode
local TOO_LONG = 3  -- runtime/io/handle.h: wf_io_code
local BLOCK, MOST, HUGE = 65536, 1048576, math.huge

---@class weft.Conn
local Conn = {}
Conn.__index = Conn
Conn.__metatable = "weft.conn"

local M = { Conn = Conn }

-- A connection around the userdata of a stream.
function M.wrap(stream)
  return setmetatable({ [0] = stream }, Conn)
end

-- Standard input (0), output (1) or error (2). One that is not open is one that has been closed.
function M.standard(number, name)
  local stream, code = raw.stream_standard(number)
  if stream then return M.wrap(stream) end
  raw.raise(select(2, io_words("weft." .. name, "descriptor " .. number, code)))
end

-- A wait has ended with a context; the task's own one raises (runtime/conc/scope.h).
local function ended(err, mark)
  if mark ~= nil and mark == raw.ENDED then raw.scope_raise(err) end
  return nil, err
end
M.ended = ended

-- The results of a call that has failed: `ok` is false, and `err` a code, or it is nil, and the
-- context has ended.
local function fail(self, what, ok, err, mark)
  if ok == nil then
    raw.stream_left(self)
    return ended(err, mark)
  end
  return io_words(what, raw.stream_where(self), err)
end

-- The stream of a connection; what is none stays as it is, for the error.
local function core(self)
  return type(self) == "table" and self[0] or self
end

-- Memory is out: who reads next is served before this is told.
local function give_way(stream, err)
  raw.stream_left(stream)
  error(err, 0)
end

local function some(self, mode, n, sep, ctx)
  local stream = core(self)
  local data, err, mark
  repeat
    data, err, mark = read(stream, mode, n, sep, ctx)
    if data == true then
      local fine
      fine, data, err = pcall(take, stream, mode, n, sep)
      if not fine then give_way(stream, data) end
    end
  until data ~= true
  if data then return data end
  if data == false and err == TOO_LONG then
    return nil, mode == LINE and "line too long" or "too long"
  end
  return fail(self, "read", data, err, mark)
end

-- The limit and the context of a call that may have either.
local function limit(n, ctx, default, least, arg, fname)
  if type(n) == "table" and ctx == nil then n, ctx = nil, n end
  if n == nil then return default, ctx end
  if type(n) ~= "number" or not (n >= least) or (n % 1 ~= 0 and n ~= HUGE) then
    raw.bad_arg(arg, fname, "integer >= " .. least, n)
  end
  return n, ctx
end

-- Some bytes, at most `max` (64 KiB); nil, "eof" at the end.
---@param max? integer
---@param ctx? weft.Context
---@return string?, string?, string?
function Conn:read(max, ctx)
  if max ~= nil then max, ctx = limit(max, ctx, BLOCK, 1, 1, "read") end
  return some(self, SOME, max or BLOCK, nil, ctx)
end

-- LuaJIT's string.buffer, when it is first used.
local reserve, commit, ref, skip, get

local function check_buffer(buf, fname)
  if not reserve then
    local one = require "string.buffer".new()
    commit, ref, skip, get, reserve = one.commit, one.ref, one.skip, one.get, one.reserve
  end
  if type(buf) ~= "userdata" or getmetatable(buf) ~= "buffer" then
    raw.bad_arg(1, fname, "string.buffer", buf)
  end
end

-- Appends some bytes to a string.buffer, at most `max` (64 KiB), and returns how many; nil, "eof"
-- at the end. As read, but the system writes them straight into the buffer, and no string is made.
-- Others run only before the bytes are there, and write_from has taken them out before others run:
-- tasks that leave nothing behind may share a buffer (unless weft.preempt interrupts them).
---@param buf string.buffer
---@param max? integer
---@param ctx? weft.Context
---@return integer?, string?, string?
function Conn:read_into(buf, max, ctx)
  check_buffer(buf, "read_into")
  if max ~= nil then max, ctx = limit(max, ctx, BLOCK, 1, 2, "read_into") end
  local room = min(max or BLOCK, MOST)
  local stream = core(self)
  local n, err, mark
  repeat
    n, err, mark = read(stream, INTO, room, nil, ctx)
    if n == true then
      -- Only now: while it waited, others may have used the buffer.
      local fine, to = pcall(reserve, buf, room)
      if not fine then
        take_into(stream)  -- without a buffer: it is due to this task no more
        error(to, 0)
      end
      n, err = take_into(stream, to, room)
    end
  until n ~= true
  if n then
    commit(buf, n)
    return n
  end
  return fail(self, "read", n, err, mark)
end

-- Exactly `n` bytes; nil, "eof" when there are fewer, which stay readable.
---@param n integer
---@param ctx? weft.Context
---@return string?, string?, string?
function Conn:read_exactly(n, ctx)
  if type(n) ~= "number" then raw.bad_arg(1, "read_exactly", "integer >= 0", n) end
  n = limit(n, false, nil, 0, 1, "read_exactly")
  return some(self, EXACTLY, n, nil, ctx)
end

-- All up to the next `s`, and that; nil, "too long" when it does not begin within `max` bytes, and
-- nil, "eof" when it does not come. All stays readable then.
---@param s string
---@param max? integer
---@param ctx? weft.Context
---@return string?, string?, string?
function Conn:read_until(s, max, ctx)
  if type(s) ~= "string" or s == "" then
    raw.bad_arg(1, "read_until", "string that is not empty", s)
  end
  max, ctx = limit(max, ctx, HUGE, 0, 2, "read_until")
  return some(self, UNTIL, max, s, ctx)
end

-- The next line, without its end ("\n" or "\r\n"); nil, "line too long" when it has more than
-- `max` bytes (64 KiB), and nil, "eof" when its end does not come. What there is stays readable
-- then.
---@param max? integer
---@param ctx? weft.Context
---@return string?, string?, string?
function Conn:read_line(max, ctx)
  if max ~= nil then max, ctx = limit(max, ctx, BLOCK, 0, 1, "read_line") end
  return some(self, LINE, max or BLOCK, nil, ctx)
end

-- All until the end; nil, "too long" when it is more than `max` bytes.
---@param max? integer
---@param ctx? weft.Context
---@return string?, string?, string?
function Conn:read_all(max, ctx)
  max, ctx = limit(max, ctx, HUGE, 0, 1, "read_all")
  return some(self, ALL, max, nil, ctx)
end

-- Iterates over the lines, until the end, or until it is closed; what follows the last line end is
-- a line too. Raises other errors.
---@param max? integer
---@param ctx? weft.Context
---@return fun(): string?
function Conn:lines(max, ctx)
  max, ctx = limit(max, ctx, BLOCK, 0, 1, "lines")
  return function()
    local line, err = self:read_line(max, ctx)
    if line then return line end
    if err == "eof" then
      line = self:read_all(max, ctx)
      if line and line ~= "" then return line end
    elseif err ~= "closed" then
      error(err, 2)
    end
    return nil
  end
end

local function wrote(self, ok, err, mark)
  if ok then return true end
  return fail(self, "write", ok, err, mark)
end

-- Writes strings and numbers; true when the system has taken all of it. A context may come last.
-- Writes of several tasks are kept apart. One that is cancelled, or out of time, before any of it
-- was taken has not happened; of one that had begun the rest still goes out, before any other.
---@param ... string|number|weft.Context
---@return true?, string?, string?
function Conn:write(...)
  return wrote(self, write(core(self), ...))
end

-- After others. What has not begun when it is given up is in the buffer again.
local function write_behind(self, stream, buf, ctx)
  local data = get(buf)
  local ok, err, mark
  if ctx == nil then
    ok, err, mark = write(stream, data)
  else
    ok, err, mark = write(stream, data, ctx)
  end
  if not ok and not raw.stream_begun(stream) then buf:put(data, get(buf)) end
  return wrote(self, ok, err, mark)
end

-- Writes what is in a string.buffer, which is empty then: as write(buf:get()), but no string is
-- made unless others write first. What is given up before any of it was taken stays in the
-- buffer; where the system fails nobody knows how much has gone out, and all of it does.
---@param buf string.buffer
---@param ctx? weft.Context
---@return true?, string?, string?
function Conn:write_from(buf, ctx)
  check_buffer(buf, "write_from")
  local stream = core(self)
  local from, size = ref(buf)
  local ok, more, mark = write_from(stream, from, size, ctx)
  if ok then
    skip(buf, size)
    if not more then return true end
    return wrote(self, raw.stream_flush(stream, ctx))
  elseif ok == false and more == 0 then
    return write_behind(self, stream, buf, ctx)
  end
  return fail(self, "write", ok, more, mark)
end

-- Closes it; whoever waits on it gets nil, "closed".
---@return true?, string?
function Conn:close()
  local ok, code = raw.stream_close(self)
  if ok then return true end
  return io_words("close", "", code)
end

-- No more writes: the peer comes to the end when it has read what was written before.
---@param ctx? weft.Context
---@return true?, string?, string?
function Conn:close_write(ctx)
  local ok, err, mark = raw.stream_shut(self, ctx)
  if ok then return true end
  return fail(self, "close_write", ok, err, mark)
end

-- Each operation that begins from now on gives up after `s` seconds: nil, "timeout". Nil: none
-- does.
---@param s? number
function Conn:set_timeout(s)
  if s ~= nil and (type(s) ~= "number" or not (s > 0)) then
    raw.bad_arg(1, "set_timeout", "number of seconds > 0, or nil", s)
  end
  raw.stream_timeout(self, s)
end

-- All operations give up at that time of weft.time.now's clock, those included that wait now. Nil:
-- no deadline.
---@param at? number
function Conn:set_deadline(at)
  if at ~= nil then
    if type(at) ~= "number" or at ~= at then
      raw.bad_arg(1, "set_deadline", "time as number, or nil", at)
    elseif at < 1e8 then
      raw.raise(("bad argument #1 to 'set_deadline' (time of weft.time.now's clock expected, got "
        .. "%s: use time.now() + seconds)"):format(at))
    end
    at = at - raw.now()
  end
  raw.stream_deadline(self, at)
end

local function address(self, peer)
  local text, code = raw.stream_addr(self, peer)
  if text then return text end
  return io_words(peer and "remote_addr" or "local_addr", raw.stream_where(self), code)
end

-- "127.0.0.1:80", "[::1]:80", a path ("" for a socket without one).
---@return string?, string?, string?
function Conn:local_addr() return address(self, false) end

---@return string?, string?, string?
function Conn:remote_addr() return address(self, true) end

-- Whether small writes go out at once (they do at first), instead of waiting for more.
---@param on boolean
---@return true?, string?, string?
function Conn:nodelay(on)
  if type(on) ~= "boolean" then raw.bad_arg(1, "nodelay", "boolean", on) end
  local ok, code = raw.stream_nodelay(self, on)
  if ok then return true end
  return fail(self, "nodelay", ok, code)
end

-- Asks a silent peer whether it still lives, after `s` seconds; nil: never.
---@param s? number
---@return true?, string?, string?
function Conn:keepalive(s)
  if s ~= nil and (type(s) ~= "number" or not (s >= 1 and s <= 32767)) then
    raw.bad_arg(1, "keepalive", "number of seconds from 1 to 32767, or nil", s)
  end
  local ok, code = raw.stream_keepalive(self, s)
  if ok then return true end
  return fail(self, "keepalive", ok, code)
end

function Conn.__tostring(self)
  return raw.label(self) or raw.stream_where(self)
end

return M
