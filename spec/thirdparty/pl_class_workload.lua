-- SPDX-License-Identifier: MIT
-- Penlight: class, types, utils, compat, strict, import_into, test.

local class = require 'pl.class'
local types = require 'pl.types'
local utils = require 'pl.utils'
local List = require 'pl.List'

-- Loading it makes the globals strict, for everybody.
local globals = getmetatable(_G)
local strict = require 'pl.strict'
setmetatable(_G, globals)

local function classes(t)
  local Animal = class()
  Animal._name = 'Animal'
  function Animal:_init(name)
    t('making', name)
    self.name = name
  end
  function Animal:__tostring() return self.name .. ': ' .. self:speak() end
  function Animal.__eq(a, b) return a.name == b.name end
  function Animal.__lt(a, b) return a.name < b.name end
  function Animal.__add(a, b)
    t 'adding'
    return a.name .. b.name
  end
  function Animal:speak() return 'nothing' end

  local Cat = class(Animal)
  function Cat:_init(name, breed)
    self:super(name)
    self.breed = breed
  end
  function Cat:speak() return 'meow' end
  local Lion = class { _base = Cat, speak = function() return 'roar' end }

  local felix, leo = Cat('Felix', 'Tabby'), Lion('Leo', 'African')
  t('objects', felix, leo, tostring(felix), tostring(leo))
  t('is_a', leo:is_a(Animal), leo:is_a(Cat), felix:is_a(Lion), felix:is_a() == Cat)
  t('class_of', Animal:class_of(leo), Lion:class_of(felix), Cat:class_of(12))
  t('operators', felix == Cat 'Felix', felix < leo, felix + leo)
  t('class', Cat._base == Animal, Animal._name, leo._class == Lion)
  t.try('cast', function() return tostring(Cat:cast { name = 'Cast' }) end)
  t.try('no method', function() return felix:bark() end)

  class.Named()
  t('named', Named ~= nil and Named._name) -- luacheck: ignore 113
  rawset(_G, 'Named', nil)

  local Lazy = class()
  Lazy:catch(function(_, name)
    return function() return 'caught ' .. name end
  end)
  t('catch', Lazy():anything())
  local Auto = class()
  Auto._handler = nil
  function Auto:_init() self.n = 0 end
  function Auto:_post_init() self.n = self.n + 1 end
  t('post_init', Auto().n)

  local Props = class(class.properties)
  function Props:_init()
    self._x = 1
    self.hidden = 5
  end
  function Props:get_double()
    t 'in a getter'
    return self._x * 2
  end
  function Props:set_x(v)
    t('in a setter', v)
    self._x = v
  end
  local p = Props()
  t('before', p.x, p.double, p.hidden)
  p.x = 21
  p.other = 'plain'
  t('after', p.x, p.double, p.other)
end

local function asking_types(t)
  local T = t.wrap('types', types)
  local callable = setmetatable({}, { __call = print })
  for _, v in ipairs { 1, 1.5, 'x', '', '  ', {}, { 1 }, { k = 1 }, print, callable, List(), true,
    false } do
    t('type', v, types.type(v), types.is_callable(v), types.is_empty(v),
      types.is_indexable(v), types.is_iterable(v), types.is_writeable(v), types.to_bool(v))
  end
  T.is_integer(3)
  T.is_integer(3.5)
  T.is_integer 'x'
  T.type(nil)
  T.type(io.stdout)
  T.is_empty(nil)
  T.is_empty('  ', true)
  T.to_bool 'yes'
  T.to_bool 'Y'
  T.to_bool 'no'
  T.to_bool('ja', { 'ja' })
  T.to_bool({}, nil, true)
  T.is_type(1, 'number')
  T.is_type({}, 'List')
  t('is_type', types.is_type(List(), List), types.is_type({}, List))
end

local function splitting(t)
  local U = t.wrap('utils', utils)
  U.split 'one two  three'
  U.split('a,b,,c', ',')
  U.split('a.b.c', '.', true)
  U.split('a.b.c', '%.', false, 2)
  U.split('abc', '')
  U.splitv('a=b', '=')
  U.escape 'a.b*c[d]%'
  U.choose(true, 1, 2)
  U.choose(nil, 1, 2)
  U.pack(1, nil, 3)
  U.unpack { 1, 2, n = 3 }
  U.unpack({ 1, 2, 3 }, 2)
  U.array_tostring { 1, true, 'x' }
  U.quote_arg 'plain'
  U.quote_arg "it's $x"
  U.quote_arg { 'a b', 'c' }
  t.each('npairs', 9, utils.npairs({ 1, nil, 3, n = 3 }))
  t.each('npairs step', 9, utils.npairs({ 1, 2, 3, 4, n = 4 }, 4, 1, -2))
  t.each('kpairs', 9, utils.kpairs { 1, 2, only = 3 })
  local red = utils.enum('RED', 'GREEN')
  t('enum', red.RED, red 'GREEN')
  t.try('enum wrong', function() return red.BLUE end)
  t.try('enum with values', function() return utils.enum { A = 'a' } 'b' end)
end

local function checking(t)
  local U = t.wrap('utils', utils)
  U.assert_arg(1, 'x', 'string')
  U.assert_arg(2, 'x', 'number')
  U.assert_arg(3, 'x', 'string', function(s) return #s > 3 end, 'must be long')
  U.assert_string(1, 12)
  U.is_type('x', 'string')
  U.is_type(1, { 'no' })
  U.function_arg(1, '|x, y| x + y')
  U.function_arg(1, '_ + 1')
  U.function_arg(1, 12)
  U.function_arg(1, '>')
  U.string_lambda '|x| x'
  U.string_lambda 'no lambda'
  U.string_lambda '|x| x +'
  t('lambda', utils.string_lambda '|a, b| a * b'(3, 4), utils.bind1(math.max, 10)(3),
    utils.bind2(math.pow, 2)(5))
  local calls = 0
  local memo = utils.memoize(function(x)
    calls = calls + 1
    t('computing', x)
    return x * 2
  end)
  t('memoize', memo(2), memo(2), memo(3), calls)
  U.raise 'an error'
  U.on_error 'nonsense'
  U.load('return ...', 'chunk', 't', {})
  U.load('return +', 'chunk')
  local env = { y = 5 }
  t('load', utils.load('return y', 'chunk', 't', env)())
  local f = utils.setfenv(function() return z end, { z = 'set' }) -- luacheck: ignore 113
  t('setfenv', type(utils.getfenv(f)), f())
  t('execute', utils.execute 'exit 3')
  U.executeex [[sh -c 'echo out; echo err >&2; exit 2']]
  U.readfile '/nowhere/file'
  U.readlines '/nowhere/file'
  U.writefile('/nowhere/file', 'x')
  local imported = {}
  utils.import({ a = 1, b = 2 }, imported)
  t('import', imported, utils.stdmt.List ~= nil, utils.patterns.IDEN)
  local said = {}
  utils.set_deprecation_func(function(msg, trace) said[#said + 1] = { msg, trace == nil } end)
  utils.raise_deprecation { message = 'old', source = 'test 1.0', version_removed = '2.0',
    deprecated_after = '1.1', no_trace = true }
  utils.set_deprecation_func()
  t('deprecation', said)
end

local function the_rest(t)
  local mod = strict.module('mod', { known = 1 }, { declared = true })
  t.try('strict read', function() return mod.unknown end)
  t.try('strict declared', function() return mod.declared, mod.known end)
  t.try('strict closed', function()
    local closed = strict.closed_module({ a = 1 }, 'closed')
    closed.b = 2
    return closed
  end)
  local test = t.wrap('test', require 'pl.test')
  test.asserteq({ 1, { 2 } }, { 1, { 2 } })
  test.assertmatch('hello', 'l+')
  test.assertraise(function() error 'expected' end, 'expected')
  test.asserteq2(1, 2, 1, 2)
  local tuple = require 'pl.test'.tuple
  t('tuple', tuple(1, nil, 3) == tuple(1, nil, 3), tuple(1) == tuple(2), tostring(tuple(1, 'x')))
  local env = require 'pl.import_into'()
  t('import_into', env.List == List, env.stringx.strip ' x ', env.utils == utils)
  t.try('import_into unknown', function() return env.no_such_module end)
  t('compat', require 'pl.compat'.lua51, require 'pl.compat'.jit, package.searchpath ~= nil,
    utils.pack(1, nil).n)
end

return function(t)
  classes(t)
  asking_types(t)
  splitting(t)
  checking(t)
  the_rest(t)
end
