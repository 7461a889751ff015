-- SPDX-License-Identifier: MIT
-- map: a function over a list, several items at a time.
local _, raw = ...

local type, floor, pcall, error = type, math.floor, pcall, error
local task = raw.import "task"
local protect = task.protect
local parallel = raw.import("future").parallel
local WAIT_AWAIT = raw.waits.await
local DEFAULT_LIMIT = 16

local function options(name, opts, default)
  if opts == nil then return default, nil end
  if type(opts) ~= "table" then raw.bad_arg(3, name, "table of options", opts) end
  local limit, ctx = opts.limit or default, opts.ctx
  if type(limit) ~= "number" or limit < 1 or limit ~= floor(limit) then
    raw.bad_arg(3, name, "limit as integer >= 1", limit)
  end
  if ctx ~= nil and not raw.is_ctx(ctx) then raw.bad_arg(3, name, "ctx as context", ctx) end
  return limit, ctx
end

local function fail(job, err, i)
  if not job.failed then job.failed, job.err, job.index = true, err, i end
end

-- An item on another core: its results, or its error, raised as it was.
local function far(job, i)
  local ok, v, err = parallel(job.fn, job.list[i], i):try()
  if not ok then error(v, 0) end
  return v, err
end

local function near(job, i) return job.fn(job.list[i], i) end

local function do_item(job, i)
  local v, err = job.call(job, i)
  if v == nil and err ~= nil then
    fail(job, err, i)
  else
    job.results[i] = v
  end
end

-- A worker takes the next item until there are none, one has failed or the context has ended.
local function do_items(job, at)
  while not job.failed and job.next <= job.n and not (job.ctx and raw.ctx_ended(job.ctx)) do
    local i = job.next
    job.next, at.i = i + 1, i
    do_item(job, i)
  end
end

local function leave(job, at, ok, err)
  if not ok then fail(job, err, at.i) end
  job.running = job.running - 1
  if job.running == 0 then raw.queue_wake(job.queue, 1) end
end

local function work(job)
  local at = { i = 0 }
  return leave(job, at, protect(do_items, job, at))
end

task.lands(work, leave, 2)

local function start(job, workers, ctx)
  for _ = 1, workers do
    raw.go(work, job)
    job.running = job.running + 1
  end
  return raw.queue_wait(job.queue, WAIT_AWAIT, ctx)
end

local function run(name, call, list, fn, opts, default)
  if type(list) ~= "table" then raw.bad_arg(1, name, "table", list) end
  if type(fn) ~= "function" then raw.bad_arg(2, name, "function", fn) end
  local limit, ctx = options(name, opts, default)
  local over, err = raw.ctx_over(ctx, name, 3)
  if over == nil then return nil, err end
  local n = #list
  local results = { n = n }
  if n == 0 then return results end
  local job = { list = list, fn = fn, call = call, n = n, next = 1, results = results, ctx = ctx,
    running = 0, failed = false, err = false, index = 0, queue = raw.queue() }
  raw.check_can_park(name)
  local fine, ok
  fine, ok, err = pcall(start, job, limit < n and limit or n, ctx)
  if not fine or not ok then job.failed = true end  -- no further item is started
  if not fine then error(ok, 0) end
  if not ok then return nil, err end
  if job.failed then return nil, job.err, job.index end
  return results
end

local M = {}

function M.map(list, fn, opts) return run("map", near, list, fn, opts, DEFAULT_LIMIT) end

function M.pmap(list, fn, opts) return run("pmap", far, list, fn, opts, 2 * raw.nworkers()) end

return M
