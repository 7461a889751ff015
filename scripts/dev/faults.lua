-- SPDX-License-Identifier: MIT
-- The faults that scripts/dev/mutate puts into the sources. From the top of a tree:
--   luajit scripts/dev/faults.lua list [PATTERN…]    their names
--   luajit scripts/dev/faults.lua check [PATTERN…]   says which do not fit; status 1 if any
--   luajit scripts/dev/faults.lua specs NAME…        the specs that ought to notice, a line each
--   luajit scripts/dev/faults.lua apply NAME         changes the file; prints its path, or why not
-- apply keeps the text before in build/original.
--
-- faults/*.lua: a list of { file =, fault… }, each fault { name, specs, find, replacement }. The
-- text to find must be there exactly once. Specs: "chan" is spec/chan_spec.lua, "embed/host" is
-- spec/embed/host.c.

local LISTS = { "bench.lua", "chan.lua", "codec.lua", "context.lua", "coroutine.lua", "host.lua",
  "leaks.lua", "model.lua", "preempt.lua", "records.lua", "scope.lua", "shared.lua", "task.lua",
  "time.lua", "workers.lua" }

local here = arg[0]:match("^(.*)/[^/]*$")

local function read(path)
  local handle = io.open(path, "rb")
  if not handle then return nil end
  local text = handle:read("*a")
  handle:close()
  return text
end

local function write(path, text)
  local handle = assert(io.open(path, "wb"))
  assert(handle:write(text))
  assert(handle:close())
end

local function read_faults()
  local list, by_name = {}, {}
  for _, name in ipairs(LISTS) do
    for _, group in ipairs(dofile(here .. "/faults/" .. name)) do
      for _, f in ipairs(group) do
        local fault = { file = group.file, name = f[1], specs = f[2], find = f[3], new = f[4] }
        assert(not by_name[fault.name], "two faults have the name " .. fault.name)
        assert(fault.new and #f == 4, fault.name .. " is not complete")
        list[#list + 1], by_name[fault.name] = fault, fault
      end
    end
  end
  return list, by_name
end

local faults, by_name = read_faults()

local function matching(patterns)
  if #patterns == 0 then return faults end
  local found = {}
  for _, fault in ipairs(faults) do
    for _, pattern in ipairs(patterns) do
      if fault.name:find(pattern, 1, true) or fault.file:find(pattern, 1, true) then
        found[#found + 1] = fault
        break
      end
    end
  end
  return found
end

local function occurrences(text, part)
  local n, at = 0, 0
  repeat
    at = text:find(part, at + 1, true)
    if at then n = n + 1 end
  until not at
  return n
end

local function missing_spec(fault)
  for spec in fault.specs:gmatch("%S+") do
    local path = spec:find("/", 1, true) and spec .. ".c" or spec .. "_spec.lua"
    if not read("spec/" .. path) then return "spec/" .. path end
  end
end

-- The file's text with the fault in it and without; nil and why.
local function changed(fault)
  local text = read(fault.file)
  if not text then return nil, "there is no " .. fault.file end
  local n = occurrences(text, fault.find)
  if n ~= 1 then return nil, ("its text is %d times in %s"):format(n, fault.file) end
  if fault.find == fault.new then return nil, "it changes nothing" end
  local missing = missing_spec(fault)
  if missing then return nil, "there is no " .. missing end
  local first, last = text:find(fault.find, 1, true)
  local new = text:sub(1, first - 1) .. fault.new .. text:sub(last + 1)
  if fault.file:match("%.lua$") then
    local ok, err = loadstring(new, "=" .. fault.file)
    if not ok then return nil, err end
  end
  return new, text
end

local commands = {}

function commands.list(patterns)
  for _, fault in ipairs(matching(patterns)) do print(fault.name) end
  return true
end

function commands.check(patterns)
  local all_fit = true
  for _, fault in ipairs(matching(patterns)) do
    local new, err = changed(fault)
    if not new then
      print(("%s: %s"):format(fault.name, err))
      all_fit = false
    end
  end
  return all_fit
end

function commands.specs(names)
  for _, name in ipairs(names) do print(by_name[name].specs) end
  return true
end

function commands.apply(names)
  local fault = by_name[names[1]]
  local new, before = changed(fault)
  if new then
    write("build/original", before)
    write(fault.file, new)
  end
  print(new and fault.file or before)
  return new ~= nil
end

local rest = {}
for i = 2, #arg do rest[i - 1] = arg[i] end
local command = assert(commands[arg[1]], "see the comment at the top of this file")
os.exit(command(rest) and 0 or 1)
