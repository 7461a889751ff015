-- SPDX-License-Identifier: MIT
-- weft.net.serve: a task for each connection, and an end in good order.
local _, raw = ...

local each = next
local context = raw.require "weft.context"
local sync = raw.require "weft.sync"
local task = raw.import "task"

local function log(l, err)
  raw.log(("weft: serving %s: %s\n%s\n"):format(raw.listener_where(l), raw.error_text(err),
    raw.error_path(err)))
end

-- What one connection's task does. `open` has the connections that are being served.
local function handle(l, fn, c, ctx, open, group)
  local ok, err = task.protect(fn, c, ctx)
  raw.stream_close(c)
  open[c] = nil
  group:done()
  if not ok and not ctx:err() then log(l, err) end
end

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

local function accept_all(l, fn, ctx, base, open, group)
  while true do
    local c, err, code = l:accept(ctx)
    if not c then return err, code end
    open[c] = true
    group:add(1)
    raw.go(handle, l, fn, c, base, open, group)
  end
end

return function(l, fn, ctx, grace)
  local base, cancel = context.with_cancel(context.without_cancel(ctx))
  local open, group = {}, sync.waitgroup()
  local err, code = accept_all(l, fn, ctx, base, open, group)
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
