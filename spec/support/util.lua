-- SPDX-License-Identifier: MIT
-- Helpers of the specs: letting others run, results of tasks, panics caught, errors at a line.

local weft = require 'weft'
local time = require 'weft.time'

local M = {}

-- The virtual time that `settle` takes: small beside every time that a spec asserts.
M.TICK = 1e-6

-- How near two virtual times must be (a few ticks of `settle`, nothing more).
M.NEAR = 1e-4

-- Lets every other task run until it is blocked: virtual time moves only then.
function M.settle()
  weft.sleep(M.TICK)
end

function M.pack(...)
  return { n = select('#', ...), ... }
end

-- Starts fn(...) as a task, lets it run until it blocks or ends, and returns what is known of it:
-- r.done, then r.ok, r.n and r[1..n] (the results), or r.err; r.at is the time of its end.
function M.start(fn, ...)
  local r, args = { done = false, n = 0 }, M.pack(...)
  local function keep(ok, ...)
    r.done, r.ok, r.n, r.at = true, ok, select('#', ...), time.monotonic()
    for i = 1, r.n do r[i] = (select(i, ...)) end
    if not ok then r.err = ... end
  end
  weft.go(function()
    r.id = weft.id()
    keep(pcall(fn, unpack(args, 1, args.n)))
  end)
  M.settle()
  return r
end

-- The virtual seconds that fn(...) takes, then its results.
function M.elapsed(fn, ...)
  local t = time.monotonic()
  local r = M.pack(fn(...))
  return time.monotonic() - t, unpack(r, 1, r.n)
end

-- The entry of weft.tasks() with this number.
function M.task(id)
  for _, t in ipairs(weft.tasks()) do
    if t.id == id then return t end
  end
end

-- "file:line" of the line that calls `here`, as error messages write it.
function M.here(offset)
  local info = debug.getinfo(2, 'Sl')
  return info.short_src .. ':' .. (info.currentline + (offset or 0))
end

-- Fails unless text holds every one of the plain strings that follow.
function M.has(text, ...)
  for i = 1, select('#', ...) do
    local want = select(i, ...)
    if type(text) ~= 'string' or not text:find(want, 1, true) then
      error(('expected %q\nin: %s'):format(want, tostring(text)), 2)
    end
  end
end

-- Fails unless fn raises a string that starts with a position inside fn itself ("the position of
-- the caller": write fn on one line and it is exact) and holds the plain strings that follow.
function M.raises(fn, ...)
  local ok, err = pcall(fn)
  if ok then error('expected an error, got none', 2) end
  if type(err) ~= 'string' then error('expected a string, got ' .. tostring(err), 2) end
  local info = debug.getinfo(fn, 'S')
  local src, line = err:match('^(.-):(%d+): ')
  line = tonumber(line)
  if src ~= info.short_src or line < info.linedefined or line > info.lastlinedefined then
    error(('expected the position %s:%d in front of: %s'):format(
      info.short_src, info.linedefined, err), 2)
  end
  for i = 1, select('#', ...) do
    local want = select(i, ...)
    if not err:find(want, 1, true) then
      error(('expected %q\nin: %s'):format(want, err), 2)
    end
  end
  return err
end

-- A context that is cancelled already.
function M.cancelled(cause)
  local ctx, cancel = weft.context.with_cancel(weft.context.background())
  cancel(cause)
  return ctx
end

-- The chan is usable and nobody waits on it: no receiver takes a value, no sender gives one.
function M.nobody_waits(ch)
  local ok, why = ch:try_send('probe')
  if ch:cap() == 0 then
    if ok or why ~= 'full' then error('a receiver is still queued', 2) end
  else
    if not ok then error('the buffer is full: ' .. tostring(why), 2) end
    if ch:len() ~= 1 then error('a receiver is still queued', 2) end
    if ch:try_recv() ~= 'probe' then error('a stranger in the buffer', 2) end
  end
  local v, empty = ch:try_recv()
  if v ~= nil or empty ~= 'empty' then error('a sender is still queued', 2) end
end

-- Panics of tasks: the runner fails an `it` that leaves one behind. One that expects some takes
-- them: a list of { err =, traceback =, task = }.
local panics = {}

function M.on_panic(err, traceback, task)
  panics[#panics + 1] = { err = err, traceback = traceback, task = task }
end

function M.take_panics()
  local taken = panics
  panics = {}
  return taken
end

-- Declares that the running `it` leaves tasks behind.
function M.leaves_tasks()
  M.leftovers_declared = true
end

-- A virtual clock tells every time exactly: equal but for rounding and the ticks of `settle`.
function M.near(expected, actual, what)
  if type(actual) ~= 'number' or math.abs(expected - actual) > M.NEAR then
    error(('%s: expected %s, got %s'):format(what or 'time', expected, tostring(actual)), 2)
  end
end

return M
