-- SPDX-License-Identifier: MIT
-- What keeps what alive: values in buffers, contexts behind channels, functions that timers and
-- contexts are to start.
-- Subject: runtime/task/obj.h

local weft = require 'weft'
local util = require 'support.util'
local context, time = weft.context, weft.time
local settle = util.settle

-- Collects all that can be; what the stack still had in dead slots has been overwritten before.
local function collect()
  local function fill() return { {}, {}, {}, {} } end
  fill()
  settle()
  for _ = 1, 3 do collectgarbage() end
end

describe('a buffered channel', function()
  -- Its only value is taken by `take`, and its slot is not used again.
  local function forgets(take)
    local ch, weak = weft.chan(4), setmetatable({}, { __mode = 'v' })
    local function through()
      weak[1] = { 'v' }
      ch:send(weak[1])
      assert.equals(weak[1], (take(ch)))
    end
    through()
    collect()
    return weak[1] == nil, ch
  end

  it('does not keep a value that recv has taken', function()
    assert.is_true((forgets(function(ch) return ch:recv() end)))
  end)

  it('does not keep a value that recv with a context has taken', function()
    local ctx, cancel = context.with_cancel(context.background())
    assert.is_true((forgets(function(ch) return ch:recv(ctx) end)))
    cancel()
  end)

  it('does not keep a value that select has taken', function()
    assert.is_true((forgets(function(ch) return (select(2, weft.select(ch))) end)))
  end)
end)

describe('a task that has ended', function()
  it('keeps neither its arguments nor its results', function()
    local weak = setmetatable({}, { __mode = 'v' })
    for i = 1, 10 do
      local function run()
        weak[2 * i] = { 'argument' }
        weft.go(function(_)
          local v = { 'result' }
          weak[2 * i - 1] = v
          return v, v, v
        end, weak[2 * i])
      end
      run()
    end
    settle()
    collect()
    assert.is_nil(next(weak))
  end)
end)

describe('a done channel', function()
  it('keeps its context: the deadline closes it though nobody has the context', function()
    local function done_of_lost() return context.with_timeout(context.background(), 5):done() end
    local done = done_of_lost()
    collect()
    util.near(5, (util.elapsed(weft.select, done, time.after(100))))
    assert.is_true(done:is_closed())
  end)
end)

describe('a function that is to be started', function()
  it('by a timer, is started though nobody has the timer', function()
    local ran = 0
    local function lose() time.after_func(5, function() ran = ran + 1 end) end
    for _ = 1, 10 do lose() end
    collect()
    weft.sleep(6)
    assert.equals(10, ran)
  end)

  it('by the end of a context, is started though nobody has the context', function()
    local ran = 0
    local function lose()
      local ctx = context.with_timeout(context.background(), 5)
      context.after_func(ctx, function() ran = ran + 1 end)
      context.after_func(context.with_cancel(ctx), function() ran = ran + 1 end)
    end
    for _ = 1, 10 do lose() end
    collect()
    weft.sleep(6)
    assert.equals(20, ran)
  end)

  it('is let go of when that has been stopped', function()
    local weak = setmetatable({}, { __mode = 'k' })
    local ctx, cancel = context.with_cancel(context.background())
    local function lose()
      local a, b = {}, {}
      weak[a], weak[b] = true, true
      assert.is_true(time.after_func(5, function() return a end):stop())
      assert.is_true(context.after_func(ctx, function() return b end)())
    end
    lose()
    collect()
    assert.is_nil(next(weak))
    cancel()
  end)

  it('is let go of when its timer has fired or was stopped, though it refers to that', function()
    local weak, ran = setmetatable({}, { __mode = 'k' }), 0
    local function lose()
      local fired, stopped, again
      fired = time.after_func(1, function() ran = ran + (fired and 1 or 0) end)
      stopped = time.after_func(1, function() return stopped end)
      again = time.after_func(1, function()
        ran = ran + 1
        if ran < 4 then again:reset(1) end
      end)
      stopped:stop()
      weak[fired], weak[stopped], weak[again] = true, true, true
    end
    lose()
    weft.sleep(10)
    assert.equals(4, ran)
    collect()
    assert.is_nil(next(weak))
  end)
end)

describe('a wait', function()
  it('keeps what it waits for', function()
    local woken = 0
    local ctx, cancel = context.with_cancel(context.background())
    local waits = {
      function() return weft.chan():recv(ctx) end,
      function() return weft.chan():send(1, ctx) end,
      function() return weft.select(weft.chan(), weft.chan():sending(1), ctx:done()) end,
      function() return weft.chan(1):recv(context.with_value(ctx, 'k', 'v')) end,
      function() return weft.sleep(math.huge, context.with_cancel(ctx)) end,
      function()
        local wg = weft.sync.waitgroup()
        wg:add(1)
        return wg:wait(ctx)
      end,
    }
    for _, wait in ipairs(waits) do
      weft.go(function()
        wait()
        woken = woken + 1
      end)
    end
    collect()
    cancel()
    settle()
    assert.equals(#waits, woken)
  end)
end)
