-- SPDX-License-Identifier: MIT
-- Random programs over shared channels, for specs and soaks: `play` for each task, and `check` for
-- what they have said: every value sent is received exactly once or still there; what one sender
-- has sent on a channel comes in order; and nothing that was refused, given up or not chosen has
-- any effect.

local weft = require 'weft'

local M = {}

-- What each task does. It returns the values that it has sent, {channel, number}, and those that
-- it has got, {channel, sender, number}.
function M.play(channels, me, seed, steps, may_close)
  local context = weft.context
  local state = seed
  local function random(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n + 1
  end
  local sent, got, number = {}, {}, 0
  local near = weft.chan(1)  -- of this VM alone
  local function value(c)
    number = number + 1
    -- Of all sizes: in the message, beside it, and with a channel in it.
    local kind = random(4)
    local v = { c, me, number, kind == 2 and ('x'):rep(100) or nil,
      back = kind == 3 and near or nil }
    return kind == 1 and c * 1e9 + me * 1e6 + number or v
  end
  local function keep_sent(c) sent[#sent + 1] = { c, number } end
  local function keep_got(v)
    if type(v) == 'number' then
      got[#got + 1] = { math.floor(v / 1e9), math.floor(v / 1e6) % 1000, v % 1e6 }
    else
      got[#got + 1] = { v[1], v[2], v[3] }
    end
  end
  local function impatient()
    local ctx, cancel = context.with_timeout(context.background(), random(3) * 1e-4)
    if random(2) == 1 then weft.go(function() weft.yield() cancel() end) end
    return ctx
  end
  local acts = {}
  acts[1] = function(ch, c)
    if ch:send(value(c), impatient()) then keep_sent(c) end
  end
  acts[2] = function(ch)
    local v = ch:recv(impatient())
    if v ~= nil then keep_got(v) end
  end
  acts[3] = function(ch, c) if ch:try_send(value(c)) then keep_sent(c) end end
  acts[4] = function(ch)
    local v = ch:try_recv()
    if v ~= nil then keep_got(v) end
  end
  acts[5] = function(ch, c)
    local d = random(#channels)
    local ctx = impatient()
    local i, v = weft.select(ch:sending(value(c)), channels[d], channels[d], ctx:done(), near)
    if i == 1 then keep_sent(c) end
    if (i == 2 or i == 3) and v ~= nil then keep_got(v) end
  end
  acts[6] = function(ch, c)
    local d = random(#channels)
    local i, v = weft.select(channels[d], ch:sending(value(c)), weft.default)
    if i == 1 and v ~= nil then keep_got(v) end
    if i == 2 then keep_sent(c) end
  end
  acts[7] = function(ch, c)
    local ctx = impatient()
    weft.go(function() near:try_send(true) end)
    local i, v = weft.select(near, ch, ch:sending(value(c)), ctx:done())
    if i == 2 and v ~= nil then keep_got(v) end
    if i == 3 then keep_sent(c) end
  end
  for _ = 1, steps do
    local c = random(#channels)
    local ok, err = pcall(acts[random(7)], channels[c], c)
    if not ok and not tostring(err):find('closed channel', 1, true) then error(err, 0) end
    if may_close and random(steps) == 1 then pcall(channels[c].close, channels[c], { me }) end
    if random(10) == 1 then weft.yield() end
  end
  return { sent = sent, got = got }
end

local function key(c, sender, number) return ('%d:%d:%d'):format(c, sender, number) end

-- The number of values that were sent.
function M.check(channels, results)
  local sent, got, n = {}, {}, 0
  for sender, r in ipairs(results) do
    for _, s in ipairs(r.sent) do
      sent[key(s[1], sender, s[2])] = true
      n = n + 1
    end
  end
  local function take(c, sender, number)
    local k = key(c, sender, number)
    if not sent[k] then error('never sent, or refused: ' .. k) end
    if got[k] then error('received twice: ' .. k) end
    got[k] = true
  end
  local function in_order(list)
    local last = {}
    for _, g in ipairs(list) do
      local k = g[1] .. ':' .. g[2]
      if last[k] and last[k] >= g[3] then error('out of order: ' .. k) end
      last[k] = g[3]
      take(g[1], g[2], g[3])
    end
  end
  for _, r in ipairs(results) do in_order(r.got) end
  for _, ch in ipairs(channels) do
    pcall(ch.close, ch)
    local rest = {}
    while true do
      local v = ch:try_recv()
      if v == nil then break end
      if type(v) == 'number' then
        v = { math.floor(v / 1e9), math.floor(v / 1e6) % 1000, v % 1e6 }
      end
      rest[#rest + 1] = v
    end
    in_order(rest)
  end
  for k in pairs(sent) do
    if not got[k] then error('lost: ' .. k) end
  end
  return n
end

return M
