-- SPDX-License-Identifier: MIT
-- Channels that a task of weft's own fills: weft.fs.walk and watch. What the caller gets is a view
-- that only receives; when it is collected, as nobody reads any more, the task ends. (Not when the
-- channel has crossed to another VM: there may be readers there.)
local _, raw = ...

local pcall, rawset, newproxy, getmetatable = pcall, rawset, newproxy, getmetatable

local PATIENCE = 1000

-- fill(send, ctx) runs in the task; it sends until it is done, or fails: nil, err, with which the
-- channel is closed; or until `send` gives nil. `collected` (may be nil) is called when the view
-- is collected before that. The view, and a function that ends the task.
return function(parent, capacity, fill, collected)
  local context, chan = raw.require "weft.context", raw.import "chan"
  local ctx, stop = context.with_cancel(parent or context.current())
  local inner = chan(capacity)
  local view = inner:recv_only()
  local function send(v) return inner:send(v, ctx) end
  local watchman = newproxy(true)
  local mt = getmetatable(watchman)
  mt.__metatable = false
  mt.__gc = function()
    if getmetatable(inner) == "weft.chan (shared)" then return end
    if collected and not raw.ctx_ended(ctx) then collected() end
    stop()
  end
  rawset(view, "watchman", watchman)
  raw.go(function()
    local ok, done, err = pcall(fill, send, ctx)
    if not ok then done, err = nil, done end
    if done then err = nil end
    for _ = 1, PATIENCE do
      if pcall(inner.close, inner, err) then break end
      pcall(raw.yield)  -- memory is out; without the error nobody would know that
    end
    if not raw.is_closed(inner) then pcall(inner.close, inner) end
    stop()
  end)
  return view, stop
end
