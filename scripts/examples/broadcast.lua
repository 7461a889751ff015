-- SPDX-License-Identifier: MIT
-- One publishes, many subscribe, some of them are slow. Each says for itself what is to become of
-- values that it is too slow for: the publisher waits, the oldest go, or the newest.

local weft = require "weft"
local broadcast = require "weft.broadcast"

local NEWS = 100
local news, readers = broadcast.new(), weft.sync.waitgroup()
local got, leave = {}, {}

local function reader(name, pause, capacity, policy)
  local channel, unsubscribe = news:subscribe(capacity, policy)
  got[name], leave[name] = {}, unsubscribe
  readers:go(function()
    for v in channel do
      table.insert(got[name], v)
      if pause > 0 then weft.sleep(pause) end
    end
  end)
end

reader("archive", 0, 8, "block") -- wants everything; the publisher waits where it must
reader("screen", 0.02, 1, "drop_oldest") -- wants the latest
reader("sample", 0.02, 4, "drop_newest") -- wants some

for n = 1, NEWS do
  assert(news:publish(n))
  weft.yield()
end
weft.sleep(0.1) -- the screen is at most one behind
for _, unsubscribe in pairs(leave) do unsubscribe() end
readers:wait()

-- Whether it got them in the order in which they were published.
local function in_order(list)
  for i = 2, #list do
    if list[i] <= list[i - 1] then return false end
  end
  return true
end

print(("archive: all %d"):format(#got.archive))
print(("screen: fewer, and the last is %d"):format(got.screen[#got.screen]))
print(("sample: fewer, and the first is %d"):format(got.sample[1]))
print("fewer: " .. tostring(#got.screen < NEWS and #got.sample < NEWS))
print("in order: " .. tostring(in_order(got.archive) and in_order(got.screen)
  and in_order(got.sample)))

-- A subscriber that is stuck keeps the publisher, until it leaves.
local _, unsubscribe = news:subscribe()
weft.time.after_func(0.01, unsubscribe)
print("a publisher that waited goes on: " .. tostring(news:publish "extra"))
