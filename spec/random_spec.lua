-- SPDX-License-Identifier: MIT
-- Random programs: every value sent is received exactly once or still there. WEFT_LONG: more.
-- Subject: runtime/conc/chan.c

-- A program is a few channels and tasks that send, receive, select, close, cancel, sleep and poll
-- at random. What each task does follows from a seed (which case a select chooses does not).
-- WEFT_SEED=n runs that program alone.

local weft = require 'weft'
local proc = require 'support.proc'
local util = require 'support.util'
local context, time, sync = weft.context, weft.time, weft.sync

local PROGRAMS = proc.much(500, 10000, 'release')
local END = 60 -- seconds, when whatever still waits is cancelled

-- n -> 1..n, the same for the same seed everywhere.
local function generator(seed)
  local state = (seed * 2654435761 + 88172645) % 2 ^ 31
  return function(n)
    state = (state * 1103515245 + 12345) % 2 ^ 31
    return math.floor(state / 65536) % n + 1
  end
end

local Program = {}
Program.__index = Program

local function new_program(seed)
  local rnd, of_task = generator(seed), {}
  local p = setmetatable({
    seed = seed, of_task = of_task,
    rnd = function(n) return (of_task[weft.id()] or rnd)(n) end,
    sent = {}, refused = {}, got = {}, last = 0, chans = {}, cancels = {}, owner = {},
    order = {}, wrong = {}, single = rnd(3) == 1,
  }, Program)
  p.root, p.stop = context.with_timeout(context.background(), END)
  p.started = time.monotonic()
  for i = 1, rnd(4) do
    p.chans[i] = weft.chan(({ 0, 0, 1, 2, 5 })[rnd(5)])
    p.order[i] = {}
  end
  return p
end

function Program:chan()
  local i = self.rnd(#self.chans)
  return self.chans[i], i
end

-- A channel that this task may receive from: with single receivers, order can be checked.
function Program:source(me)
  if not self.single then return self:chan() end
  if me == 0 then return end
  local i = (me - 1) % #self.chans + 1
  if self.owner[i] == nil then self.owner[i] = me end
  if self.owner[i] == me then return self.chans[i], i end
end

function Program:value(me)
  self.last = self.last + 1
  return self.last, { id = self.last, from = me }
end

function Program:receive(v, i)
  if self.got[v.id] then self.wrong[#self.wrong + 1] = 'value ' .. v.id .. ' came twice' end
  self.got[v.id] = true
  local order = self.order[i]
  if self.single and order[v.from] and order[v.from] > v.id then
    self.wrong[#self.wrong + 1] = 'value ' .. v.id .. ' came after ' .. order[v.from]
  end
  order[v.from] = v.id
end

-- What a send came to: true sent it; false, nil or an error did not.
function Program:settled(id, ok, result)
  if ok and result == true then
    self.sent[id] = true
  else
    self.refused[id] = true
    if not ok and not tostring(result):find('send on closed channel', 1, true) then
      self.wrong[#self.wrong + 1] = tostring(result)
    end
  end
end

-- The root context, or one below it that ends earlier or may be cancelled by others.
function Program:ctx()
  local r = self.rnd(4)
  if r == 1 then
    return (context.with_timeout(self.root, self.rnd(40) / 8 - 0.125))
  elseif r == 2 then
    local ctx, cancel = context.with_cancel(self.root)
    self.cancels[#self.cancels + 1] = cancel
    return ctx
  end
  return self.root
end

local ops = {}

function ops.send(p, me)
  local ch, id, v = p:chan(), p:value(me)
  p:settled(id, pcall(ch.send, ch, v, p:ctx()))
end
ops.send_again = ops.send

function ops.try_send(p, me)
  local ch, id, v = p:chan(), p:value(me)
  p:settled(id, pcall(ch.try_send, ch, v))
end

function ops.recv(p, me)
  local ch, i = p:source(me)
  if not ch then return end
  local v = ch:recv(p:ctx())
  if v then p:receive(v, i) end
end
ops.recv_again = ops.recv

function ops.try_recv(p, me)
  local ch, i = p:source(me)
  local v = ch and ch:try_recv()
  if v then p:receive(v, i) end
end

function ops.iterate(p, me)
  local ch, i = p:source(me)
  if not ch then return end
  local left = p.rnd(6)
  local ok, err = pcall(function()
    for v in ch:iter(p:ctx()) do
      p:receive(v, i)
      left = left - 1
      if left == 0 then break end
    end
  end)
  if not ok then p.wrong[#p.wrong + 1] = tostring(err) end
end

-- A select of up to five cases; one of them ends it in any case.
function ops.select(p, me)
  local cases, what, n = {}, {}, p.rnd(5)
  for k = 1, n do
    local r = p.rnd(5)
    if r <= 2 then
      local ch, id, v = p:chan(), p:value(me)
      cases[k], what[k] = ch:sending(v), { id = id }
    elseif r <= 4 then
      local ch, i = p:source(me)
      cases[k], what[k] = ch, { chan = i }
    end
  end
  n = n + 1
  cases[n] = p:ctx():done()
  if p.rnd(3) == 1 then
    n = n + 1
    cases[n] = weft.default
  end
  local ok, chosen, v = pcall(weft.select, unpack(cases, 1, n))
  for k = 1, n do
    local w = what[k]
    if w and w.id then
      if ok and k ~= chosen then
        p.refused[w.id] = true
      else
        p:settled(w.id, ok, not ok and chosen or v)
      end
    end
  end
  local w = ok and what[chosen]
  if w and w.chan and v then p:receive(v, w.chan) end
end
ops.select_again = ops.select

function ops.sleep(p)
  local s = p.rnd(16) / 8
  local dt, v = util.elapsed(weft.sleep, s, p.root)
  if v and math.abs(dt - s) > 1e-6 then p.wrong[#p.wrong + 1] = 'slept ' .. dt .. ' for ' .. s end
end

function ops.timer(p)
  local t = time.timer(p.rnd(8) / 8)
  if p.rnd(2) == 1 then t:reset(p.rnd(8) / 8) end
  if p.rnd(3) == 1 then
    t:stop()
    if t.c:try_recv() then p.wrong[#p.wrong + 1] = 'a stopped timer fired' end
  else
    t.c:recv(p.root)
  end
end

function ops.yield() weft.yield() end

function ops.cancel(p)
  local n = #p.cancels
  if n > 0 then table.remove(p.cancels, p.rnd(n))() end
end

function ops.close(p)
  if p.rnd(4) ~= 1 then return end
  local ch = p:chan()
  if not ch:is_closed() then ch:close() end
end

function ops.child(p)
  local ch, i = p:source(0)
  weft.go(function()
    local v = ch and ch:try_recv()
    if v then p:receive(v, i) end
  end)
end

local names = {}
for name in pairs(ops) do names[#names + 1] = name end
table.sort(names)

function Program:run()
  local wg = sync.waitgroup()
  for me = 1, 1 + self.rnd(10) do
    local plan = {}
    for k = 1, self.rnd(15) do plan[k] = names[self.rnd(#names)] end
    wg:go(function()
      self.of_task[weft.id()] = generator(self.seed * 100 + me)
      for _, name in ipairs(plan) do
        -- the root context has ended: nothing would block any more
        if self.root:err() then return end
        ops[name](self, me)
      end
    end)
  end
  wg:wait()
  util.settle()
  self.stop()
  for i, ch in ipairs(self.chans) do
    while true do
      local v = ch:try_recv()
      if not v then break end
      self:receive(v, i)
    end
    if not ch:is_closed() then util.nobody_waits(ch) end
  end
end

function Program:check()
  local n = 0
  for id = 1, self.last do
    local sent, refused, got = self.sent[id], self.refused[id], self.got[id]
    if sent and not got then error('value ' .. id .. ' was sent and is lost') end
    if refused and got then error('value ' .. id .. ' was refused and came') end
    if not sent and not refused then error('nobody knows about value ' .. id) end
    if sent then n = n + 1 end
  end
  if self.wrong[1] then error(self.wrong[1]) end
  if time.monotonic() - self.started > END + 1 then error 'it took too long' end
  return n
end

local function run_seed(seed)
  local p = new_program(seed)
  local ok, result = pcall(function()
    p:run()
    return p:check()
  end)
  local panic = util.take_panics()[1]
  if panic then ok, result = false, 'a task panicked: ' .. tostring(panic.err) end
  if not ok then
    error(('random program %d (WEFT_SEED=%d): %s'):format(seed, seed, tostring(result)), 0)
  end
  return result, p.last
end

describe('random programs', function()
  it('lose no value and give none twice', function()
    local only = tonumber(os.getenv 'WEFT_SEED')
    if only then return run_seed(only) end
    local sent, tried = 0, 0
    for seed = 1, PROGRAMS do
      local s, t = run_seed(seed)
      sent, tried = sent + s, tried + t
    end
    assert.is_true(sent > 3 * PROGRAMS and tried > 1.5 * sent, sent .. ' of ' .. tried)
  end)

  it('hold a mutex one at a time, in order, whoever gives up', function()
    for seed = 1, PROGRAMS / 10 do
      local rnd, m, wg = generator(seed), sync.mutex(), sync.waitgroup()
      local holder, held, gave_up, broken = nil, 0, 0, false
      for me = 1, 12 do
        local plan = {}
        for k = 1, 10 do plan[k] = { rnd(8) / 8, rnd(3) == 1 and rnd(8) / 8, rnd(4) } end
        wg:go(function()
          for _, step in ipairs(plan) do
            local hold, patience, how = unpack(step)
            local ctx = patience and context.with_timeout(context.background(), patience) or nil
            local got
            if how == 1 then got = m:try_lock() else got = m:lock(ctx) end
            if got then
              if holder then broken = true end
              holder, held = me, held + 1
              weft.sleep(hold)
              if holder ~= me then broken = true end
              holder = nil
              m:unlock()
            else
              gave_up = gave_up + 1
              weft.sleep(hold)
            end
          end
        end)
      end
      wg:wait()
      assert.is_false(broken, 'seed ' .. seed)
      assert.equals(120, held + gave_up)
      assert.is_true(held > 0 and gave_up > 0, 'seed ' .. seed)
      assert.is_true(m:try_lock(), 'seed ' .. seed)
    end
  end)
end)
