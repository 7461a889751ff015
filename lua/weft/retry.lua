-- SPDX-License-Identifier: MIT
-- weft.retry: calls a function until it succeeds, with growing delays in between.
local _, raw = ...

local type, min = type, math.min
local HUGE = math.huge
local protect = raw.import("task").protect
local args = raw.import "args"

---@class weft.retry_options
---@field attempts? number at most so many calls, the first included; default 10, math.huge: no end
---@field delay? number seconds after the first failure; default 0.1
---@field factor? number what each further delay grows by; default 2
---@field max? number no delay is longer; default math.huge
---@field jitter? number from 0 (default) to 1: the part of each delay that is left to chance
---@field ctx? weft.Context

local function checked(opts)
  opts = args.options(opts, 2, "retry")
  local attempts, delay, factor = opts.attempts or 10, opts.delay or 0.1, opts.factor or 2
  local longest, jitter = opts.max or HUGE, opts.jitter or 0
  if attempts ~= HUGE then args.integer(attempts, 2, "retry", 1, "attempts as ") end
  args.number(delay, 2, "retry", 0, "delay as ")
  args.number(factor, 2, "retry", 1, "factor as ")
  args.number(longest, 2, "retry", 0, "max as ", true)
  if type(jitter) ~= "number" or not (jitter >= 0 and jitter <= 1) then
    raw.bad_arg(2, "retry", "jitter as number from 0 to 1", jitter)
  end
  return attempts, delay, factor, longest, jitter, args.context(opts.ctx, 2, "retry", "ctx as ")
end

-- Whether an attempt has failed, and its error.
local function failure(ok, v, err)
  if not ok then return true, v end
  return v == nil and err ~= nil, err
end

-- The results of a good attempt; of a bad one false and its error.
local function sift(ok, ...)
  local failed, err = failure(ok, ...)
  if failed then return false, err end
  return true, ...
end

local attempt_on

-- After attempt number i: its results, or the next attempt.
local function go_on(i, fn, o, good, ...)
  if good then return ... end
  local err = ...
  if i >= o.attempts then return nil, err, i end
  local delay = min(o.delay * o.factor ^ (i - 1), o.max)
  if o.jitter > 0 then delay = delay * (1 - o.jitter * raw.random()) end
  local ok, why = raw.sleep(delay, o.ctx)
  if not ok then return nil, why, i end
  return attempt_on(i + 1, fn, o)
end

function attempt_on(i, fn, o) return go_on(i, fn, o, sift(protect(fn, i))) end

-- Calls fn(attempt), attempt = 1, 2, …, until it neither raises an error nor returns nil and an
-- error: its results. nil, the last error and the number of attempts when there were as many as
-- allowed; nil, the error of ctx and that number when ctx ended first.
---@param fn fun(attempt: integer): ...
---@param opts? weft.retry_options
local function retry(fn, opts)
  args.fn(fn, 1, "retry")
  local attempts, delay, factor, longest, jitter, ctx = checked(opts)
  local over, why = raw.ctx_over(ctx, "retry", 2)
  if over == nil then return nil, why, 0 end
  if attempts > 1 then raw.check_can_park "retry" end
  return attempt_on(1, fn, { attempts = attempts, delay = delay, factor = factor, max = longest,
    jitter = jitter, ctx = ctx })
end

return retry
