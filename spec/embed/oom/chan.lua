-- SPDX-License-Identifier: MIT
-- Unbuffered and buffered channels, several senders and receivers, closing.
local weft = require 'weft'
local support = require 'support'

local ledger = support.ledger()
local chans = { weft.chan(), weft.chan(1), weft.chan(3) }

local function produce(ch)
  for _ = 1, 4 do support.send(ledger, ch.send, ch) end
end

local function consume(ch)
  for _ = 1, 5 do
    local _, v = support.try(ch.recv, ch)
    support.received(ledger, v)
  end
end

local function work()
  for i = 1, #chans do
    support.try(weft.go, produce, chans[i])
    support.try(weft.go, consume, chans[i])
    support.try(weft.go, produce, chans[i])
  end
  support.try(weft.sleep, 1)
  for i = 1, #chans do
    support.send(ledger, chans[i].try_send, chans[i])
    local _, v = support.try(chans[i].try_recv, chans[i])
    support.received(ledger, v)
  end
end

local function check()
  for _, ch in ipairs(chans) do
    support.settle()
    if not ch:is_closed() then ch:close() end
    support.settle()
    for v in ch do support.received(ledger, v) end
    assert(ch:len() == 0)
  end
  assert(weft.ntasks() == 1, 'somebody still waits')
end

return work, check
