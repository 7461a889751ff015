-- SPDX-License-Identifier: MIT
-- A pipeline of builds with real child processes: each project is built, tested and deployed, one
-- stage after the other; different projects go through at the same time, as many as the stage is
-- wide. A project that fails in a stage goes no further; one that hangs in it is killed, with all
-- that it has started, when its time is over.
--
--     projects ──> 3 x build ──> 2 x test ──> 1 x deploy ──> report

local weft = require "weft"
local context, process, sync = weft.context, weft.process, weft.sync

local LIMIT_S = 1

-- What a real runner would read from files. `sh -c` stands for make and the like.
local projects = {
  { name = "api", build = "echo compiled", test = "echo 12 tests; true", deploy = "echo live" },
  { name = "web", build = "echo bundled", test = "echo 1 of 7 failed >&2; exit 1" },
  { name = "docs", build = "echo rendered", test = "true", deploy = "echo published" },
  { name = "jobs", build = "echo waiting for a lock; sleep 60 & sleep 60" },
}

local function run(command)
  local ctx, cancel = context.with_timeout(context.background(), LIMIT_S)
  local r, err = process.run { "sh", "-c", command, ctx = ctx }
  cancel()
  if not r then return false, err end
  return r.code == 0, (r.stdout .. r.stderr):gsub("%s+$", "")
end

-- Starts a stage: `width` tasks that take projects from `from` and hand on those that are fine.
local function stage(name, width, from, results)
  local to, wg = weft.chan(), sync.waitgroup()
  for _ = 1, width do
    wg:go(function()
      for project in from do
        local ok, words = run(project[name])
        project.stage, project.ok, project.words = name, ok, words
        if ok then to:send(project) else results:send(project) end
      end
    end)
  end
  weft.go(function()
    wg:wait()
    to:close()
  end)
  return to
end

local queue, results = weft.chan(), weft.chan(#projects)
local done = stage("deploy", 1, stage("test", 2, stage("build", 3, queue, results), results),
  results)
for _, project in ipairs(projects) do queue:send(project) end
queue:close()
for project in done do results:send(project) end
results:close()

local report = {}
for project in results do
  report[#report + 1] = ("%-5s %-4s in %-6s: %s"):format(project.name,
    project.ok and "ok" or "BAD", project.stage, project.words)
end
table.sort(report)
print(table.concat(report, "\n"))
