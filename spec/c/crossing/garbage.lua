-- SPDX-License-Identifier: MIT
-- When shared objects go: with the last one who has them, and where only they have each other.
package.path = 'spec/c/crossing/?.lua;' .. package.path
local weft = require 'weft'
local support = require 'support'
local case, equal = support.case, support.equal

local share = require('box').share

case('a chain of channels goes at once, however long', function()
  local ch
  for _ = 1, 100000 do
    local outer = weft.chan(1)
    if ch then outer:send(ch) end
    ch = outer
  end
  share(ch)
  ch = nil
  collectgarbage()
  collectgarbage()
  there_unchecked(function()
    package.loaded.box.kept = nil
    collectgarbage()
    collectgarbage()
  end)
end)

-- Nobody has anything any more.
local function forget()
  for _ = 1, 2 do
    collectgarbage()
    there_unchecked(function()
      package.loaded.box.kept = nil
      collectgarbage()
      collectgarbage()
    end)
  end
end

case('channels that only hold each other go', function()
  forget()
  local before = cores()
  local outside = share(weft.chan(1))
  for _ = 1, 10 do
    local a, b, c = weft.chan(2), weft.chan(1), weft.chan(1)
    a:send(b)
    a:send { a, ('long'):rep(2000) }
    b:send(c)
    c:send { { a, b } }
    share(a)
  end
  do  -- a ring that somebody has, by one of its channels
    local a, b = weft.chan(1), weft.chan(1)
    a:send(b)
    b:send { a, 'kept' }
    outside:send(a)
  end
  share(outside)
  equal(before + 1 + 30 + 2, cores())
  forget()
  equal(before + 3, cores())
  equal('kept', outside:recv():recv():recv()[2])
  outside = nil
  forget()
  equal(before, cores())
end)

case('a channel that has crossed, has been used and then given itself goes', function()
  forget()
  local before = cores()
  local ch = share(weft.chan(2))
  ch:send(1)
  equal(1, ch:recv())
  ch:send { ch }
  equal(before + 1, cores())
  ch = nil
  forget()
  equal(before, cores())
end)

-- Nothing has crossed since then.
case('they go while all are idle, also if the last look has found them alive', function()
  forget()
  equal(cores(), listed())
  local before = listed()
  local a, b = weft.chan(1), weft.chan(1)
  a:send(b)
  b:send(a)
  share(a)
  weft.sleep(1)
  equal(before + 2, listed())
  a, b = nil, nil
  forget()
  equal(before + 2, listed())
  weft.sleep(1)
  equal(before, listed())
end)
