-- SPDX-License-Identifier: MIT
-- lua-cjson: encoding, decoding, every setting, errors of both faces, large and deep values.

local cjson = require 'cjson'
local cjson_safe = require 'cjson.safe'

local function nested(depth, open, close)
  return open:rep(depth) .. close:rep(depth)
end

local function nested_table(depth)
  local t = {}
  for _ = 2, depth do t = { t } end
  return t
end

local DOCUMENT = [==[
{
  "glossary": { "title": "example glossary", "n": [1, -2, 3.5, 1e3, -1.25E-2, 0, -0.0],
    "flags": [true, false, null], "empty": { }, "none": [ ], "text": "a\"b\\c\/d\b\f\n\r\t",
    "unicode": "\u0041\u00e9\u20ac\ud83d\ude00", "raw": "é€😀",
    "deep": { "a": [ { "b": [ { "c": "d" } ] } ] } }
}
]==]

local VALUES = {
  '0', '-0', '1', '-1', '123456789012345', '1e5', '1E+5', '1.5e-7', '0.1', '1e308', '1e-308',
  '1e400', 'true', 'false', 'null', '""', '"text"', '[]', '{}', ' [ 1 , 2 ] ', '[[[]]]',
  '{"a":{"b":{}}}', '{"a":1,"a":2}', '"\\u0000"', '"\\ud834\\udd1e"', '[null,null,1]',
}

local BAD = {
  '', ' ', '{', '[', '"', '[1', '[1,', '[1,]', '{"a"', '{"a":', '{"a":1', '{"a":1,}', '{1:2}',
  '{a:1}', "['a']", '[1 2]', '{"a" 1}', 'nul', 'tru', 'falsey', '01', '+1', '.5', '1.', '--1',
  '0x10', 'Infinity', 'NaN', '-inf', '"\n"', '"\\x"', '"\\u12"', '"\\ud800"', '"\\udc00x"',
  '"a\0b"', '[1]]', '{}{}', 'true false', '\239\187\191[]', '"\1"',
}

local STRINGS = {
  '', 'plain', 'quote " and \\', '/', '\b\f\n\r\t', '\0\1\31\127', 'é€😀', '\128\255',
  ('x'):rep(300),
}

local NUMBERS = {
  0, -0, 1, -1, 0.1, 1 / 3, 1e14, 1e15, 1e16, 123456789.123, 2 ^ 53, -2 ^ 31, 1e100, 1e-100,
}

local function encoding(t, json)
  for _, s in ipairs(STRINGS) do json.encode(s) end
  for _, n in ipairs(NUMBERS) do json.encode(n) end
  json.encode(true)
  json.encode(nil)
  json.encode(cjson.null)
  json.encode {}
  json.encode { 1, 'two', false, cjson.null, { 3, { four = 4 } } }
  json.encode { [1] = 'a', [2] = 'b', [4] = 'd' }
  json.encode { [1.5] = 'x' }
  json.encode { ['key "q"\n'] = { 1 } }
  json.encode { [10] = 'sparse, few' }
  json.encode { [1] = 1, [1000] = 2 }
  json.encode(print)
  json.encode { coroutine.create(print) }
  json.encode { [true] = 1 }
  json.encode { [{}] = 1 }
  json.encode(0 / 0)
  json.encode(math.huge)
  json.encode { -math.huge }
  json.encode()
  json.encode(1, 2)
  t('meta', json.encode(setmetatable({ 1, 2 }, { __index = error, __len = error })))
end

local function decoding(t, json)
  for _, s in ipairs(VALUES) do json.decode(s) end
  for _, s in ipairs(BAD) do json.decode(s) end
  local doc = json.decode(DOCUMENT)
  t('null is', rawequal(doc.glossary.flags[3], cjson.null))
  t('again', cjson.decode(cjson.encode(doc)))
  json.decode()
  json.decode(12)
  json.decode {}
  json.decode('[]', 'more')
end

local function depth(json)
  json.encode(nested_table(1000))
  json.encode(nested_table(1001))
  json.decode(nested(1000, '[', ']'))
  json.decode(nested(1001, '[', ']'))
  json.encode_max_depth(3)
  json.encode { { {} } }
  json.encode { { { {} } } }
  json.decode_max_depth(3)
  json.decode '[[[]]]'
  json.decode '[[[[]]]]'
  json.decode '{"a":{"b":{"c":{}}}}'
  local cycle = {}
  cycle[1] = cycle
  json.encode(cycle)
  json.encode_max_depth(0)
  json.decode_max_depth('x')
end

-- Every setting: what it is, another value, what changes, wrong values.
local function settings(t)
  local own = cjson.new()
  local json = t.wrap('own', own)
  json.encode_sparse_array()
  json.encode_sparse_array(true, 1, 3)
  json.encode { [50] = 2 }
  json.encode { [3] = 1 }
  json.encode_sparse_array(false, 3, 6)
  json.encode { [1] = 1, [7] = 2 }
  json.encode { [1] = 1, [4] = 2 }
  json.encode_sparse_array('yes')
  json.encode_sparse_array(true, -1)
  json.encode_number_precision()
  json.encode_number_precision(3)
  json.encode { 1 / 3, 1234567, 0.00012345 }
  json.encode_number_precision(14)
  json.encode(1 / 3)
  json.encode_number_precision(0)
  json.encode_number_precision(15)
  json.encode_keep_buffer()
  json.encode_keep_buffer(false)
  json.encode { 1, 2 }
  json.encode { ('y'):rep(100) }
  json.encode_keep_buffer 'off'
  json.encode_keep_buffer(true)
  json.encode_invalid_numbers()
  json.encode_invalid_numbers(true)
  json.encode { 1 / 0, -1 / 0 }
  json.encode_invalid_numbers 'null'
  json.encode { 0 / 0, 1 / 0 }
  json.encode_invalid_numbers 'maybe'
  json.decode_invalid_numbers()
  json.decode_invalid_numbers(false)
  for _, s in ipairs { '0x10', 'inf', '-Infinity', '012', '[1e999]' } do json.decode(s) end
  json.decode_invalid_numbers(true)
  for _, s in ipairs { '0x10', 'inf', '-Infinity', '012', 'nan' } do json.decode(s) end
  local other = own.new()
  t('settings of another', other.encode_number_precision(), other.decode_max_depth(),
    other.decode_invalid_numbers(), other.encode_keep_buffer())
  depth(t.wrap('deep', cjson.new()))
end

local function large(t)
  local list = {}
  for i = 1, 5000 do list[i] = { id = i, name = 'item ' .. i, half = i / 2, odd = i % 2 == 1 } end
  local text = cjson.encode(list)
  t('large', #text, cjson.encode { list[5000].name })
  local back = cjson.decode(text)
  local same = #back == #list
  for i, item in ipairs(back) do
    for k, v in pairs(list[i]) do same = same and item[k] == v end
  end
  t('large again', same, back[4999])
  local long = cjson.encode(('"\\\n'):rep(20000))
  t('long string', #long, cjson.decode(long) == ('"\\\n'):rep(20000))
end

return function(t)
  t('module', cjson._NAME, cjson._VERSION, type(cjson.null), cjson_safe._NAME)
  encoding(t, t.wrap('cjson', cjson))
  decoding(t, t.wrap('cjson', cjson))
  local safe = cjson_safe.new()
  encoding(t, t.wrap('safe', safe))
  decoding(t, t.wrap('safe', safe))
  depth(t.wrap('safe', safe))
  settings(t)
  large(t)
  local util = require 'cjson.util'
  t('util', util.serialise_value({ 1, { a = 'x' }, cjson.null, true }),
    util.compare_values({ 1, { a = 2 } }, { 1, { a = 2 } }), util.compare_values({ 1 }, { 2 }),
    util.compare_values(0 / 0, 0 / 0))
end
