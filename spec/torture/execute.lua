-- SPDX-License-Identifier: MIT
-- Runs a program (program.lua) in weft and follows it in the model (model.lua). Every step of a
-- task is made known to the model, then made in weft, and what it returned is shown to the model.
local weft = require 'weft'
local model = require 'torture.model'
local channels = require 'torture.channels'
local clocks = require 'torture.clocks'
local program = require 'torture.program'
local context, time, sync = weft.context, weft.time, weft.sync

local M = {}

-- Seconds: when whatever still waits is ended from outside; more than the longest sleep.
local END, LONGEST = 12, 3

-- Where contexts are kept that do not end with the program's own.
local CUT = 100

local Run = {}
Run.__index = Run

local function now() return math.floor(time.monotonic() * 1e9 + 0.5) end

local function pack(ok, ...)
  return { ok = ok, n = select('#', ...), ... }
end

-- Ways to call a function, each like pack(pcall(fn, ...)).
local styles = {}

function styles.boundary(fn, ...)
  local r
  local args, n = { ... }, select('#', ...)
  local function callback() r = pack(pcall(fn, unpack(args, 1, n))) end
  string.gsub('x', 'x', callback)
  return r
end

function styles.coroutine(fn, ...)
  return coroutine.wrap(function(...) return pack(pcall(fn, ...)) end)(...)
end

function styles.coroutines(fn, ...)
  local inner = coroutine.create(function(...)
    coroutine.yield 'mine'
    return pack(pcall(fn, ...))
  end)
  assert(select(2, coroutine.resume(inner, ...)) == 'mine')
  local outer = coroutine.wrap(function() return coroutine.resume(inner) end)
  local _, r = outer()
  return r
end

local function call_in(style, fn, ...)
  if styles[style] then return styles[style](fn, ...) end
  return pack(pcall(fn, ...))
end

-- What a step does: op(run, step, task) -> the model's call, weft's function, its arguments; or
-- nothing, when what it needs is not there. `keep(run, call, r)` in the call files what it made.
local ops = {}

function Run:value(kind)
  self.values = self.values + 1
  if kind == 'false' then return false end
  if kind == 'string' then return 'v' .. self.values end
  return { self.values }
end

function Run:ctx(slot)
  local ctx = self.ctxs[slot]
  if ctx then return ctx.model, ctx.real end
end

local function transfer(run, step, case, otherwise)
  local ctx, real_ctx = run:ctx(step.ctx)
  return { kind = 'transfer', cases = { case }, ctx = ctx, otherwise = otherwise }, real_ctx
end

local function sending_end(step, ch) return step.style == 'view' and ch:send_only() or ch end
local function receiving_end(step, ch) return step.style == 'view' and ch:recv_only() or ch end

function ops.send(run, step)
  local ch, v = run.chans[step.ch], run:value(step.value)
  local call, ctx = transfer(run, step, { ch = ch.model, send = true, value = v })
  local real = sending_end(step, ch.real)
  if ctx then return call, real.send, real, v, ctx end
  return call, real.send, real, v
end

function ops.recv(run, step)
  local ch = run.chans[step.ch]
  local call, ctx = transfer(run, step, { ch = ch.model, send = false })
  local real = receiving_end(step, ch.real)
  if ctx then return call, real.recv, real, ctx end
  return call, real.recv, real
end

function ops.try_send(run, step)
  local ch, v = run.chans[step.ch], run:value(step.value)
  local case = { ch = ch.model, send = true, value = v }
  local real = sending_end(step, ch.real)
  return transfer(run, {}, case, { n = 2, false, 'full' }), real.try_send, real, v
end

function ops.try_recv(run, step)
  local ch = run.chans[step.ch]
  local case = { ch = ch.model, send = false }
  local real = receiving_end(step, ch.real)
  return transfer(run, {}, case, { n = 2, nil, 'empty' }), real.try_recv, real
end

-- One round of a loop over a channel; Run:iterate makes it a loop.
function ops.iterate(run, step)
  local ch = run.chans[step.ch]
  local call, ctx = transfer(run, step, { ch = ch.model, send = false })
  call.iterates = true
  local real = receiving_end(step, ch.real)
  return call, ctx and real:iter(ctx) or real
end

-- A case of a select: the model's and weft's.
function Run:case(c, index)
  if c.recv then
    local ch = self.chans[c.recv]
    return { ch = ch.model, send = false, index = index }, c.view and ch.real:recv_only() or ch.real
  elseif c.send then
    local ch, v = self.chans[c.send], self:value(c.value)
    local real = c.view and ch.real:send_only() or ch.real
    return { ch = ch.model, send = true, value = v, index = index }, real:sending(v)
  elseif c.done then
    local ctx = self.ctxs[c.done] or self.ctxs[1]
    return { ch = ctx.model.done, send = false, index = index }, ctx.real:done()
  elseif c.timer and self.timers[c.timer] then
    local timer = self.timers[c.timer]
    return { ch = timer.model, send = false, index = index }, timer.real
  end
end

local function select_named(list, n, default)
  local named = { default = default }
  for i = 1, n do named['case ' .. i] = list[i] end
  local name, v, err = weft.select(named)
  return name == 'default' and n + 1 or tonumber(name:match '%d+'), v, err
end

function ops.select(run, step)
  local call = { kind = 'transfer', cases = {}, select = true }
  local list, n, ends = {}, #step.cases, false
  for i, c in ipairs(step.cases) do
    local case
    case, list[i] = run:case(c, i)
    call.cases[#call.cases + 1] = case
    ends = ends or case and not c.timer
  end
  if step.default then
    call.otherwise = { n = 3, n + 1 }
  elseif not ends then
    return
  end
  if step.named then return call, select_named, list, n, step.default end
  if step.default then list[n + 1] = weft.default end
  return call, weft.select, unpack(list, 1, n + (step.default and 1 or 0))
end

function ops.close(run, step)
  local ch, err = run.chans[step.ch], step.err and { 'why' } or nil
  local real = step.view and ch.real:send_only() or ch.real
  return { kind = 'close', ch = ch.model, err = err }, real.close, real, err
end

local function look(ch) return ch:len(), ch:cap(), ch:is_closed() end

function ops.look(run, step)
  local ch = run.chans[step.ch]
  return { kind = 'look', ch = ch.model }, look, ch.real
end

function ops.recv_done(run, step)
  local of = run.ctxs[step.slot] or run.ctxs[1]
  local call, ctx = transfer(run, step, { ch = of.model.done, send = false })
  local real = of.real:done()
  return call, real.recv, real, ctx
end

function ops.recv_timer(run, step)
  local timer = run.timers[step.slot]
  if not timer then return end
  local call, ctx = transfer(run, { ctx = run.ctxs[step.ctx] and step.ctx or 1 },
    { ch = timer.model, send = false })
  return call, timer.real.recv, timer.real, ctx
end

function ops.look_timer(run, step)
  local timer = run.timers[step.slot]
  if timer then return { kind = 'look', ch = timer.model }, look, timer.real end
end

-- Contexts -----------------------------------------------------------------------------------

local new_context = {}

function new_context.cancel(parent) return context.with_cancel(parent) end
function new_context.timeout(parent, s, cause) return context.with_timeout(parent, s, cause) end
function new_context.deadline(parent, s, cause)
  return context.with_deadline(parent, time.now() + s, cause)
end
function new_context.value(parent) return context.with_value(parent, 'key', 'value') end
function new_context.without(parent) return context.with_cancel(context.without_cancel(parent)) end

local function keep_context(run, step, call, r)
  local made = call.made
  if step.kind == 'value' then made = call.parent end
  local ctx = { model = made, real = r[1], cancel = r[2] }
  run.ctxs[step.slot] = ctx
  if step.kind == 'without' then
    run.cut = run.cut + 1
    run.ctxs[CUT + run.cut] = ctx
  end
end

function ops.new_context(run, step)
  local parent = step.parent and (run.ctxs[step.parent] or run.ctxs[1]) or run.background
  local timed = step.kind == 'timeout' or step.kind == 'deadline'
  local cause = timed and step.cause and { 'too late' } or nil
  return { kind = 'new_context', parent = parent.model, seconds = timed and step.seconds or nil,
    cause = cause, cut = step.kind == 'without', keep = keep_context },
    new_context[step.kind], parent.real, step.seconds, cause
end

function ops.cancel(run, step)
  local ctx, cause = run.ctxs[step.slot], step.cause and { 'because' } or nil
  if not ctx or not ctx.cancel then return end
  return { kind = 'cancel', ctx = ctx.model, cause = cause }, ctx.cancel, cause
end

function ops.ctx_err(run, step)
  local ctx, real = run:ctx(step.slot)
  if ctx then return { kind = 'ctx_err', ctx = ctx }, real.err, real end
end

local function look_at_context(ctx) return ctx:cause(), ctx:deadline() end

function ops.ctx_look(run, step)
  local ctx, real = run:ctx(step.slot)
  if ctx then return { kind = 'ctx_look', ctx = ctx, start = run.start }, look_at_context, real end
end

function ops.after_context(run, step)
  local ctx = run.ctxs[step.ctx] or run.ctxs[1]
  local name, fn = run:task(step.plan)
  return { kind = 'after_context', ctx = ctx.model, name = name, keep = function(_, _, call, r)
    run.afters[step.slot] = { model = call.made, stop = r[1] }
  end }, context.after_func, ctx.real, fn
end

function ops.stop_after(run, step)
  local after = run.afters[step.slot]
  if after then return { kind = 'stop_after', after = after.model }, after.stop end
end

-- Time ---------------------------------------------------------------------------------------

function ops.sleep(run, step)
  local ctx, real_ctx = run:ctx(step.ctx)
  return { kind = 'sleep', seconds = step.seconds, ctx = ctx }, weft.sleep, step.seconds, real_ctx
end

function ops.yield() return { kind = 'yield' }, weft.yield end

local function keep_timer(run, step, call, r)
  local made, has_channel = r[1], step.kind == 'timer' or step.kind == 'ticker'
  run.timers[step.slot] = { model = call.made, real = has_channel and made.c or made,
    object = has_channel and made or nil, periodic = call.periodic }
end

function ops.new_timer(run, step)
  local old = run.timers[step.slot]
  if old and old.periodic then return end  -- so that there are not too many
  local periodic = step.kind == 'ticker' or step.kind == 'tick'
  return { kind = 'new_timer', seconds = step.seconds, periodic = periodic, start = run.start,
    keep = keep_timer }, time[step.kind], step.seconds
end

function ops.set_timer(run, step)
  local timer = run.timers[step.slot]
  if not timer or not timer.object then return end
  local method = step.seconds and timer.object.reset or timer.object.stop
  return { kind = 'set_timer', ch = timer.model, seconds = step.seconds,
    periodic = timer.periodic }, method, timer.object, step.seconds
end

function ops.new_alarm(run, step)
  if run.alarms[step.slot] then return end
  local name, fn = run:task(step.plan)
  return { kind = 'new_alarm', seconds = step.seconds, name = name, keep = function(_, _, call, r)
    run.alarms[step.slot] = { model = call.made, real = r[1] }
  end }, time.after_func, step.seconds, fn
end

function ops.set_alarm(run, step)
  local alarm = run.alarms[step.slot]
  if not alarm then return end
  local method = step.seconds and alarm.real.reset or alarm.real.stop
  return { kind = 'set_alarm', alarm = alarm.model, seconds = step.seconds }, method, alarm.real,
    step.seconds
end

-- Tasks, locks -------------------------------------------------------------------------------

function ops.go(run, step)
  local name, fn = run:task(step.plan)
  return { kind = 'go', name = name }, weft.go, fn
end

function ops.lock(run, step)
  local ctx, real_ctx = run:ctx(step.ctx)
  local mutex = run.locks[step.slot]
  return { kind = 'lock', mutex = mutex.model, ctx = ctx }, mutex.real.lock, mutex.real, real_ctx
end

function ops.try_lock(run, step)
  local mutex = run.locks[step.slot]
  return { kind = 'try_lock', mutex = mutex.model }, mutex.real.try_lock, mutex.real
end

function ops.unlock(run, step, task)
  local mutex = run.locks[step.slot]
  local owner = mutex.model.owner
  if owner and owner ~= task and task ~= 'main' then return end
  return { kind = 'unlock', mutex = mutex.model }, mutex.real.unlock, mutex.real
end

function ops.wg_add(run, step)
  local wg = run.groups[step.slot]
  return { kind = 'wg_add', wg = wg.model, n = step.n }, wg.real.add, wg.real, step.n
end

function ops.wg_done(run, step)
  local wg = run.groups[step.slot]
  return { kind = 'wg_add', wg = wg.model, n = -1 }, wg.real.done, wg.real
end

function ops.wg_wait(run, step)
  local ctx, real_ctx = run:ctx(step.ctx)
  local wg = run.groups[step.slot]
  return { kind = 'wg_wait', wg = wg.model, ctx = ctx }, wg.real.wait, wg.real, real_ctx
end

local mistakes = {
  function(run, step)
    local ch = run.chans[step.ch].real
    return 'a value other than nil', ch.send, ch, nil
  end,
  function(run, step)
    local done = (run.ctxs[step.slot] or run.ctxs[1]).real:done()
    return 'close of a channel that weft closes itself', done.close, done
  end,
  function(run, step)
    local timer = run.timers[step.timer]
    if timer then return 'only weft sends on', timer.real.send, timer.real, 1 end
  end,
  function(run, step)
    local ch = run.chans[step.ch].real
    return "'send' on a receive-only", function() ch:recv_only():send(1) end
  end,
  function(run, step)
    return 'must be the last case', weft.select, weft.default, run.chans[step.ch].real
  end,
}

local function wrong(err, ...)
  if err then return { kind = 'wrong', err = err }, ... end
end

function ops.wrong(run, step) return wrong(mistakes[step.what](run, step)) end

-- Running ------------------------------------------------------------------------------------

-- What happens, four elements of `log` each: when, in which task, which step, and what it returned.
function Run:note(task, step, r)
  local log, n = self.log, self.events * 4
  log[n + 1], log[n + 2], log[n + 3], log[n + 4] = now(), task, step, r or false
  self.events = self.events + 1
end

local function make_call(self, task, step, call, fn, ...)
  if not call then return end
  call.boundary = step.style == 'boundary'
  self:note(task, step)
  self.model:begin(task, now(), call)
  local r = call_in(step.style, fn, ...)
  if self.violation then return end
  self:note(task, step, r)
  self.model:finish(task, now(), r)
  if call.keep then call.keep(self, step, call, r) end
  return r
end

-- Makes a step, unless the run has been found wrong.
function Run:step(task, step)
  if self.violation then return end
  local r = make_call(self, task, step, ops[step.op](self, step, task))
  for _ = 2, step.op == 'iterate' and step.n or 0 do
    if not r or not r.ok or r[1] == nil or self.over then break end
    r = make_call(self, task, step, ops[step.op](self, step, task))
  end
end

-- Runs fn, which makes steps: what the model finds wrong ends the run.
function Run:guard(fn)
  local ok, err = xpcall(fn, function(e)
    return type(e) == 'table' and e.violation or debug.traceback(e)
  end)
  if not ok and not self.violation then self.violation, self.over = tostring(err), true end
end

-- A function to start as a task with this plan, once or (an alarm's) several times; and what the
-- model is to call it.
function Run:task(plan)
  self.names = self.names + 1
  local name = self.names
  return name, function()
    self:guard(function()
      if self.violation then return end
      self.ids = self.ids + 1
      local id = self.ids
      self.model:started(name, id, now())
      for _, step in ipairs(plan) do
        if self.over then break end
        self:step(id, step)
      end
      for slot, lock in ipairs(self.locks) do
        if lock.model.owner == id then self:step(id, { op = 'unlock', slot = slot }) end
      end
      if not self.violation then self.model:ended(id, now()) end
    end)
  end
end

-- Ends from outside whatever still waits.
function Run:finish()
  self.over = true
  for i, ch in ipairs(self.chans) do
    if not ch.model.closed then self:step('main', { op = 'close', ch = i }) end
  end
  self:step('main', { op = 'cancel', slot = 1 })
  for i = 1, self.cut do self:step('main', { op = 'cancel', slot = CUT + i }) end
  for slot = 1, 8 do
    self:step('main', { op = 'set_timer', slot = slot })
    self:step('main', { op = 'set_alarm', slot = slot })
    local wg = self.groups[slot]
    if wg and wg.model.count > 0 then
      self:step('main', { op = 'wg_add', slot = slot, n = -wg.model.count })
    end
  end
  for slot, lock in ipairs(self.locks) do  -- its owner may wait in a circle
    if lock.model.owner then self:step('main', { op = 'unlock', slot = slot }) end
  end
  self:step('main', { op = 'sleep', seconds = LONGEST })
end

function Run:check_end()
  self.model.tasks.main = nil
  for task, call in pairs(self.model.tasks) do
    self.model:fail('task %s still waits in %s', task, call.kind)
  end
  self.model.tasks.main = 'runs'
  for i, ch in ipairs(self.chans) do
    for _ = 0, #ch.model.buffer do self:step('main', { op = 'try_recv', ch = i }) end
    self:step('main', { op = 'look', ch = i })
  end
end

local function new_run(p)
  local run = setmetatable({
    model = model.new(now()), start = time.now() - time.monotonic(), log = {}, values = 0, names = 0, ids = 0, events = 0,
    chans = {}, ctxs = {}, timers = {}, afters = {}, alarms = {}, locks = {}, groups = {}, cut = 0,
    background = { model = clocks.background(), real = context.background() },
  }, Run)
  for i, cap in ipairs(p.chans) do
    run.chans[i] = { model = channels.new(cap), real = weft.chan(cap) }
  end
  for i = 1, 2 do
    run.locks[i] = { model = clocks.mutex(), real = sync.mutex() }
    run.groups[i] = { model = clocks.waitgroup(), real = sync.waitgroup() }
  end
  run.model.tasks.main = 'runs'
  return run
end

-- Runs the program to its end: { violation = what was wrong, or nil; model =, log = }.
function M.run(p)
  local run = new_run(p)
  run:guard(function()
    run:step('main', { op = 'new_context', slot = 1, kind = 'cancel' })
    for _, plan in ipairs(p.tasks) do run:step('main', { op = 'go', plan = plan }) end
    run:step('main', { op = 'sleep', seconds = END })
    run:finish()
    if not run.violation then run:check_end() end
  end)
  return run
end

-- The last things that have happened in a run, as text.
function M.show_log(run, most)
  local out = {}
  for i = math.max(0, run.events - most), run.events - 1 do
    local at, task, step, r = unpack(run.log, i * 4 + 1, i * 4 + 4)
    local text = r and '-> ' .. model.show_results(r.ok and r or { err = tostring(r[1]) }) or ''
    out[#out + 1] = ('%d task %s: %s %s'):format(at, task, program.show_step(step), text)
  end
  return table.concat(out, '\n')
end

return M
