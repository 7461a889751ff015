-- SPDX-License-Identifier: MIT
-- Size: a million parked tasks, a channel of a million, a daisy chain of 100,000 tasks.
-- Subject: runtime/task/task.c

-- WEFT_SCALE divides the sizes, for builds that are slow or keep freed memory (a sanitizer).

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'

local scale = tonumber(os.getenv 'WEFT_SCALE') or proc.torture() and 10 or 1
local MILLION, CHAIN = math.floor(1e6 / scale), math.floor(1e5 / scale)

describe('scale', function()
  after_each(function()
    collectgarbage()
    collectgarbage()
  end)

  it('a million tasks wait on a channel, and each gets its value', function()
    local before = weft.ntasks()
    local ch, sum, n = weft.chan(), 0, 0
    for _ = 1, MILLION do
      weft.go(function()
        local v = ch:recv()
        sum, n = sum + v, n + 1
      end)
    end
    util.settle()
    assert.equals(before + MILLION, weft.ntasks())
    for i = 1, MILLION do ch:send(i) end
    util.settle()
    assert.equals(MILLION, n)
    assert.equals(MILLION * (MILLION + 1) / 2, sum)
    assert.equals(before, weft.ntasks())
  end)

  it('a million tasks are woken by one close', function()
    local ch, n = weft.chan(), 0
    for _ = 1, MILLION do
      weft.go(function()
        local v, err = ch:recv()
        if v == nil and err == 'closed' then n = n + 1 end
      end)
    end
    util.settle()
    ch:close()
    util.settle()
    assert.equals(MILLION, n)
  end)

  it('a channel holds a million values, in order', function()
    local ch = weft.chan(1e6)
    for i = 1, 1e6 do assert(ch:try_send(i)) end
    assert.same({ false, 'full' }, { ch:try_send(0) })
    assert.equals(1e6, ch:len())
    for i = 1, 1e6 do
      if ch:recv() ~= i then error('value ' .. i .. ' is out of order') end
    end
    assert.same({ nil, 'empty' }, { ch:try_recv() })
  end)

  it('a daisy chain of a hundred thousand tasks passes a value through', function()
    local leftmost = weft.chan()
    local right, left = leftmost, leftmost
    for _ = 1, CHAIN do
      right = weft.chan()
      weft.go(function(l, r) l:send(1 + r:recv()) end, left, right)
      left = right
    end
    weft.go(function() right:send(1) end)
    assert.equals(CHAIN + 1, (leftmost:recv()))
    util.settle()
  end)

  it('a hundred thousand tasks sleep, each for its own time', function()
    local n, early, t0 = 0, 0, weft.time.monotonic()
    for i = 1, CHAIN do
      weft.go(function()
        local s = (i * 7919) % CHAIN / 1000
        weft.sleep(s)
        if weft.time.monotonic() - t0 < s - util.NEAR then early = early + 1 end
        n = n + 1
      end)
    end
    weft.sleep(CHAIN / 1000 + 1)
    assert.same({ CHAIN, 0 }, { n, early })
  end)

  it('a hundred thousand contexts end with their parent', function()
    local parent, cancel = weft.context.with_cancel(weft.context.background())
    local n = 0
    for _ = 1, CHAIN do
      weft.go(function()
        local ctx = weft.context.with_timeout(parent, 1e5)
        ctx:done():recv()
        if ctx:cause() == 'enough' then n = n + 1 end
      end)
    end
    util.settle()
    cancel 'enough'
    util.settle()
    assert.equals(CHAIN, n)
  end)

  it('stacks and tasks tell of many', function()
    local ch, n = weft.chan(), 1000
    for _ = 1, n do weft.go(ch.recv, ch) end
    util.settle()
    local waiting = 0
    for _, t in ipairs(weft.tasks()) do
      if t.state == 'chan receive' then waiting = waiting + 1 end
    end
    assert.equals(n, waiting)
    local _, told = weft.stacks():gsub('chan receive', '')
    assert.is_true(told >= 1)
    ch:close()
    util.settle()
  end)
end)
