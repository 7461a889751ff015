-- SPDX-License-Identifier: MIT
-- What specs of channels between two VMs do over and over.
local weft = require 'weft'

local M = {}

-- What is kept there lies in this table.
there_unchecked(function() package.loaded.box = {} end)

-- Lets both run until nothing is ready any more. (A worker opens its mail between two batches.)
function M.settle()
  for _ = 1, 8 do
    step()
    for _ = 1, 70 do weft.yield() end
  end
end

local function waits(id)
  for _, task in ipairs(weft.tasks()) do
    if task.id == id then return task.state ~= 'ready' and task.state ~= 'running' end
  end
  return false
end

-- A task here, which has come as far as it can: what pcall(fn, ...) has returned in it, once it is
-- `done`.
function M.start(fn, ...)
  local r, args = { done = false }, { n = select('#', ...), ... }
  local id
  local function keep(...)
    r.n, r.done = select('#', ...), true
    for i = 1, r.n do r[i] = (select(i, ...)) end
  end
  weft.go(function()
    id = weft.id()
    keep(pcall(fn, unpack(args, 1, args.n)))
  end)
  repeat weft.yield() until r.done or waits(id)
  return r
end

-- What a task there does with the channel, in the background; its results go into
-- package.loaded.box.out.
function M.send_there(ch, ...)
  there_unchecked(function(c, ...)
    local weft = require 'weft'
    local out = {}
    package.loaded.box.out = out
    local values = { ... }
    weft.go(function()
      for i = 1, #values do out[i] = { pcall(c.send, c, values[i]) } end
    end)
  end, ch, ...)
  step()
end

function M.recv_there(ch, n)
  there_unchecked(function(c, count)
    local weft = require 'weft'
    local out = {}
    package.loaded.box.out = out
    weft.go(function()
      for i = 1, count do out[i] = { c:recv() } end
    end)
  end, ch, n)
  step()
end

function M.out() return there(function() return package.loaded.box.out end) end

function M.share(ch)
  there_unchecked(function(c) package.loaded.box.kept = c end, ch)
  return ch
end

return M
