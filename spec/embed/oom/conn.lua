-- SPDX-License-Identifier: MIT
-- Connections: what was written is read, once and in its order, and comes back; those that have
-- failed can be closed, and nobody is left waiting.
local weft = require 'weft'
local support = require 'support'
local net = weft.net
local buffer, ffi = require 'string.buffer', require 'ffi'
local call, try = support.call, support.try

-- In two pieces, so that to read one takes memory: the whole is no string yet. The last is more
-- than a socket holds.
local WORDS = { { 'on', 'e' }, { ('two'):rep(1000), '!' }, { ('three'):rep(60000), '?' } }
local MOST = 1e6
local path = os.tmpname()
os.remove(path)
local kept, n = {}, 0
local closing = false
for i = 1, 40 do kept[i] = false end

local function keep(c)
  n = n + 1
  kept[n] = c
  return c
end

-- There and back by a buffer: what has been taken out of it has been written, nothing comes twice.
local function exchange_by_buffer(c)
  for i = 1, #WORDS do
    local head, tail = unpack(WORDS[i])
    local fine, buf = try(buffer.new)
    if not fine or not try(buf.put, buf, head, tail, '\n') or not call(c.write_from, c, buf) then
      return false
    end
    assert(#buf == 0, 'something is left')
    local want, over = #head + #tail + 1
    repeat over = select(2, call(c.read_into, c, buf)) until over or #buf >= want
    if over then return false end
    local p, size = buf:ref()
    assert(size == want, 'another size')
    assert(ffi.string(p, #head) == head and p[size - 1] == 10, 'another answer')
  end
  return true
end

-- Sends back what comes, until the end, or until part of an answer may have gone.
local function echo(c)
  local text, over
  repeat
    text, over = call(c.read_line, c, MOST)
    if text then over = not (call(c.write, c, text) and call(c.write, c, '\n')) end
  until over
  call(c.close, c)
end

local function serve(l)
  local c, over
  repeat
    c, over = call(l.accept, l)
    if c and not try(weft.go, echo, keep(c)) then
      call(c.close, c)
    elseif c then
      try(weft.go, echo, c)  -- who is told that memory is out lets the other one read
    end
  until over
end

local function exchange(c)
  for i = 1, #WORDS do
    local head, tail = unpack(WORDS[i])
    if not (call(c.write, c, head, tail) and call(c.write, c, '\n')) then return false end
    local back, over
    repeat back, over = call(c.read_line, c, MOST) until back or over
    if over then return false end
    assert(back:sub(1, #head) == head and back:sub(#head + 1) == tail, 'another answer')
  end
  return true
end

local function talk(network, l, context)
  local c = call(net.dial, network, l:addr())
  if not c then return false end
  keep(c)
  if context then try(c.context, c, context) end
  local fine = exchange(c) and exchange_by_buffer(c)
  call(c.close, c)
  return fine
end

local function listen(network, address)
  local l = call(net.listen, network, address)
  if not l then return nil end
  keep(l)
  if try(weft.go, serve, l) then return l end
  call(l.close, l)
end

local function give_up(c)
  local ok, ctx, cancel = try(weft.context.with_cancel, weft.context.background())
  if not ok then return end
  if try(weft.go, cancel) then
    local _, data, err = try(c.read, c, ctx)
    assert(not data)
    -- The end: who accepted it had no memory to serve it.
    local fine = not err or err == 'context canceled' or err == 'eof'
      or closing and err == 'closed'
    assert(fine or support.is_oom(err), err)
  end
end

local function work()
  local l = listen('tcp', '127.0.0.1:0')
  if l then try(talk, 'tcp', l, weft.context.background()) end
  l = listen('unix', path)
  if l then try(talk, 'unix', l) end
  local c = l and call(net.dial, 'unix', path)
  if c then
    keep(c)
    try(c.set_timeout, c, 30)
    give_up(c)
    call(c.close_write, c)
    repeat local rest, over = call(c.read_all, c) until rest or over
  end
end

-- The first function may still be on its way, after a panic, and call where nobody listens now.
local function close_all()
  closing = true
  support.allowed = { ENOENT = true, ECONNREFUSED = true }
  for i = 1, n do kept[i]:close() end
end

local function check(panicked)
  support.alone(panicked, close_all)
  local l = listen('unix', path)
  assert(talk('unix', l))
  l:close()
  l = listen('tcp', '127.0.0.1:0')
  assert(talk('tcp', l))
  l:close()
  support.alone(panicked)
  os.remove(path)
end

return work, check, true
