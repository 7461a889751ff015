-- SPDX-License-Identifier: MIT
-- Loops hot enough for the compiler: each operation in them does what it does in cold code.
-- Subject: lua/weft/internal/chan.lua lua/weft/internal/compiled.lua runtime/conc/compiled.c

local weft = require 'weft'
local proc = require 'support.proc'
local util = require 'support.util'
local context = weft.context
local settle, start, has = util.settle, util.start, util.has

local N = 20000

-- Each of these runs compiled and again with the compiler off.
local function both_ways(name, body)
  it(name .. ', compiled', body)
  it(name .. ', interpreted', function()
    jit.off()
    jit.flush()
    local ok, err = pcall(body)
    jit.on()
    if not ok then error(err, 0) end
  end)
end

describe('a hot loop of', function()
  both_ways('send and recv on a buffer', function()
    for _, cap in ipairs { 1, 2, 3, 128 } do
      local ch = weft.chan(cap)
      for i = 1, N do
        ch:send(i)
        if ch:recv() ~= i then error('out of order at ' .. i) end
      end
      assert.equals(0, ch:len())
    end
  end)

  both_ways('filling and draining', function()
    local ch, sum = weft.chan(100), 0
    for round = 1, N / 100 do
      for i = 1, 100 do ch:send(round + i) end
      if ch:len() ~= 100 or ch:try_send(1) then error 'the buffer has no end' end
      for i = 1, 100 do
        local v = ch:recv()
        if v ~= round + i then error 'out of order' end
        sum = sum + v
      end
    end
    assert.equals(N * 50.5 + N * (N / 100 + 1) / 2, sum)
  end)

  both_ways('a stream from task to task', function()
    for _, cap in ipairs { 0, 1, 128 } do
      local ch, last = weft.chan(cap), 0
      weft.go(function()
        for i = 1, N do ch:send(i) end
        ch:close()
      end)
      for v in ch do
        if v ~= last + 1 then error('out of order at ' .. v) end
        last = v
      end
      assert.equals(N, last)
    end
  end)

  both_ways('values of changing types from task to task', function()
    local values = { 1, 'text', 0 / 0, {}, -0.0, print, 2.5, true, math.huge, 'x', false }
    local ch, n = weft.chan(), 0
    local function check(v)
      n = n + 1
      local sent = values[n % #values + 1]
      local same = rawequal(v, sent) or v ~= v and sent ~= sent
      if not same then error('another value at ' .. n) end
      if v == 0 and 1 / v > 0 then error('-0 became 0 at ' .. n) end
    end
    weft.go(function()
      for i = 1, 2 * N do ch:send(values[i % #values + 1]) end
      ch:close()
    end)
    for _ = 1, N do check(ch:recv()) end
    for v in ch do check(v) end
    assert.equals(2 * N, n)
    assert.same({ nil, 'closed' }, { ch:recv() })
  end)

  -- The select has cases on a channel of its own, so that the index is not 1, nor the value on
  -- top.
  both_ways('numbers to and from a select that waits', function()
    local ch, idle, sum = weft.chan(), weft.chan(), 0
    local receiver = start(function()
      for i = 1, N do
        local k, v, err = weft.select(idle, ch)
        if k ~= 2 or v ~= i or err ~= nil then error('received otherwise at ' .. i) end
      end
    end)
    for i = 1, N do ch:send(i) end
    settle()
    assert.is_true(receiver.done)
    local sender = start(function()
      for i = 1, N do
        local k, ok = weft.select(idle, ch:sending(i), idle:sending(-i))
        if k ~= 2 or ok ~= true then error('sent otherwise at ' .. i) end
      end
    end)
    for _ = 1, N do sum = sum + ch:recv() end
    settle()
    assert.is_true(sender.done)
    assert.equals(N * (N + 1) / 2, sum)
  end)

  both_ways('ping-pong with contexts', function()
    local a, b = weft.chan(), weft.chan()
    local ctx, cancel = context.with_cancel(context.background())
    weft.go(function()
      while true do
        local v = a:recv(ctx)
        if not v then break end
        b:send(v + 1, ctx)
      end
    end)
    local v = 0
    for _ = 1, N do
      a:send(v, ctx)
      v = b:recv(ctx)
    end
    cancel()
    assert.equals(N, v)
    assert.same({ nil, 'context canceled' }, { a:recv(ctx) })
    settle()
  end)

  both_ways('values of changing types', function()
    local ch = weft.chan(4)
    local values = { 1, 'text', false, {}, print, 2.5, true, 'x', ch }
    for i = 1, N do
      local v = values[i % #values + 1]
      ch:send(v)
      if not rawequal(v, (ch:recv())) then error('another value at ' .. i) end
    end
  end)

  both_ways('try_send and try_recv, hits and misses', function()
    local ch, sent, full, got, empty = weft.chan(3), 0, 0, 0, 0
    for i = 1, N do
      if i % 7 < 4 then
        local ok, why = ch:try_send(i)
        if ok then sent = sent + 1 elseif why == 'full' then full = full + 1 end
      else
        local v, why = ch:try_recv()
        if v then got = got + 1 elseif why == 'empty' then empty = empty + 1 end
      end
    end
    assert.equals(N, sent + full + got + empty)
    assert.is_true(full > 0 and sent > N / 4)
    assert.equals(sent - got, ch:len())
  end)

  both_ways('select', function()
    local a, b, n = weft.chan(1), weft.chan(1), { 0, 0, 0 }
    for i = 1, N do
      if i % 3 > 0 then a:try_send(i) end
      if i % 3 > 1 then b:try_send(i) end
      local k = weft.select(a, b, weft.default)
      n[k] = n[k] + 1
    end
    assert.equals(N, n[1] + n[2] + n[3])
    assert.is_true(n[1] > 0 and n[2] > 0)
  end)

  both_ways('lock and unlock, with others now and then', function()
    local m, inside, others = weft.sync.mutex(), 0, 0
    for i = 1, N do
      m:lock()
      inside = inside + 1
      if i % 1000 == 0 then
        weft.go(function()
          m:lock()
          others = others + 1
          if inside ~= 0 then others = -1e9 end
          m:unlock()
        end)
        settle()
      end
      inside = inside - 1
      m:unlock()
    end
    settle()
    assert.equals(N / 1000, others)
  end)

  both_ways('tasks that start and end', function()
    local n = 0
    for i = 1, N do
      weft.go(function(k) n = n + k end, 1)
      if i % 100 == 0 then settle() end
    end
    assert.equals(N, n)
  end)

  both_ways('yield', function()
    local n, other = 0, 0
    weft.go(function()
      while n < N do
        other = other + 1
        weft.yield()
      end
    end)
    for _ = 1, N do
      n = n + 1
      weft.yield()
    end
    settle()
    assert.is_true(other > N / 10)
  end)

  both_ways('generators that block', function()
    local ch, sum = weft.chan(2), 0
    weft.go(function()
      for i = 1, N do ch:send(i) end
      ch:close()
    end)
    local gen = coroutine.wrap(function() for v in ch do coroutine.yield(v) end end)
    for v in gen do sum = sum + v end
    assert.equals(N * (N + 1) / 2, sum)
  end)
end)

-- While the other side waits already, the loop is one trace only if it calls no C function.
local function stays_in_trace(name, others, loop)
  it(name .. ' tasks that wait does not leave its trace', function()
    local r = proc.run([[
      local weft, traceinfo = require 'weft', require 'jit.util'.traceinfo
      local ch, sum = weft.chan(), 0
      local function sends(i) ch:send(i) end
      local function receives()
        local v = ch:recv()
        sum = sum + v
      end
      for i = 1, 1000 do weft.go(]] .. others .. [[, i) end
      weft.sleep(1)
      ]] .. loop .. [[
      weft.sleep(1)
      local loops, i = 0, 1
      while traceinfo(i) do
        if traceinfo(i).linktype == 'loop' then loops = loops + 1 end
        i = i + 1
      end
      print(sum, loops > 0)]], { virtual = true })
    assert.same({ 0, '500500\ttrue\n', '' }, { r.status, r.out, r.err })
  end)
end

describe('a hot loop of', function()
  stays_in_trace('sends to', 'receives', 'for i = 1, 1000 do ch:send(i) end')
  stays_in_trace('receives from', 'sends', 'for _ = 1, 1000 do sum = sum + ch:recv() end')
  stays_in_trace('iteration over what comes from', 'sends', [[
    local n = 0
    for v in ch do
      sum, n = sum + v, n + 1
      if n == 1000 then break end
    end]])
end)

describe('in a hot loop', function()
  both_ways('a close is seen at once', function()
    for _, cap in ipairs { 0, 4 } do
      local ch, line = weft.chan(cap), nil
      local drain = start(function() for _ in ch do weft.yield() end end)
      local sent = 0
      local ok, err = pcall(function()
        line = util.here(3)
        for i = 1, N do
          if i == N / 2 then ch:close() end
          ch:send(i)
          sent = sent + 1
        end
      end)
      assert.same({ false, N / 2 - 1 }, { ok, sent })
      assert.equals(line .. ': send on closed channel', err)
      settle()
      assert.is_true(drain.done)
    end
  end)

  both_ways('a nil is refused at once', function()
    local ch, sent = weft.chan(4), 0
    local ok, err = pcall(function()
      for i = 1, N do
        local v = i
        if i == N / 2 then v = nil end
        ch:send(v)
        sent = sent + 1
        ch:recv()
      end
    end)
    assert.same({ false, N / 2 - 1, 0 }, { ok, sent, ch:len() })
    has(err, 'hot_spec.lua:', 'send', 'nil')
  end)

  both_ways('a wrong self is refused at once', function()
    local ch, m, n = weft.chan(4), weft.sync.mutex(), 0
    for i = 1, N do
      local self = ch
      if i % 5000 == 0 then self = m elseif i % 5001 == 0 then self = {} end
      local ok, err = pcall(ch.send, self, i)
      if ok then ch:recv() else
        n = n + 1
        has(err, "calling 'send' on bad self (channel expected")
      end
    end
    assert.equals(math.floor(N / 5000) + math.floor(N / 5001), n)
    assert.equals(0, ch:len())
  end)

  both_ways('a wrong self is refused at once, also while a receiver waits', function()
    local ctx, cancel = context.with_cancel(context.background())
    local m = weft.sync.mutex()
    local wrong = { weft.stdout, ctx:done(), io.stdout, rawget(m, 0) }
    local ch, n, sum = weft.chan(), 0, 0
    start(function() for v in ch do sum = sum + v end end)
    local waiting = start(function() return wrong[2]:recv() end)
    settle()
    for i = 1, N do
      local self = i % 500 == 0 and wrong[i / 500 % 4 + 1] or ch
      local ok, err = pcall(ch.send, self, 1)
      if not ok then
        n = n + 1
        has(err, "'send' on ", self == wrong[2] and 'only weft sends on' or 'bad self')
      end
    end
    assert.equals(N / 500, n)
    assert.equals(N, sum + n)
    assert.is_false(waiting.done)
    cancel()
    ch:close()
    settle()
  end)

  both_ways("the end of the task's own context is seen at once", function()
    local sent, received, got = 0, 0, 0
    local ch, out = weft.chan(), weft.chan()
    local receiver = start(function() for _ in ch do got = got + 1 end end)
    local sender = start(function() for i = 1, N do out:send(i) end end)
    for _, op in ipairs { 'send', 'recv' } do
      local ctx, cancel = context.with_cancel(context.background())
      local ok, err = pcall(context.run, ctx, function()
        for i = 1, N do
          settle()
          if i == N / 2 then cancel() end
          if op == 'send' then
            ch:send(i)
            sent = sent + 1
          else
            out:recv()
            received = received + 1
          end
        end
      end)
      assert.is_false(ok)
      has(err, 'context canceled')
    end
    assert.same({ N / 2 - 1, N / 2 - 1, N / 2 - 1 }, { sent, received, got })
    ch:close()
    for _ = received + 1, N do out:recv() end
    settle()
    assert.is_true(receiver.done and sender.done)
  end)

  both_ways('a cancel is seen at once', function()
    local ch = weft.chan(4)
    local ctx, cancel = context.with_cancel(context.background())
    local sent, refused = 0, 0
    for i = 1, N do
      if i == N / 2 then cancel() end
      local ok, err = ch:send(i, ctx)
      if ok then
        sent = sent + 1
        ch:recv()
      elseif err == 'context canceled' then
        refused = refused + 1
      end
    end
    assert.same({ N / 2 - 1, N / 2 + 1, 0 }, { sent, refused, ch:len() })
  end)

  both_ways('a waiting receiver or sender is served', function()
    local ch = weft.chan(4)
    for i = 1, N do
      if i % 1000 == 0 then
        local r = start(ch.recv, ch)
        ch:send(i)
        settle()
        if r[1] ~= i then error('the waiting receiver got ' .. tostring(r[1])) end
        for k = 1, 4 do ch:send(k) end
        local s = start(ch.send, ch, 5)
        for k = 1, 5 do
          if ch:recv() ~= k then error 'out of order' end
        end
        settle()
        if not s.done then error 'the waiting sender was forgotten' end
      end
      ch:send(i)
      if ch:recv() ~= i then error('out of order at ' .. i) end
    end
  end)
end)

describe('in compiled code', function()
  local PROGRAM = [[
    local weft = require "weft"
    local a, b, N = weft.chan(), weft.chan(), 200000
    SETUP
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    for i = 1, N do EACH end
    print((collectgarbage "count" - before) * 1024 / N)
  ]]

  -- Bytes of garbage that one round makes. Which trace comes first is a matter of chance in
  -- LuaJIT, and not each choice has the whole loop in one: the best of a few programs counts. (In
  -- one build chance may always be the same; so loops become hot at different counts.)
  local function garbage_of(prepare, each)
    local code, least = PROGRAM:gsub('SETUP', prepare), math.huge
    code = code:gsub('EACH', each)
    for i = 0, 11 do
      local r = proc.run(('require "jit.opt".start("hotloop=%d")\n'):format(20 + 11 * i) .. code)
      assert.equals('', r.err)
      least = math.min(least, tonumber(r.out))
      if least < 1 then break end
    end
    return least
  end

  it('a select with send cases allocates nothing', function()
    local bytes = garbage_of('weft.go(function() for _ = 1, N, 2 do a:recv() b:recv() end end)',
      'weft.select(a:sending(i), b:sending(i))')
    assert.is_true(bytes < 1, bytes .. ' bytes a select')
  end)

  it('a select that finds nothing ready allocates nothing', function()
    local bytes = garbage_of('', 'assert(weft.select(a, b, weft.default) == 3)')
    assert.is_true(bytes < 1, bytes .. ' bytes a select')
  end)

  both_ways('a select with a default sees whoever comes', function()
    for _, cap in ipairs { 0, 1 } do
      local a, b, got, polls = weft.chan(), weft.chan(cap), 0, 0
      weft.go(function()
        for i = 1, 50 do
          b:send(i)
          for _ = 1, 100 do weft.yield() end
        end
        b:close()
      end)
      while true do
        local i, v = weft.select(a, b, weft.default)
        if i == 3 then
          polls = polls + 1
          weft.yield()
        elseif v == nil then
          break
        else
          got = got + 1
          assert.equals(got, v)
        end
      end
      assert.equals(50, got)
      assert.is_true(polls > 1000, polls .. ' polls')
    end
  end)
end)
