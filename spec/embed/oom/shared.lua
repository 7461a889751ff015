-- SPDX-License-Identifier: MIT
-- Objects cross for the first time: channels that hold values and are waited on, alone and inside
-- of each other, and what else can cross by reference. Whether memory was enough for that or not,
-- every value is still there, once, and who waits goes on to wait. (One worker: all of it happens
-- on one thread.)
local weft = require 'weft'
local support = require 'support'

local ledger = support.ledger()
local chans = { weft.chan(), weft.chan(1), weft.chan(3), weft.chan(2), weft.chan(4) }
local odd, mutex, wg, map = weft.chan(1), weft.sync.mutex(), weft.sync.waitgroup(), weft.sync.map()
local ctx, cancel = weft.context.with_cancel(weft.context.background())
local child = weft.context.with_value(ctx, 'k', { 1 })
local locked, over

-- The VM for isolated tasks is made before memory runs out: LuaJIT itself does not survive that.
weft.parallel(function()
  jit.off()
  local w = require 'weft'
  return w.sync.int(), w.context.background()
end):await()

-- A table, so that the value has to be packed when the channel crosses.
local function send_box(ch, id) return ch:send { id, ('long'):rep(30) } end

for i = 1, 3 do
  for _ = 1, i + 1 do weft.go(support.send, ledger, send_box, chans[i]) end
end
odd:send(coroutine.create(print))
for _ = 1, 2 do support.send(ledger, send_box, chans[4]) end
chans[5]:send { chans[4], chans[5], { chans[4] } }
map:store('k', { 1 })
wg:add(1)
mutex:lock()
weft.go(function() locked = mutex:lock() end)
weft.go(function()
  wg:wait()
  over = true
end)
support.settle()

local function hold() end

local function work()
  for i = 1, #chans do support.try(weft.spawn, hold, chans[i]) end
  local ok, err = pcall(weft.spawn, hold, odd)
  assert(not ok and (support.is_oom(err) or err:find('coroutine', 1, true)), err)
  support.try(weft.spawn, hold, mutex, wg, map)
  support.try(weft.spawn, hold, child, cancel)
  support.try(weft.sleep, 0.01)
end

local function check()
  for i = 1, 4 do
    support.settle()
    for _ = 1, 5 do
      local box = chans[i]:try_recv()
      if box then support.received(ledger, box[1]) end
      support.settle()
    end
    assert(chans[i]:len() == 0)
  end
  for id = 1, ledger.next do assert(ledger.got[id] == 1, 'a value is lost') end
  local list = chans[5]:recv()
  assert(list[1] == chans[4] and list[2] == chans[5] and list[3][1] == chans[4])
  assert(type(odd:recv()) == 'thread')
  assert(map:load 'k'[1] == 1 and child:value 'k'[1] == 1 and child:err() == nil)
  assert(not locked and not over and not mutex:try_lock())
  mutex:unlock()
  wg:done()
  cancel()
  support.settle()
  assert(locked and over and child:err() == weft.context.Canceled)
  assert(weft.ntasks() == 1, 'somebody still waits')
end

return work, check
