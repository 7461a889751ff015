-- SPDX-License-Identifier: MIT
-- The model's channels and select. A value in a buffer is { v = } or, while chance has to decide
-- which of its send cases a select was served for, { from = the select's call }.
local model = require 'torture.model'
local rules = model.rules

local M = {}

function M.new(cap)
  return { cap = cap, buffer = {}, receivers = {}, senders = {}, closed = false }
end

-- What a call returns for its case c. A plain call is one of a single case.
local function received(call, c, v)
  if call.select then return { n = 3, c.index, v } end
  return { n = 1, v }
end

local function sent(call, c)
  if call.select then return { n = 3, c.index, true, value = c.value } end
  return { n = 1, true, value = c.value }
end

local function closed(call, c, ch)
  if c.send then return { err = 'send on closed channel' } end
  local err = ch.err
  if err == nil then err = 'closed' end
  if call.iterates then return ch.err ~= nil and { raised = err } or { n = 1 } end
  if call.select then return { n = 3, c.index, nil, err } end
  return { n = 2, nil, err }
end

-- A context that has ended, as results.
function M.over(call, ctx)
  if call.iterates then return { n = 1 } end
  return { n = 2, nil, ctx.state }
end

-- The call that waits longest in a queue. (One that was completed elsewhere has left it.)
local function first(queue)
  while queue[1] and queue[1].may do table.remove(queue, 1) end
  return queue[1]
end

local function cases_on(call, ch, send)
  local list = {}
  for _, c in ipairs(call.cases) do
    if c.ch == ch and c.send == send then list[#list + 1] = c end
  end
  return list
end

-- Serves a waiting call for one of its cases on ch: chance decides which.
local function serve(self, call, ch, send, result)
  local cases, may = cases_on(call, ch, send), {}
  for i, c in ipairs(cases) do
    may[i] = result(call, c)
    may[i].rank = i
  end
  may.of, may.waited = #cases, true
  self:complete(call, may)
end

function M.somebody_receives(ch) return first(ch.receivers) ~= nil end

-- Gives a value to the channel, which has a receiver or room.
function M.give(self, ch, v)
  local receiver = first(ch.receivers)
  if receiver then
    serve(self, receiver, ch, false, function(call, c) return received(call, c, v) end)
  else
    ch.buffer[#ch.buffer + 1] = { v = v }
  end
end

-- The value that the first sender waits with, and lets the sender go on.
local function take_from_sender(self, ch)
  local sender = first(ch.senders)
  if not sender then return nil end
  serve(self, sender, ch, true, sent)
  return { from = sender }
end

-- Takes the next value out of the channel: { v = } or { from = }.
local function take(self, ch)
  if #ch.buffer > 0 then
    local entry = table.remove(ch.buffer, 1)
    ch.buffer[#ch.buffer + 1] = take_from_sender(self, ch)
    return entry
  end
  local entry = take_from_sender(self, ch)
  if entry then return entry end
  local tick = ch.tick
  entry = { v = tick.pending }
  tick.pending = nil
  return entry
end

-- The values that the next receive may give.
local function next_values(ch)
  local entry = ch.buffer[1]
  if entry and not entry.from then return { entry.v } end
  local values, sender = {}, entry and entry.from or first(ch.senders)
  if not sender then return { ch.tick.pending } end
  for i, a in ipairs(entry and sender.may or cases_on(sender, ch, true)) do
    values[i] = a.value
  end
  return values
end

-- The value of an entry has come out: of the select that sent it, only the cases with this value
-- can have been chosen.
local function came_out(entry, v)
  if not entry.from then return end
  local may = { of = entry.from.may.of, waited = true }
  for _, a in ipairs(entry.from.may) do
    if rawequal(a.value, v) then may[#may + 1] = a end
  end
  entry.from.may = may
end

local function can_receive(ch)
  return #ch.buffer > 0 or first(ch.senders) ~= nil or ch.closed or
    ch.tick ~= nil and ch.tick.pending ~= nil
end

local function can_send(ch)
  return ch.closed or first(ch.receivers) ~= nil or #ch.buffer < ch.cap
end

local function has_value(ch)
  return #ch.buffer > 0 or first(ch.senders) ~= nil or ch.tick ~= nil and ch.tick.pending ~= nil
end

-- What a case that is ready may give, added to `may`.
local function add_ready(call, c, may, rank)
  local ch = c.ch
  if c.send then
    local a = ch.closed and closed(call, c, ch) or sent(call, c)
    if not ch.closed then a.effect = function(self) M.give(self, ch, c.value) end end
    may[#may + 1] = a
  elseif has_value(ch) then
    for _, v in ipairs(next_values(ch)) do
      local a = received(call, c, v)
      a.effect = function(self) came_out(take(self, ch), v) end
      may[#may + 1], a.rank = a, rank
    end
    return
  else
    may[#may + 1] = closed(call, c, ch)
  end
  may[#may].rank = rank
end

local function is_ready(c)
  if c.send then return can_send(c.ch) end
  return can_receive(c.ch)
end

-- Lets the call wait in the queues of its cases.
local function queue(call)
  for _, c in ipairs(call.cases) do
    local q = c.send and c.ch.senders or c.ch.receivers
    q[#q + 1] = call
  end
end

-- A call of one or more cases: goes on by one that is ready, or waits for all of them.
local function transfer(self, call)
  local ctx = call.ctx
  if ctx and ctx.state then
    call.may = { M.over(call, ctx) }
    return
  end
  local may, ready = {}, 0
  for _, c in ipairs(call.cases) do
    if is_ready(c) then
      ready = ready + 1
      add_ready(call, c, may, ready)
    end
  end
  if ready > 0 then
    may.of = ready
    call.may = may
  elseif call.otherwise then
    call.may, call.is_poll = { call.otherwise }, true
  elseif self:waits(call) then
    queue(call)
    if ctx then ctx.waits[#ctx.waits + 1] = call end
  end
end

-- send, recv, try_send, try_recv, select: { cases = { { ch =, send =, value =, index = }, … },
-- ctx =, otherwise = what a poll returns when nothing is ready, select =, iterates = }
rules.transfer = transfer

-- close: { ch =, err = }
function rules.close(self, call)
  local ch = call.ch
  if ch.closed then
    call.may = { { err = 'close of closed channel' } }
    return
  end
  call.may = { { n = 0 } }
  M.close(self, { ch }, call.err)
end

-- Several channels are closed in one step (those of a context and what is below it): one that
-- waits on some of them goes on by any.
function M.close(self, chans, err)
  local woken = {}
  for _, ch in ipairs(chans) do
    ch.closed, ch.err = true, err
    for _, q in ipairs { ch.receivers, ch.senders } do
      while first(q) do table.insert(woken, (table.remove(q, 1))) end
    end
  end
  for _, call in ipairs(woken) do
    if not call.may then
      local may = {}
      for _, c in ipairs(call.cases) do
        if c.ch.closed then may[#may + 1] = closed(call, c, c.ch) end
      end
      self:complete(call, may)
    end
  end
end

-- len, cap and is_closed, as one call.
function rules.look(_, call)
  local ch = call.ch
  local len = #ch.buffer + (ch.tick and ch.tick.pending and 1 or 0)
  call.may = { { n = 3, len, ch.cap, ch.closed } }
end

-- A call that is wrong: { err = what its error says }
function rules.wrong(_, call) call.may = { { err = call.err } } end

return M
