-- SPDX-License-Identifier: MIT
-- Random worlds for weft.leaks: tables, closures, coroutines, channels, contexts, timers that
-- refer to each other anyhow, and tasks that wait for some of them. And `walk`, which does all
-- that a program could ever do with a value to wake somebody: what a task that can run may do to
-- others is the truth that weft.leaks is held against.

local weft = require 'weft'
local context, time, sync = weft.context, weft.time, weft.sync

local M = {}

-- Doing all that can be done ------------------------------------------------------------------

-- A weak table may show a channel or context that has been finalised already: the environment of
-- another one that was finalised with it kept its table for one cycle more. These do nothing.
local todo_of = {}

local function drain(ch, todo)
  if not pcall(ch.len, ch) then return end
  for _ = 1, 1000 do
    local v, why = ch:try_recv()
    if v == nil then
      if why == 'empty' then pcall(ch.close, ch) end
      return
    end
    todo[#todo + 1] = v
  end
end

todo_of['function'] = function(fn, todo)
  local ok, v = pcall(fn)
  if ok then todo[#todo + 1] = v end
end

function todo_of.thread(co, todo)
  local _, v = coroutine.resume(co)
  todo[#todo + 1] = v
end

function todo_of.userdata(u, todo)
  local env = debug.getfenv(u)
  if type(env) == 'table' then todo[#todo + 1] = env[1] end
  if getmetatable(u) == 'weft.chan' then drain(u, todo) end
end

local special = {}
special['weft.chan (buffered)'] = drain

local function through_view(view, todo) todo[#todo + 1] = rawget(view, 0) end
special['weft.chan (send only)'], special['weft.chan (receive only)'] = through_view, through_view

special['weft.context'] = function(ctx, todo)
  for _, field in ipairs { 'parent', 'same', 'val', 'spec_holds', 'closes' } do
    todo[#todo + 1] = rawget(ctx, field)
  end
  local cancel = rawget(ctx, 'spec_cancel')
  if cancel then pcall(cancel) end
end

special['weft.mutex'] = function(m) pcall(m.unlock, m) end
special['weft.waitgroup'] = function(wg) pcall(wg.done, wg) end
special['weft.timer'] = function(t) t:reset(0.001) end

function todo_of.table(t, todo)
  local kind = getmetatable(t)
  if type(kind) == 'string' then return special[kind](t, todo) end
  if kind then todo[#todo + 1] = kind end
  for k, v in pairs(t) do
    todo[#todo + 1] = v
    todo[#todo + 1] = k
  end
end

function M.walk(...)
  local todo, seen = {}, {}
  for i = 1, select('#', ...) do todo[#todo + 1] = (select(i, ...)) end
  while #todo > 0 do
    local v = table.remove(todo)
    local look = todo_of[type(v)]
    if look and not seen[v] then
      seen[v] = true
      look(v, todo)
    end
  end
end

local walk = M.walk

-- Making a world -------------------------------------------------------------------------------

-- Kinds of things: make(world) -> value, and a function that makes it refer to another value (nil:
-- it refers to nothing).
local kinds = {}

kinds[1] = function()
  local t = {}
  return t, function(v) t[#t + 1] = v end
end

kinds[2] = function()
  local v
  return function() return v end, function(x) v = x end
end

kinds[3] = function()
  local co = coroutine.create(function()
    local v
    while true do v = coroutine.yield(v) or v end
  end)
  coroutine.resume(co)
  return co, function(v) coroutine.resume(co, v) end
end

kinds[4] = function(world)
  local ch = weft.chan(world.rnd(3))
  return ch, function(v) ch:try_send(v) end
end

kinds[5] = function() return weft.chan() end

kinds[6] = function(world)
  local ch = weft.chan(world.rnd(2) - 1)
  if world.rnd(2) == 1 then return ch:send_only() end
  return ch:recv_only()
end

local function derive(world)
  local parent = world:pick_of 'weft.context' or context.background()
  local way = world.rnd(4)
  if way == 1 then return context.with_timeout(parent, world.rnd(20)) end
  if way == 2 then return context.with_value(parent, 'key', (world:pick())) end
  return context.with_cancel(parent)
end

kinds[7] = function(world)
  local ctx, cancel = derive(world)
  ctx.spec_cancel = cancel
  return ctx, function(v) ctx.spec_holds = v end
end

kinds[8] = function(world)
  local ctx = world:pick_of 'weft.context'
  return ctx and ctx:done() or weft.chan()
end

kinds[9] = function()
  local m = sync.mutex()
  m:lock()
  return m
end

kinds[10] = function()
  local wg = sync.waitgroup()
  wg:add(1)
  return wg
end

kinds[11] = function()
  local t = time.timer(1)
  t:stop()
  return t
end

kinds[12] = function()
  local p = newproxy()
  local env = {}
  debug.setfenv(p, env)
  return p, function(v) env[1] = v end
end

kinds[13] = function()
  local mt = {}
  return setmetatable({}, mt), function(v) mt.hidden = v end
end

kinds[14] = function()
  local t = setmetatable({}, { __mode = 'v' })
  return t, function(v) t[#t + 1] = v end
end

-- Ways to wait; the values are all that the task has then.
local waits = {}

function waits.recv(ch) return ch:recv() end
function waits.send(ch, v) return ch:send(v == nil and 0 or v) end
function waits.select(a, b) return weft.select(a, b) end
function waits.select_send(a, v)
  return weft.select(a:sending(v == nil and 0 or v), weft.chan())
end
function waits.recv_ctx(ch, ctx) return ch:recv(ctx) end
function waits.lock(m) return m:lock() end
function waits.wait(wg) return wg:wait() end
function waits.timer(t) return t.c:recv() end
function waits.sleep_ctx(ctx) return weft.sleep(math.huge, ctx) end
function waits.sleep(s) return weft.sleep(s) end
function waits.after(s) return time.after(s):recv() end
function waits.for_ever() return weft.select() end

local is_channel = {
  ['weft.chan'] = true, ['weft.chan (buffered)'] = true, ['weft.chan (receive only)'] = true,
}

local World = {}
World.__index = World

function World:pick() return self.values[self.rnd(#self.values)] end

function World:pick_of(kind)
  for _ = 1, 20 do
    local v = self:pick()
    local mt = getmetatable(v)
    if kind == 'channel' and type(mt) == 'string' and is_channel[mt] or mt == kind then
      return v
    end
  end
end

-- What the next task does: how it waits, with what.
function World:way_to_wait()
  local rnd, ch = self.rnd, self:pick_of 'channel'
  local plain = self:pick_of 'weft.chan'
  local way = rnd(12)
  if way <= 3 and ch then return 'recv', ch end
  if way == 4 and plain and not plain:is_closed() then
    if pcall(plain.sending, plain, 0) then return 'send', plain, self:pick() end
  end
  if way == 5 and ch then return 'select', ch, self:pick_of 'channel' end
  if way == 6 and plain and pcall(plain.sending, plain, 0) then
    return 'select_send', plain, self:pick()
  end
  if way == 7 and ch then return 'recv_ctx', ch, self:pick_of 'weft.context' end
  local m, wg = self:pick_of 'weft.mutex', self:pick_of 'weft.waitgroup'
  if way == 8 and m then return 'lock', m end
  if way == 8 and wg then return 'wait', wg end
  local t, ctx = self:pick_of 'weft.timer', self:pick_of 'weft.context'
  if way == 9 and t then return 'timer', t end
  if way == 9 and ctx then return 'sleep_ctx', ctx end
  if way == 10 then return 'sleep', rnd(20) end
  if way == 11 and rnd(2) == 1 then return 'after', rnd(20) end
  if ch then return 'recv', ch end
  return 'for_ever'
end

-- How a task has its values while it waits.
local bodies = {
  function(log, wait, a, b, ref)
    log.parked[weft.id()] = true
    pcall(wait, a, b)
    log.woken[weft.id()] = true
    walk(a, b, ref)
  end,
  function(log, wait, ...)
    log.parked[weft.id()] = true
    pcall(wait, ...)
    log.woken[weft.id()] = true
    walk(...)
  end,
  function(log, wait, a, b, ref)
    log.parked[weft.id()] = true
    local inside = coroutine.wrap(function(...)
      pcall(wait, ...)
      return ...
    end)
    a, b = inside(a, b)
    log.woken[weft.id()] = true
    walk(a, b, ref)
  end,
  function(log, wait, a, b, ref)
    log.parked[weft.id()] = true
    weft.defer(walk, ref)
    ref = nil
    pcall(wait, a, b)
    log.woken[weft.id()] = true
    walk(a, b, ref)
  end,
}

-- Makes a world of things and tasks and returns what the program has of it. log.parked and
-- log.woken get the numbers of its tasks.
function M.make(rnd, log)
  local world = setmetatable({ rnd = rnd, values = {} }, World)
  local linkers = {}
  world.values[1] = weft.chan()
  for i = 2, 4 + rnd(20) do
    local v, link = kinds[rnd(#kinds)](world)
    world.values[i] = v
    if link then linkers[#linkers + 1] = link end
  end
  for _ = 1, #linkers * (rnd(3) - 1) do linkers[rnd(#linkers)](world:pick()) end
  for _ = 1, 2 + rnd(12) do
    local way, a, b = world:way_to_wait()
    weft.go(bodies[rnd(#bodies)], log, waits[way], a, b, rnd(2) == 1 and world:pick() or nil)
  end
  for _ = 1, rnd(3) - 1 do
    local v = world:pick()
    time.after_func(rnd(20), function() walk(v) end)
  end
  for _ = 1, rnd(3) - 1 do
    local ctx, v = world:pick_of 'weft.context', world:pick()
    if ctx then context.after_func(ctx, function() walk(v) end) end
  end
  local kept = {}
  for i = 1, rnd(4) - 1 do kept[i] = world:pick() end
  return kept
end

return M
