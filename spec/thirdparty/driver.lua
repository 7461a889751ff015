-- SPDX-License-Identifier: MIT
-- Runs workloads and writes their transcripts into a directory:
--   luajit driver.lua plain DIR NAME...    one after another: DIR/NAME.plain
--   weft driver.lua tasks DIR NAME...      all at once, each in every style: DIR/NAME.STYLE
--   weft driver.lua interpreted DIR NAME...  the same without LuaJIT's compiler

local here = arg[0]:match '^(.*)/[^/]*$' or '.'
package.path = here .. '/?.lua;' .. package.path

local transcript = require 'transcript'

local function save(dir, name, style, lines)
  lines[#lines + 1] = ''
  local file = assert(io.open(('%s/%s.%s'):format(dir, name, style), 'wb'))
  assert(file:write(table.concat(lines, '\n')))
  assert(file:close())
end

-- Runs a workload with out; an error that it does not expect is the last line.
local function work(name, out)
  local ok, err = xpcall(function()
    require(name)(transcript.new(out))
  end, debug.traceback)
  out(ok and 'ended' or 'FAILED ' .. tostring(err))
end

local function collector()
  local lines = {}
  return lines, function(line) lines[#lines + 1] = line end
end

-- How a workload may run in a task: style(name) -> lines.
local function styles(weft)
  local all = {}

  -- Other tasks run between any two calls.
  function all.yielding(name)
    local lines, add = collector()
    work(name, function(line)
      add(line)
      weft.yield()
    end)
    return lines
  end

  -- Every line is handed over to another task, which may be in no hurry.
  function all.sending(name)
    local lines, add = collector()
    local ch, done = weft.chan(), weft.chan()
    weft.go(function()
      for line in ch do
        add(line)
        if #lines % 7 == 0 then weft.sleep(0.0001) end
      end
      done:close()
    end)
    work(name, function(line) ch:send(line) end)
    ch:close()
    done:recv()
    return lines
  end

  -- The workload is a generator of lines, a user's coroutine.
  function all.generating(name)
    local lines, add = collector()
    local next_line = coroutine.wrap(function() work(name, coroutine.yield) end)
    for line in next_line do
      add(line)
      weft.yield()
    end
    return lines
  end

  -- The workload blocks inside of three coroutines.
  function all.nested(name)
    local lines, add = collector()
    local answers = weft.chan(1)
    local function inner()
      work(name, function(line)
        weft.select(answers:sending(line))
        weft.yield()
        add((answers:recv()))
      end)
      return true
    end
    local function middle() return coroutine.wrap(inner)() end
    local co = coroutine.create(function() return coroutine.wrap(middle)() end)
    assert(coroutine.resume(co))
    assert(coroutine.status(co) == 'dead')
    return lines
  end

  return all
end

local mode, dir = arg[1], arg[2]
if mode == 'plain' then
  for i = 3, #arg do
    local lines, add = collector()
    work(arg[i], add)
    save(dir, arg[i], 'plain', lines)
  end
else
  if mode == 'interpreted' then jit.off() end
  local weft = require 'weft'
  local wg = require 'weft.sync'.waitgroup()
  for style, run in pairs(styles(weft)) do
    for i = 3, #arg do
      wg:go(function() save(dir, arg[i], style, run(arg[i])) end)
    end
  end
  wg:wait()
end
