-- SPDX-License-Identifier: MIT
-- weft.broadcast: every value to everybody who has subscribed, in the same order. One publishes at
-- a time (`turn`): whoever is first in line.
local _, raw = ...

local setmetatable, error, ipairs, unpack = setmetatable, error, ipairs, unpack
local protect = raw.import("task").protect
local select = raw.import("select").select
local args = raw.import "args"
local sync = raw.require "weft.sync"

---@class weft.broadcast
local broadcast = {}

---@class weft.Broadcast
local Broadcast = args.class "broadcast"

-- subs: { ch =, policy =, left = whether it has unsubscribed }. Who has left stays in the list
-- until nobody goes through it; left: how many have. kick: a publisher that waits looks again when
-- this is closed.
---@return weft.Broadcast
function broadcast.new()
  return setmetatable({ subs = {}, left = 0, busy = false, kick = raw.chan(),
    turn = sync.mutex() }, Broadcast)
end

local POLICIES = { block = true, drop_oldest = true, drop_newest = true }

local function forget_left(self)
  local kept = {}
  for _, sub in ipairs(self.subs) do
    if not sub.left then kept[#kept + 1] = sub end
  end
  self.subs, self.left = kept, 0
end

-- A publisher that waits for this subscriber learns of it first: a send on a closed channel
-- raises.
local function leave(self, sub)
  if sub.left then return end
  sub.left = true
  self.left = self.left + 1
  if self.busy then
    local kick = self.kick
    self.kick = raw.chan()
    kick:close()
  elseif self.left > #self.subs / 2 then
    forget_left(self)
  end
  sub.ch:close()
end

-- A channel with all that is published from now on, and a function that ends that: it closes the
-- channel, and frees a publisher that waits for it. What becomes of a value when the channel is
-- full is up to `policy`: "block" (default), publish waits; "drop_oldest"; "drop_newest".
---@param capacity? integer of the channel; default 0, for "drop_oldest" 1
---@param policy? "block"|"drop_oldest"|"drop_newest"
---@return weft.Chan, fun() unsubscribe
function Broadcast:subscribe(capacity, policy)
  args.self(self, Broadcast, "subscribe", "b")
  policy = policy == nil and "block" or policy
  if not POLICIES[policy] then
    raw.bad_arg(2, "subscribe", '"block", "drop_oldest" or "drop_newest"', policy)
  end
  local least = policy == "drop_oldest" and 1 or 0
  capacity = args.integer(capacity or least, 1, "subscribe", least)
  if capacity > 1e8 then raw.bad_arg(1, "subscribe", "integer up to 1e8", capacity) end
  local sub = { ch = raw.chan(capacity), policy = policy, left = false }
  local ch = sub.ch:recv_only()
  self.subs[#self.subs + 1] = sub
  return ch, function() leave(self, sub) end
end

-- Gives it the value if that takes no waiting, or as its policy says; whether it is done with.
local function offer(sub, v)
  if sub.left or sub.ch:try_send(v) then return true end
  if sub.policy == "block" then return false end
  while sub.policy == "drop_oldest" and not sub.left do
    if sub.ch:len() >= sub.ch:cap() then sub.ch:try_recv() end
    if sub.left or sub.ch:try_send(v) then break end
  end
  return true
end

-- Waits for those who are slow, whoever is ready first.
local function wait_for(self, slow, v, ctx)
  local done, given = ctx and ctx:done(), {}
  while true do
    local cases, subs, n = {}, {}, 0
    for _, sub in ipairs(slow) do
      if not sub.left and not given[sub] then
        n = n + 1
        cases[n], subs[n] = sub.ch:sending(v), sub
      end
    end
    if n == 0 then return true end
    cases[n + 1], cases[n + 2] = self.kick, done
    local i = select(unpack(cases, 1, n + 2))
    if i <= n then given[subs[i]] = true end
    if i == n + 2 then return nil, ctx:err() end
  end
end

-- First to all who have room, then to the others: one that is slow keeps only the publisher.
local function deliver(self, v, ctx)
  local subs, slow = self.subs, nil
  for i = 1, #subs do
    if not offer(subs[i], v) then
      slow = slow or {}
      slow[#slow + 1] = subs[i]
    end
  end
  if not slow then return true end
  return wait_for(self, slow, v, ctx)
end

local function finish(self, ok, v, err)
  self.busy = false
  if self.left > 0 then forget_left(self) end
  self.turn:unlock()
  if not ok then error(v, 0) end
  return v, err
end

-- Gives v to everybody who has subscribed; waits for those who are slow and want all: true. nil
-- and its error when ctx ends first; those who had room have got it then.
---@param v any not nil
---@param ctx? weft.Context
---@return true?, string?
function Broadcast:publish(v, ctx)
  args.self(self, Broadcast, "publish", "b")
  if v == nil then raw.bad_arg(1, "publish", "a value other than nil", v) end
  args.context(ctx, 2, "publish")
  local ok, err = self.turn:lock(ctx)
  if not ok then return nil, err end
  self.busy = true
  return finish(self, protect(deliver, self, v, ctx))
end

return broadcast
