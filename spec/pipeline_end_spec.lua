-- SPDX-License-Identifier: MIT
-- weft.pipeline: failures, cancels and consumers that leave end all that belongs together, and
-- nothing is left over (the runner checks that after each test).

local weft = require 'weft'
local util = require 'support.util'
local context, pipeline = weft.context, weft.pipeline
local near, has, settle, start = util.near, util.has, util.settle, util.start
local from, map, collect, stop = pipeline.from, pipeline.map, pipeline.collect, pipeline.stop
local background = context.background()

local function same(v) return v end

-- Without an end; made[1] counts.
local function endless(ctx)
  local made = { 0 }
  return from(function()
    made[1] = made[1] + 1
    return made[1]
  end, ctx), made
end

local function fails_at(n)
  return function(v)
    if v == n then error('failure at ' .. v, 0) end
    return v
  end
end

-- Every kind of stage behind a channel, as one channel.
local stages = {
  map = function(ch) return map(ch, same) end,
  ['map, many'] = function(ch) return map(ch, same, { limit = 5 }) end,
  ['map, ordered'] = function(ch) return map(ch, same, { limit = 5, ordered = true }) end,
  ['map, parallel'] = function(ch) return map(ch, same, { limit = 2, parallel = true }) end,
  filter = function(ch) return pipeline.filter(ch, function() return true end) end,
  merge = function(ch) return pipeline.merge(ch, (endless())) end,
  ['merge, after'] = function(ch) return pipeline.merge((endless()), ch) end,
  batch = function(ch) return pipeline.batch(ch, 2, 5) end,
  ['tee and merge'] = function(ch) return pipeline.merge(pipeline.tee(ch, 3)) end,
  ['partition and merge'] = function(ch) return pipeline.merge(pipeline.partition(ch, 3)) end,
  from = function(ch) return from(ch) end,
}

local names = {}
for name in pairs(stages) do names[#names + 1] = name end
table.sort(names)

describe('pipeline: a failure', function()
  for _, name in ipairs(names) do
    it('above comes out below: ' .. name, function()
      local list, err = collect(stages[name](map((endless()), fails_at(7))))
      assert.same({ nil, 'failure at 7' }, { list, err })
    end)

    it('below stops those above: ' .. name, function()
      local source, made = endless()
      local count = 0
      local ch = map(stages[name](source), function(v)
        count = count + 1
        if count == 7 then error('enough', 0) end
        return v
      end)
      assert.same({ nil, 'enough' }, { collect(ch) })
      settle()
      local before = made[1]
      weft.sleep(10)
      assert.equals(before, made[1])
    end)
  end

  it('that is returned, and that is raised', function()
    local why = {}
    local _, err = collect(map(from { 1 }, function() return nil, why end))
    assert.is_true(rawequal(why, err))
    _, err = collect(map(from { 1 }, function() error(why) end))
    assert.is_true(rawequal(why, err))
    has(select(2, collect(map(from { 1 }, function() error(nil) end))), 'nil value')
  end)

  it('of the iterator', function()
    local n = 0
    local function three(fail)
      n = 0
      return from(function()
        n = n + 1
        if n < 4 then return n end
        return fail()
      end)
    end
    local _, err = collect(map(three(function() error 'broken' end), same))
    has(err, 'broken')
    assert.same({ nil, 'gone' }, { collect(three(function() return nil, 'gone' end)) })
  end)

  it('of a plain channel that the pipeline begins with', function()
    local ch = weft.chan(3)
    ch:send(1)
    ch:close 'lost'
    local out, got = map(ch, same), {}
    local ok, err = pcall(function()
      for v in out do got[#got + 1] = v end
    end)
    assert.same({ false, 'lost', { 1 } }, { ok, err, got })
  end)

  it('comes behind the values before it, where items are in order', function()
    for _, opts in ipairs { { limit = 1 }, { limit = 4, ordered = true } } do
      local got = {}
      local ch = map(from { 5, 4, 3, 2, 1, 9 }, function(v)
        weft.sleep(v)
        if v == 2 then return nil, 'two' end
        return v
      end, opts)
      ch = map(map(ch, same), same)
      local _, err = pcall(function()
        for v in ch do got[#got + 1] = v end
      end)
      assert.same({ 'two', { 5, 4, 3 } }, { err, got })
    end
  end)

  it('with several at a time does not wait for the others', function()
    local ch = map(from { 1, 100 }, function(s)
      weft.sleep(s)
      if s == 1 then error('quick', 0) end
    end, { limit = 2 })
    local dt, _, err = util.elapsed(collect, ch)
    near(1, dt)
    assert.equals('quick', err)
    weft.sleep(100)
  end)

  it('in one branch of a tee ends the other one too', function()
    local source, made = endless()
    local a, b = pipeline.tee(source, 2)
    local r = start(collect, map(a, fails_at(5)))
    local list, err = collect(b)
    settle()
    assert.same({ nil, 'failure at 5', nil, 'failure at 5' }, { list, err, r[1], r[2] })
    assert.is_true(made[1] < 10)
  end)

  it('of one that is merged ends the others', function()
    local a, made = endless()
    local list, err = collect(pipeline.merge(map(a, same), map(from { 1, 2 }, fails_at(2))))
    assert.same({ nil, 'failure at 2' }, { list, err })
    settle()
    local before = made[1]
    weft.sleep(1)
    assert.equals(before, made[1])
  end)

  it('on other cores waits for what runs there before its tasks end', function()
    local gate, n = weft.chan(), weft.ntasks()
    local ch = map(from { 1, 2 }, function(v)
      if v == 1 then return nil, 'one' end
      gate:recv()
    end, { parallel = true, limit = 2 })
    assert.same({ nil, 'one' }, { collect(ch) })
    gate:close()
    while weft.ntasks() > n do weft.yield() end
  end)
end)

describe('pipeline: a context', function()
  for _, name in ipairs(names) do
    it('of the beginning ends all at once: ' .. name, function()
      local ctx, cancel = context.with_cancel(background)
      local ch = map(stages[name]((endless(ctx))), same)
      for _ = 1, 5 do ch:recv() end
      cancel()
      settle()  -- and nobody takes what is still on its way
      assert.is_true(ch:is_closed())
      assert.same({ nil, 'context canceled' }, { ch:recv() })
    end)

    it('of a stage in the middle ends all at once: ' .. name, function()
      local ctx, cancel = context.with_cancel(background)
      local source, made = endless()
      local ch = stages[name](map(source, same, { ctx = ctx }))
      for _ = 1, 5 do ch:recv() end
      cancel()
      settle()
      local before = made[1]
      assert.same({ nil, 'context canceled' }, { ch:recv() })
      weft.sleep(1)
      assert.equals(before, made[1])
    end)
  end

  it('ends also what a beginning that has come to its end left behind', function()
    for which = 1, 2 do
      local ctx, cancel = {}, {}
      for i = 1, 2 do
        ctx[i], cancel[i] = context.with_timeout(background, i == which and 3 or 30)
      end
      local ch = pipeline.merge(from({ 1 }, ctx[1]), from({ 2 }, ctx[2]))
      ch = map(map(ch, same), function() weft.sleep(10) end, { limit = 2 })
      local dt, list, err = util.elapsed(collect, ch)
      near(3, dt)
      assert.same({ nil, 'context deadline exceeded' }, { list, err })
      weft.sleep(10)
      for i = 1, 2 do cancel[i]() end
    end
  end)

  it('of either pipeline ends what they are merged into', function()
    for which = 1, 2 do
      local ctx, cancel = {}, {}
      for i = 1, 2 do ctx[i], cancel[i] = context.with_cancel(background) end
      local ch = map(pipeline.merge((endless(ctx[1])), (endless(ctx[2]))), same)
      ch:recv()
      cancel[which]()
      settle()
      assert.same({ nil, 'context canceled' }, { ch:recv() })
      cancel[3 - which]()
    end
  end)

  it('that has ended already', function()
    local ch = map(from({ 1, 2 }, util.cancelled()), error)
    assert.same({ nil, 'context canceled' }, { collect(ch) })
  end)

  it('is left when the pipeline has ended', function()
    local ctx, cancel = context.with_cancel(background)
    for _ = 1, 10 do collect(map(from({ 1, 2 }, ctx), same)) end
    cancel()
    assert.same({ 1 }, collect(from { 1 }))
  end)

  it('of collect stops the pipeline', function()
    local ctx = context.with_timeout(background, 3)
    local dt, list, err = util.elapsed(collect, map((endless()), function(v)
      weft.sleep(1)
      return v
    end), ctx)
    near(3, dt)
    assert.same({ nil, 'context deadline exceeded' }, { list, err })
    weft.sleep(1)
  end)

  it('of collect over a plain channel leaves that as it is', function()
    local ch = weft.chan(1)
    assert.same({ nil, 'context canceled' }, { collect(ch, util.cancelled()) })
    assert.is_true(ch:try_send(1))
    ch:close 'why'
    assert.same({ nil, 'why' }, { collect(ch, (context.with_cancel(background))) })
  end)
end)

describe('pipeline in a task with a context of its own', function()
  for _, name in ipairs(names) do
    it('ends with that: ' .. name, function()
      local ctx, cancel = context.with_cancel(background)
      local ch
      local r = start(context.run, ctx, function()
        ch = map(stages[name]((endless())), same)
        for _ = 1, 3 do ch:recv() end
        weft.select()
      end)
      cancel()
      settle()
      assert.is_true(r.done)
      assert.same({ true, nil, 'context canceled' }, { ch:is_closed(), ch:recv() })
    end)
  end

  it('collect stops one that belongs to somebody else', function()
    local ctx = context.with_timeout(background, 3)
    local ch = map((endless()), function(v)
      weft.sleep(1)
      return v
    end)
    local dt, ok, err = util.elapsed(pcall, context.run, ctx, collect, ch)
    near(3, dt)
    assert.is_false(ok)
    has(err, 'context deadline exceeded')
    assert.is_true(ch:is_closed())
    weft.sleep(1)
  end)

  it('what runs on other cores is waited for', function()
    local ctx, cancel = context.with_cancel(background)
    local gate, n = weft.chan(), weft.ntasks()
    local r = start(context.run, ctx, function()
      return collect(map(from { 1 }, function()
        gate:recv(weft.context.background())
        error 'on purpose'  -- nobody asks for this any more, and it is no panic
      end, { parallel = true }))
    end)
    cancel()
    settle()
    assert.is_true(r.done)
    gate:send(1)
    gate:close()
    while weft.ntasks() > n do weft.yield() end
  end)
end)

describe('pipeline: stop', function()
  for _, name in ipairs(names) do
    it('ends the stages above: ' .. name, function()
      local source, made = endless()
      local ch = stages[name](source)
      for _ = 1, 3 do ch:recv() end
      stop(ch)
      assert.same({ true, nil, 'closed' }, { ch:is_closed(), ch:recv() })
      settle()
      local before = made[1]
      weft.sleep(1)
      assert.equals(before, made[1])
      stop(ch)
    end)

    it('ends the stages below as well: ' .. name, function()
      local source = endless()
      local ch = map(stages[name](source), same)
      ch:recv()
      settle()  -- every stage has something that nobody will take
      stop(source)
      settle()
      assert.same({ true, nil, 'closed' }, { ch:is_closed(), ch:recv() })
    end)
  end

  it('in the middle of a loop', function()
    local ch, got = (endless()), {}
    for v in ch do
      got[#got + 1] = v
      if v == 3 then stop(ch) end
    end
    assert.same({ 1, 2, 3 }, got)
  end)

  it('of one branch leaves the others going, until the last', function()
    for _, split in ipairs { pipeline.tee, pipeline.partition } do
      local source, made = endless()
      local a, b, c = split(source, 3)
      local n = 0
      local r = start(function()
        for _ in c do
          n = n + 1
          if n == 20 then return end
        end
      end)
      stop(a)
      stop(b)
      settle()
      assert.is_true(r.done)
      assert.same({ nil, 'closed' }, { b:recv() })
      stop(c)
      settle()
      local before = made[1]
      weft.sleep(1)
      assert.equals(before, made[1])
    end
  end)

  it('of a stage behind a branch leaves the other branch going', function()
    local a, b = pipeline.tee(from { 1, 2, 3, 4 }, 2)
    local left = map(a, same)
    left:recv()
    local r = start(collect, b)
    stop(left)
    settle()
    assert.same({ 1, 2, 3, 4 }, r[1])
  end)

  it('of one of two that share a channel leaves the other going', function()
    local ch = from { 1, 2, 3, 4, 5, 6 }
    local a, b = map(ch, same), map(ch, same)
    a:recv()
    stop(a)
    local n = #collect(b)
    assert.is_true(n >= 3 and n <= 5, n)
  end)

  it('before anything was taken', function()
    stop((endless()))
    stop(map((endless()), same, { limit = 3, ordered = true }))
    stop(pipeline.batch((endless()), 5, 5))
  end)

  it('after the end does nothing', function()
    local ch = map(from { 1 }, same)
    assert.same({ 1 }, collect(ch))
    stop(ch)
    ch = map(from { 1 }, error)
    local _, err = collect(ch)
    stop(ch)
    assert.same({ nil, err }, { ch:recv() })
  end)

  it('waits for no function that still runs', function()
    local ch = map(from { 1 }, function() weft.sleep(5) end)
    settle()
    near(0, (util.elapsed(stop, ch)))
    assert.is_true(ch:is_closed())
    weft.sleep(5)
  end)
end)

describe('pipeline: one that nobody has any more', function()
  it('is found by weft.leaks and can be reclaimed', function()
    local before = #weft.leaks()
    local function build() map((endless()), same, { limit = 3 }):recv() end
    build()
    settle()
    assert.is_true(#weft.leaks() > before)
    weft.leaks { reclaim = true }
    settle()
    assert.equals(0, #weft.leaks())
  end)
end)

describe('pipeline over cores', function()
  it('works there as here', function()
    local list, lost, err = weft.parallel(function()
      local p = require 'weft.pipeline'
      local good = p.collect(p.map(p.from { 1, 2, 3 }, function(v) return v * 2 end,
        { parallel = true, ordered = true, limit = 2 }))
      return good, p.collect(p.map(p.from { 1 }, function() return nil, 'broken' end))
    end):await()
    assert.same({ { 2, 4, 6 }, nil, 'broken' }, { list, lost, err })
  end)

  it('is stopped where it is made: stop elsewhere raises and changes nothing', function()
    local ch = map(from { 1, 2, 3 }, same)
    has(select(2, weft.parallel(function()
      local ok, err = pcall(function() require 'weft.pipeline'.stop(ch) end)
      return ok, err
    end):await()), "'stop': this channel is not from a stage of a pipeline")
    assert.same({ 1, 2, 3 }, collect(ch))
  end)

  it('a context that ends there ends it here', function()
    local ctx, cancel = context.with_cancel(background)
    local source, made = endless(ctx)
    local ch = map(source, same, { parallel = true, limit = 2 })
    ch:recv()
    weft.parallel(function() cancel 'there' end):await()
    local err
    repeat
      local v
      v, err = ch:recv()
    until v == nil
    assert.equals('context canceled', err)
    settle()
    local before = made[1]
    weft.sleep(1)
    assert.equals(before, made[1])
  end)
end)

describe('pipeline: what is without an end', function()
  it('is no number of items, but may be the time of a batch', function()
    local ch, p = weft.chan(3), pipeline
    for _, n in ipairs { math.huge, -math.huge } do
      util.raises(function() p.map(ch, same, { limit = n }) end, "'map' (limit as integer >= 1")
      util.raises(function() p.filter(ch, same, { limit = n }) end, "'filter' (limit as int")
      for _, name in ipairs { 'tee', 'partition', 'batch' } do
        util.raises(function() p[name](ch, n) end, ("#2 to '%s' (integer >= 1"):format(name))
      end
    end
    util.raises(function() p.batch(ch, 1, -math.huge) end, "#3 to 'batch' (number > 0")
    for v = 1, 3 do ch:send(v) end
    ch:close()
    assert.same({ { 1, 2 }, { 3 } }, collect(p.batch(ch, 2, math.huge)))
  end)
end)
