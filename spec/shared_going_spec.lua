-- SPDX-License-Identifier: MIT
-- Subject: runtime/task/core.c
-- A shareable object that nobody has any more comes back out of a message while the collector is
-- busy with it, and something with a finaliser, which goes as well, still refers to it. Whatever
-- the collector has got to, what is received can be used.

local weft = require 'weft'
local context, sync = weft.context, weft.sync

local function new_context() return (context.with_cancel(context.background())) end
local function new_cancel() return (select(2, context.with_cancel(context.background()))) end

-- What it is, how it is made, how it is used.
local KINDS = {
  { 'a channel', weft.chan, function(ch) assert.is_false(ch:is_closed()) end },
  { 'a buffered channel', function() return weft.chan(1) end, function(ch)
    ch:send(7)
    assert.are.equal(7, (ch:recv()))
  end },
  { 'a context', new_context, function(ctx) assert.is_nil(ctx:err()) end },
  { 'the done channel of a context', function() return new_context():done() end,
    function(done) assert.is_false(done:is_closed()) end },
  { 'a cancel function', new_cancel, function(cancel) cancel() end },
  { 'a mutex', sync.mutex, function(m) m:lock() m:unlock() end },
  { 'a waitgroup', sync.waitgroup, function(g) g:add(1) g:done() g:wait() end },
  { 'a semaphore', function() return sync.semaphore(1) end, function(s) s:acquire() end },
}

describe('what nobody has any more, but a message', function()
  local ch, steps

  -- Leaves the object in a message, and a finaliser with it.
  local function leave(make)
    local obj = make()
    ch:send(obj)
    local p = newproxy(true)
    local mt = getmetatable(p)
    mt.obj, mt.__gc = obj, function() end
  end

  local function collect()
    collectgarbage()
    collectgarbage()
  end

  before_each(function()
    ch = weft.chan(1)
    weft.parallel(function(c) return c:cap() end, ch):await()
    collect()
    collectgarbage('setstepmul', 100)
    steps = 0
    repeat steps = steps + 1 until collectgarbage('step', 0)
  end)

  after_each(function() collectgarbage('setstepmul', 200) end)

  for _, kind in ipairs(KINDS) do
    it('can be used when it comes back: ' .. kind[1], function()
      local name, make, use = unpack(kind)
      for done = 1, steps * 1.05, math.max(1, steps / 60) do
        collect()
        assert(coroutine.resume(coroutine.create(leave), make))
        for _ = 1, done do collectgarbage('step', 0) end
        local back = ch:recv()
        collect()
        local ok, err = pcall(use, back)
        if not ok then
          error(('%s, after %d steps of %d: %s'):format(name, done, steps, err), 0)
        end
      end
    end)
  end
end)
