-- SPDX-License-Identifier: MIT
-- weft.net.serve: a task for each connection, and an end in good order.
local _, raw = ...

local each = next
local context = raw.require "weft.context"
local sync = raw.require "weft.sync"
local task = raw.import "task"
local protect, run_defers, take_defers = task.protect, task.run_defers, raw.take_defers

local function log(l, err)
  raw.log(("weft: serving %s: %s\n%s\n"):format(raw.listener_where(l), raw.error_text(err),
    raw.error_path(err)))
end

local function leave(served, c)
  raw.stream_close(c)
  served.open[c] = nil
  served.group:done()
end

-- After the handler's own deferred calls, which may still have a word for the peer.
local function finish(served, c, ok, err)
  if not ok and not served.ctx:err() then log(served.listener, err) end
  return leave(served, c, run_defers(take_defers()))
end

-- What one connection's task does.
local function handle(served, c)
  return finish(served, c, protect(served.fn, c, served.ctx))
end

task.lands(handle, finish, 2)
task.lands(finish, leave, 2)

-- Cancels those that are left, and closes what they may be waiting on.
local function cut_off(open, cancel)
  local n = 0
  cancel()
  for c in each, open do
    n = n + 1
    raw.stream_close(c)
  end
  return n
end

local function accept_all(served, ctx)
  while true do
    local c, err, code = served.listener:accept(ctx)
    if not c then return err, code end
    served.open[c] = true
    served.group:add(1)
    raw.go(handle, served, c)
  end
end

return function(l, fn, ctx, grace)
  local base, cancel = context.with_cancel(context.without_cancel(ctx))
  local open, group = {}, sync.waitgroup()
  local served = { listener = l, fn = fn, ctx = base, open = open, group = group }
  local err, code = accept_all(served, ctx)
  raw.listener_close(l)
  local rest, enough = context.without_cancel(ctx), nil
  if grace then rest, enough = context.with_timeout(rest, grace) end
  local ended = group:wait(rest)
  if enough then enough() end
  local n = cut_off(open, cancel)
  if not ended and n > 0 then
    return nil, ("%d connection%s cut off"):format(n, n == 1 and "" or "s")
  end
  if code then return nil, err, code end
  return true
end
