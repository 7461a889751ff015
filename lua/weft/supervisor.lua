-- SPDX-License-Identifier: MIT
-- weft.supervisor: keeps background tasks going. A child that fails is started again, alone or
-- with others, until that has happened too often; then all are stopped.
--
-- The task that calls `run` decides everything. A child's task leaves its end in `ended` and rings
-- the bell. A child that is `asked` to stop, so that it can start again with the one that failed,
-- cannot fail: however it ends, it is started again, when all that were asked have ended.
local _, raw = ...

local setmetatable, error, pcall, ipairs = setmetatable, error, pcall, ipairs
local type, select, unpack, HUGE = type, select, unpack, math.huge
local protect = raw.import("task").protect
local args = raw.import "args"
local context = raw.require "weft.context"

---@class weft.supervisor
local supervisor = {}

---@class weft.Supervisor
local Supervisor = args.class "supervisor"

---@class weft.supervisor_options
---@field strategy? "one_for_one"|"one_for_all"|"rest_for_one" who is started again when a child
--- fails: it alone (default), all, or it and all that were added after it; not who has finished
---@field max_restarts? number more of them `within` so many seconds end it all; default 3
---@field within? number default 5
---@field backoff? number seconds before a child is started again; default 0

-- Who is started again with child number i.
local FIRST = {
  one_for_one = function(i) return i, i end,
  one_for_all = function(_, n) return 1, n end,
  rest_for_one = function(i, n) return i, n end,
}

---@param opts? weft.supervisor_options
---@return weft.Supervisor
function supervisor.new(opts)
  opts = args.options(opts, 1, "new")
  local strategy, most = opts.strategy or "one_for_one", opts.max_restarts or 3
  if not FIRST[strategy] then
    local names = 'strategy as "one_for_one", "one_for_all" or "rest_for_one"'
    raw.bad_arg(1, "new", names, strategy)
  end
  if most ~= HUGE then args.integer(most, 1, "new", 0, "max_restarts as ") end
  return setmetatable({ who = FIRST[strategy], most = most, children = {}, names = {},
    within = args.positive(opts.within or 5, 1, "new", "within as ", true),
    backoff = args.number(opts.backoff or 0, 1, "new", 0, "backoff as "),
    state = "idle", running = 0, ended = {}, failures = {}, bell = raw.chan(1) }, Supervisor)
end

local function leave(self, child)
  child.running = false
  self.running = self.running - 1
  self.ended[#self.ended + 1] = child
  if self.bell:len() == 0 then self.bell:try_send(true) end
end

local function keep(child, ok, v, err)
  if not ok then
    child.err = v
  elseif v == nil and err ~= nil then
    child.err = err
  else
    child.failed, child.err = false, nil
  end
end

-- The task of a child. Leaving is the last of its deferred calls.
local function live(self, child, pause)
  local ok, err = pcall(raw.defer, leave, self, child)
  if not ok then
    child.err = err
    return leave(self, child)
  end
  if pause > 0 and not raw.sleep(pause, child.ctx) then return end
  keep(child, protect(child.fn, child.ctx, unpack(child.args, 1, child.args.n)))
end

local function start(self, child, pause)
  child.ctx, child.cancel = context.with_cancel(self.ctx)
  child.asked, child.again, child.finished = false, false, false
  child.failed, child.err = true, "its task was reclaimed"  -- until it says something else
  raw.go(live, self, child, pause)
  child.running = true
  self.running = self.running + 1
end

-- Adds a child, called as fn(ctx, ...): it is asked to stop by its ctx. When it returns it has
-- finished; when it raises an error, or returns nil and one, it has failed. A supervisor that runs
-- starts it at once.
---@param name string
---@param fn fun(ctx: weft.Context, ...)
function Supervisor:add(name, fn, ...)
  args.self(self, Supervisor, "add", "s")
  if type(name) ~= "string" then raw.bad_arg(1, "add", "string", name) end
  args.fn(fn, 2, "add")
  if self.names[name] then
    raw.raise(("'add': there is a child named '%s' already"):format(name))
  end
  local child = { name = name, fn = fn, args = { n = select("#", ...), ... },
    index = #self.children + 1 }
  if self.state == "running" then start(self, child, 0) end
  self.children[child.index], self.names[name] = child, true
end

local function describe(self, child)
  local text = raw.error_text(child.err)
  return ("child '%s' failed: %s"):format(child.name, text),
    ("supervisor: child '%s' failed, more than %g restarts within %g s: %s"):format(child.name,
      self.most, self.within, text)
end

-- One more failure; whether that is too many.
local function is_too_many(self)
  local now, recent = raw.monotonic(), {}
  for _, at in ipairs(self.failures) do
    if now - at <= self.within then recent[#recent + 1] = at end
  end
  recent[#recent + 1] = now
  self.failures = recent
  return #recent > self.most
end

-- Asks those to stop that are to start again with this one.
local function ask(self, child, why)
  local first, last = self.who(child.index, #self.children)
  for i = first, last do
    local other = self.children[i]
    if not other.finished then
      other.again = true
      if other.running and not other.asked then
        other.asked = true
        other.cancel(why)
      end
    end
  end
end

local function start_again(self)
  for _, child in ipairs(self.children) do
    if child.again and child.running then return end  -- not before all have ended
  end
  for _, child in ipairs(self.children) do
    if child.again then start(self, child, self.backoff) end
  end
end

-- Deals with the children that have ended; nil and an error when that is enough.
local function look(self)
  local ended = self.ended
  self.ended = {}
  for _, child in ipairs(ended) do
    child.cancel()
    if not child.failed and not child.asked then child.finished = true end
  end
  for _, child in ipairs(ended) do
    if child.failed and not child.asked then
      local why, last = describe(self, child)
      if is_too_many(self) then return nil, last end
      ask(self, child, why)
    end
  end
  start_again(self)
  return true
end

local function manage(self, ctx)
  for _, child in ipairs(self.children) do start(self, child, 0) end
  while self.running > 0 or self.ended[1] do
    local ok, err = self.bell:recv(ctx)
    if ok then ok, err = look(self) end
    if not ok then return nil, err end
  end
  return true
end

local function finish(self, ok, v, err)
  self.state = "stopping"
  self.cancel(err)
  while self.running > 0 do self.bell:recv(context.background()) end  -- whatever has ended
  self.state, self.ended, self.failures = "idle", {}, {}
  self.bell:try_recv()
  if not ok then error(v, 0) end
  return v, err
end

-- Starts the children and returns when every one of them has ended: true when all have finished;
-- nil and an error when ctx ended, or when there were too many restarts (it has the message of the
-- child that failed last).
---@param ctx? weft.Context
---@return true?, string?
function Supervisor:run(ctx)
  args.self(self, Supervisor, "run", "s")
  if self.state ~= "idle" then raw.raise "'run': this supervisor runs already" end
  local over, why = raw.ctx_over(ctx, "run", 1)
  if over == nil then return nil, why end
  raw.check_can_park "run"
  self.ctx, self.cancel = context.with_cancel(ctx or context.current())
  self.state = "running"
  return finish(self, protect(manage, self, ctx))
end

return supervisor
