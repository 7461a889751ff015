-- SPDX-License-Identifier: MIT
-- weft.leaks follows what objects in C do: wake their waiters, fire their timers, end their
-- children, start their functions.
-- Subject: runtime/task/leaks.c

local weft = require 'weft'
local util = require 'support.util'
local leaks = require 'support.leaks'
local proc = require 'support.proc'
local context, time, sync = weft.context, weft.time, weft.sync
local holds, ignores, is_leaked, park = leaks.holds, leaks.ignores, leaks.is_leaked, leaks.park
local settle = util.settle

local function with_cancel(parent) return context.with_cancel(parent or context.background()) end

-- Of these tasks, by name, the ones that are called leaked.
local function expect(tasks, expected)
  local set, names = leaks.set(), {}
  for name, id in pairs(tasks) do
    if set[id] then names[#names + 1] = name end
  end
  table.sort(names)
  if table.concat(names, ' ') ~= expected then
    error(('leaked: %q, not %q'):format(table.concat(names, ' '), expected), 2)
  end
end

-- The task that start() parks can be woken until drop().
local function wakeable(start, drop)
  local id = start()
  expect({ it = id }, '')
  drop()
  expect({ it = id }, 'it')
  leaks.reclaim()
end

-- Runs make() in a function of its own, so that what it has is forgotten but for its results.
local function forgetting(make)
  local function run() return make() end
  return run()
end

describe('groups of tasks', function()
  it('that wait on each other alone are leaked together', function()
    local tasks = {}
    forgetting(function()
      local a, b, c = weft.chan(), weft.chan(), weft.chan(2)
      tasks.a = park(function() a:recv() b:send(1) end)
      tasks.b = park(function() b:recv() c:send(1) end)
      tasks.c = park(function() c:recv() a:send(1) end)
    end)
    expect(tasks, 'a b c')
    leaks.reclaim()
  end)

  it('can all wake when the first can', function()
    local tasks = {}
    local first = weft.chan()
    forgetting(function()
      local b, c = weft.chan(), weft.chan()
      tasks.a = park(function() first:recv() b:send(1) end)
      tasks.b = park(function() b:recv() c:send(1) end)
      tasks.c = park(function() c:recv() end)
      tasks.d = park(function() weft.chan():send(c) end)
    end)
    expect(tasks, 'd')
    first:close()
    settle()
    expect(tasks, 'd')
    assert.equals(1, #leaks.reclaim())
  end)

  it('wake by a task that sleeps, or is ready', function()
    holds(function(ch) park(function(it) weft.sleep(5) return it end, ch) end,
      function() weft.sleep(6) end)
    local id, ready_leaked
    forgetting(function()
      local ch = weft.chan()
      id = park(function() ch:recv() end)
      weft.go(function(it) return it end, ch)
      ready_leaked = is_leaked(id)
    end)
    assert.is_false(ready_leaked)
    settle()
    assert.is_true(is_leaked(id))
    leaks.reclaim()
  end)

  it('that wait for ever by themselves are leaked', function()
    local tasks = {
      select = park(function() weft.select() end),
      nils = park(function() weft.select(nil, nil) end),
      sleep = park(function() weft.sleep(math.huge) end),
      after = park(function() time.after(math.huge):recv() end),
      send = park(function() weft.chan():send(1) end),
      full = park(function()
        local ch = weft.chan(1)
        ch:send(1)
        ch:send(2)
      end),
    }
    expect(tasks, 'after full nils select send sleep')
    leaks.reclaim()
  end)
end)

describe('a select', function()
  it('can wake by one of its cases', function()
    for _, case in ipairs { 'recv', 'sending', 'view' } do
      local ch = weft.chan()
      wakeable(function()
        return park(function(it)
          local mine = it
          if case == 'sending' then mine = it:sending(1) end
          if case == 'view' then mine = it:recv_only() end
          weft.select(weft.chan(), mine, weft.chan():sending(1), nil)
        end, ch)
      end, function() ch = nil end)
    end
  end)

  it('is leaked when nobody has any', function()
    local id = park(function() weft.select(weft.chan(), weft.chan():sending(1)) end)
    assert.is_true(is_leaked(id))
    leaks.reclaim()
  end)
end)

describe('sync objects', function()
  it('wake who waits in them', function()
    local m, wg = sync.mutex(), sync.waitgroup()
    m:lock()
    wg:add(1)
    wakeable(function() return park(m.lock, m) end, function() m = nil end)
    wakeable(function() return park(wg.wait, wg) end, function() wg = nil end)
    local rw, s = sync.rwmutex(), sync.semaphore(1)
    rw:rlock()
    s:acquire()
    wakeable(function() return park(rw.lock, rw) end, function() rw = nil end)
    wakeable(function() return park(s.acquire, s) end, function() s = nil end)
    local mutex = sync.mutex()
    local c = sync.cond(mutex)
    wakeable(function()
      return park(function()
        mutex:lock()
        c:wait()
      end)
    end, function() c = nil end)
  end)

  it('once wakes by the task that runs its function', function()
    local stop, tasks = weft.chan(), {}
    forgetting(function()
      local o = sync.once()
      tasks.runner = park(function() o:call(function() stop:recv() end) end)
      tasks.waiter = park(function() o:call(print) end)
    end)
    expect(tasks, '')
    stop:close()
    settle()
    assert.is_nil(util.task(tasks.waiter))
  end)

  it('that a leaked task has are leaked with it', function()
    local tasks = {}
    forgetting(function()
      local m = sync.mutex()
      tasks.owner = park(function()
        m:lock()
        weft.chan():recv()
      end)
      tasks.waiter = park(function() m:lock() end)
    end)
    expect(tasks, 'owner waiter')
    leaks.reclaim()
  end)

  it('wake by the deferred done of a task that runs', function()
    local stop = weft.chan()
    local tasks = {}
    forgetting(function()
      local wg = sync.waitgroup()
      wg:go(function() stop:recv() end)
      tasks.waiter = park(function() wg:wait() end)
    end)
    expect(tasks, '')
    stop:close()
    settle()
    assert.is_nil(util.task(tasks.waiter))
  end)
end)

describe('a Future', function()
  it('wakes those who await it by its task', function()
    local stop, tasks = weft.chan(), {}
    forgetting(function()
      local f = weft.async(function() stop:recv() end)
      tasks.await = park(function() f:await() end)
      tasks.done = park(function() f:done():recv() end)
    end)
    expect(tasks, '')
    stop:close()
    settle()
    assert.is_nil(util.task(tasks.await))
    assert.is_nil(util.task(tasks.done))
  end)

  it('of a leaked task leaks them too', function()
    local tasks = {}
    forgetting(function()
      local f = weft.async(function() weft.chan():recv() end)
      tasks.await = park(function() f:await() end)
      tasks.done = park(function() weft.select(f:done()) end)
    end)
    expect(tasks, 'await done')
    assert.equals(3, #leaks.reclaim())
  end)

  it('of map: the caller waits for its workers', function()
    local stop = weft.chan()
    wakeable(function()
      return park(function(it) weft.map({ 1, 2 }, function() it:recv() end) end, stop)
    end, function() stop = nil end)
  end)
end)

describe('timers', function()
  it('wake while they run', function()
    local tasks = {
      after = park(function() time.after(5):recv() end),
      timer = park(function() time.timer(6).c:recv() end),
      tick = park(function() time.tick(7):recv() end),
      select = park(function() weft.select(weft.chan(), time.after(8)) end),
    }
    expect(tasks, '')
    weft.sleep(9)
    for _, id in pairs(tasks) do assert.is_nil(util.task(id)) end
  end)

  it('that are stopped wake by who has them', function()
    local t = time.timer(5)
    t:stop()
    wakeable(function() return park(t.c.recv, t.c) end, function() t = nil end)
    local ticker = time.ticker(5)
    ticker:stop()
    wakeable(function() return park(ticker.c.recv, ticker.c) end, function() ticker = nil end)
  end)

  it('start functions, which have what they refer to', function()
    holds(function(ch) time.after_func(5, function() return ch end) end,
      function() weft.sleep(6) end)
  end)

  it('that are stopped have their function for who has them', function()
    local alarm
    holds(function(ch)
      alarm = time.after_func(5, function() return ch end)
      alarm:stop()
    end, function() alarm = nil end)
    local id = park(function()
      local ch = weft.chan()
      local mine = time.after_func(5, function() ch:close() end)
      mine:stop()
      ch:recv()
      return mine
    end)
    assert.is_true(is_leaked(id))
    leaks.reclaim()
  end)

  it('that will not come count while weft itself keeps them', function()
    local r = proc.run([[
      local weft = require 'weft'
      local function start()
        local ch = weft.chan()
        weft.go(function() ch:recv() end)
        weft.time.after_func(math.huge, function() return ch end)
      end
      start()
      weft.sleep(1)
      print(#weft.leaks())
    ]], { virtual = true })
    assert.same({ 0, '0\n' }, { r.status, r.out })
  end)

  it('of game time count as any other', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.go(function() weft.time.after(1e9):recv() end)
      weft.yield()
      print(#weft.leaks())
    ]], { virtual = true })
    assert.same({ 0, '0\n' }, { r.status, r.out })
  end)
end)

describe('contexts', function()
  local function waits_with(ctx)
    return {
      recv = park(function() weft.chan():recv(ctx) end),
      send = park(function() weft.chan():send(1, ctx) end),
      done = park(function() ctx:done():recv() end),
      select = park(function() weft.select(weft.chan(), ctx:done()) end),
      sleep = park(function() weft.sleep(math.huge, ctx) end),
      lock = park(function()
        local m = sync.mutex()
        m:lock()
        m:lock(ctx)
      end),
    }
  end
  local ALL = 'done lock recv select send sleep'

  local function ends_well(tasks)
    settle()
    for _, id in pairs(tasks) do assert.is_nil(util.task(id)) end
  end

  it('wake by their cancel', function()
    local ctx, cancel = with_cancel()
    local tasks = waits_with(ctx)
    ctx = nil
    expect(tasks, '')
    cancel()
    ends_well(tasks)
    assert.is_nil(ctx)
  end)

  it('without anybody who has them are leaked', function()
    local tasks = forgetting(function() return waits_with((with_cancel())) end)
    expect(tasks, ALL)
    leaks.reclaim()
  end)

  it('that are roots never end, and keep nobody', function()
    for _, ctx in ipairs { context.background(), context.todo(),
      context.without_cancel(context.background()) } do
      local tasks = waits_with(ctx)
      expect(tasks, ALL)
      leaks.reclaim()
    end
  end)

  it('wake by a deadline, their own or one above', function()
    local tasks = forgetting(function()
      return waits_with((context.with_timeout(context.background(), 5)))
    end)
    local below = forgetting(function()
      local ctx = context.with_timeout(context.background(), 5)
      return waits_with((with_cancel(context.with_value(with_cancel(ctx), 'k', 1))))
    end)
    expect(tasks, '')
    expect(below, '')
    weft.sleep(6)
    ends_well(tasks)
    ends_well(below)
  end)

  it('wake by a cancel above', function()
    local cancel
    local tasks = forgetting(function()
      local top
      top, cancel = with_cancel()
      local ctx = top
      for _ = 1, 50 do ctx = with_cancel(ctx) end
      return waits_with(ctx)
    end)
    expect(tasks, '')
    cancel()
    ends_well(tasks)
  end)

  it('do not wake by what is above without_cancel', function()
    local cancel
    local tasks = forgetting(function()
      local top
      top, cancel = with_cancel()
      return waits_with(context.without_cancel(top))
    end)
    expect(tasks, ALL)
    leaks.reclaim()
    cancel()
  end)

  it('start functions, which have what they refer to', function()
    local cancel
    holds(function(ch)
      local ctx
      ctx, cancel = with_cancel()
      context.after_func(with_cancel(ctx), function() return ch end)
    end, function() cancel() end)
  end)

  it('that nobody has start none', function()
    ignores(function(ch) context.after_func(with_cancel(), function() return ch end) end)
    ignores(function(ch)
      local ctx, cancel = with_cancel()
      local stop = context.after_func(ctx, function() return ch end)
      stop()
      cancel()
    end)
  end)

  it('that have ended wake nobody any more', function()
    local ctx, cancel = with_cancel()
    cancel()
    ignores(function(ch) context.after_func(ctx, function() return ch:len() end) end)
    settle()
  end)

  it('may be many and deep', function()
    local top, cancel = with_cancel()
    local chain = { top }
    for i = 1, 20000 do chain[i + 1] = with_cancel(chain[i]) end
    local tasks = waits_with(chain[#chain])
    local t = os.clock()
    expect(tasks, '')
    assert.is_true(os.clock() - t < 5)
    cancel()
    ends_well(tasks)
  end)
end)

describe('require', function()
  it('waits for who loads the module', function()
    local stop = weft.chan()
    package.preload['weft.leaks.spec'] = function() stop:recv() return 1 end
    local tasks = {
      loads = park(function() require 'weft.leaks.spec' end),
      waits = park(function() require 'weft.leaks.spec' end),
    }
    expect(tasks, '')
    stop:close()
    settle()
    assert.is_nil(util.task(tasks.waits))
    package.loaded['weft.leaks.spec'], package.preload['weft.leaks.spec'] = nil, nil
  end)
end)

describe('the main task', function()
  it('is a task like others, but that it is never reclaimed', function()
    local r = proc.run([[
      local weft = require 'weft'
      weft.go(function()
        weft.sleep(1)
        local found = weft.leaks { reclaim = true }
        print(#found, found[1].id, weft.ntasks(), #weft.leaks())
      end)
      weft.chan():recv()
    ]], { virtual = true })
    assert.equals('1\t1\t2\t1\n', r.out)
    assert.equals(2, r.status)
    util.has(r.err, 'deadlock')
  end)
end)
