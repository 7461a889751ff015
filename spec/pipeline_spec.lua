-- SPDX-License-Identifier: MIT
-- weft.pipeline: what each stage does with items. How stages end: pipeline_end_spec.lua.

local weft = require 'weft'
local util = require 'support.util'
local time, pipeline = weft.time, weft.pipeline
local raises, near, has = util.raises, util.near, util.has
local from, map, collect = pipeline.from, pipeline.map, pipeline.collect

local function numbers(n)
  local list = {}
  for i = 1, n do list[i] = i end
  return list
end

local function double(v) return 2 * v end
local function sorted(list)
  table.sort(list)
  return list
end

describe('pipeline: from', function()
  it('a list', function()
    assert.same({ 'a', false, 'c' }, collect(from { 'a', false, 'c' }))
    assert.same({}, collect(from {}))
  end)

  it('an iterator', function()
    local n = 0
    assert.same({ 1, 2, 3 }, collect(from(function()
      n = n + 1
      return n <= 3 and n or nil
    end)))
    assert.same({ 'x', 'y' }, collect(from(('x y'):gmatch '%a')))
  end)

  it('an iterator that waits', function()
    local n = 0
    local dt, list = util.elapsed(collect, from(function()
      weft.sleep(1)
      n = n + 1
      return n <= 3 and n or nil
    end))
    near(4, dt)
    assert.same({ 1, 2, 3 }, list)
  end)

  it('a channel, of any kind', function()
    for capacity = 0, 2 do
      local ch = weft.chan(capacity)
      weft.go(function()
        for i = 1, 5 do ch:send(i) end
        ch:close()
      end)
      assert.same(numbers(5), collect(from(capacity == 1 and ch:recv_only() or ch)))
    end
  end)

  it('is ahead of who takes by one item at most', function()
    local made = 0
    local ch = from(function()
      made = made + 1
      return made
    end)
    for i = 1, 10 do
      assert.equals(i, ch:recv())
      util.settle()
      assert.is_true(made <= i + 1)
    end
    pipeline.stop(ch)
  end)
end)

describe('pipeline: map', function()
  it('gives the results, in order', function()
    assert.same({ 2, 4, 6 }, collect(map(from { 1, 2, 3 }, double)))
  end)

  it('takes plain channels', function()
    local ch = weft.chan(3)
    for i = 1, 3 do ch:send(i) end
    ch:close()
    assert.same({ 2, 4, 6 }, collect(map(ch, double)))
  end)

  it('drops items without a result, keeps false', function()
    assert.same({ 1, false, 4 }, collect(map(from(numbers(4)), function(v)
      if v == 2 then return nil end
      return v ~= 3 and v
    end)))
  end)

  it('passes the item alone', function()
    local n
    collect(map(from { 1 }, function(...) n = select('#', ...) end))
    assert.equals(1, n)
  end)

  it('one item at a time, or as many as the limit', function()
    for limit, expected in ipairs { 12, 6, 4, 3 } do
      local now, peak = 0, 0
      local ch = map(from(numbers(12)), function(v)
        now = now + 1
        peak = math.max(peak, now)
        weft.sleep(1)
        now = now - 1
        return v
      end, { limit = limit })
      local dt, list = util.elapsed(collect, ch)
      near(expected, dt)
      assert.equals(limit, peak)
      assert.same(numbers(12), sorted(list))
    end
  end)

  it('several at a time come as they are there', function()
    local ch = map(from { 3, 1, 2 }, function(s)
      weft.sleep(s)
      return s
    end, { limit = 3 })
    assert.same({ 1, 2, 3 }, collect(ch))
  end)

  it('or, ordered, in the order of the items, as many at a time', function()
    local ch = map(from { 3, 1, 2, 3, 1, 2 }, function(s)
      weft.sleep(s)
      return s
    end, { limit = 3, ordered = true })
    local dt, list = util.elapsed(collect, ch)
    near(6, dt)
    assert.same({ 3, 1, 2, 3, 1, 2 }, list)
  end)

  it('ordered, with items dropped and of random length', function()
    local rnd = 1
    local ch = map(from(numbers(300)), function(v)
      rnd = rnd * 16807 % 2147483647
      weft.sleep(rnd % 7)
      if v % 3 > 0 then return v end
    end, { limit = 20, ordered = true })
    local list, n = collect(ch), 0
    for v = 1, 300 do
      if v % 3 > 0 then
        n = n + 1
        assert.equals(v, list[n])
      end
    end
    assert.equals(n, #list)
  end)

  it('after another, many times', function()
    local ch = from(numbers(20))
    for _ = 1, 50 do ch = map(ch, function(v) return v + 1 end) end
    local list = collect(ch)
    for i = 1, 20 do assert.equals(i + 50, list[i]) end
  end)

  it('two that read the same channel share the items', function()
    local ch = from(numbers(100))
    local both = pipeline.merge(map(ch, double), map(ch, double))
    local list = sorted(collect(both))
    for i = 1, 100 do assert.equals(2 * i, list[i]) end
  end)
end)

describe('pipeline on all cores', function()
  it('map and filter, in order when asked', function()
    local ch = map(from(numbers(200)), function(v) return v * v end,
      { parallel = true, ordered = true })
    ch = pipeline.filter(ch, function(v) return v % 2 == 0 end,
      { parallel = true, ordered = true })
    local list = collect(ch)
    assert.equals(100, #list)
    for i = 1, 100 do assert.equals(4 * i * i, list[i]) end
  end)

  it('unordered loses and doubles nothing', function()
    local ch = map(from(numbers(300)), function(v) return v end, { parallel = true, limit = 7 })
    assert.same(numbers(300), sorted(collect(ch)))
  end)

  it('a failure over there is one here', function()
    local ch = map(from(numbers(10)), function(v)
      if v == 5 then error { code = v } end
      return v
    end, { parallel = true })
    local list, err = collect(ch)
    assert.same({ nil, { code = 5 } }, { list, err })
    ch = map(from(numbers(10)), function(v) return nil, 'no ' .. v end,
      { parallel = true, ordered = true })
    assert.same({ nil, 'no 1' }, { collect(ch) })
  end)

  it('an item that cannot cross is a failure', function()
    local ch = map(from { coroutine.create(print) }, function(v) return v end, { parallel = true })
    local list, err = collect(ch)
    assert.is_nil(list)
    has(err, 'coroutine')
  end)

  it('a function that cannot cross is refused at the line of the call', function()
    local n, ch, co = weft.ntasks(), weft.chan(), coroutine.create(print)
    raises(function() map(ch, function() return co end, { parallel = true }) end,
      "'map': the function cannot cross: upvalue 'co'")
    raises(function() pipeline.filter(ch, function() return co end, { parallel = true }) end,
      "'filter': the function cannot cross")
    assert.equals(n, weft.ntasks())
  end)

  it('what comes out can be taken on another core', function()
    local ch = map(from(numbers(100)), double)
    assert.equals(10100, weft.parallel(function()
      local sum = 0
      for v in ch do sum = sum + v end
      return sum
    end):await())
  end)
end)

describe('pipeline: filter', function()
  it('keeps the items for which it is true', function()
    local ch = pipeline.filter(from { 1, 2, false, 3, 'x' }, function(v) return v ~= 2 end)
    assert.same({ 1, false, 3, 'x' }, collect(ch))
    assert.same({}, collect(pipeline.filter(from { 1, 2 }, function() end)))
  end)

  it('has the options of map', function()
    local ch = pipeline.filter(from { 3, 1, 2 }, function(s)
      weft.sleep(s)
      return s ~= 1
    end, { limit = 3, ordered = true })
    local dt, list = util.elapsed(collect, ch)
    near(3, dt)
    assert.same({ 3, 2 }, list)
  end)
end)

describe('pipeline: on_error', function()
  it('gets error and item; the rest goes on', function()
    for _, opts in ipairs { {}, { limit = 3, ordered = true }, { parallel = true } } do
      local seen = {}
      opts.on_error = function(err, item) seen[item] = err end
      local ch = map(from(numbers(6)), function(v)
        if v == 2 then error('raised', 0) end
        if v == 5 then return nil, 'returned' end
        return v
      end, opts)
      assert.same({ 1, 3, 4, 6 }, sorted(collect(ch)))
      assert.same({ [2] = 'raised', [5] = 'returned' }, seen)
    end
  end)

  it('that raises ends the pipeline', function()
    local function worse(err) error('worse ' .. err) end
    local ch = map(from(numbers(6)), error, { on_error = worse })
    local list, err = collect(ch)
    assert.is_nil(list)
    has(err, 'worse 1')
  end)
end)

describe('pipeline: merge', function()
  it('gives everything of all', function()
    local list = collect(pipeline.merge(from(numbers(10)), from { 11, 12 }, from {}))
    assert.same(numbers(12), sorted(list))
  end)

  it('waits for none of them', function()
    local slow = map(from { 9 }, function(v)
      weft.sleep(v)
      return v
    end)
    assert.same({ 1, 2, 9 }, collect(pipeline.merge(slow, from { 1, 2 })))
  end)

  it('of nothing is empty', function()
    assert.same({}, collect(pipeline.merge()))
  end)
end)

describe('pipeline: tee', function()
  it('gives every item to all', function()
    local a, b, c = pipeline.tee(from(numbers(50)), 3)
    local f, g = weft.async(collect, a), weft.async(collect, b)
    assert.same(numbers(50), collect(c))
    assert.same(numbers(50), f:await())
    assert.same(numbers(50), g:await())
  end)

  it('whoever takes first', function()
    local a, b = pipeline.tee(from(numbers(10)), 2)
    for i = 1, 10 do
      local x, y = a, b
      if i % 2 == 0 then x, y = b, a end
      assert.equals(i, x:recv())
      assert.equals(i, y:recv())
    end
  end)

  it('the slowest sets the pace', function()
    local a, b = pipeline.tee(from(numbers(10)), 2)
    local r = util.start(collect, a)
    assert.is_false(r.done)
    assert.equals(1, b:recv())
    pipeline.stop(b)
    util.settle()
    assert.same(numbers(10), r[1])
  end)
end)

describe('pipeline: partition', function()
  local function partitions(n, list, key)
    local channels, futures, out = { pipeline.partition(from(list), n, key) }, {}, {}
    for i = 1, n do futures[i] = weft.async(collect, channels[i]) end
    for i = 1, n do out[i] = futures[i]:await() end
    return out
  end

  -- The partition of each of the keys.
  local function places(n, keys)
    local place = {}
    for i, list in ipairs(partitions(n, keys)) do
      for _, key in ipairs(list) do place[key] = i end
    end
    return place
  end

  local keys = {}
  for i = 1, 3000 do keys[i] = 'session-' .. i end

  it('the same key always comes out of the same channel, in order', function()
    local list = {}
    for i = 1, 300 do list[i] = { user = 'user ' .. i % 17, n = i } end
    local first, seen = {}, 0
    for i, part in ipairs(partitions(4, list, 'user')) do
      local last = 0
      for _, item in ipairs(part) do
        assert.equals(i, first[item.user] or i)
        first[item.user] = i
        assert.is_true(item.n > last)
        last, seen = item.n, seen + 1
      end
    end
    assert.equals(300, seen)
  end)

  it('by a function, a field or the item itself it is the same', function()
    local function by(key, make)
      local list, out = {}, {}
      for i = 1, 100 do list[i] = make('k' .. i) end
      for i, part in ipairs(partitions(5, list, key)) do out[i] = #part end
      return out
    end
    local a = by(nil, function(k) return k end)
    assert.same(a, by('id', function(k) return { id = k } end))
    assert.same(a, by(function(v) return v[1] end, function(k) return { k } end))
  end)

  it('spreads keys evenly', function()
    for _, n in ipairs { 2, 3, 7, 16 } do
      for _, part in ipairs(partitions(n, keys)) do
        local expected = #keys / n
        assert.is_true(math.abs(#part - expected) < 5 * math.sqrt(expected), #part)
      end
    end
  end)

  it('moves few keys when n changes, and only to the new channel', function()
    for _, n in ipairs { 1, 4, 9 } do
      local before, after, moved = places(n, keys), places(n + 1, keys), 0
      for _, key in ipairs(keys) do
        if before[key] ~= after[key] then
          assert.equals(n + 1, after[key])
          moved = moved + 1
        end
      end
      local expected = #keys / (n + 1)
      assert.is_true(math.abs(moved - expected) < 5 * math.sqrt(expected),
        ('%d of %d moved from %d to %d'):format(moved, #keys, n, n + 1))
    end
  end)

  it('takes numbers and booleans; numbers in a row are spread too', function()
    local parts = partitions(4, numbers(1000))
    for _, part in ipairs(parts) do assert.is_true(#part > 170 and #part < 330, #part) end
    local n = 0
    for _, part in ipairs(partitions(2, { true, false, true, 1.5, -1, 0 })) do n = n + #part end
    assert.equals(6, n)
  end)

  it('a key that is none ends the pipeline', function()
    for _, key in ipairs { {}, print } do
      local a, b = pipeline.partition(from { 1 }, 2, function() return key end)
      local _, err = collect(a)
      has(err, 'a key has to be a string, number or boolean, not ' .. type(key))
      assert.same({ nil, err }, { collect(b) })
    end
  end)
end)

describe('pipeline: batch', function()
  it('makes lists of n, and of the rest', function()
    assert.same({ { 1, 2, 3 }, { 4, 5, 6 }, { 7 } }, collect(pipeline.batch(from(numbers(7)), 3)))
    assert.same({ { 1, 2 } }, collect(pipeline.batch(from { 1, 2 }, 2, 1)))
    assert.same({}, collect(pipeline.batch(from {}, 2, 1)))
    assert.same({ { false } }, collect(pipeline.batch(from { false }, 2, 1)))
  end)

  it('gives what there is so long after the first of them', function()
    local ch, t = weft.chan(), time.monotonic()
    local at, lists = {}, {}
    weft.go(function()
      for list in pipeline.batch(ch, 3, 2) do
        lists[#lists + 1] = table.concat(list, ' ')
        at[#at + 1] = time.monotonic() - t
      end
    end)
    for v, s in ipairs { 5, 1.5, 1, 0.1, 0.1, 3 } do
      weft.sleep(s)
      ch:send(v)
    end
    weft.sleep(5)
    ch:close()
    util.settle()
    assert.same({ '1 2', '3 4 5', '6' }, lists)
    near(7, at[1])
    near(7.7, at[2])
    near(12.7, at[3])
  end)

  it('without a time waits for n', function()
    local ch = weft.chan()
    local r = util.start(function() return pipeline.batch(ch, 2):recv() end)
    ch:send(1)
    weft.sleep(1000)
    assert.is_false(r.done)
    ch:send(2)
    util.settle()
    assert.same({ 1, 2 }, r[1])
    ch:close()
  end)

  it('has a timer only while a list has begun', function()
    local ch, before = weft.chan(), weft.stats().timers
    local lists = pipeline.batch(ch, 2, 3600)
    util.settle()
    assert.equals(before, weft.stats().timers)
    ch:send(1)
    util.settle()
    assert.equals(before + 1, weft.stats().timers)
    ch:send(2)
    assert.same({ 1, 2 }, lists:recv())
    util.settle()
    assert.equals(before, weft.stats().timers)
    ch:close()
  end)
end)

describe('pipeline: misuse', function()
  it('raises at the caller\'s line and starts nothing', function()
    local n, ch, p = weft.ntasks(), weft.chan(), pipeline
    local function fn() end
    raises(function() from(5) end, "bad argument #1 to 'from' (list, iterator or channel exp")
    raises(function() from({}, 5) end, "bad argument #2 to 'from' (context expected, got num")
    raises(function() from(ch:send_only()) end, "'from'")
    for _, name in ipairs { 'map', 'filter', 'tee', 'partition', 'batch', 'collect', 'stop',
      'merge' } do
      for _, v in ipairs { 5, {}, ch:send_only() } do
        raises(function() p[name](v, fn) end, ("bad argument #1 to '%s' (channel"):format(name))
      end
    end
    raises(function() p.merge(ch, nil, ch) end, "bad argument #2 to 'merge' (channel")
    for _, name in ipairs { 'map', 'filter' } do
      raises(function() p[name](ch) end, ("bad argument #2 to '%s' (function"):format(name))
      raises(function() p[name](ch, fn, 5) end, ("bad argument #3 to '%s' (table"):format(name))
      for _, limit in ipairs { 0, -1, 1.5, 0 / 0, 'x' } do
        raises(function() p[name](ch, fn, { limit = limit }) end, name, '(limit as integer >= 1')
      end
      raises(function() p[name](ch, fn, { ctx = 5 }) end, name, '(ctx as context')
      raises(function() p[name](ch, fn, { on_error = 5 }) end, name, '(on_error as function')
    end
    for _, name in ipairs { 'tee', 'partition', 'batch' } do
      for _, v in ipairs { 0, -1, 1.5, 0 / 0, 'x', name ~= 'batch' and 1001 or 0 } do
        raises(function() p[name](ch, v, fn) end, ("bad argument #2 to '%s' (int"):format(name))
      end
    end
    raises(function() p.partition(ch, 2, 5) end, "bad argument #3 to 'partition' (function or na")
    for _, s in ipairs { 0, -1, 0 / 0, 'x' } do
      raises(function() p.batch(ch, 2, s) end, "bad argument #3 to 'batch' (number > 0 expected")
    end
    raises(function() collect(ch, 5) end, "bad argument #2 to 'collect' (context expected, got")
    raises(function() p.stop(ch) end, "'stop': this channel is not from a stage of a pipeline")
    assert.equals(n, weft.ntasks())
  end)

  it('is a field of weft and a module', function()
    assert.equals(require 'weft.pipeline', pipeline)
  end)
end)
