-- SPDX-License-Identifier: MIT
-- Deadlines of contexts: the moment itself, their timers, and what is seen of one that has passed
-- while the program was busy.
-- Subject: runtime/conc/context.c

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local context, time = weft.context, weft.time
local settle = util.settle

-- Runs a script on the machine's clock that must end well and print exactly this. `busy(s)` keeps
-- the program from seeing its timers for s seconds.
local function prints(code, out)
  local r = proc.run([[
    local weft = require 'weft'
    local context, background = weft.context, weft.context.background()
    local function busy(s)
      local t = weft.time.monotonic()
      while weft.time.monotonic() - t < s do end
    end
  ]] .. code)
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

describe('a deadline', function()
  it('that is now is over: done is closed at once', function()
    for _, s in ipairs { 0, -1 } do
      local ctx = context.with_timeout(context.background(), s)
      assert.is_true(ctx:done():is_closed())
      local ran = false
      context.after_func(ctx, function() ran = true end)
      settle()
      assert.is_true(ran)
    end
  end)

  it('has a timer as long as its context lives, and no longer', function()
    local before = weft.stats().timers
    local ctx, cancel = context.with_timeout(context.background(), 1000)
    local _, cancel_child = context.with_timeout(ctx, 500)
    assert.equals(before + 2, weft.stats().timers)
    cancel_child()
    assert.equals(before + 1, weft.stats().timers)
    context.with_timeout(ctx, 300)
    cancel()
    assert.equals(before, weft.stats().timers)
  end)

  it('that nobody can see is not waited for: a deadlock is told at once', function()
    local r = proc.run([[
      local weft = require 'weft'
      local function lose()
        local ctx = weft.context.with_timeout(weft.context.background(), 3600)
        return weft.context.with_cancel(ctx)
      end
      for _ = 1, 3 do lose() end
      weft.chan():recv()
    ]], { seconds = 10 })
    assert.equals(2, r.status)
    util.has(r.err, 'deadlock')
  end)

  it('starts every function that waits for it, each once', function()
    local log = {}
    local ctx = context.with_timeout(context.background(), 1)
    for i = 1, 5 do context.after_func(ctx, function() log[#log + 1] = i end) end
    weft.sleep(2)
    table.sort(log)
    assert.same({ 1, 2, 3, 4, 5 }, log)
  end)
end)

describe('a deadline that has passed while the program was busy', function()
  it('stops a call that need not wait', function()
    prints([[
      local ch, m, f = weft.chan(1), weft.sync.mutex(), weft.async(function() return 'v' end)
      weft.yield()
      ch:send 'v'
      local ctx = context.with_timeout(background, 0.01)
      busy(0.03)
      print(ch:recv(ctx))
      ctx = context.with_timeout(background, 0.01)
      busy(0.03)
      print(weft.sleep(0, ctx))
      ctx = context.with_timeout(background, 0.01)
      busy(0.03)
      print(m:lock(ctx))
      ctx = context.with_timeout(background, 0.01)
      busy(0.03)
      print(f:await(ctx))
      print(ch:len(), m:try_lock())
    ]], ('nil\tcontext deadline exceeded\n'):rep(4) .. '1\ttrue\n')
  end)

  it('was before a cancel that comes then', function()
    prints([[
      for _, cause in ipairs { 'cancelled', false } do
        local ctx, cancel = context.with_timeout(background, 0.01, 'too late')
        busy(0.03)
        cancel(cause or nil)
        print(ctx:err(), ctx:cause())
      end
    ]], ('context deadline exceeded\ttoo late\n'):rep(2))
  end)

  it('is seen by a child, and ends its parent as well', function()
    prints([[
      local parent = context.with_timeout(background, 0.01, 'why')
      local child = context.with_cancel(parent)
      local done = parent:done()
      busy(0.03)
      print(child:err(), child:cause(), done:is_closed())
    ]], 'context deadline exceeded\twhy\ttrue\n')
  end)

  it('starts functions that are asked for only then', function()
    prints([[
      local ctx = context.with_timeout(background, 0.01)
      busy(0.03)
      local ran = weft.chan()
      local stop = context.after_func(ctx, function() print 'ran' ran:close() end)
      print(stop())
      ran:recv()
    ]], 'false\nran\n')
  end)
end)

describe('a time without an end', function()
  it('is never, or long ago', function()
    local now = time.now()
    for _, with in ipairs { context.with_timeout, context.with_deadline } do
      local ctx, cancel = with(context.background(), math.huge)
      assert.equals(math.huge, ctx:deadline())
      weft.sleep(1e6)
      assert.is_nil(ctx:err())
      cancel()
      assert.equals('context canceled', ctx:err())
      local ended = with(context.background(), -math.huge, 'why')
      assert.same({ 'context deadline exceeded', 'why' }, { ended:err(), ended:cause() })
      assert.is_true(ended:deadline() < now)
    end
  end)
end)
