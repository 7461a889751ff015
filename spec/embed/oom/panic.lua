-- SPDX-License-Identifier: MIT
-- A panic in another VM than main's ends the program, whatever memory there is for its words.
local weft = require 'weft'
local support = require 'support'
local spawned = false

weft.parallel(function() jit.off() end):await()

-- What ends a run has to speak of memory (oom.c), with which this one has nothing to do.
local function fail() error 'on purpose, and not for not enough memory' end

local function work()
  spawned = support.try(weft.spawn, fail)
  for _ = 1, spawned and 30 or 0 do
    if support.try(weft.sleep, 5) then break end
  end
end

local function check(panicked)
  assert(panicked or not spawned, 'nobody has heard of the panic')
end

return work, check
