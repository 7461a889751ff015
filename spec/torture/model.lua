-- SPDX-License-Identifier: MIT
-- What a program of tasks may do: a reference model of Go's rules that shares no code with weft.
--
-- The model follows a program event by event. `begin` says that a task makes a call; the model
-- then knows whether the call goes on at once, and what it may return, or that the task waits.
-- Whoever completes a waiting call completes it in the model too; `finish` says what the call
-- returned. As the tasks of a VM run one at a time, and only a waiting call or a fruitless poll
-- lets another run, the order of these events is the order in which things happen, and the model
-- can be strict:
--   * a call returns what the model says, or one of what it says where chance decides;
--   * a call that the model lets wait does not return, one that goes on at once lets nobody run;
--   * virtual time moves only when the model has nobody left who could run, to the next timer
--     exactly, and what is due fires in the order in which it was armed.
-- Waiters, first in, first out, are lists here: channels and select in channels.lua, contexts,
-- timers and the rest in clocks.lua.
local M = {}

local Model = {}
Model.__index = Model

-- What a call may return: a list of alternatives, each { n =, values… } or { err = part of the
-- message } or { raised = value }; `effect` is what it changes. Times are compared loosely.
local Near = {}

-- A number that is a time as time.now gives it.
function M.near(x) return setmetatable({ x = x }, Near) end

function M.new(now)
  return setmetatable({
    now = now,       -- ns
    timers = {},     -- { when =, order =, fire = }
    armed = 0,       -- timers so far: the order of those that are due together
    tasks = {},      -- task -> 'runs', or its call
    starting = {},   -- names of tasks that have to start -> how many
    atomic = nil,    -- the task whose call goes on at once: nobody else may run
    steps = 0,
    chances = {},    -- choices among k that were equally likely: how often the 1st, 2nd, …
  }, Model)
end

function Model:fail(text, ...)
  error({ violation = text:format(...) }, 0)
end

local function show(v)
  if getmetatable(v) == Near then return 'about ' .. v.x end
  return type(v) == 'string' and ('%q'):format(v) or tostring(v)
end

local function show_results(r)
  if r.err then return 'error ' .. show(r.err) end
  if r.raised ~= nil then return 'error ' .. show(r.raised) end
  local words = {}
  for i = 1, r.n do words[i] = show(r[i]) end
  return '(' .. table.concat(words, ', ') .. ')'
end
M.show_results = show_results

local function show_all(alternatives)
  local words = {}
  for i, a in ipairs(alternatives) do words[i] = show_results(a) end
  return table.concat(words, ' or ')
end

-- Calls --------------------------------------------------------------------------------------

-- Every kind of call: rule(model, call). It sets call.may, the alternatives, when the call goes on
-- at once, or files the call where somebody may complete it.
M.rules = {}

-- A task makes a call: { kind =, … }.
function Model:begin(task, now, call)
  self:event(task, now)
  if self.tasks[task] ~= 'runs' then self:fail('task %s runs though it waits', task) end
  self.steps = self.steps + 1
  call.task, self.tasks[task] = task, call
  local rule = M.rules[call.kind] or error('no rule for ' .. tostring(call.kind))
  rule(self, call)
  if call.may and not call.is_poll then self.atomic = task end
end

local function is(expected, got)
  if getmetatable(expected) ~= Near then return rawequal(expected, got) end
  return type(got) == 'number' and math.abs(got - expected.x) < 1e-5
end

local function fits(a, r)
  if a.any then return r.ok end
  if a.err then return not r.ok and type(r[1]) == 'string' and r[1]:find(a.err, 1, true) ~= nil end
  if a.raised ~= nil then return not r.ok and rawequal(r[1], a.raised) end
  if not r.ok or r.n ~= a.n then return false end
  for i = 1, a.n do
    if not is(a[i], r[i]) then return false end
  end
  return true
end

-- The task's call has returned r: { ok =, n =, values… } as of pcall.
function Model:finish(task, now, r)
  self:event(task, now)
  self.atomic = nil
  local call = self.tasks[task]
  if not call.may then
    self:fail('task %s: %s returned %s though it has to wait', task, call.kind, show_results(r))
  end
  for _, a in ipairs(call.may) do
    if fits(a, r) then
      self.tasks[task] = 'runs'
      if call.may.of then self:count(call.may, a.rank) end
      if a.effect then a.effect(self, call, a) end
      call.may = { a }  -- what a receiver of its value finds
      return
    end
  end
  if not r.ok then r = { err = tostring(r[1]) } end
  self:fail('task %s: %s returned %s, not %s', task, call.kind, show_results(r),
    show_all(call.may))
end

-- A call that has to wait: whether it can. (Below a C function it raises instead.)
function Model:waits(call)
  if not call.boundary then return true end
  call.may = { { err = 'cannot block across a C-call boundary' } }
  return false
end

-- Somebody completes a call that waits.
function Model:complete(call, alternatives)
  call.may = alternatives
  if call.timer then self:disarm(call.timer) end
end

-- One of may.of cases that were equally likely was chosen. (Errors do not tell which.)
function Model:count(may, rank)
  if may.of < 2 then return end
  for _, a in ipairs(may) do
    if a.err then return end
  end
  local kind = may.of .. (may.waited and ' after a wait' or '')
  local counts = self.chances[kind] or { of = may.of }
  self.chances[kind] = counts
  counts[rank] = (counts[rank] or 0) + 1
end

-- Tasks --------------------------------------------------------------------------------------

-- A task of this name has to start.
function Model:starts(name) self.starting[name] = (self.starting[name] or 0) + 1 end

function Model:started(name, task, now)
  self:event(task, now)
  if not self.starting[name] then self:fail('task %s starts though nobody started it', name) end
  self.starting[name] = self.starting[name] > 1 and self.starting[name] - 1 or nil
  self.tasks[task] = 'runs'
end

function Model:ended(task, now)
  self:event(task, now)
  self.tasks[task] = nil
end

-- Somebody who is not stopped by anything and has not gone on; nil when all wait.
function Model:somebody_ready()
  for task, call in pairs(self.tasks) do
    if call == 'runs' then return ('task %s runs'):format(task) end
    if call.may then
      return ('%s of task %s can return %s'):format(call.kind, task, show_all(call.may))
    end
  end
  local name = next(self.starting)
  return name and ('task %s has to start'):format(name)
end

-- Time ---------------------------------------------------------------------------------------

function Model:arm(timer, when)
  self.armed = self.armed + 1
  timer.when, timer.order = when, self.armed
  self.timers[#self.timers + 1] = timer
end

-- Whether it was armed.
function Model:disarm(timer)
  for i, t in ipairs(self.timers) do
    if t == timer then
      table.remove(self.timers, i)
      return true
    end
  end
  return false
end

local function next_timer(timers)
  local first
  for _, t in ipairs(timers) do
    if not first or t.when < first.when or t.when == first.when and t.order < first.order then
      first = t
    end
  end
  return first
end

function Model:move_time(now)
  local timer = next_timer(self.timers)
  while timer and timer.when <= now do
    if timer.when > self.now then
      local somebody = self:somebody_ready()
      if somebody then self:fail('time goes on to %d though %s', timer.when, somebody) end
    end
    self.now = timer.when
    self:disarm(timer)
    timer.fire(self, timer)
    timer = next_timer(self.timers)
  end
  if self.now ~= now then
    self:fail('it is %d; the model has nothing due between %d and %s', now, self.now,
      timer and timer.when or 'the end')
  end
end

-- Something happens in a task.
function Model:event(task, now)
  if self.atomic and self.atomic ~= task then
    self:fail('task %s runs in the middle of a call of task %s that need not wait', task,
      self.atomic)
  end
  if now ~= self.now then self:move_time(now) end
end

M.Model = Model
return M
