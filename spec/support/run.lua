-- SPDX-License-Identifier: MIT
-- Runs the specs by busted under weft: weft --clock=virtual run.lua [--pattern P] [files...]
-- With weft's --seed N the choices of select are those of N, and what fails is told with the
-- command that repeats it. (Of the torture build all choices, of the tasks that run next as well;
-- what it starts in its turn gets the seed by the environment, from WEFT_TORTURE_SEED.)

-- Each `it` runs as a task of its own; when it ends, no task that it created may be left, none may
-- be one that can never wake again, and no task may have panicked, unless it said so
-- (support/util.lua). --pattern P runs the tests whose file and full name match P, a Lua pattern
-- or plain text. WEFT_JIT=off: interpreted. Last line: "N passed, N failed".
-- With --real, and without --clock=virtual, the specs run by the machine's clock: those that have
-- a line `-- Clock: real`, whose subject is what other programs and the system do.

local here = arg[0]:match('^(.*)/[^/]*$') or '.'
local spec_dir = here .. '/..'
package.path = spec_dir .. '/?.lua;' .. package.path

local weft = require 'weft'
local time = require 'weft.time'
local context = require 'weft.context'
-- Here, since busted takes from package.loaded what a file loads, while weft keeps it as a field.
for _, name in ipairs { 'sync', 'errgroup', 'singleflight', 'rate', 'retry', 'pipeline',
  'broadcast', 'supervisor' } do
  require('weft.' .. name)
end

-- An `it` that has waited for longer, in virtual seconds, waits for something that never comes;
-- one that is found waiting this often goes round for ever. (No timer of a spec is due just then.)
local LIMIT, ROUNDS = 1e6 + 1 / 3, 10
local REAL_LIMIT = 30

local function fail_usage(message)
  io.stderr:write('run.lua: ', message, '\n')
  os.exit(1, false)
end

local function parse(args)
  local pattern, files, i = nil, {}, 1
  while args[i] do
    if args[i] == '--pattern' then
      pattern = args[i + 1] or fail_usage '--pattern needs a value'
      i = i + 2
    elseif args[i] == '--real' then
      LIMIT, ROUNDS = REAL_LIMIT, 1
      i = i + 1
    elseif args[i]:sub(1, 1) == '-' then
      fail_usage('unknown option ' .. args[i])
    else
      files[#files + 1] = args[i]
      i = i + 1
    end
  end
  return pattern, files
end

local function is_real(path)
  local file = assert(io.open(path))
  local head = file:read(1000)
  file:close()
  return head:find('\n-- Clock: real', 1, true) ~= nil
end

local function all_specs()
  local files = {}
  local p = assert(io.popen("ls '" .. spec_dir .. "'/*_spec.lua"))
  for line in p:lines() do
    if LIMIT ~= REAL_LIMIT == not is_real(line) then
      files[#files + 1] = line:gsub('/support/%.%./', '/')
    end
  end
  p:close()
  return files
end

local function need_virtual_clock()
  local t, real = time.monotonic(), os.time()
  weft.sleep(0.01)
  if math.abs(time.monotonic() - t - 0.01) < 1e-9 then
    t = time.monotonic()
    weft.sleep(1000)
    if math.abs(time.monotonic() - t - 1000) < 1e-6 and os.time() - real < 30 then return end
  end
  fail_usage 'the specs need the virtual clock: weft --clock=virtual spec/support/run.lua'
end

local function matches(name, pattern)
  if not pattern or name:find(pattern, 1, true) then return true end
  local ok, found = pcall(string.find, name, pattern)
  return ok and found ~= nil
end

-- The running binary, for the specs that start it again.
local function binary()
  local lowest = 0
  while arg[lowest - 1] do lowest = lowest - 1 end
  return os.getenv 'WEFT_BIN' or (lowest < 0 and arg[lowest]) or 'weft'
end

local proc = require 'support.proc'
local util = require 'support.util'

-- The command that this run was started by.
local function command()
  local words = {}
  for i = -32, #arg do
    local word = arg[i]
    if word and word:find '[^%w_./=-]' then word = proc.quote(word) end
    words[#words + 1] = word
  end
  for _, name in ipairs { 'WEFT_TORTURE_SEED', 'WEFT_WORKERS' } do
    local value = os.getenv(name)
    if value then table.insert(words, 1, name .. '=' .. value) end
  end
  return table.concat(words, ' ')
end

-- Whether the task waits, and whether it has waited for LIMIT seconds. (Tasks that poll make
-- virtual time jump, so that the end of a LIMIT says little by itself.)
local function is_waiting(id)
  local task = util.task(id)
  local waits = task ~= nil and task.state ~= 'ready'
  return waits, waits and time.monotonic() - task.since > 0.99 * LIMIT
end

-- Tasks that can never wake again and were left behind on purpose.
local known_leaks = {}

-- Fails if there are more of them since the last time, unless the `it` has said so.
local function check_leaks()
  local leaked, new = weft.leaks(), {}
  for _, task in ipairs(leaked) do
    if not known_leaks[task.id] then new[#new + 1] = task end
    known_leaks[task.id] = true
  end
  if #new == 0 or util.leftovers_declared then return end
  error(('%d task(s) can never wake again, the first created by %s:\n%s'):format(#new,
    new[1].created_by, new[1].stack), 0)
end

-- Turns what busted would call into a task that busted waits for.
local function as_task(body)
  return function()
    if weft.ntasks() > 1 then weft.sleep(1e-3) end  -- what came before is at rest
    local before = weft.ntasks()
    util.take_panics()
    util.leftovers_declared = nil
    local id
    local future = weft.async(function()
      id = weft.id()
      return body()
    end)
    local ok, err
    local rounds, waits, hangs = 0
    repeat
      local ctx, cancel = context.with_timeout(context.background(), LIMIT)
      ok, err = future:try(ctx)
      cancel()
      waits, hangs = is_waiting(id)
      if waits then rounds = rounds + 1 end
    until ok ~= nil or hangs or rounds == ROUNDS
    if ok == nil then
      error('hangs: ' .. tostring(err) .. '\n' .. weft.stacks(), 0)
    elseif not ok then
      if type(err) == 'string' then err = err .. '\n' .. tostring(future:traceback()) end
      error(err, 0)
    end
    -- A virtual clock moves only when all cores are at rest.
    for i = 1, 1100 do
      if weft.ntasks() <= before or i > 1000 and util.leftovers_declared then break end
      if i <= 1000 then weft.yield() else weft.sleep(1e-3) end
    end
    local p = util.take_panics()[1]
    if p then
      error('a task panicked: ' .. tostring(p.err) .. '\n' .. tostring(p.traceback), 0)
    end
    if weft.ntasks() ~= before and not util.leftovers_declared then
      error(('%d task(s) left over\n%s'):format(weft.ntasks() - before, weft.stacks()), 0)
    end
    check_leaks()
  end
end

local count = { success = 0, failure = 0, error = 0, pending = 0 }

local function full_name(busted, element)
  local names, at = { element.name }, busted.context.parent(element)
  while at and at.name do
    table.insert(names, 1, at.descriptor == 'file' and at.name:match('[^/]*$') or at.name)
    at = busted.context.parent(at)
  end
  return table.concat(names, ' ')
end

-- Lines of a traceback that tell only how the runner came to run a test.
local function is_noise(line)
  return line:find('/busted/', 1, true) or line:find('support/run.lua:', 1, true)
    or line:find("in function 'xpcall'", 1, true)
end

local function report(kind, element, name, message, trace)
  message = tostring(message):gsub('^[^\n]-support/run%.lua:%d+: ', '')
  if element.descriptor ~= 'it' and type(trace) == 'table' and trace.traceback then
    message = message .. trace.traceback
  end
  local lines = { kind .. ': ' .. name }
  for line in (message .. '\n'):gmatch('(.-)\n') do
    if not is_noise(line) then lines[#lines + 1] = '    ' .. line end
  end
  print(table.concat(lines, '\n'))
end

local function subscribe(busted, pattern)
  local verbose = os.getenv 'WEFT_VERBOSE'
  local on = busted.subscribe
  on({ 'register', 'it' }, function(name)
    local group = busted.context.get()
    local full = full_name(busted, { name = name })
    if group.name then
      local prefix = full_name(busted, group)
      full = prefix .. ' ' .. full
    end
    return nil, matches(full, pattern)
  end, { priority = 1 })
  on({ 'test', 'start' }, function(element)
    element.run = as_task(element.run)
    if verbose then io.stderr:write(full_name(busted, element), '\n') end
    return nil, true
  end)
  on({ 'test', 'end' }, function(element, _, status)
    if status == 'pending' then
      print('PENDING: ' .. full_name(busted, element))
    end
    count[status] = (count[status] or 0) + 1
    return nil, true
  end)
  local function failed(kind)
    return function(element, _, message, trace)
      report(kind, element, full_name(busted, element), message, trace)
      if element.descriptor ~= 'it' then count.error = count.error + 1 end
      return nil, true
    end
  end
  on({ 'failure' }, failed 'FAILED')
  on({ 'error' }, failed 'ERROR')
end

local function load_file(busted, name)
  local chunk, err = loadfile(name)
  if not chunk then
    count.error = count.error + 1
    return print('ERROR: ' .. tostring(err))
  end
  local function trace(_, info) return info end
  local file = setmetatable({ getTrace = trace }, { __call = chunk })
  busted.executors.file(name, file)
end

local function main()
  local pattern, files = parse(arg)
  if os.getenv 'WEFT_JIT' == 'off' then jit.off() end
  if LIMIT ~= REAL_LIMIT then need_virtual_clock() end
  proc.bin = binary()
  weft.on_panic(util.on_panic)
  local busted = require 'busted.core'()
  require 'busted'(busted)
  require 'busted.luajit'()
  subscribe(busted, pattern)
  if #files == 0 then files = all_specs() end
  for _, name in ipairs(files) do load_file(busted, name) end
  require 'busted.execute'(busted)(1, {})
end

local ok, err = xpcall(main, debug.traceback)
if not ok then
  count.error = count.error + 1
  print('ERROR: ' .. tostring(err))
end
local failed = count.failure + count.error
local seed = proc.seed()
if seed then print(failed > 0 and 'again: ' .. command() or 'seed ' .. seed) end
if count.pending > 0 then print(count.pending .. ' pending') end
local ran = count.success + count.pending
if ok and ran + failed == 0 then print('no test matches') end
print(('%d passed, %d failed'):format(count.success, failed))
io.stdout:flush()
-- What is dropped is freed, so that valgrind sees what is left behind of it.
for _ = 1, 2 do collectgarbage() end
os.exit((failed > 0 or ran == 0) and 1 or 0, false)
