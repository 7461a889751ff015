-- SPDX-License-Identifier: MIT
-- User coroutines that block, in one another, below pcall and in iterators.
local weft = require 'weft'
local support = require 'support'

local ledger = support.ledger()
local ch = weft.chan()

local function generate()
  for i = 1, 3 do
    weft.sleep(0.1)
    coroutine.yield(i)
  end
  return 'end'
end

local function sum()
  local total = 0
  for v in coroutine.wrap(generate) do
    if v == 'end' then break end
    total = total + v
  end
  return total
end

local function nested(depth)
  if depth == 0 then
    local v = ch:recv()
    return v
  end
  return coroutine.wrap(nested)(depth - 1)
end

local function receive_nested()
  for _ = 1, 3 do
    local _, v = support.try(nested, 3)
    support.received(ledger, v)
  end
end

local function resume()
  local co = coroutine.create(generate)
  local ok, v = coroutine.resume(co)
  assert(ok and v == 1 or not ok and support.is_oom(v), v)
  return pcall(coroutine.resume, co)
end

local function work()
  support.try(weft.go, receive_nested)
  local ok, total = support.try(sum)
  assert(not ok or total == 6)
  for _ = 1, 3 do support.send(ledger, ch.try_send, ch) end
  support.try(resume)
  support.send(ledger, ch.try_send, ch)
  support.try(weft.sleep, 1)
end

local function check()
  ch:close()
  support.settle()
  assert(weft.ntasks() == 1, 'somebody still waits')
  assert(sum() == 6)
end

return work, check
