-- SPDX-License-Identifier: MIT
-- Lua code that blocks: pcall, xpcall, metamethods, iterators, require, dofile, load.
-- Subject: runtime/lib/coroutine.c

local weft = require 'weft'
local util = require 'support.util'
local proc = require 'support.proc'
local settle, start, has, near = util.settle, util.start, util.has, util.near

local function pause(v)
  weft.sleep(1)
  return v
end

-- Runs body, which must wait for exactly `seconds`, and gives its results.
local function takes(seconds, body)
  local r = util.pack(util.elapsed(body))
  near(seconds, r[1])
  return unpack(r, 2, r.n)
end

describe('pcall', function()
  it('passes results through a wait', function()
    assert.same({ n = 4, true, 1, nil, 3 }, util.pack(takes(1, function()
      return pcall(function(...)
        weft.sleep(1)
        return ...
      end, 1, nil, 3)
    end)))
  end)

  it('catches an error after a wait', function()
    local ok, err = takes(1, function()
      return pcall(function() pause() error 'on purpose' end)
    end)
    assert.is_false(ok)
    has(err, 'blocking_code_spec.lua:', 'on purpose')
  end)

  it('may be nested, with waits between', function()
    local log = {}
    takes(4, function()
      log[1] = pcall(function()
        pause()
        log[2] = pcall(function()
          pause()
          error 'inner'
        end)
        pause()
        log[3] = pcall(pause, 'x')
        error 'outer'
      end)
    end)
    assert.same({ false, false, true }, log)
  end)

  it('calls a blocking function directly', function()
    local ch = weft.chan()
    local r = start(function() return pcall(ch.recv, ch) end)
    assert.is_false(r.done)
    ch:send 'v'
    settle()
    assert.same({ true, 'v' }, { r[1], r[2] })
    ch:close()
    local ok, err = pcall(ch.send, ch, 1)
    assert.is_false(ok)
    has(err, 'send on closed channel')
  end)
end)

describe('xpcall', function()
  it('passes arguments and results through a wait', function()
    assert.same({ n = 3, true, 'a', nil }, util.pack(takes(1, function()
      return xpcall(function(...)
        weft.sleep(1)
        return ...
      end, debug.traceback, 'a', nil)
    end)))
  end)

  it('calls its handler where the error was raised, after a wait too', function()
    local where, stack
    local ok, err = takes(1, function()
      return xpcall(function()
        pause()
        where = util.here(1)
        error 'on purpose'
      end, function(e)
        stack = debug.traceback()
        return { e }
      end)
    end)
    assert.is_false(ok)
    has(err[1], 'on purpose')
    has(stack, where)
  end)

  it('catches an error without a wait as in Lua', function()
    local why = {}
    local ok, err = xpcall(error, function(e) return e end, why)
    assert.is_false(ok)
    assert.is_true(rawequal(why, err))
  end)
end)

describe('metamethods that block', function()
  local mt = {
    __index = function(_, k) return pause('index ' .. k) end,
    __newindex = function(t, k, v) rawset(t, k, pause(v)) end,
    __call = function(_, ...) return pause(select('#', ...)) end,
    __add = function() return pause 'add' end,
    __sub = function() return pause 'sub' end,
    __mul = function() return pause 'mul' end,
    __div = function() return pause 'div' end,
    __mod = function() return pause 'mod' end,
    __pow = function() return pause 'pow' end,
    __unm = function() return pause 'unm' end,
    __concat = function() return pause 'concat' end,
    __eq = function() return pause(true) end,
    __lt = function() return pause(true) end,
    __le = function() return pause(true) end,
  }
  local function new() return setmetatable({}, mt) end

  local cases = {
    index = function() return new().key, 'index key' end,
    newindex = function()
      local t = new()
      t.k = 'v'
      return rawget(t, 'k'), 'v'
    end,
    call = function() return new()(1, nil), 2 end,
    add = function() return new() + 1, 'add' end,
    sub = function() return new() - 1, 'sub' end,
    mul = function() return new() * 1, 'mul' end,
    div = function() return new() / 1, 'div' end,
    mod = function() return new() % 1, 'mod' end,
    pow = function() return new() ^ 1, 'pow' end,
    unm = function() return -new(), 'unm' end,
    concat = function() return new() .. 'x', 'concat' end,
    eq = function() return new() == new(), true end,
    ne = function() return new() ~= new(), false end,
    lt = function() return new() < new(), true end,
    le = function() return new() <= new(), true end,
  }
  for name, body in pairs(cases) do
    it(name, function()
      local got, expected = takes(1, body)
      assert.equals(expected, got)
      -- again, inside a coroutine, and for the compiler
      got, expected = takes(1, function() return coroutine.wrap(body)() end)
      assert.equals(expected, got)
      for _ = 1, 100 do got = body() end
      assert.equals(expected, got)
    end)
  end
end)

describe('library functions that are Lua inside', function()
  it('table.foreach and table.foreachi, where there are', function()
    for _, name in ipairs { 'foreach', 'foreachi' } do
      local each = table[name]
      if each then
        local got = {}
        takes(2, function() each({ 'a', 'b' }, function(k, v) got[k] = pause(v) end) end)
        assert.same({ 'a', 'b' }, got)
      end
    end
  end)
end)

describe('iterators that block', function()
  it('in the loop of a closure', function()
    local function count(n)
      local i = 0
      return function()
        weft.sleep(1)
        i = i + 1
        if i <= n then return i end
      end
    end
    local sum = 0
    takes(4, function() for i in count(3) do sum = sum + i end end)
    assert.equals(6, sum)
  end)

  it('with a state and a control variable', function()
    local function step(list, i)
      weft.sleep(1)
      i = i + 1
      if list[i] then return i, list[i] end
    end
    local got = {}
    takes(3, function() for i, v in step, { 'a', 'b' }, 0 do got[i] = v end end)
    assert.same({ 'a', 'b' }, got)
  end)

  it('and bodies that block in the loops of the standard library', function()
    local n = 0
    takes(9, function()
      for _ in pairs { 1, 2, k = 3 } do n = n + pause(1) end
      for _ in ipairs { 1, 2 } do n = n + pause(1) end
      for _ in ('a,b'):gmatch '%a' do n = n + pause(1) end
      for _ = 1, 2 do n = n + pause(1) end
    end)
    assert.equals(9, n)
  end)

  it('behind varargs, tail calls and deep recursion', function()
    local function tail(n) if n == 0 then return pause 'tail' end return tail(n - 1) end
    assert.equals('tail', takes(1, function() return tail(10000) end))
    local function deep(n) if n == 0 then return pause(0) end return 1 + deep(n - 1) end
    assert.equals(10000, takes(1, function() return deep(10000) end))
    local function va(...) return select('#', ...), pause(...) end
    assert.same({ 3, 1 }, { takes(1, function() return va(1, 2, 3) end) })
  end)
end)

describe('code that blocks while it loads', function()
  local modules = proc.modules()
  setup(modules.create)
  teardown(modules.remove)
  before_each(modules.find)
  after_each(modules.forget)
  local write = modules.write

  it('require', function()
    write('wf_slow', [[
      local weft, name = require 'weft', ...
      weft.sleep(2)
      return { name = name }
    ]])
    local m = takes(2, function() return require 'wf_slow' end)
    assert.equals('wf_slow', m.name)
    assert.equals(m, (takes(0, function() return require 'wf_slow' end)))
    assert.equals(m, package.loaded.wf_slow)
  end)

  it('require of modules that require', function()
    write('wf_a', "require 'weft'.sleep(1) return 'a' .. require 'wf_b'")
    write('wf_b', "require 'weft'.sleep(1) return 'b' .. require 'wf_c'")
    write('wf_c', "require 'weft'.sleep(1) return 'c'")
    assert.equals('abc', (takes(3, function() return require 'wf_a' end)))
  end)

  it('require inside a coroutine', function()
    write('wf_co', "require 'weft'.sleep(1) return 'co'")
    assert.equals('co', takes(1, function()
      return coroutine.wrap(function() return require 'wf_co' end)()
    end))
  end)

  it('require that gives nothing, false, or sets package.loaded itself', function()
    write('wf_nothing', "require 'weft'.sleep(1)")
    write('wf_self', "require 'weft'.sleep(1) package.loaded[...] = 'self'")
    assert.is_true((require 'wf_nothing'))
    assert.equals('self', (require 'wf_self'))
  end)

  it('require that fails after a wait, and can be tried again', function()
    write('wf_fails', "require 'weft'.sleep(1) error 'cannot load'")
    local ok, err = takes(1, function() return pcall(require, 'wf_fails') end)
    assert.is_false(ok)
    has(err, 'cannot load')
    write('wf_fails', "return 'mended'")
    package.loaded.wf_fails = nil
    assert.equals('mended', (require 'wf_fails'))
  end)

  it('require passes on any error value', function()
    for code, expected in pairs { ['error(nil)'] = 'nil', ['error(false)'] = 'false',
      ['error(5, 0)'] = '5', ['error {}'] = 'table', ['error()'] = 'nil' } do
      package.loaded.wf_odd = nil
      write('wf_odd', code)
      local ok, err = pcall(require, 'wf_odd')
      assert.is_false(ok)
      assert.equals(expected, type(err) == 'table' and next(err) == nil and 'table'
        or tostring(err), code)
    end
  end)

  it('require by two tasks at once loads a module once, and both get it', function()
    write('wf_once', "wf_loads = (wf_loads or 0) + 1 require 'weft'.sleep(1) return {}")
    local a, b = weft.async(require, 'wf_once'), weft.async(require, 'wf_once')
    local m = takes(1, function() return (a:await()) end)
    assert.is_table(m)
    assert.is_true(rawequal(m, (b:await())))
    assert.equals(1, rawget(_G, 'wf_loads'))
    rawset(_G, 'wf_loads', nil)
  end)

  it('require of what is not there, or does not compile, says so', function()
    local ok, err = pcall(require, 'wf_none')
    assert.is_false(ok)
    has(err, "module 'wf_none' not found", modules.dir .. '/wf_none.lua')
    write('wf_broken', 'x = = 1')
    ok, err = pcall(require, 'wf_broken')
    assert.is_false(ok)
    has(err, 'wf_broken.lua:1:')
  end)

  it('require finds package.preload and own searchers', function()
    package.preload.wf_pre = function(name) return pause('preloaded ' .. name) end
    assert.equals('preloaded wf_pre', (takes(1, function() return require 'wf_pre' end)))
    package.preload.wf_pre = nil
    local function searcher(name)
      if name == 'wf_found' then return function(n) return pause('found ' .. n) end end
      return '\n\tnot by me'
    end
    table.insert(package.loaders, searcher)
    local got = takes(1, function() return require 'wf_found' end)
    local _, err = pcall(require, 'wf_lost')
    table.remove(package.loaders)
    assert.equals('found wf_found', got)
    has(err, 'not by me')
  end)

  it('dofile', function()
    write('wf_do', "require 'weft'.sleep(1) return 1, nil, 3")
    assert.same({ n = 3, 1, nil, 3 },
      util.pack(takes(1, function() return dofile(modules.dir .. '/wf_do.lua') end)))
    local ok = pcall(dofile, modules.dir .. '/wf_no_file.lua')
    assert.is_false(ok)
    write('wf_do', "require 'weft'.sleep(1) error 'in the file'")
    local err
    ok, err = takes(1, function() return pcall(dofile, modules.dir .. '/wf_do.lua') end)
    assert.is_false(ok)
    has(err, 'wf_do.lua:1:', 'in the file')
  end)

  it('loaded chunks', function()
    local code = "local weft = require 'weft' weft.sleep(1) return ..."
    assert.equals(5, (takes(1, function() return loadstring(code)(5) end)))
    assert.equals(5, (takes(1, function() return load(code)(5) end)))
    write('wf_chunk', code)
    assert.equals(5, (takes(1, function() return loadfile(modules.dir .. '/wf_chunk.lua')(5) end)))
    local parts, i = { 'return ', '1 + ', '1' }, 0
    local chunk = load(function()
      i = i + 1
      return parts[i]
    end)
    assert.equals(2, chunk())
  end)
end)
