-- SPDX-License-Identifier: MIT
-- Fails on purpose, seven times: the mistakes that everybody makes once, and what weft says to
-- each. Without an argument every one of them runs as a program of its own, and its output is
-- shown; `pitfalls.lua double_close` runs that one alone.

local weft = require "weft"
local sync = require "weft.sync"

local pitfalls, order = {}, {}

local function pitfall(name, options)
  return function(fn)
    order[#order + 1] = { name = name, options = options or "" }
    pitfalls[name] = fn
  end
end

-- Nobody closes the channel, so the loop never ends. Cure: the sender closes when it is done.
pitfall "missing_close" (function()
  local jobs, wg = weft.name(weft.chan(), "jobs"), sync.waitgroup()
  wg:go(function()
    for job in jobs do print("job " .. job) end
  end)
  for i = 1, 2 do jobs:send(i) end
  wg:wait()
end)

-- The receiver closes, and the sender has no way to know. Cure: the sender alone closes; a
-- receiver that wants no more cancels a context that the sender selects on.
pitfall "receiver_closes" (function()
  local numbers = weft.chan()
  weft.go(function()
    print("got " .. numbers:recv())
    numbers:close()
  end)
  for i = 1, 3 do numbers:send(i) end
end)

-- Two workers, and each closes when it finds no more jobs. Cure: whoever waits for all of them
-- closes.
pitfall "double_close" (function()
  local jobs, results, wg = weft.chan(4), weft.chan(4), sync.waitgroup()
  for i = 1, 4 do jobs:send(i) end
  jobs:close()
  for _ = 1, 2 do
    wg:go(function()
      for job in jobs do results:send(job * job) end
      results:close()
    end)
  end
  wg:wait()
end)

-- Three orders fit into the buffer and all is well; the fourth finds nobody who would ever take
-- one. Cure: start the receiver first. A buffer makes things faster, never right.
pitfall "buffer_hides_deadlock" (function()
  local orders = weft.name(weft.chan(3), "orders")
  for i = 1, 4 do
    orders:send(i)
    print("queued order " .. i)
  end
  for _ = 1, 4 do print("done with order " .. orders:recv()) end
end)

-- A sleep long enough today. `--warn-pending` lists what main's end has cut off. Cure: a
-- waitgroup, or awaiting futures.
pitfall("sleep_as_synchronisation", "--warn-pending --clock=virtual") (function()
  local finished = 0
  for i = 1, 3 do
    weft.go(function()
      weft.sleep(0.04 * i) -- the work
      finished = finished + 1
    end)
  end
  weft.sleep(0.1)
  print(("finished: %d of 3"):format(finished))
end)

-- The result is never asked for, and with it the error. weft does not lose it. Cure: await.
pitfall "ignored_error" (function()
  weft.async(function() error "the disk is full" end)
  weft.sleep(0.01) -- other work
  print "saved!"
end)

-- Plain code is atomic, but not across a call that may block: all ten read before one writes.
-- weft cannot see that this is wrong, and prints nothing. Cure: a mutex around all three lines.
pitfall "lost_update" (function()
  local balance, wg = 0, sync.waitgroup()
  for _ = 1, 10 do
    wg:go(function()
      local before = balance
      weft.yield() -- asks the bank
      balance = before + 1
    end)
  end
  wg:wait()
  print(("balance: %d, expected 10"):format(balance))
end)

local chosen = arg[1]
if chosen then
  local run = pitfalls[chosen] or error("no such pitfall: " .. chosen, 0)
  return run()
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

for _, p in ipairs(order) do
  print("== " .. p.name)
  local command = ("%s %s %s %s 2>&1; echo status $?"):format(quote(arg[-1]), p.options,
    quote(arg[0]), p.name)
  local out = assert(io.popen(command))
  for line in out:lines() do print("   " .. line) end
  out:close()
end
