-- SPDX-License-Identifier: MIT
-- Where a task was created: in whatever function, frame or trace `go` was called.
-- Subject: runtime/task/frame.c

local weft = require 'weft'
local util = require 'support.util'
local settle = util.settle

-- Runs the code, whose tasks wait for `ch`: how many of them each line of it has created.
local function creators(code, strip)
  local ch, counts = weft.chan(), {}
  local function wait() ch:recv() end
  local chunk = assert(loadstring(code, '=made'))
  if strip then chunk = assert(loadstring(string.dump(chunk, true), '=made')) end
  chunk(weft, wait)
  settle()
  for paragraph in (weft.stacks() .. '\n'):gmatch '(.-)\n\n' do
    local line = paragraph:match 'created by task %d+ at made:(%d+)'
    if line then
      counts[tonumber(line)] = 1 + tonumber(paragraph:match ' and (%d+) more like it' or 0)
    end
  end
  ch:close()
  settle()
  return counts
end

-- The same with calls in front of it that make it known, and without the compiler.
local function each_way(name, code, expected)
  it(name, function()
    assert.same(expected, creators(code))
    assert.same(expected, creators(code))
  end)

  it(name .. ', interpreted', function()
    jit.off()
    jit.flush()
    local ok, counts = pcall(creators, code)
    jit.on()
    if not ok then error(counts, 0) end
    assert.same(expected, counts)
  end)
end

local HEAD = 'local weft, wait = ...\n'

describe('the place of go is known', function()
  each_way('in a hot loop', HEAD .. [[
    for i = 1, 300 do
      if i % 3 == 0 then weft.go(wait) else
        weft.go(wait)
      end
    end]], { [3] = 100, [4] = 200 })

  each_way('in several lines of one call', HEAD .. [[
    for _ = 1, 100 do
      weft.go(
        wait
      )
      weft.go(wait,
        1)
    end]], { [3] = 100, [6] = 100 })

  each_way('in functions that take any arguments', HEAD .. [[
    local function start(...)
      local a, b, c, d, e = ...
      weft.go(...)
      return a, b, c, d, e
    end
    for i = 1, 100 do start(wait, i, i, i) end]], { [4] = 100 })

  each_way('in coroutines', HEAD .. [[
    local co = coroutine.wrap(function()
      while true do
        weft.go(wait)
        coroutine.yield()
      end
    end)
    for _ = 1, 100 do co() end]], { [4] = 100 })

  each_way('as a metamethod', HEAD .. [[
    debug.setmetatable(wait, { __index = weft.go })
    for _ = 1, 100 do
      local _ = wait.x
    end
    debug.setmetatable(wait, nil)]], { [4] = 100 })

  each_way('below pcall, where it is the line of that', HEAD .. [[
    for _ = 1, 100 do
      pcall(weft.go, wait)
    end]], { [3] = 100 })

  each_way('in functions of 300 and of 70,000 lines', HEAD .. [[
    local function long() ]] .. ('\n'):rep(300) .. [[
      weft.go(wait)
    end
    local function longer() ]] .. ('\n'):rep(70000) .. [[
      weft.go(wait)
    end
    for _ = 1, 100 do long() longer() end]], { [302] = 100, [70304] = 100 })

  it('of tail calls: whoever has called the caller', function()
    assert.same({ [3] = 100 }, creators(HEAD .. [[
      local function start() return weft.go(wait) end
      for _ = 1, 100 do start() end]]))
  end)

  it('not where the lines have been stripped', function()
    assert.same({}, creators(HEAD .. 'for _ = 1, 100 do weft.go(wait) end', true))
  end)

  it('of code that comes and goes under one name', function()
    for i = 1, 50 do
      assert.same({ [i + 2] = 3 }, creators(HEAD .. ('\n'):rep(i) .. [[
        for _ = 1, 3 do weft.go(wait) end]]))
      collectgarbage()
    end
  end)
end)
