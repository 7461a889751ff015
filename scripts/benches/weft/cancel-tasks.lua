-- SPDX-License-Identifier: MIT
-- What counts goes from the cancel to the end of the last task that waited on a child.
local bench = ...
local weft = require "weft"

local CHILDREN = 1000

local function cancel_tasks()
  local parent, cancel = weft.context.with_cancel(weft.context.background())
  local started, tasks, ended = weft.sync.waitgroup(), weft.sync.waitgroup(), 0
  local function wait(child)
    started:done()
    child:done():recv()
    ended = ended + 1
    tasks:done()
  end
  started:add(CHILDREN)
  tasks:add(CHILDREN)
  for _ = 1, CHILDREN do weft.go(wait, (weft.context.with_cancel(parent))) end
  started:wait()
  local start = bench.now_ns()
  cancel()
  tasks:wait()
  return ended, bench.now_ns() - start
end

local function pass(n)
  local ended, ns = 0, 0
  for _ = 1, n, CHILDREN do
    local these, took = cancel_tasks()
    ended, ns = ended + these, ns + took
  end
  return ended, ns
end

return { pass = pass }
