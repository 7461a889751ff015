-- SPDX-License-Identifier: MIT
-- weft.signal: signals as values of channels, and as ends of contexts. A subscription takes the
-- place of what the signal did before, also of SIGQUIT's and SIGUSR1's dumps; when the last one is
-- stopped that is its action again. While there is one the program counts as waiting for it.
local _, raw = ...

local type, select, ipairs, each = type, select, ipairs, next

---@class weft.signal
local signal = {}

-- channel -> signal's name -> subscription
local subscriptions = {}

local function names_of(fname, first, ...)
  local n = select("#", ...)
  if n == 0 then raw.bad_arg(first, fname, 'name of a signal, as in "SIGTERM",', nil) end
  local names = { ... }
  for i = 1, n do
    local name = names[i]
    if type(name) ~= "string" then
      raw.bad_arg(first + i - 1, fname, 'name of a signal, as in "SIGTERM",', name)
    end
    if raw.signal_number(name) == 0 then
      raw.raise(("bad argument #%d to '%s' (%q is no signal that can be subscribed to)")
        :format(first + i - 1, fname, name))
    end
  end
  return names
end

local function stop_all(list)
  for _, subscription in each, list do raw.signal_stop(subscription) end
end

-- Starts those that are not in the list yet; all of them, or none.
local function start_all(list, names, target)
  local new = {}
  for _, name in ipairs(names) do
    if not list[name] and not new[name] then
      local subscription, err, code = raw.signal_start(raw.signal_number(name), target, name)
      if not subscription then
        stop_all(new)
        return nil, err, code
      end
      new[name] = subscription
    end
  end
  for name, subscription in each, new do list[name] = subscription end
  return true
end

-- From now on the channel gets the name of each of these signals that comes. A channel that has no
-- room just then misses it: give it capacity.
---@param ch weft.Chan
---@param ... string
---@return true?, string?, string?
function signal.notify(ch, ...)
  local target = raw.signal_chan(ch)
  if not target then raw.bad_arg(1, "notify", "channel to send on", ch) end
  local list = subscriptions[target] or {}
  local ok, err, code = start_all(list, names_of("notify", 2, ...), target)
  if not ok then return nil, err, code end
  subscriptions[target] = list
  return true
end

-- Ends all subscriptions of the channel; it is not closed.
---@param ch weft.Chan
function signal.stop(ch)
  local target = raw.signal_chan(ch)
  if not target then raw.bad_arg(1, "stop", "channel to send on", ch) end
  local list = subscriptions[target]
  subscriptions[target] = nil
  if list then stop_all(list) end
end

-- A child of `parent` that ends with the first of these signals, whose name is its cause. `stop`
-- ends it and the subscriptions; until then further signals do nothing.
---@param parent weft.Context
---@param ... string
---@return weft.Context ctx, fun() stop
function signal.context(parent, ...)
  if not raw.is_ctx(parent) then raw.bad_arg(1, "context", "context", parent) end
  local names = names_of("context", 2, ...)
  local ctx, cancel = raw.require("weft.context").with_cancel(parent)
  local list = {}
  local ok, err = start_all(list, names, cancel)
  if not ok then raw.raise(err) end
  return ctx, function()
    stop_all(list)
    cancel()
  end
end

return signal
