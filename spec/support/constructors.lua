-- SPDX-License-Identifier: MIT
-- Table constructors of all kinds: texts of chunks that return a function of one argument. They
-- have three fields or more where it matters: one of two gets the same room when it grows.

local function fields(n)
  local list = {}
  for i = 1, n do list[i] = ('f%d = a'):format(i) end
  return table.concat(list, ', ')
end

return {
  ['fields'] = 'return function(a) return { x = a, y = a, z = a } end',
  ['many fields'] = 'return function(a) return { ' .. fields(40) .. ' } end',
  ['a small table before a large one'] =
    'return function(a) local n = #{ x = a } return { n = n, ' .. fields(40) .. ' } end',
  ['tables in tables'] =
    'return function(a) return { p = { q = a, r = { s = a, t = a } }, u = { v = a }, w = a } end',
  ['a list of tables'] = 'return function(a) return { { x = a }, { x = a, y = a, z = a }, a } end',
  ['values that branch'] =
    'return function(a) return { x = a or 0, y = a > 3 and 1 or 2, z = a == 1, v = not a } end',
  ['values that are called for'] =
    "return function(a) return { x = tostring(nil), y = ('x'):rep(2), z = math.max(a, 1) } end",
  ['constants beside'] =
    "return function(a) return { 'l', x = 1, y = a, [3] = a, z = 'k', [a] = a, u = -a } end",
  ['items beside'] =
    "return function(a) return { a, x = a, 'l', a, [9] = 'm', a, y = a } end",
  ['a field twice'] = 'return function(a) return { x = 1, x = a, y = a, y = 2 } end',
  ['a field three times'] = 'return function(a) return { x = a, x = -a, x = a } end',
  ['several results at the end'] =
    "return function(a) return { x = a, y = a, string.byte('abc', 1, 3) } end",
  ['arguments at the end'] =
    'return function(...) return { x = ..., y = (...), ... } end',
  ['a local table'] = 'return function(a) local t = { x = a, y = a, z = a } return t end',
  ['a field of another table'] =
    'return function(a) local s = { t = 1 } s.t = { x = a, y = a, z = a } s.u = a return s.t end',
  ['stores under conditions'] =
    'return function(a) local t = { k = a, l = a } if a == 0 then ' ..
    fields(40):gsub('f%d+', 't.%0'):gsub(',', ' elseif a == 0 then') .. ' end return t end',
  ['items under conditions'] =
    'return function(a) local t = { k = a } for i = 1, 1 do if a == 0 then t[1] = a end ' ..
    'if a == 0 then t[2] = a t[3] = a t[4] = a t[5] = a end end return t end',
  ['constants stored afterwards'] =
    "return function(a) local t = { k = a } t[1] = 'x' t[2] = nil t[3] = 'z' return t end",
  ['a list with holes'] = 'return function(a) return { k = a, a, nil, a, nil } end',
  ['an inner function'] =
    'return function(a) local function f() return { x = a, y = a, z = a } end return f() end',
}
