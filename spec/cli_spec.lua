-- SPDX-License-Identifier: MIT
-- The command: options, arguments, `arg`, standard input, errors in the command line.
-- Subject: host/options.c

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local has = util.has

local function ok(r, out)
  assert.same({ 0, out, '' }, { r.status, r.out, r.err })
end

-- One clear line and status 1.
local function refused(r, ...)
  assert.same({ 1, '' }, { r.status, r.out })
  if not r.err:match('^[^\n]+\n$') then error('expected one line, got: ' .. r.err, 2) end
  has(r.err, ...)
end

local PRINT_ARG = [[
  local list = {}
  for i = -9, 9 do if arg[i] then list[#list + 1] = i .. '=' .. arg[i] end end
  print(table.concat(list, ' '), '|', ...)
]]

describe('weft script', function()
  it('runs it, with its arguments in `arg` and `...`, as lua does', function()
    if proc.memcheck() then pending 'valgrind is started instead' end
    local r = proc.run(PRINT_ARG, { args = { 'a', '-x', '--version', 'b c' } })
    ok(r, ('-1=%s 0=%s 1=a 2=-x 3=--version 4=b c\t|\ta\t-x\t--version\tb c\n'):format(
      proc.bin, r.file))
  end)

  it('puts what stands before the script at negative places', function()
    if proc.memcheck() then pending 'valgrind is started instead' end
    local r = proc.run(PRINT_ARG, { options = { '--workers', '1' }, args = { 'a' } })
    ok(r, ('-3=%s -2=--workers -1=1 0=%s 1=a\t|\ta\n'):format(proc.bin, r.file))
  end)

  it('skips a first line with #!', function()
    ok(proc.run '#!/usr/bin/env weft\nprint(debug.getinfo(1).currentline)', '2\n')
  end)

  it('finds a script with spaces and quotes in its name', function()
    local dir, clean = proc.temp_dir()
    local path = dir .. "/it's a script.lua"
    proc.write_file(path, "print 'found'")
    local r = proc.weft { path }
    clean()
    ok(r, 'found\n')
  end)

  it('that is not there, or is no file, gets one line', function()
    refused(proc.weft { '/nonexistent/script.lua' }, '/nonexistent/script.lua')
    refused(proc.weft { '/tmp' }, '/tmp')
  end)

  it('runs as task 1, in a coroutine-like task that may block', function()
    ok(proc.run "local weft = require 'weft' weft.sleep(0.001) print(weft.id())", '1\n')
  end)

  it('finds modules as lua does', function()
    local dir, clean = proc.temp_dir()
    proc.write_file(dir .. '/wf_cli_module.lua', "return 'from a module'")
    local r = proc.run("print(require 'wf_cli_module')",
      { before = 'export LUA_PATH=' .. proc.quote(dir .. '/?.lua;;') .. ';' })
    clean()
    ok(r, 'from a module\n')
  end)

  it('has the standard library, jit and ffi', function()
    ok(proc.run [[
      for _, n in ipairs { 'string', 'table', 'math', 'io', 'os', 'debug', 'coroutine', 'package',
        'bit', 'jit' } do assert(type(_G[n]) == 'table', n) end
      print(require 'ffi'.abi '64bit', (jit.status()))
    ]], 'true\ttrue\n')
  end)
end)

describe('-e', function()
  it('runs the code', function()
    ok(proc.weft { '-e', "print 'hi'" }, 'hi\n')
    ok(proc.weft { '-e', '' }, '')
  end)

  it('may block and start tasks', function()
    ok(proc.weft { '-e', [[
      local weft = require 'weft'
      local ch = weft.chan()
      weft.go(function() ch:send 'hi' end)
      print(ch:recv())
    ]] }, 'hi\n')
  end)

  it('gets the arguments behind it', function()
    ok(proc.weft { '-e', 'print(arg[1], arg[2], ...)', 'a', '-x' }, 'a\t-x\ta\t-x\n')
  end)

  it('that fails is a panic, that does not compile one line', function()
    local r = proc.weft { '-e', "error 'on purpose'" }
    assert.equals(2, r.status)
    has(r.err, 'panic: ', 'on purpose')
    refused(proc.weft { '-e', 'x = = 1' }, '=')
  end)

  it('needs code', function()
    refused(proc.weft { '-e' }, '-e')
  end)
end)

describe('-', function()
  it('runs standard input, with arguments', function()
    ok(proc.weft({ '-' }, { stdin = "print 'from stdin'" }), 'from stdin\n')
    ok(proc.weft({ '-', 'a', 'b' }, { stdin = 'print(arg[0], arg[1], ...)' }), '-\ta\ta\tb\n')
  end)

  it('leaves nothing to do for empty input', function()
    ok(proc.weft({ '-' }, { stdin = '' }), '')
  end)
end)

describe('-l', function()
  local dir, clean, opts
  setup(function()
    dir, clean = proc.temp_dir()
    proc.write_file(dir .. '/wf_lib.lua', "lib_was = ... require 'weft'.sleep(0.001) return {}")
    proc.write_file(dir .. '/wf_bad.lua', "error 'cannot load'")
    opts = { before = 'export LUA_PATH=' .. proc.quote(dir .. '/?.lua;;') .. ';' }
  end)
  teardown(function() clean() end)

  it('requires a module first', function()
    ok(proc.weft({ '-l', 'wf_lib', '-e', 'print(lib_was, package.loaded.wf_lib ~= nil)' }, opts),
      'wf_lib\ttrue\n')
    ok(proc.run('print(lib_was)', { options = { '-l', 'wf_lib' }, before = opts.before }),
      'wf_lib\n')
  end)

  it('of a module that is not there gets one line', function()
    refused(proc.weft { '-l', 'wf_no_such_module', '-e', "print 'not reached'" },
      'wf_no_such_module')
  end)

  it('of a module that fails does not run the script', function()
    local r = proc.weft({ '-l', 'wf_bad', '-e', "print 'not reached'" }, opts)
    assert.equals('', r.out)
    assert.is_true(r.status == 1 or r.status == 2)
    has(r.err, 'cannot load')
  end)

  it('needs a name', function()
    refused(proc.weft { '-l' }, '-l')
  end)
end)

describe('--workers', function()
  it('sets how many there are', function()
    for _, n in ipairs { 1, 3, 1024 } do
      ok(proc.weft { '--workers', tostring(n), '-e', "print(require 'weft'.nworkers())" },
        n .. '\n')
    end
  end)

  it('refuses what is no number of workers', function()
    for _, n in ipairs { '0', '-1', 'x', '1.5', '', '100000', '99999999999999999999' } do
      refused(proc.weft { '--workers', n, '-e', '' }, 'workers')
    end
    refused(proc.weft { '--workers' }, 'workers')
  end)
end)

describe('--clock', function()
  it('virtual: time jumps when every task is blocked', function()
    local real = os.time()
    ok(proc.weft { '--clock=virtual', '-e', [[
      local weft = require 'weft'
      local t, n = weft.time.monotonic(), weft.time.now()
      weft.sleep(86400)
      print(weft.time.monotonic() - t, math.floor(weft.time.now() - n + 0.5))
    ]] }, '86400\t86400\n')
    assert.is_true(os.time() - real < 30)
  end)

  it('refuses a clock that it does not know', function()
    refused(proc.weft { '--clock=sundial', '-e', '' }, 'clock')
  end)
end)

describe('information', function()
  it('--version prints the version', function()
    local r = proc.weft { '--version' }
    assert.same({ 0, '' }, { r.status, r.err })
    has(r.out, 'weft')
    has(r.out, weft._VERSION:match '%d[%w.]*')
    assert.is_truthy(r.out:match('^[^\n]+\n'))
  end)

  it('--help names every option', function()
    local r = proc.weft { '--help' }
    assert.same({ 0, '' }, { r.status, r.err })
    has(r.out, 'weft', '-e', '-l', '--workers', '--version', '--help')
  end)
end)

describe('an option that does not exist', function()
  it('gets one line that names it, and nothing runs', function()
    refused(proc.weft { '--bogus', '-e', "print 'not reached'" }, '--bogus')
    refused(proc.weft { '-q' }, '-q')
  end)
end)

describe('the environment', function()
  it('WEFT_WORKERS sets the workers', function()
    local print_workers = { '-e', "print(require 'weft'.nworkers())" }
    for _, n in ipairs { 1, 3, 1024 } do
      ok(proc.weft(print_workers, { before = ('export WEFT_WORKERS=%d;'):format(n) }), n .. '\n')
    end
    for _, n in ipairs { '0', '-1', 'x', '100000', "''" } do
      refused(proc.weft(print_workers, { before = ('export WEFT_WORKERS=%s;'):format(n) }),
        'WEFT_WORKERS')
    end
  end)

  it('--workers comes before it', function()
    ok(proc.weft({ '--workers', '2', '-e', "print(require 'weft'.nworkers())" },
      { before = 'export WEFT_WORKERS=x;' }), '2\n')
  end)
end)
