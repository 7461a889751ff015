-- SPDX-License-Identifier: MIT
-- Reports on all tasks as text: stacks(), the deadlock, and what is left to say when main ends.
local _, raw = ...

local sort, concat, format = table.sort, table.concat, string.format
local each, ipairs, setmetatable, type = next, ipairs, setmetatable, type

local M = {}

-- Failed Futures: sentinel -> {err =, trace =, awaited =}; see internal/future.lua.
M.failures = setmetatable({}, { __mode = "k" })

local function by_id(a, b) return a.id < b.id end

-- This VM's tasks, and those of the others.
local function own_tasks()
  local stacks, tasks = raw.task_stacks(), raw.tasks()
  for _, task in ipairs(tasks) do task.stack = stacks[task.id] or "" end
  return tasks
end

local function all_tasks(tasks)
  for _, task in ipairs(raw.other_tasks()) do tasks[#tasks + 1] = task end
  sort(tasks, by_id)
  return tasks
end

function M.tasks()
  local tasks = all_tasks(raw.tasks())
  for _, task in ipairs(tasks) do task.stack = nil end
  return tasks
end

local function describe(task, now)
  local waited = now - task.since
  local state = task.state
  if task.label then state = format("%s on %s", state, task.label) end
  if waited >= 0.001 then state = format("%s, %.3f s", state, waited) end
  return state
end

-- Who has what the task waits for; `live` has the numbers of the tasks that there are, and 0 where
-- a VM did not answer.
local function describe_holder(task, live)
  if not task.holder then return "" end
  local text = format("held by task %d", task.holder)
  if not (live[task.holder] or live[0]) then text = text .. ", which has ended" end
  if task.locked_at then
    text = format("%s; locked at %s", text, task.locked_at)
  elseif task.first_locked_at then
    text = format("%s; first locked at %s", text, task.first_locked_at)
  end
  return text .. "\n"
end

-- These tasks, those with the same state, stack and origin together: a million of them that wait
-- at one line are one paragraph.
local function paragraphs(tasks)
  local now = raw.monotonic()
  local groups, order, live = {}, {}, {}
  for _, task in ipairs(tasks) do live[task.id] = true end
  for _, task in ipairs(tasks) do
    local holder = describe_holder(task, live)
    local key = concat({ task.state, task.label or "", holder, task.created_by, task.stack }, "\0")
    local group = groups[key]
    if not group then
      group = { first = task, count = 0, holder = holder }
      groups[key] = group
      order[#order + 1] = group
    end
    group.count = group.count + 1
  end
  local out = {}
  for i, group in ipairs(order) do
    local task = group.first
    local head = format("task %d [%s]", task.id, describe(task, now))
    if task.vm ~= 1 then head = format("%s in VM %d", head, task.vm) end
    if group.count > 1 then head = format("%s and %d more like it", head, group.count - 1) end
    out[i] = format("%s:\n%s\n%screated by %s\n", head, task.stack, group.holder,
      task.created_by)
  end
  return concat(out, "\n")
end

-- All tasks, as text.
function M.stacks()
  return paragraphs(all_tasks(own_tasks()))
end

---@param opts? weft.leaks_options
---@return weft.leaked[]
function M.leaks(opts)
  if opts ~= nil and type(opts) ~= "table" then
    raw.bad_arg(1, "leaks", "table of options", opts)
  end
  local reclaim = opts and opts.reclaim
  if reclaim ~= nil and type(reclaim) ~= "boolean" then
    raw.bad_arg(1, "leaks", "reclaim as boolean", reclaim)
  end
  raw.collect()
  local tasks = raw.leaks_now(reclaim)
  if reclaim then raw.abandon_loads(tasks) end
  return tasks
end

local function failure_text()
  local out = {}
  for _, f in each, M.failures do
    if not f.awaited then
      f.awaited = true
      out[#out + 1] = format("panic: %s (in a Future that nobody awaited)\n%s\n",
        raw.error_text(f.err), f.trace)
    end
  end
  sort(out)
  return concat(out, "\n")
end

local reports = {}

-- What another VM's report asks this one for.
reports.gather = own_tasks

function reports.deadlock()
  local text = "fatal error: all tasks are asleep - deadlock!\n\n" .. M.stacks()
  for _, f in ipairs(raw.pending_failures()) do
    text = format("%s\npanic: %s (its task's deferred calls have not ended)\n%s\n", text,
      raw.error_text(f.err), f.trace)
  end
  local failures = failure_text()
  if failures ~= "" then text = text .. "\n" .. failures end
  return text
end

reports["end"] = function()
  local text = failure_text()
  return text ~= "" and text or nil
end

-- The tasks that are left but the one that asks no more.
function reports.pending()
  local text = M.stacks()
  if text == "" then return nil end
  return "weft: main has returned; cut off:\n\n" .. text
end

-- The tasks that nothing could ever wake.
function reports.leaks()
  local tasks = raw.leaks_now(false)
  if #tasks == 0 then return nil end
  return format("weft: main has returned; %d task%s can never wake again:\n\n%s", #tasks,
    #tasks == 1 and "" or "s", paragraphs(tasks))
end

-- On request, while the program runs.
function reports.dump()
  return format("weft: %d live tasks\n\n%s\n", raw.ntasks(), M.stacks())
end

raw.set_reporter(function(kind) return reports[kind]() end)

return M
