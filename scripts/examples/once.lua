-- SPDX-License-Identifier: MIT
-- One-time set-up under contention: many requests need the configuration, the first loads it, all
-- others wait for that. A set-up that fails has been done as well: everybody gets to know.

local weft = require "weft"
local sync = require "weft.sync"

local loads = 0

local function load_config()
  loads = loads + 1
  weft.sleep(0.002)
  return { name = "orders", port = 8080 }
end

local config = sync.once_value(load_config)

local group, answers = sync.waitgroup(), {}
for i = 1, 20 do
  group:go(function() answers[i] = config() end)
end
group:wait()
for i = 2, 20 do assert(answers[i] == answers[1], "not the same table") end
print(("one VM: %d requests, loaded %d times, port %d"):format(#answers, loads, answers[1].port))

-- On all cores: the tasks have their own memories, but it is the same once.
local started, ready = sync.int(), sync.once()
local tasks = {}
for i = 1, 8 do
  tasks[i] = weft.parallel(function()
    ready:call(function()
      started:add(1)
      require("weft").sleep(0.002)
    end)
    return started:load()
  end)
end
for i = 1, 8 do assert(tasks[i]:await() == 1, "set up twice, or not yet") end
print(("all cores: %d tasks, set up %d times"):format(#tasks, started:load()))

local broken = sync.once_func(function() error("no disk", 0) end)
for i = 1, 2 do print("broken, call " .. i .. ":", pcall(broken)) end
