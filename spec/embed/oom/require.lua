-- SPDX-License-Identifier: MIT
-- Modules that block while they load, required by several tasks at once.
local weft = require 'weft'
local support = require 'support'

local loads, got = 0, 0

package.preload.blocking = function()
  weft.sleep(0.1)
  loads = loads + 1
  return { 'blocking' }
end

package.preload.requiring = function()
  local inner = require 'blocking'
  weft.sleep(0.1)
  return { inner = inner }
end

local function require_it()
  local ok, m = support.try(require, 'requiring')
  if ok then
    assert(m.inner == package.loaded.blocking)
    got = got + 1
  end
end

local function work()
  for _ = 1, 3 do support.try(weft.go, require_it) end
  support.try(require, 'blocking')
  support.try(weft.sleep, 1)
  pcall(require, 'no such module')
end

local function check()
  assert(weft.ntasks() == 1, 'somebody still waits')
  local m = require 'requiring'
  assert(m.inner[1] == 'blocking' and m == package.loaded.requiring)
  assert(loads >= 1 and loads <= 8)
end

return work, check
