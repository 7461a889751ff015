-- SPDX-License-Identifier: MIT
-- The steps of a program (program.lua), in weft and in the model: op(run, step, task) -> the call
-- for the model, weft's function and its arguments; or nothing, when what the step needs is not
-- there. `keep(run, step, call, r)` in the call files what it has made. The run has the objects
-- of the program, each as { model =, real = }.
local weft = require 'weft'
local context, time = weft.context, weft.time

local M = {}

-- Where contexts are kept that do not end with the program's own.
M.CUT = 100

local ops = {}

local function new_value(run, kind)
  run.values = run.values + 1
  if kind == 'false' then return false end
  if kind == 'string' then return 'v' .. run.values end
  return { run.values }
end

local function find_ctx(run, slot)
  local ctx = run.ctxs[slot]
  if ctx then return ctx.model, ctx.real end
end

local function transfer(run, step, case, otherwise)
  local ctx, real_ctx = find_ctx(run, step.ctx)
  return { kind = 'transfer', cases = { case }, ctx = ctx, otherwise = otherwise }, real_ctx
end

local function sending_end(step, ch) return step.style == 'view' and ch:send_only() or ch end
local function receiving_end(step, ch) return step.style == 'view' and ch:recv_only() or ch end

function ops.send(run, step)
  local ch, v = run.chans[step.ch], new_value(run, step.value)
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
  local ch, v = run.chans[step.ch], new_value(run, step.value)
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

-- A case of a select, of the model and of weft.
local function make_case(run, c, index)
  if c.recv then
    local ch = run.chans[c.recv]
    local real = c.view and ch.real:recv_only() or ch.real
    return { ch = ch.model, send = false, index = index }, real
  elseif c.send then
    local ch, v = run.chans[c.send], new_value(run, c.value)
    local real = c.view and ch.real:send_only() or ch.real
    return { ch = ch.model, send = true, value = v, index = index }, real:sending(v)
  elseif c.done then
    local ctx = run.ctxs[c.done] or run.ctxs[1]
    return { ch = ctx.model.done, send = false, index = index }, ctx.real:done()
  elseif c.timer and run.timers[c.timer] then
    local timer = run.timers[c.timer]
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
    case, list[i] = make_case(run, c, i)
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
function new_context.value(parent, key) return context.with_value(parent, key, 'a value') end
function new_context.without(parent) return context.with_cancel(context.without_cancel(parent)) end

local function keep_context(run, step, call, r)
  local made = call.made
  if step.kind == 'value' then made = call.parent end
  local ctx = { model = made, real = r[1], cancel = r[2], values = call.values }
  run.ctxs[step.slot] = ctx
  if step.kind == 'without' then
    run.cut = run.cut + 1
    run.ctxs[M.CUT + run.cut] = ctx
  end
end

function ops.new_context(run, step)
  local parent = step.parent and (run.ctxs[step.parent] or run.ctxs[1]) or run.background
  local values = parent.values
  if step.kind == 'value' then
    values = { unpack(values, 1, 3) }
    values[step.key] = 'a value'
  end
  local timed = step.kind == 'timeout' or step.kind == 'deadline'
  local cause = timed and step.cause and { 'too late' } or nil
  return { kind = 'new_context', parent = parent.model, seconds = timed and step.seconds or nil,
    cause = cause, cut = step.kind == 'without', keep = keep_context, values = values },
    new_context[step.kind], parent.real, step.kind == 'value' and step.key or step.seconds, cause
end

function ops.cancel(run, step)
  local ctx, cause = run.ctxs[step.slot], step.cause and { 'because' } or nil
  if not ctx or not ctx.cancel then return end
  return { kind = 'cancel', ctx = ctx.model, cause = cause }, ctx.cancel, cause
end

function ops.ctx_err(run, step)
  local ctx, real = find_ctx(run, step.slot)
  if ctx then return { kind = 'ctx_err', ctx = ctx }, real.err, real end
end

function ops.ctx_value(run, step)
  local ctx = run.ctxs[step.slot]
  if not ctx then return end
  return { kind = 'ctx_value', values = ctx.values, key = step.key }, ctx.real.value, ctx.real,
    step.key
end

local function look_at_context(ctx) return ctx:cause(), ctx:deadline() end

function ops.ctx_look(run, step)
  local ctx, real = find_ctx(run, step.slot)
  if ctx then return { kind = 'ctx_look', ctx = ctx, start = run.start }, look_at_context, real end
end

function ops.after_context(run, step)
  local ctx = run.ctxs[step.ctx] or run.ctxs[1]
  local name, fn = run:task(step.plan)
  return { kind = 'after_context', ctx = ctx.model, name = name, keep = function(_, _, call, r)
    run.afters[step.slot] = not step.forget and { model = call.made, stop = r[1] } or nil
  end }, context.after_func, ctx.real, fn
end

function ops.stop_after(run, step)
  local after = run.afters[step.slot]
  if after then return { kind = 'stop_after', after = after.model }, after.stop end
end

-- Time ---------------------------------------------------------------------------------------

function ops.sleep(run, step)
  local ctx, real_ctx = find_ctx(run, step.ctx)
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
    run.alarms[step.slot] = not step.forget and { model = call.made, real = r[1] } or nil
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

function ops.collect() return { kind = 'collect' }, collectgarbage end

function ops.lock(run, step)
  local ctx, real_ctx = find_ctx(run, step.ctx)
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
  local ctx, real_ctx = find_ctx(run, step.ctx)
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

mistakes[#mistakes + 1] = function(run, step)
  local ch = run.chans[step.ch].real
  return "'close' on a receive-only", function() ch:recv_only():close() end
end
mistakes[#mistakes + 1] = function(run, step)
  local done = (run.ctxs[step.slot] or run.ctxs[1]).real:done()
  return 'only weft sends on', done.sending, done, 1
end
mistakes[#mistakes + 1] = function(run, step)
  local ch = run.chans[step.ch].real
  return 'context expected', ch.recv, ch, 5
end

local function wrong(err, ...)
  if err then return { kind = 'wrong', err = err }, ... end
end

function ops.wrong(run, step) return wrong(mistakes[step.what](run, step)) end

M.ops = ops
return M
