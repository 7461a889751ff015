-- SPDX-License-Identifier: MIT
-- weft.singleflight: many who ask for the same at the same time, and one who looks it up. What
-- comes out goes to all of them in the same form: a value, nil and an error, or an error raised.
local _, raw = ...

local setmetatable, error = setmetatable, error
local task = raw.import "task"
local protect = task.protect
local args = raw.import "args"

---@class weft.singleflight
local singleflight = {}

---@class weft.SingleFlight
local Flights = args.class "singleflight"

-- calls: key -> the call under way, { task =, done = channel, once somebody waits for it,
-- shared =, ok =, v =, err = }.
---@return weft.SingleFlight
function singleflight.new() return setmetatable({ calls = {} }, Flights) end

local function results(call)
  local v, err = call.v, call.err
  if not call.ok then error(v, 0) end
  if not v and err ~= nil then return v, err end
  return v, call.shared
end

-- Waits for the answer to somebody else's call.
local function join(call, ctx)
  if call.task == raw.id() then
    raw.raise "'call': the function of a key calls for the same key, and would wait for itself"
  end
  call.shared = true
  call.done = call.done or raw.chan()
  local _, err = call.done:recv(ctx)
  if not call.over then return nil, err end
  return results(call)
end

local function land(calls, key, call, ok, v, err)
  if calls[key] == call then calls[key] = nil end
  call.over, call.ok, call.v, call.err = true, ok, v, err
  if call.done then call.done:close() end
  return results(call)
end

local function check_key(key, fname)
  if key == nil or key ~= key then raw.bad_arg(1, fname, "a key other than nil and NaN", key) end
end

-- The value of fn(), and whether others got it too. While fn runs, further calls with this key
-- wait for its result instead of calling theirs, until ctx ends: nil and its error.
---@param key any not nil
---@param fn fun(): any, any
---@param ctx? weft.Context
---@return any value, any shared
function Flights:call(key, fn, ctx)
  args.self(self, Flights, "call", "g")
  check_key(key, "call")
  args.fn(fn, 2, "call")
  local over, why = raw.ctx_over(ctx, "call", 3)
  if over == nil then return nil, why end
  local calls = self.calls
  local call = calls[key]
  if call then return join(call, ctx) end
  call = { task = raw.id(), done = false, shared = false, over = false, ok = false, v = false,
    err = false }
  calls[key] = call
  return land(calls, key, call, protect(fn))
end

task.lands(Flights.call, land, 3)

-- The next call with this key calls its function, whether or not one is under way.
---@param key any
function Flights:forget(key)
  args.self(self, Flights, "forget", "g")
  check_key(key, "forget")
  self.calls[key] = nil
end

return singleflight
