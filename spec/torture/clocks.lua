-- SPDX-License-Identifier: MIT
-- The model's contexts, timers, sleep, mutex and waitgroup, and how tasks start.
local model = require 'torture.model'
local channels = require 'torture.channels'
local rules, near = model.rules, model.near

local CANCELED, DEADLINE = 'context canceled', 'context deadline exceeded'

local M = {}

local function nanoseconds(s) return math.ceil(s * 1e9) end

-- Contexts -----------------------------------------------------------------------------------

function M.background()
  return { children = {}, waits = {}, afters = {}, done = channels.new(0), deadline = math.huge }
end

-- Ends a context and all below it, in one step.
local function end_all(self, top, state)
  local todo, ended, dones = { top }, {}, {}
  top.by_itself = true
  while #todo > 0 do
    local ctx = table.remove(todo)
    if not ctx.state then
      ctx.state = state
      ended[#ended + 1], dones[#dones + 1] = ctx, ctx.done
      if ctx.timer then self:disarm(ctx.timer) end
      for _, child in ipairs(ctx.children) do todo[#todo + 1] = child end
    end
  end
  local waiting = {}
  for _, ctx in ipairs(ended) do
    for _, call in ipairs(ctx.waits) do
      if not call.may then waiting[#waiting + 1] = { call, channels.over(call, ctx) } end
    end
  end
  channels.close(self, dones)
  for _, w in ipairs(waiting) do
    local call, result = w[1], w[2]
    if not call.may then
      self:complete(call, { result })
    else
      call.may[#call.may + 1] = result  -- it was waiting for a context's channel as well
    end
  end
  for _, ctx in ipairs(ended) do
    for _, after in ipairs(ctx.afters) do
      if after.waits then
        after.waits = false
        self:starts(after.name)
      end
    end
  end
end

local function derive(parent)
  local ctx = M.background()
  ctx.parent, ctx.deadline, ctx.state = parent, parent.deadline, parent.state
  ctx.done.closed = parent.state ~= nil
  parent.children[#parent.children + 1] = ctx
  return ctx
end

local function set_deadline(self, ctx, s, cause)
  local when = self.now + nanoseconds(s)
  ctx.deadline_cause = cause
  if when >= ctx.deadline then return end
  ctx.deadline = when
  if ctx.state then return end
  if s <= 0 then
    end_all(self, ctx, DEADLINE)
    return
  end
  ctx.timer = { fire = function() end_all(self, ctx, DEADLINE) end }
  self:arm(ctx.timer, when)
end

-- { parent =, seconds = for one with a deadline, cause =, cut = not below its parent }; leaves the
-- new context in call.made.
function rules.new_context(self, call)
  local ctx
  if call.cut then
    ctx = derive(M.background())
  else
    ctx = derive(call.parent)
  end
  if call.seconds then set_deadline(self, ctx, call.seconds, call.cause) end
  call.made, call.may = ctx, { { any = true } }
end

-- { ctx =, cause = }
function rules.cancel(self, call)
  local ctx = call.ctx
  call.may = { { n = 0 } }
  if ctx.state then return end
  ctx.cause = call.cause
  end_all(self, ctx, CANCELED)
end

local function cause_of(ctx)
  while not ctx.by_itself and ctx.parent do ctx = ctx.parent end
  local cause = ctx.cause
  if ctx.state == DEADLINE then cause = ctx.deadline_cause end
  if cause == nil then return ctx.state end
  return cause
end

-- err: a poll while it lives.
function rules.ctx_err(_, call)
  call.may, call.is_poll = { { n = 1, call.ctx.state } }, call.ctx.state == nil
end

-- cause and deadline, as one call; `start` is time.now's time at 0.
function rules.ctx_look(_, call)
  local ctx = call.ctx
  local at = ctx.deadline < math.huge and near(call.start + ctx.deadline / 1e9) or nil
  call.may = { { n = 2, ctx.state and cause_of(ctx), at } }
end

-- { values = what the context has, by key; key = }
function rules.ctx_value(_, call) call.may = { { n = 1, call.values[call.key] } } end

-- { ctx =, name = of the task that it starts }; call.made: the handle for stop_after
function rules.after_context(self, call)
  local after = { name = call.name, waits = call.ctx.state == nil }
  call.made, call.may = after, { { any = true } }
  if after.waits then
    call.ctx.afters[#call.ctx.afters + 1] = after
  else
    self:starts(call.name)
  end
end

function rules.stop_after(_, call)
  call.may = { { n = 1, call.after.waits } }
  call.after.waits = false
end

-- Time ---------------------------------------------------------------------------------------

-- { seconds =, ctx = }
function rules.sleep(self, call)
  if call.ctx and call.ctx.state then
    call.may = { channels.over(call, call.ctx) }
  elseif call.seconds <= 0 then
    call.may, call.is_poll = { { n = 1, true } }, true
  elseif self:waits(call) then
    call.timer = { fire = function() self:complete(call, { { n = 1, true } }) end }
    self:arm(call.timer, self.now + nanoseconds(call.seconds))
    if call.ctx then table.insert(call.ctx.waits, call) end
  end
end

function rules.yield(self, call)
  if self:waits(call) then call.may, call.is_poll = { { n = 1, true } }, true end
end

-- The timer behind a channel: it gives the time to who waits, or keeps it until somebody comes.
-- `start` is time.now's time at 0.
local function new_tick(ch, start)
  local tick = {}
  ch.tick = tick
  function tick.fire(self)
    if tick.period then self:arm(tick, tick.when + tick.period) end
    if tick.pending then return end
    local v = near(start + self.now / 1e9)
    if channels.somebody_receives(ch) then
      channels.give(self, ch, v)
    else
      tick.pending = v
    end
  end
  return tick
end

local function start_tick(self, tick, seconds, periodic)
  local was_armed = self:disarm(tick)
  local was_running = was_armed or tick.pending ~= nil
  tick.pending, tick.period = nil, nil
  if seconds then
    tick.period = periodic and nanoseconds(seconds) or nil
    self:arm(tick, self.now + nanoseconds(seconds))
  end
  return was_running
end

-- timer, after, ticker, tick: { seconds =, periodic =, start = }; call.made: its channel
function rules.new_timer(self, call)
  local ch = channels.new(0)
  start_tick(self, new_tick(ch, call.start), call.seconds, call.periodic)
  call.made, call.may = ch, { { any = true } }
end

-- stop, and reset with `seconds`: { ch =, seconds =, periodic = }
function rules.set_timer(self, call)
  call.may = { { n = 1, start_tick(self, call.ch.tick, call.seconds, call.periodic) } }
end

-- after_func: { seconds =, name = }; call.made: the alarm
function rules.new_alarm(self, call)
  local alarm = { fire = function() self:starts(call.name) end }
  self:arm(alarm, self.now + nanoseconds(call.seconds))
  call.made, call.may = alarm, { { any = true } }
end

function rules.set_alarm(self, call)
  call.may = { { n = 1, self:disarm(call.alarm) } }
  if call.seconds then self:arm(call.alarm, self.now + nanoseconds(call.seconds)) end
end

-- Tasks, locks -------------------------------------------------------------------------------

function rules.collect(_, call) call.may = { { any = true } } end

-- { name = of the task }
function rules.go(self, call)
  self:starts(call.name)
  call.may = { { n = 0 } }
end

-- Waits in a list, and for a context.
local function wait_in(self, call, list)
  if not self:waits(call) then return end
  list[#list + 1] = call
  if call.ctx then table.insert(call.ctx.waits, call) end
end

local function next_of(list)
  while list[1] and list[1].may do table.remove(list, 1) end
  return table.remove(list, 1)
end

function M.mutex() return { owner = nil, waiting = {} } end

-- { mutex =, ctx = }
function rules.lock(self, call)
  local mutex = call.mutex
  if call.ctx and call.ctx.state then
    call.may = { channels.over(call, call.ctx) }
  elseif not mutex.owner then
    mutex.owner, call.may = call.task, { { n = 1, true } }
  else
    wait_in(self, call, mutex.waiting)
  end
end

function rules.try_lock(_, call)
  local mutex = call.mutex
  if mutex.owner then
    call.may, call.is_poll = { { n = 1, false } }, true
  else
    mutex.owner, call.may = call.task, { { n = 1, true } }
  end
end

function rules.unlock(self, call)
  local mutex = call.mutex
  if not mutex.owner then
    call.may = { { err = 'unlock of unlocked mutex' } }
    return
  end
  call.may = { { n = 0 } }
  local heir = next_of(mutex.waiting)
  mutex.owner = heir and heir.task
  if heir then self:complete(heir, { { n = 1, true } }) end
end

function M.waitgroup() return { count = 0, waiting = {} } end

-- add and done: { wg =, n = }
function rules.wg_add(self, call)
  local wg = call.wg
  if wg.count + call.n < 0 then
    call.may = { { err = 'negative waitgroup counter' } }
    return
  end
  wg.count, call.may = wg.count + call.n, { { n = 0 } }
  while wg.count == 0 do
    local waiter = next_of(wg.waiting)
    if not waiter then break end
    self:complete(waiter, { { n = 1, true } })
  end
end

-- { wg =, ctx = }
function rules.wg_wait(self, call)
  if call.ctx and call.ctx.state then
    call.may = { channels.over(call, call.ctx) }
  elseif call.wg.count == 0 then
    call.may = { { n = 1, true } }
  else
    wait_in(self, call, call.wg.waiting)
  end
end

return M
