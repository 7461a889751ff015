-- SPDX-License-Identifier: MIT
-- The stages of weft.pipeline that call a function for each item: map and filter, one item at a
-- time or several, here or on all cores, in the order of the items or not.
local _, raw = ...

local type, error = type, error
local protect, futures = raw.import("task").protect, raw.import "future"
local args, stage = raw.import "args", raw.import "stage"
local sync = raw.require "weft.sync"
local take, give, fail = stage.take, stage.give, stage.fail

local function near(how, v) return how.fn(v) end

-- On another core: its results, or its error, raised as it was.
local function far(how, v)
  local ok, r, err = futures.outcome(futures.isolated(how.name, how.fn, v))
  if not ok then error(r, 0) end
  return r, err
end

-- true and the result for an item (nil: none); false and the error that ends the pipeline.
local function apply(how, v)
  local ok, r, err = protect(how.call, how, v)
  if ok and (r ~= nil or err == nil) then
    if not how.filter then return true, r end
    if r then return true, v end
    return true, nil
  end
  if ok then r = err end
  if not how.on_error then return false, r end
  how.on_error(r, v)
  return true, nil
end

local function map_items(self, input, how)
  while true do
    local v = take(self, input)
    if v == nil then return end
    local ok, r = apply(how, v)
    if not ok then return fail(self, r) end
    if r ~= nil and not give(self, r) then return end
  end
end

-- The next item with a channel that closes when it is its turn (nil: it is), and one to close
-- after it. One worker at a time takes an item, so that turns are in the order of items.
local function take_with_turn(self, input, line)
  if not line.take:lock(self.ctx) then return nil end
  local v
  if not line.failed then v = take(self, input) end
  local turn, after = line.last, raw.chan()
  line.last = after
  line.take:unlock()
  return v, turn, after
end

-- A failure waits for its turn like a result; meanwhile nobody takes more.
local function map_in_order(self, input, how, line)
  while not self.over do
    local v, turn, after = take_with_turn(self, input, line)
    if v == nil then return end
    local ok, r = apply(how, v)
    if not ok then line.failed = true end
    if turn then turn:recv(self.ctx) end
    if not ok then return fail(self, r) end
    if r ~= nil and not give(self, r) then return end
    after:close()
  end
end

local function map(name, ch, fn, opts, filter)
  stage.channel(ch, 1, name)
  args.fn(fn, 2, name)
  opts = args.options(opts, 3, name)
  if opts.on_error ~= nil and type(opts.on_error) ~= "function" then
    raw.bad_arg(3, name, "on_error as function", opts.on_error)
  end
  local limit = opts.limit or opts.parallel and 2 * raw.nworkers() or 1
  args.integer(limit, 3, name, 1, "limit as ")
  args.context(opts.ctx, 3, name, "ctx as ")
  if opts.parallel then
    local ok, why = raw.check(fn)
    if not ok then raw.raise(("'%s': the function cannot cross: %s"):format(name, why)) end
  end
  local how = { name = name, fn = fn, call = opts.parallel and far or near, filter = filter,
    on_error = opts.on_error }
  local self = stage.new({ ch }, opts.ctx, 1)
  local in_order = opts.ordered and limit > 1
  local line = in_order and { take = sync.mutex(), failed = false } or nil
  for _ = 1, limit do
    stage.start(self, in_order and map_in_order or map_items, self.inputs[1], how, line)
  end
  return self.views[1]
end

return map
