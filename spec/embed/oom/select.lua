-- SPDX-License-Identifier: MIT
-- Selects that send and receive, on channels that others use, in both forms.
local weft = require 'weft'
local support = require 'support'

local ledger = support.ledger()
local a, b, stop = weft.chan(), weft.chan(2), weft.chan()
local never = weft.chan()

local function choose(_, id)
  local i, v = weft.select(a, b, never, stop, a:sending(id), b:sending(id), never, never, never)
  if i == 1 or i == 2 then
    support.received(ledger, v)
    return false
  end
  return i == 5 or i == 6
end

local function choose_by_name(_, id)
  local name, v = weft.select { a = a, b = b, stop = stop, give = b:sending(id) }
  if name == 'a' or name == 'b' then
    support.received(ledger, v)
    return false
  end
  return name == 'give'
end

local function poll(_, id)
  local i, v = weft.select(b, b:sending(id), weft.default)
  if i == 1 then support.received(ledger, v) end
  return i == 2
end

local function several()
  for _ = 1, 3 do
    support.send(ledger, choose)
    support.send(ledger, poll)
    support.send(ledger, choose_by_name)
  end
end

local function consume()
  for _ = 1, 3 do
    local _, v = support.try(a.recv, a)
    support.received(ledger, v)
  end
end

local function work()
  for _ = 1, 3 do support.try(weft.go, several) end
  support.try(weft.go, consume)
  support.send(ledger, a.try_send, a)
  support.try(weft.sleep, 1)
  support.send(ledger, b.try_send, b)
end

local function check()
  stop:close()
  support.settle()
  a:close()
  b:close()
  support.settle()
  for v in b do support.received(ledger, v) end
  assert(weft.ntasks() == 1, 'somebody still waits')
end

return work, check
