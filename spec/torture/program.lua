-- SPDX-License-Identifier: MIT
-- Random programs, as data: { chans = capacities, tasks = lists of steps }. A step is { op =, … }
-- with numbers for the objects it uses; execute.lua runs it. Every step stands for itself, so that
-- one can be left out of a program and the rest is a program still (shrink.lua).
local M = {}

-- n -> 1..n, the same for the same seed everywhere.
function M.generator(seed)
  local state = (seed * 2654435761 + 88172645) % 2 ^ 31
  local function draw(n)
    state = (state * 1103515245 + 12345) % 2 ^ 31
    return math.floor(state / 65536) % n + 1
  end
  for _ = 1, 3 do draw(2) end
  return draw
end

-- The most objects of a kind.
local CONTEXTS, TIMERS, ALARMS, AFTERS, LOCKS = 6, 4, 3, 3, 2
local CAPACITIES = { 0, 0, 0, 1, 1, 2, 3, 5 }

local function one_of(rnd, list) return list[rnd(#list)] end

-- Seconds, in whole nanoseconds.
local function seconds(rnd) return rnd(64) / 32 end

-- A context: none, the program's own (1), or another.
local function context(rnd)
  local r = rnd(5)
  if r <= 2 then return nil end
  if r == 3 then return 1 end
  return rnd(CONTEXTS)
end

-- How a call is made: plainly, in coroutines, through a view, below a C function.
local function style(rnd)
  local r = rnd(24)
  if r == 1 then return 'boundary' end
  if r <= 3 then return 'coroutine' end
  if r <= 5 then return 'coroutines' end
  if r <= 8 then return 'view' end
  return nil
end

local function value(rnd)
  local r = rnd(12)
  if r == 1 then return 'false' end
  if r == 2 then return 'string' end
  return 'table'
end

local function case(rnd, p)
  local r = rnd(16)
  if r <= 6 then return { recv = rnd(#p.chans), view = rnd(8) == 1 } end
  if r <= 12 then return { send = rnd(#p.chans), value = value(rnd), view = rnd(8) == 1 } end
  if r == 13 then return { done = rnd(CONTEXTS) } end
  if r <= 15 then return { timer = rnd(TIMERS) } end
  return {}  -- nil
end

-- op -> a step. What may wait for ever can be ended from outside: by closing a channel, by
-- cancelling a context.
local make = {}

function make.send(rnd, p)
  return { ch = rnd(#p.chans), value = value(rnd), ctx = context(rnd), style = style(rnd) }
end

function make.recv(rnd, p)
  return { ch = rnd(#p.chans), ctx = context(rnd), style = style(rnd) }
end

function make.try_send(rnd, p)
  return { ch = rnd(#p.chans), value = value(rnd), style = style(rnd) }
end

function make.try_recv(rnd, p)
  return { ch = rnd(#p.chans), style = style(rnd) }
end

function make.iterate(rnd, p)
  return { ch = rnd(#p.chans), ctx = context(rnd), n = rnd(5), style = style(rnd) }
end

function make.select(rnd, p)
  local cases = {}
  for i = 1, rnd(5) do cases[i] = case(rnd, p) end
  if rnd(4) == 1 then cases[#cases + 1] = cases[rnd(#cases)] end
  -- One that ends it in any case.
  cases[#cases + 1] = rnd(2) == 1 and { recv = rnd(#p.chans) } or { done = rnd(CONTEXTS) }
  if rnd(2) == 1 then cases[1], cases[#cases] = cases[#cases], cases[1] end
  return { cases = cases, default = rnd(4) == 1, named = rnd(6) == 1, style = style(rnd) }
end

function make.close(rnd, p)
  return { ch = rnd(#p.chans), err = rnd(3) == 1, view = rnd(4) == 1 }
end

function make.look(rnd, p) return { ch = rnd(#p.chans) } end
function make.recv_done(rnd) return { slot = rnd(CONTEXTS), ctx = context(rnd) } end
function make.recv_timer(rnd) return { slot = rnd(TIMERS), ctx = rnd(CONTEXTS) } end
function make.look_timer(rnd) return { slot = rnd(TIMERS) } end

function make.new_context(rnd)
  return { slot = 1 + rnd(CONTEXTS - 1), parent = rnd(CONTEXTS),
    kind = one_of(rnd, { 'cancel', 'timeout', 'timeout', 'deadline', 'value', 'without' }),
    seconds = rnd(12) == 1 and 0 or seconds(rnd), cause = rnd(2) == 1, key = rnd(3) }
end

function make.cancel(rnd) return { slot = 1 + rnd(CONTEXTS - 1), cause = rnd(2) == 1 } end
function make.ctx_err(rnd) return { slot = rnd(CONTEXTS) } end
function make.ctx_look(rnd) return { slot = rnd(CONTEXTS) } end
function make.ctx_value(rnd) return { slot = rnd(CONTEXTS), key = rnd(3) } end
function make.after_context(rnd, p)
  return { slot = rnd(AFTERS), ctx = rnd(CONTEXTS), plan = M.plan(rnd, p, 2),
    forget = rnd(3) == 1 }
end
function make.stop_after(rnd) return { slot = rnd(AFTERS) } end

function make.sleep(rnd)
  return { seconds = rnd(16) == 1 and 0 or seconds(rnd), ctx = context(rnd), style = style(rnd) }
end

function make.yield(rnd) return { style = style(rnd) } end

function make.new_timer(rnd)
  return { slot = rnd(TIMERS), seconds = seconds(rnd),
    kind = one_of(rnd, { 'timer', 'timer', 'ticker', 'ticker', 'after', 'tick' }) }
end

function make.set_timer(rnd)
  return { slot = rnd(TIMERS), seconds = rnd(2) == 1 and seconds(rnd) or nil }
end

function make.new_alarm(rnd, p)
  return { slot = rnd(ALARMS), seconds = seconds(rnd), plan = M.plan(rnd, p, 2),
    forget = rnd(3) == 1 }
end

function make.set_alarm(rnd)
  return { slot = rnd(ALARMS), seconds = rnd(2) == 1 and seconds(rnd) or nil }
end

function make.go(rnd, p) return { plan = M.plan(rnd, p, 4) } end
-- Some steps of the task itself, in a coroutine.
function make.inside(rnd, p) return { plan = M.plan(rnd, p, 4) } end
function make.collect() return {} end
function make.lock(rnd) return { slot = rnd(LOCKS), ctx = context(rnd), style = style(rnd) } end
function make.try_lock(rnd) return { slot = rnd(LOCKS) } end
function make.unlock(rnd) return { slot = rnd(LOCKS) } end
function make.wg_add(rnd) return { slot = rnd(LOCKS), n = rnd(4) == 1 and -1 or rnd(2) } end
function make.wg_done(rnd) return { slot = rnd(LOCKS) } end
function make.wg_wait(rnd) return { slot = rnd(LOCKS), ctx = context(rnd), style = style(rnd) } end

function make.wrong(rnd, p)
  return { what = rnd(8), ch = rnd(#p.chans), slot = rnd(CONTEXTS), timer = rnd(TIMERS) }
end

-- How often an op is drawn at most, beside the others; those that are missing: 2.
local WEIGHTS = {
  send = 12, recv = 12, try_send = 4, try_recv = 4, iterate = 4, select = 16, close = 1,
  new_context = 3, sleep = 4, new_timer = 3, wrong = 1, look = 3, go = 1, after_context = 1,
  new_alarm = 1,
}

local names = {}
for op in pairs(make) do names[#names + 1] = op end
table.sort(names)

-- The ops that a program uses, those that it uses much several times. Programs that know only a
-- few kinds of step find what programs of everything would take long to.
local function draw_ops(rnd, seed)
  local ops = {}
  for _, op in ipairs(names) do
    local weight = WEIGHTS[op] or 2
    if op == 'collect' and seed % 16 > 0 then weight = 0 end  -- it takes long
    for _ = 1, math.ceil(weight * (rnd(4) - 2) / 2) do ops[#ops + 1] = op end
  end
  if #ops == 0 then ops = { 'send', 'recv', 'select' } end
  return ops
end

-- A list of steps.
function M.plan(rnd, p, most)
  local plan = {}
  p.depth = p.depth + 1
  for i = 1, p.depth > 3 and 0 or rnd(most) do
    local op = one_of(rnd, p.ops)
    local step = make[op](rnd, p)
    step.op = op
    plan[i] = step
  end
  p.depth = p.depth - 1
  return plan
end

function M.new(seed)
  local rnd = M.generator(seed)
  local p = { seed = seed, chans = {}, tasks = {}, depth = 0, ops = draw_ops(rnd, seed) }
  for i = 1, rnd(4) do p.chans[i] = one_of(rnd, CAPACITIES) end
  for i = 1, 1 + rnd(10) do p.tasks[i] = M.plan(rnd, p, 16) end
  return p
end

-- How many steps a program has.
local function count(plan)
  local n = 0
  for _, step in ipairs(plan) do n = n + 1 + (step.plan and count(step.plan) or 0) end
  return n
end

function M.size(p)
  local n = 0
  for _, plan in ipairs(p.tasks) do n = n + count(plan) end
  return n
end

local function words(step, skip)
  local list, keys = {}, {}
  for k in pairs(step) do keys[#keys + 1] = k end
  table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
  for _, k in ipairs(keys) do
    local v = step[k]
    if type(v) == 'table' and not skip[k] then v = '{' .. words(v, skip) .. '}' end
    if not skip[k] then
      list[#list + 1] = type(k) == 'number' and tostring(v) or k .. '=' .. tostring(v)
    end
  end
  return table.concat(list, ' ')
end

local HIDDEN = { op = true, plan = true }

-- A step as text, and a program.
function M.show_step(step) return step.op .. ' ' .. words(step, HIDDEN) end

local function show_plan(plan, indent, out)
  for _, step in ipairs(plan) do
    out[#out + 1] = indent .. M.show_step(step)
    if step.plan then show_plan(step.plan, indent .. '  ', out) end
  end
end

function M.show(p)
  local out = { 'channels of capacity ' .. table.concat(p.chans, ', ') }
  for i, plan in ipairs(p.tasks) do
    out[#out + 1] = 'task ' .. i .. ':'
    show_plan(plan, '  ', out)
  end
  return table.concat(out, '\n')
end

return M
