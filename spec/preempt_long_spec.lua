-- SPDX-License-Identifier: MIT
-- Interrupting code that never stops warming up: new chunks, traces that are recorded, aborted and
-- flushed, coroutines. Ten seconds, or (WEFT_LONG) a minute, and ten in the release build.

local proc = require 'support.proc'

local SECONDS = proc.much(10, 600, 'release')

local PROGRAM = [[
local weft = require 'weft'
local time, fmt = weft.time, string.format
local deadline = time.monotonic() + tonumber(arg[1])
local stop, rounds = false, {}

local function check(ok, what, ...)
  if not ok then error(fmt('%s %s', what, table.concat({ ... }, ' ')), 2) end
end

-- Each of these does one round of work and checks what comes out.
local works = {}

-- A chunk that nobody has seen, with a loop and a branch of its own.
function works.chunks(n)
  local k, at, a = n % 17 + 2, n % 190, n % 10
  local f = loadstring(fmt('local a, b = ... local s = 0 for i = 1, 200 do ' ..
    's = s + (i %% %d) * a if i == %d then s = s + b end end return s, %d', k, at, n))
  local sum, same = f(a, 3)
  local expected = at > 0 and 3 or 0
  for i = 1, 200 do expected = expected + i % k * a end
  check(sum == expected and same == n, 'chunks', sum, expected, n)
end

function works.coroutines(n)
  local co = coroutine.wrap(function(a)
    for i = 1, 100 do a = coroutine.yield(a + i, n) end
    return 'end'
  end)
  local t = 0
  for _ = 1, 100 do
    local m
    t, m = co(t)
    check(m == n, 'coroutines', n)
  end
  check(t == 5050 and co(0) == 'end', 'coroutines', t)
end

-- Types that change after a trace has been made for others.
function works.types(n)
  local list = { 1, 2.5, 'x', false, {}, print, n }
  local function name(v) return type(v) end
  local count = {}
  for i = 1, 500 do
    local t = name(list[(i * (n % 5 + 1)) % #list + 1])
    count[t] = (count[t] or 0) + 1
  end
  local sum = 0
  for _, c in pairs(count) do sum = sum + c end
  check(sum == 500, 'types', sum)
end

-- What the recorder gives up on, and errors.
function works.aborts(n)
  local caught = 0
  for i = 1, 100 do
    local ok, err = pcall(function()
      local s = ('%d,%d'):format(i, n):gsub('%d+', function(d) return d + 1 end)
      if i % 10 == 0 then error(s, 0) end
      return s
    end)
    if not ok then
      caught = caught + 1
      check(err == fmt('%d,%d', i + 1, n + 1), 'aborts', err)
    end
  end
  check(caught == 10, 'aborts', caught)
end

function works.recursion(n)
  local function fib(i) return i < 2 and i or fib(i - 1) + fib(i - 2) end
  check(fib(10 + n % 5) == ({ [0] = 55, 89, 144, 233, 377 })[n % 5], 'recursion', n)
end

function works.metatables(n)
  local mt = { __index = function(_, k) return k + n end }
  function mt.__lt(a, b) return a.v < b.v end
  local a, b, s = setmetatable({ v = 1 }, mt), setmetatable({ v = 2 }, mt), 0
  for i = 1, 200 do if a < b and not (b < a) then s = s + a[i] - n end end
  check(s == 20100, 'metatables', s)
end

local function interpreted(n)
  local s = 0
  for i = 1, 2000 do s = s + i % 3 end
  check(s == 2001 and n > 0, 'interpreted', s)
end
jit.off(interpreted)
works.interpreted = interpreted

local wg = weft.sync.waitgroup()
for name, work in pairs(works) do
  rounds[name] = 0
  wg:go(function()
    weft.preempt(true)
    local n = 0
    while not stop do
      n = n + 1
      work(n)
      rounds[name] = n
    end
  end)
end

local ping, pong, hops = weft.chan(), weft.chan(1), 0
weft.go(function() for v in ping do pong:send(v + 1) end end)
wg:go(function()
  weft.preempt(true)
  local v = 0
  while not stop do
    ping:send(v)
    local w = pong:recv()
    check(w == v + 1, 'ping-pong', v, w)
    v, hops = w, hops + 1
  end
end)

local flushes = 0
while time.monotonic() < deadline do
  weft.sleep(0.05)
  flushes = flushes + 1
  if flushes % 3 == 0 then jit.flush() end
  if flushes % 7 == 0 then collectgarbage() end
end
stop = true
wg:wait()
local least = hops
for _, n in pairs(rounds) do least = math.min(least, n) end
io.stderr:write(fmt('%d flushes, %d hops', flushes, hops))
for name, n in pairs(rounds) do io.stderr:write(fmt(', %d %s', n, name)) end
io.stderr:write '\n'
print(least > 0 and 'all went on')
]]

describe('interrupting code that keeps warming up', function()
  it('neither hangs nor breaks it', function()
    local r = proc.run(PROGRAM, { args = { tostring(SECONDS) }, seconds = SECONDS + 60 })
    assert.same({ 0, 'all went on\n' }, { r.status, r.out }, r.err)
    if os.getenv 'WEFT_VERBOSE' then io.stderr:write(r.err) end
  end)
end)
