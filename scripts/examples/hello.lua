-- SPDX-License-Identifier: MIT
-- Starts three tasks with `go` and waits for all of them with a waitgroup.
--
-- `weft.go(fn, ...)` starts fn(...) as a task and returns at once; the task runs when main next
-- waits. A program ends when its main task, this file, reaches its end, whatever its other tasks
-- are doing: as in Go, nobody waits for them. Take away `wg:wait()` and the three greetings are
-- never printed, because main is through before any of them has run. That is no error, and
-- nothing is said about it.

local weft = require "weft"
local sync = require "weft.sync"

local wg = sync.waitgroup()

local function greet(name)
  print("hello, " .. name)
  wg:done()
end

for _, name in ipairs { "Lua", "C", "Go" } do
  wg:add(1) -- before `go`: the task must not be through before it is counted
  weft.go(greet, name)
end

wg:wait()
print "everybody was greeted"
