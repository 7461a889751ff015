-- SPDX-License-Identifier: MIT
-- weft.pipeline: stages between channels, each in tasks of its own. What a stage returns is a
-- channel to receive from, closed when there is no more: with the error, when something has failed
-- or a context has ended, in any stage (internal/stage.lua has how). Channels between stages are
-- unbuffered: who is fast waits for who is slow.
local _, raw = ...

local type, select, ipairs, unpack, getmetatable = type, select, ipairs, unpack, getmetatable
local error, protect = error, raw.import("task").protect
local args, stage, spread = raw.import "args", raw.import "stage", raw.import "spread"
local map, time = raw.import "stage_map", raw.require "weft.time"
local take, give, channel = stage.take, stage.give, stage.channel

---@class weft.pipeline
local pipeline = {}

---@class weft.stage_options
---@field limit? integer items at a time; default 1, with `parallel` twice the workers
---@field ordered? boolean results come in the order of the items; without it as they are there
---@field parallel? boolean the function runs in isolated tasks, on all cores
---@field ctx? weft.Context ends the whole pipeline
---@field on_error? fun(err: any, item: any) the item is left out, the rest goes on


local function give_list(self, list)
  for i = 1, #list do
    if list[i] ~= nil and not give(self, list[i]) then return end
  end
end

local function give_each(self, iterator)
  while true do
    local v, err = iterator()
    if v == nil then
      if err ~= nil then stage.fail(self, err) end
      return
    end
    if not give(self, v) then return end
  end
end

local function forward(self, input)
  local v = take(self, input)
  while v ~= nil and give(self, v) do v = take(self, input) end
end

-- The start of a pipeline: the items of a list; what a function returns until that is nil; or what
-- comes out of a channel. ctx ends the whole pipeline.
---@param source any[]|fun(): any|weft.Chan
---@param ctx? weft.Context
---@return weft.Chan
function pipeline.from(source, ctx)
  local is_chan = stage.is_channel(source)
  local is_list = type(source) == "table" and type(getmetatable(source)) ~= "string"
  if not is_chan and not is_list and type(source) ~= "function" then
    raw.bad_arg(1, "from", "list, iterator or channel", source)
  end
  args.context(ctx, 2, "from")
  local self = stage.new(is_chan and { source } or {}, ctx, 1)
  if is_chan then
    stage.start(self, forward, self.inputs[1])
  else
    stage.start(self, is_list and give_list or give_each, source)
  end
  return self.views[1]
end

-- The results of fn(item); nil: none for this item. An error raised, or nil and one returned, ends
-- the pipeline with it, unless there is on_error.
---@param ch weft.Chan
---@param fn fun(item: any): any, any
---@param opts? weft.stage_options
---@return weft.Chan
function pipeline.map(ch, fn, opts) return map("map", ch, fn, opts, false) end

-- The items for which fn(item) is true. Errors and options as for map.
---@param ch weft.Chan
---@param fn fun(item: any): any, any
---@param opts? weft.stage_options
---@return weft.Chan
function pipeline.filter(ch, fn, opts) return map("filter", ch, fn, opts, true) end

-- What comes out of all these channels, as it comes.
---@param ... weft.Chan
---@return weft.Chan
function pipeline.merge(...)
  local channels = { ... }
  for i = 1, select("#", ...) do channel(channels[i], i, "merge") end
  if #channels == 0 then return pipeline.from {} end
  local self = stage.new(channels, nil, 1)
  for _, input in ipairs(self.inputs) do stage.start(self, forward, input) end
  return self.views[1]
end

-- So many channels, which all are results of one call.
local function branches(n, fname)
  args.integer(n, 2, fname, 1)
  if n > 1000 then raw.bad_arg(2, fname, "integer up to 1000", n) end
  return n
end

local function give_to_all(self, input)
  local v = take(self, input)
  while v ~= nil and stage.give_all(self, v) do v = take(self, input) end
end

-- n channels that each have every item (the same value: tables are shared). The slowest reader
-- sets the pace.
---@param ch weft.Chan
---@param n integer
---@return weft.Chan ...
function pipeline.tee(ch, n)
  channel(ch, 1, "tee")
  local self = stage.new({ ch }, nil, branches(n, "tee"))
  stage.start(self, give_to_all, self.inputs[1])
  return unpack(self.views, 1, n)
end

local function give_by_key(self, input, key)
  local n = #self.outs
  while true do
    local v = take(self, input)
    if v == nil then return end
    if not stage.give_to(self, self.outs[spread.place(key(v), n)], v) then return end
  end
end

local function itself(v) return v end

-- n channels; items with the same key come out of the same one. The key is what `key(item)`
-- returns, the field of that name, or (nil) the item: a string, number or boolean. It is a
-- consistent hash: with n + 1 channels one key in n + 1 comes out of another one, the last.
---@param ch weft.Chan
---@param n integer
---@param key? string|fun(item: any): any
---@return weft.Chan ...
function pipeline.partition(ch, n, key)
  channel(ch, 1, "partition")
  branches(n, "partition")
  local by = key == nil and itself or key
  if type(key) == "string" then by = function(v) return v[key] end end
  args.fn(by, 3, "partition", "function or name of a field")
  local self = stage.new({ ch }, nil, n)
  stage.start(self, give_by_key, self.inputs[1], by)
  return unpack(self.views, 1, n)
end

local function batch_items(self, input, n, seconds)
  local timer = seconds and time.timer(seconds)
  if timer then timer:stop() end
  local items = {}
  repeat
    local v, is_late
    if timer and items[1] ~= nil then
      v, is_late = stage.take_before(self, input, timer.c)
    else
      v = take(self, input)
      if timer and v ~= nil then timer:reset(seconds) end
    end
    items[#items + 1] = v
    local is_last = v == nil and not is_late
    if #items >= n or (v == nil and items[1] ~= nil) then
      if timer then timer:stop() end
      if not give(self, items) then return end
      items = {}
    end
  until is_last
end

-- Lists of n items; of fewer when `seconds` have passed since the first of them, and at the end.
---@param ch weft.Chan
---@param n integer
---@param seconds? number
---@return weft.Chan
function pipeline.batch(ch, n, seconds)
  channel(ch, 1, "batch")
  args.integer(n, 2, "batch", 1)
  if seconds ~= nil then args.positive(seconds, 3, "batch", nil, true) end
  local self = stage.new({ ch }, nil, 1)
  stage.start(self, batch_items, self.inputs[1], n, seconds)
  return self.views[1]
end

-- Tells the stages above (and any below) that nobody wants more from this channel: they end, and
-- it is closed. After `tee` and `partition` the other channels go on.
---@param ch weft.Chan
function pipeline.stop(ch)
  local out = stage.out_of(channel(ch, 1, "stop"))
  if not out then raw.raise "'stop': this channel is not from a stage of a pipeline" end
  stage.stop(out)
end

local function gather(ch, ctx)
  local list, n, inside = {}, 0, stage.inside(ch)
  while true do
    local v, err = inside:recv(ctx)
    if v == nil then
      local why = ctx and raw.ctx_ended(ctx)
      if raw.closed_plainly(inside) and not (why and why == err) then return list end
      return nil, err
    end
    n = n + 1
    list[n] = v
  end
end

-- Whoever collected takes no more.
local function leave(ch, ok, list, err)
  local out = not (ok and list) and stage.out_of(ch)
  if out then stage.stop(out) end
  if not ok then error(list, 0) end
  return list, err
end

-- All that comes out, as a list; nil and the error when the pipeline fails. When ctx ends first:
-- nil and its error, and the pipeline is stopped.
---@param ch weft.Chan
---@param ctx? weft.Context
---@return any[]?, any
function pipeline.collect(ch, ctx)
  channel(ch, 1, "collect")
  args.context(ctx, 2, "collect")
  return leave(ch, protect(gather, ch, ctx))
end

return pipeline
