-- SPDX-License-Identifier: MIT
-- One slow dependency, and two ways not to wait for it for ever.
--
-- First `select` between the answer and `time.after`: good for one call. Then a context with a
-- deadline: it is handed down through all the calls that a request makes, so that they share one
-- budget, and whoever blocks under it learns that the time is over and why.

local weft = require "weft"
local context = require "weft.context"
local time = require "weft.time"

-- Asks a service that takes its time; the answer comes on a channel. Room for one value: the
-- task can leave its answer and end even when nobody waits for it any more.
local function ask(service, seconds)
  local answer = weft.chan(1)
  weft.go(function()
    time.sleep(seconds)
    answer:send("answer from " .. service)
  end)
  return answer
end

local function first_of(answer, seconds)
  local i, v = weft.select(answer, time.after(seconds))
  return i == 1 and v or "timed out"
end

print("quick service: " .. first_of(ask("quick", 0.001), 10))
print("slow service:  " .. first_of(ask("slow", 10), 0.02))

-- The same with a context. Each step takes it and passes it on; nil and the reason come back.
local function look_up(ctx, name, seconds)
  local ok, why = time.sleep(seconds, ctx)
  if not ok then
    return nil, name .. ": " .. why
  end
  return name
end

local function handle(ctx)
  local user, why = look_up(ctx, "user", 0.001)
  if not user then
    return nil, why
  end
  local parcel, why_not = look_up(ctx, "parcel", 10) -- uses up what is left of the budget
  if not parcel then
    return nil, why_not
  end
  return user .. " has " .. parcel
end

local started = time.monotonic()
local ctx, cancel = context.with_timeout(context.background(), 0.1, "over budget")
local result, why = handle(ctx)
cancel() -- always: it frees the timer when the work is done before the deadline

print("request:       " .. tostring(result) .. ", " .. tostring(why))
print("cause:         " .. tostring(ctx:cause()))
print("in time:       " .. tostring(time.monotonic() - started < 5))
