-- SPDX-License-Identifier: MIT
-- What tasks() and stacks() tell, beyond inspect_spec.lua: how many, and since when.

local weft = require 'weft'
local util = require 'support.util'
local time = weft.time

describe('stacks', function()
  it('tells how many tasks wait alike', function()
    local ch = weft.chan()
    for n = 1, 3 do
      weft.go(function() ch:recv() end)
      util.settle()
      local text = weft.stacks()
      if n == 1 then
        assert.is_nil(text:find('more like it', 1, true))
      else
        util.has(text, ('chan receive] and %d more like it'):format(n - 1))
      end
    end
    weft.go(function() ch:recv() end) -- created at another line
    util.settle()
    local _, groups = weft.stacks():gsub('%[chan receive', '')
    assert.equals(2, groups)
    ch:close()
    util.settle()
  end)
end)

describe('name', function()
  it('given again takes the place of the one before', function()
    local ch = weft.name(weft.chan(), 'first')
    assert.equals(ch, weft.name(ch, 'second'))
    weft.go(function() ch:recv() end)
    util.settle()
    util.has(weft.stacks(), 'second')
    assert.is_nil(weft.stacks():find('first', 1, true))
    assert.equals("chan 'second'", tostring(ch))
    ch:close()
    util.settle()
  end)
end)

describe('tasks', function()
  it('tells the place of each go, however many there are', function()
    local ch, expected = weft.chan(), {}
    for i = 1, 200 do
      local name = ('chunk%d'):format(i)
      local code = 'local weft, ch = ... weft.go(function() ch:recv() end)'
      loadstring(('\n'):rep(i % 3) .. code, '=' .. name)(weft, ch)
      expected[('task %d at %s:%d'):format(weft.id(), name, i % 3 + 1)] = true
    end
    for _, t in ipairs(weft.tasks()) do expected[t.created_by] = nil end
    assert.is_nil(next(expected))
    ch:close()
    util.settle()
  end)

  it('tells where the task is that asks, in a coroutine too', function()
    local function where(tasks)
      for _, t in ipairs(tasks) do
        if t.id == weft.id() then return t.where end
      end
    end
    local line, tasks = util.here(), weft.tasks()
    assert.equals(line, where(tasks))
    coroutine.wrap(function() line, tasks = util.here(), weft.tasks() end)()
    assert.equals(line, where(tasks))
  end)

  it('tells since when one runs or is ready', function()
    weft.sleep(10)
    local now = time.monotonic()
    util.near(now, util.task(weft.id()).since, 'since, running')
    local id
    weft.go(function() id = weft.id() end)
    for _, t in ipairs(weft.tasks()) do
      if t.state == 'ready' then util.near(now, t.since, 'since, ready') end
    end
    util.settle()
    assert.is_nil(util.task(id))
  end)
end)
