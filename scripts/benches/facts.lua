-- SPDX-License-Identifier: MIT
-- What measures and what is measured: the machine, the versions, how each program is started.
local M = {}

local function first_line(command)
  local pipe = assert(io.popen(command .. " 2>/dev/null"))
  local line = pipe:read("*l")
  pipe:close()
  return line
end

local function read(path)
  local file = io.open(path)
  local text = file and file:read("*a") or ""
  if file then file:close() end
  return text
end

local function has(command)
  return first_line("command -v " .. command) ~= nil
end

-- system -> {command = {words}}: the systems that are there and not left out; `folder` is where
-- the works lie.
function M.systems(options, folder)
  local build = folder .. "/../../build"
  local systems = { folder = folder }
  local harness = folder .. "/harness.lua"
  systems.weft = { command = { options.weft or build .. "/release/weft", harness } }
  systems.go = { command = { build .. "/bench/twins" } }
  systems.luajit = { command = { "luajit", harness } }
  if has "tarantool" then systems.tarantool = { command = { "tarantool", harness } } end
  for name in pairs(options.without) do systems[name] = nil end
  return systems
end

local function versions(systems)
  local list = {}
  local weft = systems.weft.command[1]:gsub("'", "'\\''")
  list.weft = first_line(("'%s' -e 'print(require \"weft\"._VERSION .. \", \" .. jit.version)'")
    :format(weft))
  if systems.go then list.go = first_line("go version") end
  if systems.tarantool then list.tarantool = first_line("tarantool --version") end
  if systems.luajit then list.luajit = (first_line("luajit -v") or "LuaJIT"):match("^[^-]+[^ ]*") end
  return list
end

function M.gather(systems, options, args)
  local _, cores = read("/proc/cpuinfo"):gsub("\nprocessor%s*:", "")
  return {
    cpu = read("/proc/cpuinfo"):match("model name%s*:%s*([^\n]+)") or "unknown CPU",
    cores = tonumber(first_line("nproc")) or cores + 1,
    load = read("/proc/loadavg"):match("^%S+") or "unknown",
    date = os.date("!%Y-%m-%d"),
    rounds = options.rounds,
    seconds = options.seconds,
    versions = versions(systems),
    command = "scripts/bench" .. (#args > 0 and " " .. table.concat(args, " ") or ""),
  }
end

return M
