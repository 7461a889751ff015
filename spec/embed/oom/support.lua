-- SPDX-License-Identifier: MIT
-- What the workloads of spec/embed/oom.c share. A workload is a file that returns two functions:
-- the first is called while memory runs out, the second when there is enough again, and told
-- whether the panic of a task has ended the first before its time (it has gone on since).
-- What they count is kept in tables that are made before: counting takes no memory.
local weft = require 'weft'

local M = { most = 64 }

function M.is_oom(err)
  return type(err) == 'string' and err:find('not enough memory', 1, true) ~= nil
end

-- Other errors are raised, but for the one that a channel was closed.
local function fine(ok, ...)
  if ok then return true, ... end
  local err = ...
  if not M.is_oom(err) and not tostring(err):find('send on closed channel', 1, true) then
    error(err, 0)
  end
  return false
end

-- Whether fn(...) had enough memory, and its results.
function M.try(fn, ...) return fine(pcall(fn, ...)) end

-- Lets everybody run until all others wait.
function M.settle() weft.sleep(1e-6) end

-- For calls of the system, which may also fail by nil, err: what they give; or false, and whether
-- that is the end of it, as the other side has gone. `M.allowed` has the codes of failures that
-- come from others' want of memory.
M.allowed = {}
local ENDS = { closed = true, eof = true, ECONNRESET = true, EPIPE = true }

local function outcome(ok, v, err, code)
  if ok and v then return v, err end
  if not ok then err = v end
  if ENDS[err] or ENDS[code] then return false, true end
  if not M.is_oom(err) and not M.allowed[code] then error(err, 0) end
  return false, false
end

function M.call(fn, ...) return outcome(pcall(fn, ...)) end

-- Until only main is left, where the clock is the machine's. After a panic of another task's the
-- first function may still be on its way: release() is called until it has come to its end, and
-- ends what that may wait for; but for the Future of a task whose failure there was no memory to
-- tell of.
function M.alone(panicked, release)
  local limit = weft.time.monotonic() + 5
  while true do
    if release then release() end
    local others = weft.ntasks() - 1
    if others == 0 or panicked and #weft.leaks() == others then return end
    if weft.time.monotonic() > limit then error('somebody still waits: ' .. weft.stacks(), 0) end
    collectgarbage()
    weft.sleep(0.001)
  end
end

-- The fate of the values 1..most that are sent: of each, what became of its send, and how often it
-- was received.
local NEVER, TRIED, SENT, REFUSED = 0, 1, 2, 3

function M.ledger()
  local l = { next = 0, fate = {}, got = {} }
  for i = 1, M.most do l.fate[i], l.got[i] = NEVER, 0 end
  M.kept = l
  return l
end

local function settle_fate(l, id, ok, sent)
  l.fate[id] = ok and sent and SENT or REFUSED
  return ok
end

-- A new value, and the send of it: fn(a, value, b); whether there was enough memory.
function M.send(l, fn, a, b)
  local id = l.next + 1
  l.next, l.fate[id] = id, TRIED
  return settle_fate(l, id, M.try(fn, a, id, b))
end

function M.received(l, id)
  if id then l.got[id] = l.got[id] + 1 end
  return id
end

-- Every value that was sent was received once, and none that was refused.
local function check_ledger(l)
  for id = 1, l.next do
    local fate, got = l.fate[id], l.got[id]
    if fate == SENT and got ~= 1 or fate == REFUSED and got ~= 0 or got > 1 then
      error(('value %d: fate %d, received %d times'):format(id, fate, got), 0)
    end
  end
end

local work

function M.load(name)
  work, M.check_work, M.real = dofile('spec/embed/oom/' .. name .. '.lua')
end

M.over = false  -- the first function has come to its end

function M.work()
  local ok, err = pcall(work)
  M.over = true
  if not ok then error(err, 0) end
end

function M.check(panicked)
  if not M.real then weft.sleep(10) end
  M.check_work(panicked)
  if M.kept then check_ledger(M.kept) end
end

return M
