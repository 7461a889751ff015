-- SPDX-License-Identifier: MIT
-- Checks what can be counted: luajit scripts/dev/tidy.lua, from the top of the tree. Prints a line
-- for each fault; status 1 when there is one.
--
-- Sizes, SPDX lines and the top level; floors, and which room may call what; files that nothing
-- uses, compiles or tests. Needs build/debug to be configured for the list of what is compiled.

local MAX_FILE, MAX_FUNCTION, MAX_COLUMNS = 499, 69, 99

local TOP_LEVEL = {
  host = true, runtime = true, lua = true, scripts = true, spec = true, build = true,
  ["CMakeLists.txt"] = true, ["CMakePresets.json"] = true, ["README.md"] = true, LICENSE = true,
}

-- A room includes its own floor or lower ones.
local FLOOR = { base = 1, loop = 2, sched = 3, task = 4, conc = 5, io = 5, lib = 6, top = 7 }

-- What only some may call: pattern, the paths (or how they begin) where it may stand, why.
local RESERVED = {
  { "%f[%w_]lua_resume%s*%(", { "runtime/task/task.c", "runtime/lib/coroutine.c" },
    "only task/task.c resumes tasks, and lib/coroutine.c the coroutines of scripts" },
  { "%f[%w_]lua_yield%s*%(", { "runtime/task/", "runtime/lib/coroutine.c" },
    "task/park is the one way to suspend" },
  { "%f[%w_]_?exit%s*%(", { "host/" }, "the library never ends the process" },
  { "%f[%w_]abort%s*%(", { "runtime/base/check.c" },
    "base/check.c stops the program on broken invariants" },
}

local faults = 0
local function fault(file, line, text, ...)
  faults = faults + 1
  local place = line and file .. ":" .. line or file
  print(place .. ": " .. text:format(...))
end

local function command_lines(command)
  local list = {}
  local pipe = assert(io.popen(command))
  for line in pipe:lines() do list[#list + 1] = line end
  pipe:close()
  return list
end

-- Every file of the tree: path -> {text=, lines=, ext=, dir=, base=, stem=}; and the sorted paths.
local function read_tree()
  local files = {}
  local paths = command_lines("find . -type f -not -path './.git/*' -not -path './build/*'" ..
    " | sed 's|^./||' | LC_ALL=C sort")
  for _, path in ipairs(paths) do
    local handle = assert(io.open(path, "rb"))
    local text = handle:read("*a")
    handle:close()
    local lines = {}
    for line in (text:sub(-1) == "\n" and text or text .. "\n"):gmatch("([^\n]*)\n") do
      lines[#lines + 1] = line
    end
    local base = path:match("[^/]+$")
    files[path] = {
      text = text, lines = lines, base = base, stem = base:match("^(.[^.]*)"),
      ext = base:match(".%.([%w]+)$") or "", dir = path:match("^(.*)/") or "",
    }
  end
  return files, paths
end

local files, paths = read_tree()

local function is_c(path) return files[path].ext == "c" or files[path].ext == "h" end
local function is_bash(path)
  local first = files[path].lines[1] or ""
  return files[path].ext == "sh" or first:match("^#!.*bash") ~= nil
end
local SOURCE = { lua = true, go = true, cmake = true, ["in"] = true, map = true, supp = true }
local function is_source(path)
  return is_c(path) or is_bash(path) or SOURCE[files[path].ext] or
    files[path].base == "CMakeLists.txt" or path:match("^%.[^/]+$") ~= nil
end

-- Top level, sizes, SPDX lines -----------------------------------------------------------------

local function check_top_level()
  for _, entry in ipairs(command_lines("find . -mindepth 1 -maxdepth 1 | sed 's|^./||'")) do
    if not TOP_LEVEL[entry] and entry:sub(1, 1) ~= "." then
      fault(entry, nil, "does not belong at the top of the tree")
    end
  end
end

local function columns(line)
  local _, continuation_bytes = line:gsub("[\128-\191]", "")
  return #line - continuation_bytes
end

local function check_lines(path, file)
  if #file.lines > MAX_FILE then
    fault(path, nil, "has %d lines; at most %d", #file.lines, MAX_FILE)
  end
  for i, line in ipairs(file.lines) do
    if columns(line) > MAX_COLUMNS then
      fault(path, i, "has %d columns; at most %d", columns(line), MAX_COLUMNS)
    end
    if line:match("%s$") then fault(path, i, "ends in white space") end
    -- gofmt indents with tabs.
    if line:match("\t") and file.ext ~= "go" then fault(path, i, "has a tab") end
  end
  if not file.text:match("\n$") then fault(path, nil, "ends without a newline") end
end

-- LuaJIT makes an instruction of its own of these loops, which may hang: runtime/HACKING.md.
local function check_loops(path, file)
  if not path:match("^lua/weft/") then return end
  for i, line in ipairs(file.lines) do
    if line:match("%f[%w_]in%s+pairs%f[^%w_]") or line:match("%f[%w_]in%s+next%f[^%w_]") then
      fault(path, i, "loops over pairs or next, which hangs in finalisers; `local each = next`")
    end
  end
end

local function check_spdx(path, file)
  local head = table.concat(file.lines, "\n", 1, math.min(3, #file.lines))
  if not head:match("SPDX%-License%-Identifier: MIT") then
    fault(path, nil, "has no line `SPDX-License-Identifier: MIT` at its top")
  end
end

-- Functions: found by layout, which clang-format and the other settings keep -------------------

local function report_length(path, first, last)
  if last - first + 1 > MAX_FUNCTION then
    fault(path, first, "a function of %d lines; at most %d", last - first + 1, MAX_FUNCTION)
  end
end

-- A definition starts in the first column and ends with a brace there. Calls
-- found(first line, last line, signature).
local function each_c_function(file, found)
  local start, body
  for i, line in ipairs(file.lines) do
    if body then
      if line:match("^}") then
        found(start, i, table.concat(file.lines, " ", start, body))
        start, body = nil, nil
      end
    elseif line:match("^[%a_]") then
      start = i
    elseif line == "" or line:match("^[#/}]") then
      start = nil
    end
    if start and not body and line:match("%)%s*{") then
      body = i
      if line:match("}%s*$") then
        found(start, i, line)
        start, body = nil, nil
      end
    end
  end
end

-- From a line that opens a function to the `end` under its first column.
local function check_lua_functions(path, file)
  for i, line in ipairs(file.lines) do
    local indent = line:match("^(%s*)[^%-%s].*%f[%w_]function%f[^%w_][^()]*%([^()]*%)%s*$") or
      line:match("^(%s*)function%f[^%w_][^()]*%([^()]*%)%s*$")
    if indent then
      for j = i + 1, #file.lines do
        if file.lines[j]:match("^" .. indent .. "end%f[^%w_]") then
          report_length(path, i, j)
          break
        end
      end
    end
  end
end

-- From a line that has this pattern to the brace in the first column.
local function check_braced_functions(path, file, opening)
  local start
  for i, line in ipairs(file.lines) do
    if line:match(opening) then start = i end
    if start and line == "}" then
      report_length(path, start, i)
      start = nil
    end
  end
end

local function check_functions(path, file)
  if is_c(path) then
    each_c_function(file, function(first, last) report_length(path, first, last) end)
  elseif is_bash(path) then
    check_braced_functions(path, file, "^[%w_]+%(%) {$")
  elseif file.ext == "go" then
    check_braced_functions(path, file, "^func .*{$")
  elseif file.ext == "lua" and not path:match("^spec/") then
    check_lua_functions(path, file)
  end
end

-- Floors and rooms -----------------------------------------------------------------------------

local function each_include(file, found)
  for i, line in ipairs(file.lines) do
    local name = line:match('^%s*#%s*include%s+"([^"]+)"')
    if name then found(i, name) end
  end
end

local function floor_of(path)
  return path:match("^runtime/([^/]+)/") or "top"
end

local function check_runtime_include(path, line, name)
  if name == "weft.h" then
    if floor_of(path) ~= "top" then fault(path, line, "only api.c may include weft.h") end
    return
  end
  local target = "runtime/" .. name
  if not files[target] then
    fault(path, line, 'there is no %s; rooms are included as "floor/room.h"', target)
    return
  end
  local own, other = FLOOR[floor_of(path)], FLOOR[floor_of(target)]
  if other and own and other > own then
    fault(path, line, "the floor %s may not include the higher floor %s", floor_of(path),
      floor_of(target))
  end
end

local function check_includes(path, file)
  if path:match("^runtime/include/") then return end
  each_include(file, function(line, name)
    if path:match("^runtime/") then
      check_runtime_include(path, line, name)
    elseif path:match("^host/") or path:match("^spec/embed/") then
      if name ~= "weft.h" and not files[file.dir .. "/" .. name] then
        fault(path, line, "may include weft.h and its own headers, not %s", name)
      end
    end
  end)
  local floor = path:match("^runtime/([^/]+)/")
  if floor and not FLOOR[floor] then fault(path, nil, "%s is not one of the floors", floor) end
end

-- Code without comments and strings, line by line as it was.
local function bare_code(file)
  local text = file.text:gsub("\\\\", ""):gsub('\\"', ""):gsub('"[^"\n]*"', '""')
  text = text:gsub("//[^\n]*", "")
  return (text:gsub("/%*.-%*/", function(comment) return (comment:gsub("[^\n]", "")) end))
end

local function starts_with_one_of(text, prefixes)
  for _, prefix in ipairs(prefixes) do
    if text:sub(1, #prefix) == prefix then return true end
  end
  return false
end

local function check_reserved(path, file)
  if not path:match("^runtime/") and not path:match("^host/") then return end
  local i = 0
  for line in bare_code(file):gmatch("([^\n]*)\n") do
    i = i + 1
    for _, rule in ipairs(RESERVED) do
      if line:match(rule[1]) and not starts_with_one_of(path, rule[2]) then
        fault(path, i, "%s", rule[3])
      end
    end
  end
end

-- wf_chan_send lives in conc/chan.c, wf_lib_open_chan in lib/chan.c. A room whose symbols have
-- other names lists how they start at its top: `Symbols: wf_wait, wf_pass`.
local function check_symbols(path, file)
  local floor, room = path:match("^runtime/([^/]+)/([^/]+)%.c$")
  if not room then return end
  local header = files[path:gsub("c$", "h")]
  local prefixes = { "wf_" .. room, "wf_" .. floor .. "_open_" .. room, "luaopen_weft" }
  for _, part in ipairs({ file, header }) do
    for prefix in (part.text:match("Symbols: ([^\n]+)") or ""):gmatch("[%w_]+") do
      prefixes[#prefixes + 1] = prefix
    end
  end
  each_c_function(file, function(first, _, signature)
    if signature:match("^static%f[^%w_]") then return end
    local name = signature:match("([%w_]+)%(")
    if not starts_with_one_of(name, prefixes) then
      fault(path, first, "%s: symbols of this room start with wf_%s", name, room)
    end
  end)
end

-- What nothing uses, compiles or tests ---------------------------------------------------------

local function check_compiled()
  local handle = io.open("build/debug/compile_commands.json", "rb")
  if not handle then
    fault("build/debug/compile_commands.json", nil, "is missing: configure build/debug first")
    return
  end
  local commands = handle:read("*a")
  handle:close()
  for _, path in ipairs(paths) do
    local by_clang_alone = path:find("^spec/fuzz/")
    if files[path].ext == "c" and not by_clang_alone and
        not commands:find("/" .. path .. '"', 1, true) then
      fault(path, nil, "is not compiled")
    end
  end
end

local function exists(path)
  return files[path] or next(command_lines("ls -d " .. path .. " 2>/dev/null")) ~= nil
end

-- Is a room, a module, a command or a folder (of examples, say) called so?
local function is_subject(name)
  for path, file in pairs(files) do
    if not path:match("^spec/") and (file.stem == name or file.dir:match("[^/]*$") == name) then
      return true
    end
  end
  return false
end

-- A spec is named after what it tests, and may add to the name (chan_close_spec.lua tests chan);
-- or it says so in a comment: `Subject: runtime/task/park.c`.
local function check_subject(path, file)
  local name = file.base:match("^(.*)_spec%.lua$") or file.base:match("^(.*)_test%.c$")
  if not name then return end
  local stated = file.text:match("Subject: ([^\n]+)")
  for subject in (stated or ""):gmatch("[%w_./-]+") do
    if not exists(subject) then
      fault(path, nil, "there is no %s, which it says is its subject", subject)
    end
  end
  while name and not stated do
    if is_subject(name) then return end
    name = name:match("^(.*)_[^_]*$")
  end
  if not stated then
    fault(path, nil, "name a spec after its subject, or add a comment `Subject: path`")
  end
end

-- Found by their place or by a glob, not by name.
local ROOTS = {
  "^[^/]+$", "^%.ci/", "^scripts/[^/]+$", "%.md$", "^runtime/.*%.c$", "^host/.*%.c$",
  "^runtime/include/", "^lua/weft/[^/]+%.lua$", "^spec/.*_spec%.lua$", "^spec/c/.*%.c$",
  "^spec/embed/.*%.c$", "^spec/model/.*%.c$", "^spec/module/[^/]+%.lua$",
  "^scripts/benches/go/", "^scripts/dev/faults/",
}

local function is_root(path)
  for _, pattern in ipairs(ROOTS) do
    if path:match(pattern) then return true end
  end
  return false
end

-- What another file would call this one; a folder of examples, say, is also used as a whole.
local function names_of(path, file)
  local inner = path:match("^lua/weft/internal/(.*)%.lua$")
  if inner then inner = inner:gsub("/", ".") end
  if inner then return { '"' .. inner .. '"', "'" .. inner .. "'" } end
  local work = path:match("^scripts/benches/%l+/(.*)%.lua$") or
    path:match("^scripts/benches/(.*)%.lua$")
  if work then return { '"' .. work .. '"', file.base } end
  if path:match("^scripts/examples/") or path:match("^spec/") then
    return { file.base, file.stem, file.dir:match("[^/]*$") .. "/" }
  end
  return { file.base }
end

local function mentions(file, name)
  local at = 0
  while true do
    local last
    at, last = file.text:find(name, at + 1, true)
    if not at then return false end
    local around = file.text:sub(at - 1, at - 1) .. file.text:sub(last + 1, last + 1)
    if at == 1 then around = file.text:sub(last + 1, last + 1) end
    if not around:match("[%w_]") then return true end
  end
end

local function is_used(path, file)
  for other, that in pairs(files) do
    -- A header that only its own .c includes serves nobody.
    local own = that.stem == file.stem and that.dir == file.dir
    if other ~= path and not own then
      for _, name in ipairs(names_of(path, file)) do
        if mentions(that, name) then return true end
      end
    end
  end
  return false
end

check_top_level()
check_compiled()
for _, path in ipairs(paths) do
  local file = files[path]
  if is_source(path) then
    check_lines(path, file)
    check_loops(path, file)
    check_spdx(path, file)
    check_functions(path, file)
  end
  if is_c(path) then
    check_includes(path, file)
    check_reserved(path, file)
    check_symbols(path, file)
  end
  check_subject(path, file)
  if not is_root(path) and not is_used(path, file) then
    fault(path, nil, "is used by nothing")
  end
end
os.exit(faults == 0 and 0 or 1)
