-- SPDX-License-Identifier: MIT
-- Runs a program (program.lua) in weft and follows it in the model (model.lua). Every step of a
-- task is made known to the model, then made in weft, and what it returned is shown to the model.
local weft = require 'weft'
local model = require 'torture.model'
local channels = require 'torture.channels'
local clocks = require 'torture.clocks'
local program = require 'torture.program'
local steps = require 'torture.steps'
local context, time, sync = weft.context, weft.time, weft.sync

local M = {}

-- Seconds: when whatever still waits is ended from outside; more than the longest sleep.
local END, LONGEST = 12, 3

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

-- What happens, four elements of `log` each: when, in which task, which step, what it returned.
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
  if step.op == 'inside' then
    return coroutine.wrap(function()
      for _, inner in ipairs(step.plan) do
        if self.over then break end
        self:step(task, inner)
      end
    end)()
  end
  local r = make_call(self, task, step, steps.ops[step.op](self, step, task))
  for _ = 2, step.op == 'iterate' and step.n or 0 do
    if not r or not r.ok or r[1] == nil or self.over then break end
    r = make_call(self, task, step, steps.ops[step.op](self, step, task))
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
  for i = 1, self.cut do self:step('main', { op = 'cancel', slot = steps.CUT + i }) end
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
    model = model.new(now()), start = time.now() - time.monotonic(), log = {}, events = 0,
    values = 0, names = 0, ids = 0,
    chans = {}, ctxs = {}, timers = {}, afters = {}, alarms = {}, locks = {}, groups = {}, cut = 0,
    background = { model = clocks.background(), real = context.background(), values = {} },
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
