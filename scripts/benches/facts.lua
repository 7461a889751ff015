-- SPDX-License-Identifier: MIT
-- What measures and what is measured: the machine, the versions, how each program is started.
local M = {}

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

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

-- A system that runs works in Lua: those that lie in the folder of its name.
local function lua_system(name, binary, folder)
  return {
    command = { binary, folder .. "/harness.lua" },
    find = function(work)
      local path = ("%s/%s/%s.lua"):format(folder, name, work)
      return read(path) ~= "" and path or nil
    end,
    empty = { binary, "-e", "" },
  }
end

-- The systems that are there and not left out: name -> {command = the words that start it, in
-- front of the work; find(work) = what the work is called there, or nil; empty = the words that
-- start it with nothing to do; launch = those that do this many times; load, names = those in
-- front of a server's, and of a work that looks names up; cores = how many there are;
-- with_workers(words, n) = such words for so many cores, where it uses more than one}.
function M.systems(options, folder)
  local build = folder .. "/../../build"
  local twins, c = build .. "/bench/twins", build .. "/release/bench/"
  local systems = {
    weft = lua_system("weft", options.weft or build .. "/release/weft", folder),
    go = {
      command = { twins },
      find = function(work) return work end,
      empty = { twins, "startup", "0", "0", "0" },
    },
    luajit = lua_system("luajit", "luajit", folder),
    uv = {
      command = { c .. "uv" },
      find = function(work) return work:match "^serve%-echo" end,
    },
  }
  function systems.weft.with_workers(words, n)
    return { words[1], "--workers", tostring(n), unpack(words, 2) }
  end
  function systems.go.with_workers(words, n)
    return { "env", ("GOMAXPROCS=%d"):format(n), unpack(words) }
  end
  function systems.uv.with_workers(words) return words end  -- a thread for each core it is told of
  if has "tarantool" then systems.tarantool = lua_system("tarantool", "tarantool", folder) end
  for name in pairs(options.without) do systems[name] = nil end
  for _, system in pairs(systems) do
    system.launch = { "luajit", folder .. "/launch.lua" }
    system.load, system.names = { c .. "load" }, { c .. "names" }
    system.cores = tonumber(first_line("nproc"))
  end
  return systems
end

local function versions(systems)
  local list = {}
  list.weft = first_line(quote(systems.weft.command[1]) ..
    [[ -e 'print(require "weft"._VERSION .. " with " .. jit.version)']])
  if systems.go then list.go = first_line("go version"):gsub("^go version go", "Go ") end
  if systems.tarantool then list.tarantool = first_line("tarantool --version") end
  if systems.uv then list.uv = "libuv " .. first_line "pkg-config --modversion libuv" end
  if systems.luajit then list.luajit = first_line("luajit -v"):match("^(.-) %-%-") end
  return list
end

function M.gather(systems, options, args)
  local words = {}
  for i, word in ipairs(args) do words[i] = word:match("^[%w%._/=-]+$") or quote(word) end
  return {
    cpu = read("/proc/cpuinfo"):match("model name%s*:%s*([^\n]+)") or "a CPU without a name",
    cores = tonumber(first_line("nproc")),
    load = tonumber(read("/proc/loadavg"):match("^%S+")),
    date = os.date("!%Y-%m-%d"),
    rounds = options.rounds,
    slow_rounds = options.slow_rounds,
    seconds = options.seconds,
    quick = options.quick or false,
    versions = versions(systems),
    command = table.concat({ "scripts/bench", unpack(words) }, " "),
  }
end

return M
