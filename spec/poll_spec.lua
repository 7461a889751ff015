-- SPDX-License-Identifier: MIT
-- Polls that find nothing let others run once the task has held the VM for 10 ms.
-- Subject: runtime/task/park.c

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local context = weft.context
local settle = util.settle

-- Polls until another task has run; false when it had no chance in five seconds.
local function lets_others_run(poll)
  local ran, start = false, os.clock()
  weft.go(function() ran = true end)
  while not ran and os.clock() - start < 5 do poll() end
  return ran
end

-- Calls f for 50 ms of this machine's time.
local function busy(f)
  local start = os.clock()
  while os.clock() - start < 0.05 do f() end
end

local ctx = context.with_cancel(context.background())

-- The polls that find nothing, by name.
local function polls()
  local ch, full, m = weft.chan(), weft.chan(1), weft.sync.mutex()
  full:send 'full'
  m:lock()
  return {
    try_recv = function() assert(ch:try_recv() == nil) end,
    try_send = function() assert(not ch:try_send(1)) end,
    try_send_full = function() assert(not full:try_send(1)) end,
    try_lock = function() assert(not m:try_lock()) end,
    err = function() assert(ctx:err() == nil) end,
    select = function() assert(weft.select(ch, full:sending(1), weft.default) == 3) end,
    select_receives = function() assert(weft.select(ch, weft.default) == 2) end,
    select_named = function() assert(weft.select { a = ch, default = true } == 'default') end,
  }
end

describe('a loop that polls', function()
  for name in pairs(polls()) do
    it('by ' .. name .. ' lets others run', function()
      assert.is_true(lets_others_run(polls()[name]))
      settle()
    end)
  end

  it('lets others run also inside a coroutine, and below pcall', function()
    local ch = weft.chan()
    assert.is_true(coroutine.wrap(function()
      return (lets_others_run(function() pcall(ch.try_recv, ch) end))
    end)())
    settle()
  end)

  it('does not keep timers from firing', function()
    local r = proc.run [[
      local weft = require 'weft'
      local ch, n, fired = weft.time.after(0.03), 0, false
      weft.time.after_func(0.03, function() fired = true end)
      while weft.select(ch, weft.default) == 2 do n = n + 1 end
      while not fired do ch:try_recv() end
      local ctx = weft.context.with_timeout(weft.context.background(), 0.03)
      while not ctx:err() do n = n + 1 end
      print(n > 2)
    ]]
    assert.same({ 0, 'true\n', '' }, { r.status, r.out, r.err })
  end)

  it('takes turns with another such loop', function()
    local a, b, stop = 0, 0, false
    local ch = weft.chan()
    weft.go(function()
      while not stop do
        ch:try_recv()
        b = b + 1
      end
    end)
    local start = os.clock()
    while b == 0 and os.clock() - start < 5 do
      ch:try_recv()
      a = a + 1
    end
    stop = true
    assert.is_true(a > 0 and b > 0)
    settle()
  end)
end)

describe('a poll', function()
  it('that finds something lets nobody run, however long', function()
    local ran, ch, m = false, weft.chan(1), weft.sync.mutex()
    local done = util.cancelled()
    weft.go(function() ran = true end)
    busy(function()
      assert(ch:try_send(1))
      assert(ch:try_recv() == 1)
      assert(weft.select(ch:sending(2), weft.default) == 1)
      assert(weft.select(ch, weft.default) == 1)
      assert(m:try_lock())
      m:unlock()
      assert(done:err())
    end)
    assert.is_false(ran)
    settle()
    assert.is_true(ran)
  end)

  it('that finds nothing lets nobody run before 10 ms', function()
    if proc.torture() then pending 'there it does' end
    local kept = 0
    for _ = 1, 20 do
      for _, poll in pairs(polls()) do
        local ran = false
        settle()
        weft.go(function() ran = true end)
        local start = os.clock()
        for _ = 1, 10 do poll() end
        -- this machine may have been busy elsewhere
        if not ran and os.clock() - start < 0.005 then kept = kept + 1 end
        settle()
      end
    end
    assert.is_true(kept > 100, 'kept the VM ' .. kept .. ' times of 160')
  end)

  it('does not yield below a C function, and does not raise there', function()
    for name, poll in pairs(polls()) do
      local ran = false
      weft.go(function() ran = true end)
      local list = { 2, 1 }
      table.sort(list, function(x, y)
        busy(poll)
        return x < y
      end)
      assert.same({ 1, 2 }, list)
      assert.is_false(ran, name)
      settle()
    end
  end)

  it('does not yield out of a generator that is resumed below one', function()
    for name, poll in pairs(polls()) do
      local ran, rounds = false, 0
      weft.go(function() ran = true end)
      local list = { 2, 1 }
      table.sort(list, function(x, y)
        local gen = coroutine.wrap(function()
          busy(poll)
          coroutine.yield 'mine'
        end)
        assert(gen() == 'mine')
        rounds = rounds + 1
        return x < y
      end)
      assert.same({ { 1, 2 }, false }, { list, ran }, name)
      assert.is_true(rounds > 0)
      settle()
    end
  end)

  it('leaves nothing behind', function()
    for _ = 1, 3 do
      local ch = weft.chan()
      busy(function()
        ch:try_recv()
        ch:try_send(1)
        weft.select(ch, ch:sending(1), weft.default)
      end)
      util.nobody_waits(ch)
    end
  end)
end)
