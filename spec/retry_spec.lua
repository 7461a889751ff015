-- SPDX-License-Identifier: MIT
-- weft.retry: attempts, delays, chance, contexts.

local weft = require 'weft'
local util = require 'support.util'
local context, time, retry = weft.context, weft.time, weft.retry
local raises, near = util.raises, util.near
local background = context.background()

-- A function that fails n times, and the times of its calls.
local function fails(n, how)
  local at = {}
  return function(attempt)
    at[#at + 1] = time.monotonic()
    assert.equals(#at, attempt)
    if attempt > n then return 'done', nil, attempt end
    if how == 'raise' then error('failure ' .. attempt, 0) end
    return nil, 'failure ' .. attempt
  end, at
end

local function never(n) return fails(math.huge, n) end

describe('retry', function()
  it('returns all results of the first good attempt', function()
    local fn, at = fails(0)
    assert.same({ n = 3, 'done', nil, 1 }, util.pack(retry(fn)))
    assert.equals(1, #at)
  end)

  it('goes on after an error that is returned and one that is raised', function()
    for _, how in ipairs { 'return', 'raise' } do
      local fn, at = fails(2, how)
      assert.same({ n = 3, 'done', nil, 3 }, util.pack(retry(fn)))
      assert.equals(3, #at)
    end
  end)

  it('nil alone, and false with anything, are results', function()
    assert.same({ n = 0 }, util.pack(retry(function() end)))
    assert.same({ n = 1 }, util.pack(retry(function() return nil end)))
    assert.same({ n = 2, false, 'x' }, util.pack(retry(function() return false, 'x' end)))
  end)

  it('gives nil, the last error and the number of attempts in the end', function()
    for _, how in ipairs { 'return', 'raise' } do
      local fn, at = never(how)
      local r = util.pack(retry(fn, { attempts = 4 }))
      assert.same({ n = 3, nil, 'failure 4', 4 }, r)
      assert.equals(4, #at)
    end
  end)

  it('gives an error value as it is', function()
    local why = {}
    local _, err = retry(function() error(why) end, { attempts = 2 })
    assert.is_true(rawequal(why, err))
  end)

  it('tries ten times by default, and for ever only when told to', function()
    local _, _, n = retry((never()))
    assert.equals(10, n)
    local fn, at = fails(200)
    assert.equals('done', (retry(fn, { attempts = math.huge, factor = 1 })))
    assert.equals(201, #at)
  end)

  it('one attempt is one call, without a delay', function()
    near(0, (util.elapsed(retry, never(), { attempts = 1, delay = 10 })))
  end)
end)

describe('retry: delays', function()
  local function delays(opts)
    local fn, at = never()
    retry(fn, opts)
    local list = {}
    for i = 2, #at do list[i - 1] = at[i] - at[i - 1] end
    return list
  end

  it('grow by the factor', function()
    for i, dt in ipairs(delays { attempts = 5, delay = 2, factor = 3 }) do
      near(2 * 3 ^ (i - 1), dt)
    end
  end)

  it('are 0.1 s at first and double by default', function()
    for i, dt in ipairs(delays { attempts = 6 }) do near(0.1 * 2 ^ (i - 1), dt) end
  end)

  it('are never longer than max', function()
    for i, dt in ipairs(delays { attempts = 6, delay = 1, max = 5 }) do
      near(math.min(2 ^ (i - 1), 5), dt)
    end
  end)

  it('may be none', function()
    for _, dt in ipairs(delays { attempts = 5, delay = 0 }) do near(0, dt) end
  end)

  it('with jitter are shorter by chance, each by its own', function()
    local least, most, seen, n = math.huge, 0, {}, 0
    for _, dt in ipairs(delays { attempts = 200, delay = 1, factor = 1, jitter = 0.5 }) do
      least, most = math.min(least, dt), math.max(most, dt)
      if not seen[dt] then n = n + 1 end
      seen[dt] = true
    end
    assert.is_true(least >= 0.5 and least < 0.6 and most <= 1.0001 and most > 0.9)
    assert.is_true(n > 150)
  end)
end)

describe('retry: contexts', function()
  it('that end during a delay end it', function()
    local fn, at = never()
    local ctx = context.with_timeout(background, 5)
    local dt, v, err, n = util.elapsed(retry, fn, { delay = 2, factor = 2, ctx = ctx })
    near(5, dt)
    assert.same({ nil, 'context deadline exceeded', 2, 2 }, { v, err, n, #at })
  end)

  it('that have ended already keep it from calling', function()
    local fn, at = never()
    local r = util.pack(retry(fn, { ctx = util.cancelled() }))
    assert.same({ n = 3, nil, 'context canceled', 0 }, r)
    assert.equals(0, #at)
  end)

  it('that end during an attempt keep it from another, also without delays', function()
    local ctx, cancel = context.with_cancel(background)
    local calls = 0
    local v, err, n = retry(function()
      calls = calls + 1
      if calls == 3 then cancel() end
      return nil, 'x'
    end, { delay = 0, ctx = ctx })
    assert.same({ nil, 'context canceled', 3, 3 }, { v, err, n, calls })
  end)

  it('that end during a good attempt change nothing', function()
    local ctx, cancel = context.with_cancel(background)
    assert.equals('done', (retry(function()
      cancel()
      return 'done'
    end, { ctx = ctx })))
  end)
end)

describe('retry in a task with a context of its own', function()
  it('raises when that ends', function()
    local fn, at = never()
    local ctx = context.with_timeout(background, 5)
    local dt, ok, err = util.elapsed(pcall, context.run, ctx, retry, fn, { delay = 2 })
    near(5, dt)
    assert.same({ false, 2 }, { ok, #at })
    util.has(err, 'context deadline exceeded')
  end)
end)

describe('retry: misuse', function()
  it('raises at the caller\'s line and calls nothing', function()
    local function fn() error 'no call expected' end
    raises(function() retry() end, "bad argument #1 to 'retry' (function expected, got nil)")
    raises(function() retry(fn, 5) end, "bad argument #2 to 'retry' (table of options expected")
    local bad = {
      attempts = { 0, -1, 1.5, 0 / 0, 'x' },
      delay = { -1, 0 / 0, math.huge, 'x' },
      factor = { 0.5, -1, 0 / 0, math.huge, 'x' },
      max = { -1, 0 / 0, 'x' },
      jitter = { -0.1, 1.1, 0 / 0, true, 'x' },
      ctx = { 5, {} },
    }
    for name, values in pairs(bad) do
      for _, v in ipairs(values) do
        raises(function() retry(fn, { [name] = v }) end, "#2 to 'retry' (" .. name .. ' as ')
      end
    end
  end)

  it('where it cannot wait raises before the first call', function()
    local calls = 0
    local ok, err = pcall(table.sort, { 2, 1 }, function()
      retry(function() calls = calls + 1 end)
    end)
    assert.same({ false, 0 }, { ok, calls })
    util.has(err, 'retry')
  end)

  it('is a field of weft and a module', function()
    assert.equals(require 'weft.retry', weft.retry)
  end)
end)

describe('retry over cores', function()
  it('works there as here', function()
    local v, lost, err, n = weft.parallel(function()
      local own, calls = require 'weft', require 'weft'.sync.int()
      local good = own.retry(function(i)
        if own.parallel(function() return calls:add(1) end):await() < 3 then error 'not yet' end
        return i
      end, { delay = 0.001 })
      return good, own.retry(function() return nil, 'never' end, { attempts = 2, delay = 0 })
    end):await()
    assert.same({ 3, nil, 'never', 2 }, { v, lost, err, n })
  end)
end)
