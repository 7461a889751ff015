-- SPDX-License-Identifier: MIT
-- `require` and `dofile` as Lua functions, so that a module may block while it loads: the stock
-- ones are C functions that call back, which a task cannot be suspended across. A task that
-- requires a module which another task is loading waits for it.
local _, raw = ...

local error, type, tostring, ipairs, each, pcall = error, type, tostring, ipairs, next, pcall
local loadfile, ALL = loadfile, math.huge
local concat = table.concat
local protect = raw.import("task").protect
local package = package
local WAIT_REQUIRE = 4  -- runtime/lib/queue.c: wait_kinds

-- Modules that are being loaded: name -> {task =, queue =}; and what tasks wait for: task -> name.
local loading, waiting = {}, {}

-- Whether the load of `name` waits, over however many tasks, for the task `id`.
local function is_loop(name, id)
  while name and loading[name] do
    local task = loading[name].task
    if task == id then return true end
    name = waiting[task]
  end
  return false
end

local function find_loader(name)
  local loaders = package.loaders
  if type(loaders) ~= "table" then raw.raise("'package.loaders' must be a table") end
  local tried = {}
  for _, search in ipairs(loaders) do
    local loader = search(name)
    if type(loader) == "function" then return loader end
    if type(loader) == "string" then tried[#tried + 1] = loader end
  end
  raw.raise(("module '%s' not found:%s"):format(name, concat(tried)))
end

-- The load is over; whoever waits for it looks again.
local function leave(name, job)
  loading[name] = nil
  if job.queue then raw.queue_wake(job.queue, ALL) end
end

local function finish(name, job, ok, result)
  leave(name, job)
  if not ok then error(result, 0) end
  raw.modules_changed()
  local loaded = package.loaded
  if result ~= nil then
    loaded[name] = result
  elseif loaded[name] == nil then
    loaded[name] = true
  end
  return loaded[name]
end

-- Whether there is such a module, loaded or not.
function raw.find_module(name)
  return package.loaded[name] ~= nil or (pcall(find_loader, name))
end

function raw.require(name)
  if type(name) == "number" then name = tostring(name) end
  if type(name) ~= "string" then raw.bad_arg(1, "require", "string", name) end
  local value = package.loaded[name]
  while not value and loading[name] do
    local job, id = loading[name], raw.id()
    if is_loop(name, id) then
      raw.raise(("loop or previous error loading module '%s'"):format(name))
    end
    job.queue = job.queue or raw.queue()
    raw.check_can_park("require")
    waiting[id] = name
    local ok, err = pcall(raw.queue_wait, job.queue, WAIT_REQUIRE)
    waiting[id] = nil
    if not ok then error(err, 0) end
    value = package.loaded[name]
  end
  if value then return value end
  local loader = find_loader(name)
  local job = { task = raw.id() }
  loading[name] = job
  return finish(name, job, protect(loader, name))
end

-- Modules whose loading was left to one of these tasks, which were reclaimed, can be loaded anew.
function raw.abandon_loads(tasks)
  for _, task in ipairs(tasks) do
    for name, job in each, loading do
      if job.task == task.id then leave(name, job) end
    end
  end
end

_G.require = raw.require

function _G.dofile(path)
  local chunk, err = loadfile(path)
  if not chunk then error(err, 0) end
  return chunk()
end

return true
