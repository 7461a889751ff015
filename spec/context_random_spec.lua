-- SPDX-License-Identifier: MIT
-- Random programs under contexts that all workers know and cancel at random: tasks send, receive
-- and select on shared channels, with a context given or as the task's own. Every value sent is
-- received exactly once or still there, whoever has ended a wait; and who has been told of an end
-- sees it.
-- Subject: runtime/conc/ctx_core.c runtime/conc/scope.c runtime/task/remote.c

local weft = require 'weft'
local context = weft.context

local LONG = tonumber(os.getenv 'WEFT_LONG' or '') ~= nil
local ROUNDS, STEPS, WORKERS, TASKS = LONG and 40 or 6, 40, 4, 3

-- What an isolated task does, with tasks of its own: {sent = numbers, got = numbers, odd = how
-- often a call ended by a context that has not ended}.
local function play(channels, contexts, cancels, me, seed, steps, tasks)
  local here = require 'weft'
  local own = here.context
  local state = seed
  local function random(n)
    state = (state * 1103515245 + 12345) % 2147483648
    return math.floor(state / 65536) % n + 1
  end
  local sent, got, odd, number = {}, {}, 0, 0
  local function value()
    number = number + 1
    return me * 1e6 + number
  end
  local function check(ctx, err)
    if type(err) == 'string' and err:find('context canceled', 1, true) and not ctx:err() then
      odd = odd + 1
    end
  end
  local acts = {}
  acts[1] = function(ch, ctx)
    local v = value()
    local ok, err = ch:send(v, ctx)
    if ok then sent[#sent + 1] = v else check(ctx, err) end
  end
  acts[2] = function(ch, ctx)
    local v, err = ch:recv(ctx)
    if v ~= nil then got[#got + 1] = v else check(ctx, err) end
  end
  acts[3] = function(ch, ctx)
    local v = value()
    local ok, err = pcall(own.run, ctx, function()
      ch:send(v)
      sent[#sent + 1] = v
    end)
    if not ok then check(ctx, err) end
  end
  acts[4] = function(ch, ctx)
    local ok, err = pcall(own.run, ctx, function()
      local v = ch:recv()
      got[#got + 1] = v
    end)
    if not ok then check(ctx, err) end
  end
  acts[5] = function(ch, ctx)
    local v = value()
    local other = channels[random(#channels)]
    local i, r = here.select(ch:sending(v), other, ctx:done())
    if i == 1 then sent[#sent + 1] = v end
    if i == 2 then got[#got + 1] = r end
    if i == 3 and not ctx:err() then odd = odd + 1 end
  end
  acts[6] = function(_, ctx, i)
    if random(4) == 1 then cancels[i](me) end
    local inner, cancel = own.with_timeout(ctx, 1e-4)
    local _, err = here.sleep(1e-3, inner)
    check(inner, err)
    cancel()
  end
  local finished = here.sync.waitgroup()
  for _ = 1, tasks do
    finished:go(function()
      for _ = 1, steps do
        local i = random(#contexts)
        acts[random(#acts)](channels[random(#channels)], contexts[i], i)
      end
    end)
  end
  finished:wait()
  return { sent = sent, got = got, odd = odd }
end

local function round(seed)
  local channels = { weft.chan(), weft.chan(1), weft.chan(4) }
  local contexts, cancels = {}, {}
  local root, cancel_all = context.with_cancel(context.background())
  for i = 1, 6 do
    contexts[i], cancels[i] = context.with_cancel(contexts[i - 3] or root)
  end
  local futures = {}
  for w = 1, WORKERS do
    futures[w] = weft.parallel(play, channels, contexts, cancels, w, seed * 100 + w, STEPS, TASKS)
  end
  -- Nobody has to wait for ever.
  weft.sleep(0.05)
  cancel_all('enough')
  local sent, got = {}, {}
  local function receive(v)
    got[v] = (got[v] or 0) + 1
  end
  for w = 1, WORKERS do
    local r = futures[w]:await()
    assert.equals(0, r.odd)
    for _, v in ipairs(r.sent) do sent[v] = true end
    for _, v in ipairs(r.got) do receive(v) end
  end
  for _, ch in ipairs(channels) do
    repeat
      local v = ch:try_recv()
      if v ~= nil then receive(v) end
    until v == nil
  end
  for v in pairs(sent) do assert.equals(1, got[v]) end
  for v in pairs(got) do assert.is_true(sent[v]) end
end

describe('tasks on all workers under contexts that end at random', function()
  it('lose and double no value', function()
    local seed = tonumber(os.getenv 'WEFT_SEED' or '') or 1
    for i = 1, ROUNDS do round(seed * 1000 + i) end
  end)
end)
