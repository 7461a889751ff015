-- SPDX-License-Identifier: MIT
-- The stages of weft.pipeline: what they have in common, and how they end.
--
-- A stage has worker tasks that take from its inputs and give to its outs. An out is a channel
-- that only its stage sends to and closes; what others get is a view to receive from, by which a
-- further stage finds this one. How a stage ends:
--   finish   its last worker has left, as there is nothing more to take; an error that an input
--            ended with goes on behind the values
--   shut     something has failed: its outs close with the error at once, and all stages above are
--            shut; those below learn of it from their inputs
--   halt     a context has ended: as shut, and those below at once as well, as whoever would take
--            what they still have may have gone
--   drop     nobody wants what comes out of an out any more; once that is so of all outs of a
--            stage it ends, and wants nothing from those above
-- `over` says that it has ended. Workers look at it after everything that may have waited; what
-- wakes them is the stage's own context, so that no worker waits on an out when that is closed.
local _, raw = ...

local pcall, ipairs, rawget, rawset, rawequal = pcall, ipairs, rawget, rawset, rawequal
local type, unpack, error, getmetatable = type, unpack, error, getmetatable
local protect = raw.import("task").protect
local select = raw.import("select").select
local context = raw.require "weft.context"
local OUT = {}  -- in a view: its out

local M = {}

-- Whether one can receive from this.
function M.is_channel(v)
  return raw.is_chan(v) or getmetatable(v) == "weft.chan (receive only)"
end

-- A channel to receive from, as an argument.
function M.channel(v, arg, fname)
  if not M.is_channel(v) then raw.bad_arg(arg, fname, "channel to receive from", v) end
  return v
end

-- The channel itself, where `v` is a view of it.
function M.inside(v)
  if getmetatable(v) == "weft.chan (receive only)" then return rawget(v, 0) end
  return v
end

-- The out behind a view that a stage has made; nil for any other value.
function M.out_of(ch) return type(ch) == "table" and rawget(ch, OUT) or nil end

local function end_with(self, err)
  self.over = true
  self.cancel(err)
  for _, stop in ipairs(self.stops) do stop() end
  for _, out in ipairs(self.outs) do
    if not out.ch:is_closed() then out.ch:close(err) end
  end
end

local function shut(self, err)
  if self.over then return end
  end_with(self, err)
  for _, input in ipairs(self.inputs) do
    if input.out then shut(input.out.stage, err) end
  end
end

local function halt(self, err)
  shut(self, err)
  for _, out in ipairs(self.outs) do
    for _, reader in ipairs(out.readers) do halt(reader, err) end
  end
end

local function is_wanted(out)
  for _, reader in ipairs(out.readers) do
    if not reader.over then return true end
  end
  return false
end

local function drop(out)
  local self = out.stage
  out.left = true
  if self.over then return end
  for _, other in ipairs(self.outs) do
    if not other.left then
      -- Workers that wait for this out look again, before it is closed.
      local kick = self.kick
      self.kick = raw.chan()
      kick:close()
      if not out.ch:is_closed() then out.ch:close() end
      return
    end
  end
  end_with(self, nil)
  for _, input in ipairs(self.inputs) do
    if input.out and not is_wanted(input.out) then drop(input.out) end
  end
end

-- Whoever reads from this out wants no more.
function M.stop(out)
  drop(out)
  for _, reader in ipairs(out.readers) do halt(reader, nil) end
end

-- An error as something fails with it; there is always one.
local function error_of(err)
  if err == nil or err == false then return raw.error_text(err) end
  return err
end

function M.fail(self, err) shut(self, error_of(err)) end

local function leave(self)
  self.workers = self.workers - 1
  if self.workers == 0 and not self.over then end_with(self, self.err) end
end

local function work(self, body, ...)
  local ok, err = pcall(raw.defer, leave, self)
  if not ok then
    M.fail(self, err)
    return leave(self)
  end
  ok, err = protect(body, self, ...)
  if not ok then M.fail(self, err) end
end

-- Starts a worker, which runs body(stage, ...).
function M.start(self, body, ...)
  local ok, err = pcall(raw.go, work, self, body, ...)
  if not ok then
    shut(self, err)
    error(err, 0)
  end
  self.workers = self.workers + 1
end

local function watch(self, ctx)
  for _, other in ipairs(self.watched) do
    if rawequal(other, ctx) then return end
  end
  self.watched[#self.watched + 1] = ctx
end

local function add_out(self, i)
  local out = { stage = self, ch = raw.chan(), readers = {}, left = false }
  local view = out.ch:recv_only()
  rawset(view, OUT, out)
  self.outs[i], self.views[i] = out, view
end

-- A stage that reads from these channels and has n outs. It ends with ctx and with the contexts of
-- all stages above; where there is none, with the task's own.
function M.new(channels, ctx, n)
  local self = { inputs = {}, outs = {}, views = {}, watched = {}, stops = {}, workers = 0,
    over = false, err = nil, kick = raw.chan() }
  if ctx then watch(self, ctx) end
  for i, ch in ipairs(channels) do
    local out = M.out_of(ch)
    self.inputs[i] = { ch = M.inside(ch), out = out }
    for _, above in ipairs(out and out.stage.watched or {}) do watch(self, above) end
  end
  if not self.watched[1] and raw.scoped[1] then watch(self, context.current()) end
  self.ctx, self.cancel = context.with_cancel(self.watched[1] or context.background())
  -- All workers may be in a function of the script's, where they see no context.
  for i, other in ipairs(self.watched) do
    self.stops[i] = context.after_func(other, function() halt(self, (other:err())) end)
  end
  for i = 1, n do add_out(self, i) end
  for _, input in ipairs(self.inputs) do
    if input.out then input.out.readers[#input.out.readers + 1] = self end
  end
  return self
end

local function look_at_context(self)
  local err = not self.over and raw.ctx_ended(self.ctx)
  if err then halt(self, err) end
end

-- An input has ended with an error. The other inputs are not wanted any more.
local function pass_on(self, err)
  self.err = self.err or err
  for _, input in ipairs(self.inputs) do
    if input.out then shut(input.out.stage, err) end
  end
end

-- What has been received from an input, or nil when the worker is to leave.
local function received(self, input, v, err)
  look_at_context(self)
  if v ~= nil and not self.over then return v end
  if not self.over and not raw.closed_plainly(input.ch) then pass_on(self, err) end
  return nil
end

-- The next value, or nil when the worker is to leave.
function M.take(self, input) return received(self, input, input.ch:recv(self.ctx)) end

-- As take, but when `clock` has a value first: nil and true.
function M.take_before(self, input, clock)
  local i, v, err = select(input.ch, clock, self.ctx:done())
  if i == 2 then return nil, true end
  if i == 3 then v = nil end
  return received(self, input, v, err), false
end

-- Gives the value to the only out; whether the worker is to go on.
function M.give(self, v)
  if self.over then return false end
  if self.outs[1].ch:send(v, self.ctx) then return not self.over end
  look_at_context(self)
  return false
end

-- Gives the value to this one of several outs, if it is wanted there; whether to go on.
function M.give_to(self, out, v)
  while not self.over and not out.left do
    local i = select(out.ch:sending(v), self.kick, self.ctx:done())
    if i == 1 then break end
    look_at_context(self)
  end
  return not self.over
end

-- Gives the value to all outs that it is wanted from, whoever takes it first; whether to go on.
function M.give_all(self, v)
  local given = {}
  while not self.over do
    local cases, outs, n = {}, {}, 0
    for _, out in ipairs(self.outs) do
      if not out.left and not given[out] then
        n = n + 1
        cases[n], outs[n] = out.ch:sending(v), out
      end
    end
    if n == 0 then return true end
    cases[n + 1], cases[n + 2] = self.kick, self.ctx:done()
    local i = select(unpack(cases, 1, n + 2))
    if i <= n then given[outs[i]] = true end
    look_at_context(self)
  end
  return false
end

return M
