-- SPDX-License-Identifier: MIT
-- Runs scripts in a process of their own: exit status, standard output, standard error.

local M = { bin = os.getenv 'WEFT_BIN' }

local function quote(s)
  return "'" .. tostring(s):gsub("'", "'\\''") .. "'"
end
M.quote = quote

local function read_all(path)
  local f = assert(io.open(path, 'rb'))
  local s = f:read '*a'
  f:close()
  return s
end

local function write_all(path, s)
  local f = assert(io.open(path, 'wb'))
  assert(f:write(s))
  f:close()
end
M.read_file, M.write_file = read_all, write_all

-- Runs a shell command line, at most 60 seconds (under valgrind 600): { status =, out =, err = }.
-- A process that was killed by signal n has status 128 + n, one that was cut off 124. The
-- command's own redirections come after ours and win. opts: stdin (text), redirect, seconds,
-- before (shell text in front).
function M.shell(command, opts)
  opts = opts or {}
  local base = os.tmpname()
  write_all(base .. '.in', opts.stdin or '')
  local line = ('%s timeout -k 5 %d sh -c %s %s; echo $?'):format(
    opts.env or '', (opts.seconds or 60) * (M.memcheck() and 10 or 1),
    quote(('%s exec %s <%s.in >%s.out 2>%s.err %s'):format(
      opts.before or '', command, base, base, base, opts.redirect or '')), '2>/dev/null')
  local p = assert(io.popen(line))
  local status = tonumber((p:read '*a'):match('(%d+)%s*$'))
  p:close()
  local r = { status = status, out = read_all(base .. '.out'), err = read_all(base .. '.err') }
  for _, ext in ipairs { '', '.in', '.out', '.err' } do os.remove(base .. ext) end
  return r
end

-- Runs weft with these arguments (a list of strings). opts as for `shell`.
function M.weft(args, opts)
  local words = { quote(assert(M.bin, 'set WEFT_BIN')) }
  for _, a in ipairs(args) do words[#words + 1] = quote(a) end
  return M.shell(table.concat(words, ' '), opts)
end

-- Runs `code` as a script file of weft's. opts: as for `shell`, and options (before the script),
-- args (behind it), virtual (true: under the virtual clock). The result has also file, the
-- script's path, and where(line): that place as messages write it.
function M.run(code, opts)
  opts = opts or {}
  local tmp = os.tmpname()
  local path = tmp .. '.lua'
  write_all(path, code)
  local args = {}
  if opts.virtual then args[1] = '--clock=virtual' end
  for _, a in ipairs(opts.options or {}) do args[#args + 1] = a end
  args[#args + 1] = path
  for _, a in ipairs(opts.args or {}) do args[#args + 1] = a end
  local r = M.weft(args, opts)
  os.remove(path)
  os.remove(tmp)
  r.file = path
  r.where = function(line) return path .. ':' .. line end
  return r
end

-- Runs `code` in plain LuaJIT, which finds weft.so: a module in another host. (No build with a
-- sanitizer can be loaded there.) opts: as for `shell`; the result has also file, the script's
-- path.
function M.luajit(code, opts)
  opts = opts or {}
  local path = os.tmpname()
  write_all(path, code)
  local dir = (M.bin or ''):match('^(.*)/[^/]*$') or '.'
  local r = M.shell('luajit ' .. path, { seconds = opts.seconds, stdin = opts.stdin,
    before = ('export LUA_CPATH=%s;'):format(quote(dir .. '/?.so;;')) })
  os.remove(path)
  r.file = path
  return r
end

-- Modules that a spec writes, into a folder of their own: m.create and m.remove go around the
-- spec, m.find and m.forget (whether `require` looks there) around each test; m.write(name,
-- code), m.dir.
function M.modules()
  local m, path, clean = {}, package.path, nil
  function m.create() m.dir, clean = M.temp_dir() end
  function m.remove() clean() end
  function m.find() package.path = m.dir .. '/?.lua;' .. path end
  function m.forget() package.path = path end
  function m.write(name, code) write_all(m.dir .. '/' .. name .. '.lua', code) end
  return m
end

-- A fresh folder and a function that removes it with what it holds.
function M.temp_dir()
  local dir = os.tmpname()
  os.remove(dir)
  assert(os.execute('mkdir ' .. quote(dir)) == 0)
  return dir, function() os.execute('rm -rf ' .. quote(dir)) end
end

-- The seed that this weft was given by --seed, if any.
function M.seed()
  for i = -32, -1 do
    if arg[i] == '--seed' then return tonumber(arg[i + 1]) end
  end
  return nil
end

-- The build that runs: "release", "asan", "torture", ... by the folder that weft lies in.
function M.build()
  return os.getenv 'WEFT_BUILD' or (M.bin or ''):match('([^/]+)/[^/]*$') or 'release'
end

-- How much of something a run does: `short`; with WEFT_LONG `long` in the build that shows most by
-- it, and a tenth of that in the others.
function M.much(short, long, build)
  if not os.getenv 'WEFT_LONG' then return short end
  return M.build() == build and long or math.max(short, long / 10)
end

-- The torture build takes ready tasks at random, and its collector never rests.
function M.torture()
  return M.build():find('torture', 1, true) ~= nil
end

-- A build with a sanitizer is no module that others can load.
function M.sanitized()
  local b = M.build()
  return b:find('asan', 1, true) ~= nil or b:find('tsan', 1, true) ~= nil
end

-- Whoever watches the memory, a sanitizer or valgrind, maps too much for limits on it, keeps what
-- is freed, and takes its time.
function M.watched()
  return M.sanitized() or M.memcheck()
end

-- Under valgrind (scripts/dev/specs.sh).
function M.memcheck()
  return M.build():find('memcheck', 1, true) ~= nil
end

return M
