-- SPDX-License-Identifier: MIT
-- weft.time: clocks, sleeping, timers and tickers. All of them follow the VM's clock.
local _, raw = ...

local type, setmetatable, getmetatable = type, setmetatable, getmetatable

---@class weft.time
local time = {}

-- Seconds since 1970, as a number with a fraction.
---@type fun(): number
time.now = raw.now

-- Seconds since the start of the program, on a clock that never goes back.
---@type fun(): number
time.monotonic = raw.monotonic

-- Suspends the task for `s` seconds: at once for 0 or less, for ever for math.huge.
---@type fun(s: number, ctx?: weft.Context): true?, string?
time.sleep = raw.sleep

local function seconds(s, fname)
  if type(s) ~= "number" or s ~= s then raw.bad_arg(1, fname, "number of seconds", s) end
  return s
end

local function period(s, fname)
  if type(s) ~= "number" or not (s > 0) then
    raw.bad_arg(1, fname, "number of seconds > 0", s)
  end
  return s
end

-- A channel that gets the time once, after `s` seconds.
---@param s number
---@return weft.Chan
function time.after(s)
  seconds(s, "after")
  local ch = raw.tick()
  raw.tick_start(ch, s, false)
  return ch
end

-- A channel that gets the time every `s` seconds, as long as it is in use.
---@param s number
---@return weft.Chan
function time.tick(s)
  period(s, "tick")
  local ch = raw.tick()
  raw.tick_start(ch, s, true)
  return ch
end

local function class(what)
  local c = { __metatable = "weft." .. what }
  c.__index = c
  return c
end

local function checked(self, name, of)
  if type(self) ~= "table" or getmetatable(self) ~= of.__metatable then
    raw.bad_self(self, name, of.__metatable:sub(6), "t")
  end
  return self
end

---@class weft.Timer
---@field c weft.Chan
local Timer = class "timer"

-- Whether it was still running. No old tick comes after this.
---@return boolean
function Timer:stop() return raw.tick_stop(checked(self, "stop", Timer)[0]) end

-- Starts it anew; whether it was still running.
---@param s number
---@return boolean
function Timer:reset(s)
  checked(self, "reset", Timer)
  return raw.tick_start(self[0], seconds(s, "reset"), false)
end

-- A timer whose channel `c` gets the time once, after `s` seconds.
---@param s number
---@return weft.Timer
function time.timer(s)
  seconds(s, "timer")
  local ch = raw.tick()
  local timer = setmetatable({ [0] = ch, c = ch }, Timer)
  raw.tick_start(ch, s, false)
  return timer
end

---@class weft.Ticker
---@field c weft.Chan
local Ticker = class "ticker"

---@return boolean
function Ticker:stop() return raw.tick_stop(checked(self, "stop", Ticker)[0]) end

---@param s number the new period
---@return boolean
function Ticker:reset(s)
  checked(self, "reset", Ticker)
  return raw.tick_start(self[0], period(s, "reset"), true)
end

-- A ticker whose channel `c` gets the time every `s` seconds; a slow receiver misses ticks.
---@param s number
---@return weft.Ticker
function time.ticker(s)
  period(s, "ticker")
  local ch = raw.tick()
  local ticker = setmetatable({ [0] = ch, c = ch }, Ticker)
  raw.tick_start(ch, s, true)
  return ticker
end

---@class weft.Alarm
local Alarm = class "alarm"

-- Whether it was still waiting to start its function.
---@return boolean
function Alarm:stop() return raw.alarm_stop(checked(self, "stop", Alarm)[0]) end

---@param s number
---@return boolean
function Alarm:reset(s)
  checked(self, "reset", Alarm)
  return raw.alarm_start(self[0], seconds(s, "reset"))
end

-- Starts `fn` in a task of its own after `s` seconds.
---@param s number
---@param fn fun()
---@return weft.Alarm
function time.after_func(s, fn)
  seconds(s, "after_func")
  if type(fn) ~= "function" then raw.bad_arg(2, "after_func", "function", fn) end
  local alarm = setmetatable({ [0] = raw.alarm(fn) }, Alarm)
  raw.alarm_start(alarm[0], s)
  return alarm
end

return time
