-- SPDX-License-Identifier: MIT
-- Contexts are made, waited for and cancelled. However many of these failed: the end of the first
-- reaches all that there are.
local weft = require 'weft'
local support = require 'support'
local context = weft.context

local root, cancel = context.with_cancel(context.background())
local made, n = {}, 0
for i = 1, 16 do made[i] = false end
local started, ended, asked, ran = 0, 0, 0, 0

local function keep(ok, ctx)
  if not ok then return root end
  n = n + 1
  made[n] = ctx
  return ctx
end

local ch = weft.chan()

local function wait(ctx)
  started = started + 1
  local ok, v, err
  repeat ok, v, err = support.try(ch.recv, ch, ctx) until ok
  assert(v == nil and (err == context.Canceled or err == context.DeadlineExceeded))
  ended = ended + 1
end

local function wait_done(ctx)
  started = started + 1
  repeat
    local ok, done = support.try(ctx.done, ctx)
    ok = ok and support.try(done.recv, done)
  until ok
  assert(ctx:err())
  ended = ended + 1
end

-- These are cancelled while memory runs out: they end with their cause, or not at all.
local caused = {}
for i, make in ipairs { context.with_cancel, context.with_timeout } do
  local ctx, cancel_it = make(root, i == 2 and 1e6 or nil)
  caused[i] = { ctx = ctx, cancel = cancel_it, done = false }
end

local function cancel_caused()
  for _, c in ipairs(caused) do c.done = support.try(c.cancel, 'mine') end
end

local function check_caused()
  for _, c in ipairs(caused) do
    assert(c.ctx:err() ~= nil or not c.done)
    assert(c.ctx:err() == nil or c.ctx:cause() == 'mine', 'ended without its cause')
  end
end

local function ran_after() ran = ran + 1 end

local function work()
  local child = keep(support.try(context.with_cancel, root))
  local timed = keep(support.try(context.with_timeout, child, 10, 'late'))
  local soon = keep(support.try(context.with_deadline, timed, weft.time.now() + 0.5))
  local valued = keep(support.try(context.with_value, soon, 'k', 'v'))
  support.try(context.without_cancel, valued)
  for _ = 1, 2 do
    if support.try(weft.go, wait, child) then asked = asked + 1 end
    if support.try(weft.go, wait_done, soon) then asked = asked + 1 end
    if support.try(weft.go, wait, timed) then asked = asked + 1 end
  end
  if support.try(context.after_func, timed, ran_after) then asked = asked + 1 end
  support.try(weft.sleep, 1, valued)
  support.try(valued.cause, valued)
  cancel_caused()
end

local function check()
  check_caused()
  cancel 'over'
  support.settle()
  for i = 1, n do assert(made[i]:err() and made[i]:done():is_closed()) end
  assert(root:cause() == 'over')
  assert(started == ended and started + ran == asked, 'somebody still waits')
  assert(weft.ntasks() == 1)
end

return work, check
