-- SPDX-License-Identifier: MIT
-- The scripts of scripts/examples, run as a user runs them: what they print, and their status.
-- file_words has a spec of its own: file_words_spec.lua.

local proc = require 'support.proc'

local folder = debug.getinfo(1, 'S').source:match('^@(.-)spec/[^/]*$') .. 'scripts/examples/'

local function source(name)
  return proc.read_file(folder .. name .. '.lua')
end

local function run(name)
  return proc.weft { folder .. name .. '.lua' }
end

local function lines(text)
  local list = {}
  for line in text:gmatch('[^\n]*\n') do list[#list + 1] = line:sub(1, -2) end
  return list
end

local function sorted(text)
  local list = lines(text)
  table.sort(list)
  return list
end

-- The number of the line of this example that has this text.
local function line_of(name, text)
  for i, line in ipairs(lines(source(name))) do
    if line:find(text, 1, true) then return i end
  end
  error(name .. ' has no line with ' .. text)
end

-- How long a task has waited is said only when that is a while.
local function has(text, part)
  text = text:gsub('(%[[^%]\n]+), %d+%.%d+ s%]', '%1]')
  if not text:find(part, 1, true) then
    error(('%q is not in what was printed:\n%s'):format(part, text), 2)
  end
end

local function count(text, part)
  local n, at = 0, 1
  while true do
    local first, last = text:find(part, at, true)
    if not first then return n end
    n, at = n + 1, last + 1
  end
end

-- Ran to its end and printed exactly these lines.
local function prints(name, expected)
  local r = run(name)
  assert.same({ out = lines(r.out), err = '', status = 0 },
    { out = expected, err = r.err, status = r.status })
end

describe('example', function()
  it('hello greets everybody, in any order', function()
    local r = run 'hello'
    assert.equals(0, r.status)
    assert.equals('', r.err)
    assert.same({ 'everybody was greeted', 'hello, C', 'hello, Go', 'hello, Lua' },
      sorted(r.out))
    assert.equals('everybody was greeted', lines(r.out)[4])
  end)

  it('hello without its wait ends before anybody is greeted, as its comment says', function()
    local code, n = source('hello'):gsub('\nwg:wait%(%)\n', '\n')
    assert.equals(1, n)
    local r = proc.run(code)
    assert.same({ 'everybody was greeted\n', '', 0 }, { r.out, r.err, r.status })
  end)

  it('ci_runner takes each project as far as it gets, and kills what hangs', function()
    prints('ci_runner', { 'api   ok   in deploy: live', 'docs  ok   in deploy: published',
      'jobs  BAD  in build : context deadline exceeded', 'web   BAD  in test  : 1 of 7 failed' })
  end)

  it('pingpong takes turns', function()
    local expected = {}
    for i = 1, 10, 2 do
      expected[i], expected[i + 1] = i .. ' ping', i + 1 .. '   pong'
    end
    expected[11] = 'closed: true'
    prints('pingpong', expected)
  end)

  it('worker_pool does all jobs within its bound', function()
    prints('worker_pool', {
      '10000 jobs done by 4 workers, never more than 22 under way',
      'the longest sequence below 10001 starts at 6171 and takes 261 steps',
    })
  end)

  for _, workers in ipairs { 1, 2, 4, 16 } do
    it(('parallel_pool counts, stops and fails as it says: %d workers'):format(workers), function()
      local r = proc.weft { '--workers', tostring(workers), folder .. 'parallel_pool.lua' }
      assert.same({ '', 0 }, { r.err, r.status })
      local out = lines(r.out)
      out[3] = out[3]:gsub('%d+%.%d', '?')  -- how many is up to the machine
      assert.same({ '17984 primes up to 200000', '17984 primes up to 200000',
        workers .. ' workers: ? times as fast as one', 'stopped early: true',
        'false\t1152921504606846976 is too large to count with' }, out)
    end)
  end

  it('game_loop walks by the time of the game, and finds paths meanwhile', function()
    if proc.sanitized() then pending "a sanitizer's build is no module" end
    local r = proc.luajit(source 'game_loop')
    assert.same({ '', 0 }, { r.err, r.status })
    local out = lines(r.out)
    local walked = sorted(table.concat(out, '\n', 1, 4) .. '\n')
    for i = 1, 4 do
      assert.equals(('guard %d is there after 1016 steps'):format(i), walked[i])
    end
    local last = '^(%d+) frames, 50 of them paused: ([%d.]+) s in the game$'
    local frames, seconds = out[5]:match(last)
    assert.near((frames - 50) / 60, tonumber(seconds), 0.01)
    -- The steps alone take 5.08 s, whatever the frames take.
    local glances = tonumber(out[6]:match '^(%d+) glances while paths were found$')
    assert.is_true(tonumber(seconds) >= 5.08 and glances >= 0)
    assert.equals(6, #out)
  end)

  it('semaphore lets in three at a time', function()
    prints('semaphore', {
      'channel:   40 requests, at most 3 at a time',
      'semaphore: 40 requests, at most 3 at a time',
      'big request:\tnil\tcontext deadline exceeded',
      'small one: \ttrue',
      'all cores: 40 requests, at most 3 at a time',
    })
  end)

  it('eta_cache shows no half of a state', function()
    prints('eta_cache', {
      'one VM: 20 rounds of 5 routes written, 0 reads saw two rounds at once',
      'all cores: everybody saw round 20 in the end, 0 went back in time',
    })
  end)

  it('ready_queue serves every dish to its table', function()
    prints('ready_queue', { 'waiter 0 served 12', 'waiter 1 served 9', 'waiter 2 served 9',
      '30 dishes, 0 left over' })
  end)

  it('once sets up once, also when that fails', function()
    prints('once', {
      'one VM: 20 requests, loaded 1 times, port 8080',
      'all cores: 8 tasks, set up 1 times',
      'broken, call 1:\tfalse\tno disk',
      'broken, call 2:\tfalse\tno disk',
    })
  end)

  it('counter counts right with a mutex and with an atomic', function()
    local r = run 'counter'
    assert.same({ '', 0 }, { r.err, r.status })
    local out = lines(r.out)
    -- How much is lost is up to the order of the tasks.
    local without = tonumber(table.remove(out, 1):match('^without a mutex +(%d+) of 200$'))
    assert.is_true(without >= 20 and without < 200)
    assert.same({
      'with a mutex           200 of 200',
      'atomic                 200 of 200',
      'all cores, mutex       200 of 200',
      'all cores, atomic      200 of 200',
    }, out)
  end)

  it('fan_out_in loses and doubles nothing', function()
    prints('fan_out_in', { '100 squares, from 1 to 10000', 'their sum is 338350' })
  end)

  it('generator stops when it is told to, and reads a file line by line', function()
    local own, longest = lines(source 'generator'), 0
    for _, line in ipairs(own) do longest = math.max(longest, #line) end
    prints('generator', {
      'Fibonacci numbers up to 100: 0 1 1 2 3 5 8 13 21 34 55 89',
      'the generator was stopped',
      ('this file has %d lines, the longest has %d bytes'):format(#own, longest),
    })
  end)

  it('timeout waits for nobody longer than it wants', function()
    prints('timeout', {
      'quick service: answer from quick',
      'slow service:  timed out',
      'request:       nil, parcel: context deadline exceeded',
      'cause:         over budget',
      'in time:       true',
    })
  end)

  it('leak shows who is leaked, reclaims them, and has the cure', function()
    local leaked = '  leaked: chan send on answers at leak.lua:' .. line_of('leak', 'answers:send')
    -- Whose answer is first is a matter of 20 ms: on a clock that is exact about them.
    local r = proc.weft { '--clock=virtual', folder .. 'leak.lua' }
    local live = '  0 leaked, 1 live'
    assert.same({ '', 0 }, { r.err, r.status })
    local expected = {
      'first without room: north', '  hung up on north', leaked, leaked,
      'reclaiming them, which runs their deferred calls',
      '  hung up on east', '  hung up on south', live,
      'first with room: north',
      '  hung up on north', '  hung up on east', '  hung up on south', live,
    }
    assert.same(sorted(table.concat(expected, '\n') .. '\n'), sorted(r.out))
  end)

  it('nil_case turns cases on and off', function()
    prints('nil_case', {
      'merged: 5 odd and 4 even numbers',
      'queued: 1000 values, in order: true',
    })
  end)
end)

describe('example deadlock', function()
  local r
  before_each(function() r = r or run 'deadlock' end)

  it('ends with status 2 and says what happened', function()
    assert.equals(2, r.status)
    assert.same({ 'Hypatia has fork 2', 'Kant has fork 3', 'Plato has fork 1' }, sorted(r.out))
    has(r.err, 'fatal error: all tasks are asleep - deadlock!')
  end)

  it('shows what every task waits for, by name', function()
    for fork = 1, 3 do has(r.err, 'fork ' .. fork) end
    has(r.err, 'dinner')
    assert.is_true(count(r.err, 'mutex') >= 3)
    has(r.err, 'waitgroup')
  end)

  it('shows where every task waits and where it was started', function()
    local lock = 'deadlock.lua:' .. line_of('deadlock', 'right:lock()')
    assert.is_true(count(r.err, lock) >= 3, 'stacks in ' .. r.err)
    has(r.err, 'deadlock.lua:' .. line_of('deadlock', 'dinner:wait()'))
    local started = 'deadlock.lua:' .. line_of('deadlock', 'dinner:go(')
    assert.is_true(count(r.err, started) >= 3, 'creators in ' .. r.err)
  end)
end)

describe('example panic', function()
  local r
  before_each(function() r = r or run 'panic' end)

  it('ends with status 2 and has printed what came before', function()
    assert.equals(2, r.status)
    assert.same({
      'pcall:  false, attempt to index',
      'future: 20',
      'future: false',
      'order 1 costs 20',
      'deferred calls run, also now',
    }, lines(r.out))
  end)

  it('shows the error, the traceback and where the task was started', function()
    local where = 'panic.lua:' .. line_of('panic', 'return order.amount')
    local first = lines(r.err)[1]
    assert.equals('panic: ', first:sub(1, 7))
    has(first, where .. ": attempt to index field 'article' (a nil value)")
    has(r.err, 'stack traceback:')
    has(r.err, 'panic.lua:' .. line_of('panic', 'print(("order %d costs'))
    local created = r.err:match 'created by task 1 at ([^\n]*)'
    has(created or 'nothing', 'panic.lua:' .. line_of('panic', 'weft.go('))
  end)
end)

describe('example pitfalls', function()
  -- What each pitfall printed, by its name.
  local shown = {}
  setup(function()
    local r = run 'pitfalls'
    assert.same({ '', 0 }, { r.err, r.status })
    local name
    for _, line in ipairs(lines(r.out)) do
      name = line:match '^== (.*)' or name
      shown[name] = (shown[name] or '') .. line .. '\n'
    end
  end)

  local function at(text) return 'pitfalls.lua:' .. line_of('pitfalls', text) end

  local function shows(name, ...)
    for _, part in ipairs { ... } do has(shown[name] or 'nothing', part) end
  end

  it('missing_close: the loop that waits for ever is named, and its channel', function()
    shows('missing_close', 'job 2', 'fatal error: all tasks are asleep - deadlock!',
      '[chan receive on jobs]', at 'for job in jobs do print', 'status 2')
  end)

  it('receiver_closes: the send that found the channel closed', function()
    shows('receiver_closes', 'got 1', at 'numbers:send(i)' .. ': send on closed channel',
      "[C]: in function 'send'", 'status 2')
  end)

  it('double_close: the second close', function()
    shows('double_close', 'close of closed channel', at '      results:close()', 'status 2')
  end)

  it('buffer_hides_deadlock: the send that found the buffer full', function()
    shows('buffer_hides_deadlock', 'queued order 3', '[chan send on orders',
      at 'orders:send(i)', 'status 2')
    assert.is_nil(shown.buffer_hides_deadlock:find('queued order 4', 1, true))
  end)

  it('sleep_as_synchronisation: the task that was cut off', function()
    shows('sleep_as_synchronisation', 'finished: 2 of 3', 'cut off', '[sleep',
      at 'weft.sleep(0.04 * i)', 'status 0')
  end)

  it('ignored_error: the error, though nobody has asked for it', function()
    shows('ignored_error', 'saved!', 'the disk is full (in a Future that nobody awaited)',
      'status 2')
  end)

  -- All ten have read before the first writes; in the torture build, some.
  local function loses_updates(text)
    local balance = tonumber(text:match 'balance: (%d+), expected 10\n')
    assert.is_true(proc.torture() and balance < 10 or balance == 1, text)
  end

  it('lost_update: nothing but the wrong sum', function()
    shows('lost_update', 'status 0')
    loses_updates(shown.lost_update)
  end)

  it('runs one of them by its name', function()
    local r = proc.weft { folder .. 'pitfalls.lua', 'lost_update' }
    assert.same({ '', 0 }, { r.err, r.status })
    loses_updates(r.out)
    r = proc.weft { folder .. 'pitfalls.lua', 'no such' }
    has(r.err, 'no such pitfall: no such')
    assert.equals(2, r.status)
  end)
end)
