-- SPDX-License-Identifier: MIT
-- weft.rate: a bucket of tokens in front of something that takes only so much. It is full at
-- first, and fills at a steady rate; who finds too few in it waits, fails, or is told how long.
--
-- Those who wait do so in line, behind a mutex. Its holder alone sleeps, for as long as its tokens
-- take, and then takes them: one that gives up has taken none, and the next moves up. What is
-- reserved meanwhile stands in line as well, behind those who wait then (`booked`).
local _, raw = ...

local setmetatable, error, remove, max = setmetatable, error, table.remove, math.max
local HUGE = math.huge
local protect = raw.import("task").protect
local args = raw.import "args"
local sync, context = raw.require "weft.sync", raw.require "weft.context"
local NOW = 1e-8  -- seconds; what is due within this is due: clocks and sums round

---@class weft.rate
local rate = {}

-- tokens: what was in the bucket at the time `at`; reservations may have taken it below zero.
-- line: tokens that waiting calls, and reservations behind them, are still to take.
---@class weft.Limiter
local Limiter = args.class "limiter"

-- At most `per_second` tokens a second (math.huge: as many as like), and `burst` at once.
---@param per_second number
---@param burst integer
---@return weft.Limiter
function rate.limiter(per_second, burst)
  args.positive(per_second, 1, "limiter", nil, true)
  args.integer(burst, 2, "limiter", 1)
  return setmetatable({ rate = per_second, burst = burst, tokens = burst, at = raw.monotonic(),
    line = 0, waiting = 0, tickets = 0, booked = {}, turn = sync.mutex() }, Limiter)
end

local function checked(self, n, fname)
  args.self(self, Limiter, fname, "limiter")
  if n == nil then return 1 end
  return args.integer(n, 1, fname, 1)
end

-- Seconds until n tokens can be taken by whoever comes last.
local function delay_of(self, n)
  local now = raw.monotonic()
  if self.rate == HUGE then
    self.tokens = self.burst
  else
    self.tokens = self.tokens + (now - self.at) * self.rate
    if self.tokens > self.burst then self.tokens = self.burst end
  end
  self.at = now
  local delay = (n - self.tokens) / self.rate
  return delay > NOW and delay or 0
end

local function above_burst(self, n)
  return ("%d tokens are above the burst of %d"):format(n, self.burst)
end

-- Has those reservations that came before this ticket take their tokens.
local function take_booked(self, ticket)
  local booked = self.booked
  while booked[1] and booked[1].after < ticket do
    local n = remove(booked, 1).n
    self.tokens, self.line = self.tokens - n, self.line - n
  end
end

local function take_first(self, n, ticket, ctx)
  take_booked(self, ticket)
  local delay = delay_of(self, n)
  if delay > 0 then
    local ok, err = raw.sleep(delay, ctx)
    if not ok then return nil, err end
    delay_of(self, n)
  end
  self.tokens = self.tokens - n
  return true
end

local function unlock(turn, ok, v, err)
  turn:unlock()
  if not ok then error(v, 0) end
  return v, err
end

local function take_in_turn(self, n, ticket, ctx)
  local ok, err = self.turn:lock(ctx)
  if not ok then return nil, err end
  return unlock(self.turn, protect(take_first, self, n, ticket, ctx))
end

local function leave_line(self, n, ok, v, err)
  self.line, self.waiting = self.line - n, self.waiting - 1
  if self.waiting == 0 then take_booked(self, HUGE) end
  if not ok then error(v, 0) end
  return v, err
end

-- Whether the deadline of ctx is nearer than that.
local function is_too_late(ctx, delay)
  local at = ctx and ctx:deadline()
  return at and raw.now() + delay > at + NOW
end

-- Takes n tokens (default 1), waiting for them in turn: true. nil and why when ctx ends first (no
-- token is taken then); at once, when they come too late for its deadline or are more than the
-- burst. May be called as wait(ctx).
---@param n? integer
---@param ctx? weft.Context
---@return true?, string?
function Limiter:wait(n, ctx)
  if ctx == nil and raw.is_ctx(n) then n, ctx = nil, n end
  n = checked(self, n, "wait")
  local over, err = raw.ctx_over(ctx, "wait", 2)
  if over == nil then return nil, err end
  if n > self.burst then return nil, above_burst(self, n) end
  local delay = delay_of(self, self.line + n)
  if delay == 0 and self.line == 0 then
    self.tokens = self.tokens - n
    return true
  end
  if is_too_late(ctx, delay) then return nil, context.DeadlineExceeded end
  raw.check_can_park "wait"
  local ticket = self.tickets + 1
  self.tickets = ticket
  self.line, self.waiting = self.line + n, self.waiting + 1
  return leave_line(self, n, protect(take_in_turn, self, n, ticket, ctx))
end

-- Takes n tokens (default 1) if they are there and nobody waits for some; whether it did.
---@param n? integer
---@return boolean
function Limiter:allow(n)
  n = checked(self, n, "allow")
  if n > self.burst or self.line > 0 or delay_of(self, n) > 0 then
    return raw.poll_missed(false)
  end
  self.tokens = self.tokens - n
  return true
end

-- Takes n tokens (default 1) that may still have to come: how many seconds the caller has to wait
-- before it acts on them. nil and why when they are more than the burst.
---@param n? integer
---@return number?, string?
function Limiter:reserve(n)
  n = checked(self, n, "reserve")
  if n > self.burst then return nil, above_burst(self, n) end
  local delay = delay_of(self, self.line + n)
  if self.waiting == 0 then
    self.tokens = self.tokens - n
  else
    self.booked[#self.booked + 1] = { after = self.tickets, n = n }
    self.line = self.line + n
  end
  return max(delay, 0)
end

return rate
