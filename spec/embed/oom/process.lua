-- SPDX-License-Identifier: MIT
-- Processes: a call that has started one gives it to its caller, or has ended it.
local weft = require 'weft'
local ffi = require 'ffi'
local support = require 'support'
local process = weft.process
local call, try = support.call, support.try

ffi.cdef 'int waitid(int, unsigned, void *, int);'
local P_ALL, WEXITED, WNOHANG, WNOWAIT = 0, 4, 1, 0x1000000
local info = ffi.new 'char[128]'

local TEXT = 'some text'
local CAT = { 'cat', input = TEXT }
local FALSE = { 'false' }
local STAY = { 'sleep', '1000', stdin = 'pipe', stdout = 'null', stderr = 'null' }
local SLEEP = { 'sleep', '1000', stdout = 'pipe' }
local started, cancel_it

local function limited(fn)
  local ok, ctx, cancel = try(weft.context.with_cancel, weft.context.background())
  if not ok then return end
  SLEEP.ctx, cancel_it = ctx, cancel
  if try(weft.go, cancel) then fn(cancel) else cancel() end
end

local function work()
  local r = call(process.run, CAT)
  assert(not r or r.code == 0 and r.stdout == TEXT and r.stderr == '')
  r = call(process.run, FALSE)
  assert(not r or r.code == 1)
  limited(function()
    local _, p, why = try(process.run, SLEEP)
    assert(not p and (not why or why == 'context canceled' or support.is_oom(why)), why)
  end)
  started = call(process.start, STAY)
end

-- Nobody is left whom only the end of the program would end.
local function no_children()
  local limit = weft.time.monotonic() + 5
  repeat
    if weft.time.monotonic() > limit then error('a child is left', 0) end
    collectgarbage()
    weft.sleep(0.001)
  until ffi.C.waitid(P_ALL, 0, info, WEXITED + WNOHANG + WNOWAIT) < 0
end

local function release()
  if cancel_it then cancel_it() end  -- it may have been the cancel that there was no memory for
  if started then started:kill 'SIGKILL' end
end

local function check(panicked)
  support.alone(panicked, release)
  if started then assert(started:wait().signal == 'SIGKILL') end
  no_children()
  support.alone(panicked)
  assert(process.run(CAT).stdout == TEXT)
end

return work, check, true
