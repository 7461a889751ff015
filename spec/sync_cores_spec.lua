-- SPDX-License-Identifier: MIT
-- Objects of weft.sync that cross: used by tasks on all workers at once, promoted while tasks
-- wait, given up at random. What is locked is held as it should be, and nothing is lost.
-- Subject: runtime/conc/latch.c runtime/conc/sync.c runtime/conc/sync_share.c
-- runtime/conc/compiled.c runtime/conc/dict.c

local weft = require 'weft'
local util = require 'support.util'
local context, sync = weft.context, weft.sync
local settle, start, raises, has = util.settle, util.start, util.raises, util.has

local LONG = tonumber(os.getenv 'WEFT_LONG' or '') ~= nil
local ROUNDS = LONG and 20 or 2

local function share(o)
  weft.parallel(function() return o ~= nil end):await()
  return o
end

-- fn(i, ...) on n isolated tasks and on one here; their results added up.
local function everywhere(n, fn, ...)
  local futures, sum = { weft.async(fn, 0, ...) }, 0
  for i = 1, n do futures[#futures + 1] = weft.parallel(fn, i, ...) end
  for i = 1, #futures do sum = sum + (futures[i]:await() or 0) end
  return sum
end

-- All objects that wait, and how each is left free.
local function objects()
  return { mutex = sync.mutex(), rwmutex = sync.rwmutex(), waitgroup = sync.waitgroup(),
    cond = sync.cond(sync.mutex()), once = sync.once(), semaphore = sync.semaphore(3),
    map = sync.map(), int = sync.int(), bool = sync.bool(), value = sync.value() }
end

describe('sync objects over cores', function()
  it('are the same when they come back, and keep their labels', function()
    for name, o in pairs(objects()) do
      weft.name(o, 'my ' .. name)
      local back, text = weft.parallel(function() return o, tostring(o) end):await()
      assert.is_true(rawequal(o, back))
      assert.equals(("%s 'my %s'"):format(name, name), text)
      assert.equals(text, tostring(o))
      assert.equals(('weft.%s (shared)'):format(name), getmetatable(o))
    end
  end)

  it('are one object, however they got there', function()
    local m, ch, box = sync.mutex(), weft.chan(1), { sync.mutex() }
    ch:send(m)
    local yes = weft.parallel(function()
      local a, b = ch:recv(), box[1]
      return a == m and b == box[1] and a ~= b
    end):await()
    assert.is_true(yes)
    local c = sync.cond(m)
    assert.is_true(weft.parallel(function()
      m:lock()
      local waits = pcall(c.wait, c, require('support.util').cancelled())
      m:unlock()
      return waits
    end):await())
  end)

  it('methods that were taken before it crossed work after, and those of one on others', function()
    for name, o in pairs(objects()) do
      local is_free = name == 'mutex' and o.try_lock or name == 'rwmutex' and o.try_lock or
        name == 'waitgroup' and o.wait or name == 'semaphore' and o.try_acquire or
        name == 'once' and function(self) return o.call(self, print) end or
        name == 'cond' and function(self) self:signal() return true end or
        name == 'map' and function(self) return self:len() == 0 end or
        function(self) return not self:swap(o:load()) or true end
      share(o)
      assert.is_true(is_free(o))
    end
    local here, there = sync.mutex(), share(sync.mutex())
    assert.is_true(here.lock(there))
    assert.is_true(there.lock(here))
    there.unlock(here)
    here.unlock(there)
    assert.is_true(there.with(here, function() return true end))
    raises(function() there.lock(sync.int()) end, 'lock', 'mutex expected')
  end)

  it('whose promotion is refused are as before', function()
    local m, co = sync.mutex(), coroutine.create(print)
    m:lock()
    local r = start(m.lock, m)
    raises(function() weft.spawn(print, m, co) end, 'arg 2: coroutine')
    assert.equals('weft.mutex', getmetatable(m))
    assert.is_true(weft.check(print, m) and getmetatable(m) == 'weft.mutex')
    m:unlock()
    settle()
    assert.is_true(r[1])
    assert.is_false(m:try_lock())
    m:unlock()
    assert.is_true(m:try_lock())
  end)
end)

describe('promotion', function()
  it('takes along who waits, in order', function()
    local m, log = sync.mutex(), {}
    m:lock()
    for i = 1, 4 do
      start(function()
        m:lock()
        log[#log + 1] = i
        m:unlock()
      end)
    end
    share(m)
    local last = weft.parallel(function() return m:lock() end)
    m:unlock()
    last:await()
    assert.same({ 1, 2, 3, 4 }, log)
    assert.is_false(m:try_lock())
    m:unlock()
  end)

  it('takes along what each has asked for, and what is held', function()
    local s, rw = sync.semaphore(5), sync.rwmutex()
    s:acquire(4)
    local a, b = start(s.acquire, s, 3), start(s.acquire, s)
    rw:rlock()
    local w, reader = start(rw.lock, rw), start(rw.rlock, rw)
    share { s, rw }
    assert.is_false(s:try_acquire())
    assert.is_false(rw:try_rlock())
    s:release(1)
    settle()
    assert.is_false(a.done or b.done)
    s:release(1)
    rw:runlock()
    settle()
    assert.is_true(a[1] and w[1])
    assert.is_false(b.done or reader.done)
    s:release(1)
    rw:unlock()
    settle()
    assert.is_true(b[1] and reader[1])
    raises(function() s:release(6) end, '6 units', '5 are held')
    s:release(5)
    rw:runlock()
    assert.is_true(s:try_acquire(5) and rw:try_lock())
  end)

  it('takes along waits with a context, which go on to end with it', function()
    local m, s = sync.mutex(), sync.semaphore(2)
    m:lock()
    s:acquire()
    local ctx, cancel = context.with_cancel(context.background())
    local first, second = start(m.lock, m, ctx), start(m.lock, m)
    local many, few = start(s.acquire, s, 2, ctx), start(s.acquire, s)
    share { m, s }
    cancel()
    settle()
    assert.same({ nil, 'context canceled' }, { first[1], first[2] })
    assert.same({ nil, 'context canceled' }, { many[1], many[2] })
    assert.is_true(few[1])
    assert.is_false(second.done)
    m:unlock()
    settle()
    assert.is_true(second[1])
  end)

  it('of a waitgroup and a cond wakes those who waited', function()
    local wg, m = sync.waitgroup(), sync.mutex()
    local c = sync.cond(m)
    wg:add(2)
    local r = start(wg.wait, wg)
    local function wait()
      m:lock()
      local ok = c:wait()
      m:unlock()
      return ok
    end
    local w, x = start(wait), start(wait)
    weft.parallel(function()
      wg:done()
      c:signal()
    end):await()
    settle()
    assert.is_true(w[1])
    assert.is_false(r.done or x.done)
    weft.parallel(function()
      c:broadcast()
      wg:add(-1)
    end):await()
    settle()
    assert.is_true(r[1] and x[1])
  end)

  it('of a once whose function runs is waited for there', function()
    local o, go_on = sync.once(), weft.chan()
    local r = start(o.call, o, function() return go_on:recv() end)
    local f = weft.parallel(function() return o:call(error) end)
    settle()
    go_on:send(1)
    assert.is_true(f:await())
    assert.is_true(r[1])
  end)

  it('takes along what values and maps hold', function()
    local ch = weft.chan(1)
    local v, m = sync.value { 1, ch }, sync.map()
    m:store('t', { ch })
    m:store(1, ch)
    m:store(true, 'x')
    weft.parallel(function()
      v:load()[2]:send(m:load('t')[1] == m:load(1) and m:load(true))
    end):await()
    assert.equals('x', ch:recv())
    assert.equals(ch, m:load('t')[1])
  end)
end)

describe('misuse over cores', function()
  it('raises at the caller\'s line, and changes nothing', function()
    local o = objects()
    share(o)
    raises(function() o.mutex:unlock() end, 'unlock of unlocked mutex')
    raises(function() o.rwmutex:unlock() end, 'unlock of unlocked rwmutex')
    raises(function() o.rwmutex:runlock() end, 'runlock of rwmutex')
    o.rwmutex:lock()
    raises(function() o.rwmutex:runlock() end, 'runlock of rwmutex')
    o.rwmutex:unlock()
    o.rwmutex:rlock()
    raises(function() o.rwmutex:unlock() end, 'unlock of unlocked rwmutex')
    o.rwmutex:runlock()
    raises(function() o.waitgroup:done() end, "'done': negative waitgroup counter")
    raises(function() o.waitgroup:add(-1) end, "'add': negative waitgroup counter")
    raises(function() o.waitgroup:add(0.5) end, 'integer')
    raises(function() o.semaphore:release() end, 'release', '0 are held')
    raises(function() o.semaphore:acquire(4) end, 'acquire', 'has 3')
    raises(function() o.semaphore:try_acquire(4) end, 'try_acquire', 'has 3')
    raises(function() o.semaphore:acquire(0) end, 'integer >= 1')
    raises(function() o.cond:wait() end, 'mutex is not locked')
    raises(function() o.mutex:lock(1) end, 'lock', 'context')
    raises(function() o.waitgroup:wait({}) end, 'wait', 'context')
    raises(function() o.mutex:with() end, 'with', 'function')
    assert.is_true(o.mutex:try_lock() and o.rwmutex:try_lock() and o.semaphore:try_acquire(3))
    assert.is_true(o.waitgroup:wait())
  end)

  it('a wait that cannot block raises, and leaves nothing queued', function()
    local o = objects()
    share(o)
    o.mutex:lock()
    o.semaphore:acquire(3)
    o.waitgroup:add(1)
    for name, wait in pairs { lock = o.mutex.lock, acquire = o.semaphore.acquire,
      wait = o.waitgroup.wait } do
      local self = name == 'lock' and o.mutex or name == 'wait' and o.waitgroup or o.semaphore
      local ok, err = pcall(table.sort, { 1, 2 }, function() wait(self) end)
      assert.is_false(ok)
      has(err, ("'%s' cannot block across a C-call boundary"):format(name))
    end
    o.mutex:unlock()
    o.semaphore:release(3)
    assert.is_true(o.mutex:try_lock() and o.semaphore:try_acquire(3))
  end)

  it('a context that has ended takes no lock', function()
    local o, ctx = objects(), util.cancelled()
    share(o)
    local err = 'context canceled'
    assert.same({ nil, err }, { o.mutex:lock(ctx) })
    assert.same({ nil, err }, { o.rwmutex:rlock(ctx) })
    assert.same({ nil, err }, { o.rwmutex:lock(ctx) })
    assert.same({ nil, err }, { o.semaphore:acquire(ctx) })
    assert.same({ nil, err }, { o.semaphore:acquire(2, ctx) })
    assert.same({ nil, err }, { o.waitgroup:wait(ctx) })
    local m = sync.mutex()
    local c = share(sync.cond(m))
    m:lock()
    assert.same({ nil, err }, { c:wait(ctx) })
    assert.is_false(m:try_lock())
    assert.is_true(o.mutex:try_lock() and o.rwmutex:try_lock() and o.semaphore:try_acquire(3))
  end)

  it('a deadlock over VMs says what each waits for', function()
    local m = weft.name(sync.mutex(), 'the ledger')
    m:lock()
    weft.spawn(function() m:lock() end)
    local text
    repeat
      weft.sleep(0.01)
      text = weft.stacks()
    until text:find('mutex on the ledger', 1, true)
    m:unlock()
  end)
end)

-- Conservation --------------------------------------------------------------------------------

-- A context that ends soon, in one way or another.
local function impatient(random)
  local ctx, cancel = require('weft.context').with_timeout(
    require('weft.context').background(), random(3) * 1e-4)
  if random(2) == 1 then require('weft').go(cancel) end
  return ctx
end

local function new_random(seed)
  local state = seed
  return function(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n + 1
  end
end

describe('over cores, with waits that are given up at random,', function()
  it('a mutex is held by one, and no increment is lost', function()
    for round = 1, ROUNDS do
      local m, inside, n = sync.mutex(), sync.int(), sync.map()
      n:store('n', 0)
      local done = everywhere(4, function(i)
        local random, mine = new_random(round * 100 + i), 0
        for _ = 1, 300 do
          local ok
          if random(3) == 1 then ok = m:lock(impatient(random)) end
          if not ok and random(3) == 1 then ok = m:try_lock() end
          if not ok and random(2) == 1 then ok = m:lock() end
          if ok then
            if inside:add(1) ~= 1 then error 'two at a time' end
            n:store('n', n:load('n') + 1)
            if random(4) == 1 then require('weft').yield() end
            inside:add(-1)
            mine = mine + 1
            m:unlock()
          end
        end
        return mine
      end)
      assert.is_true(done > 300)
      assert.equals(done, n:load('n'))
      assert.is_true(m:try_lock())
    end
  end)

  it('a semaphore is never above n', function()
    for round = 1, ROUNDS do
      local s, held = sync.semaphore(5), sync.int()
      local done = everywhere(4, function(i)
        local random, mine = new_random(round * 100 + i), 0
        for _ = 1, 300 do
          local k, ok = random(5), nil
          if random(3) == 1 then ok = s:acquire(k, impatient(random)) end
          if not ok and random(2) == 1 then ok = s:try_acquire(k) end
          if not ok and random(2) == 1 then ok = s:acquire(k) end
          if ok then
            if held:add(k) > 5 then error 'above n' end
            if random(4) == 1 then require('weft').yield() end
            held:add(-k)
            s:release(k)
            mine = mine + 1
          end
        end
        return mine
      end)
      assert.is_true(done > 300)
      assert.is_true(s:try_acquire(5))
      raises(function() s:release(6) end, '5 are held')
    end
  end)

  it('a rwmutex has one writer or readers', function()
    for round = 1, ROUNDS do
      local m, readers, writers = sync.rwmutex(), sync.int(), sync.int()
      local done = everywhere(4, function(i)
        local random, mine = new_random(round * 100 + i), 0
        for _ = 1, 300 do
          local writes = random(4) == 1
          local lock, try = writes and m.lock or m.rlock, writes and m.try_lock or m.try_rlock
          local ok
          if random(3) == 1 then ok = lock(m, impatient(random)) end
          if not ok and random(2) == 1 then ok = try(m) end
          if not ok and random(2) == 1 then ok = lock(m) end
          if ok then
            local mark = writes and writers or readers
            if mark:add(1) > 1 and writes then error 'two writers' end
            if (writes and readers or writers):load() ~= 0 then error 'writer and reader' end
            if random(4) == 1 then require('weft').yield() end
            mark:add(-1)
            if writes then m:unlock() else m:runlock() end
            mine = mine + 1
          end
        end
        return mine
      end)
      assert.is_true(done > 300)
      assert.is_true(m:try_lock())
    end
  end)

  it('a waitgroup wakes nobody early, and everybody', function()
    for _ = 1, 10 * ROUNDS do
      local wg, done = sync.waitgroup(), sync.int()
      local waiters = {}
      wg:add(1)
      for i = 1, 2 do
        waiters[i] = weft.parallel(function()
          local ctx = require('weft.context').with_timeout(
            require('weft.context').background(), i * 1e-4)
          local ok = wg:wait(ctx)
          if ok and done:load() ~= 20 then error 'early' end
          wg:wait()
          return done:load()
        end)
      end
      for _ = 1, 20 do
        wg:spawn(function()
          done:add(1)
        end)
      end
      wg:done()
      wg:wait()
      assert.equals(20, done:load())
      for i = 1, 2 do assert.equals(20, waiters[i]:await()) end
    end
  end)

  it('a cond misses no signal between its unlock and its wait', function()
    local m, turn = sync.mutex(), sync.int()
    local c = sync.cond(m)
    local function player(me)
      m:lock()
      for _ = 1, 200 do
        while turn:load() % 2 ~= me do c:wait() end
        turn:add(1)
        c:signal()
      end
      m:unlock()
    end
    local a, b = weft.parallel(player, 0), weft.parallel(player, 1)
    a:await()
    b:await()
    assert.equals(400, turn:load())
  end)

  it('a cond loses no signal', function()
    for round = 1, ROUNDS do
      local m, state = sync.mutex(), sync.map()
      local c = sync.cond(m)
      state:store('items', 0)
      local consumers = {}
      for i = 1, 3 do
        consumers[i] = weft.parallel(function()
          local random, got = new_random(round * 100 + i), 0
          m:lock()
          while true do
            while state:load('items') == 0 and not state:load('closed') do
              if random(3) == 1 then c:wait(impatient(random)) else c:wait() end
            end
            local items = state:load('items')
            if items == 0 then break end
            state:store('items', items - 1)
            got = got + 1
          end
          m:unlock()
          return got
        end)
      end
      local sent = everywhere(1, function()
        for _ = 1, 200 do
          m:with(function() state:store('items', state:load('items') + 1) end)
          c:signal()
        end
        return 200
      end)
      m:with(function() state:store('closed', true) end)
      c:broadcast()
      local got = 0
      for i = 1, 3 do got = got + consumers[i]:await() end
      assert.equals(sent, got)
    end
  end)
end)

describe('cores of sync objects', function()
  it('go with the last that refers to them, cycles too', function()
    local weak = setmetatable({}, { __mode = 'v' })
    for i = 1, 50 do
      local v, m = sync.value(), sync.map()
      v:store(m)
      m:store('v', { v })
      weak[i] = share(v)
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(weak))
  end)
end)
