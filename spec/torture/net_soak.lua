-- SPDX-License-Identifier: MIT
-- Clients that connect, ask, stall, reset and vanish at random, and a server that must not mind:
-- weft net_soak.lua SECONDS CLIENTS SEED. In four rounds; after each, with all of them gone, the
-- descriptors, tasks and bytes of the process are counted: they must not grow from the first to
-- the last, and no answer that was due may be missing. Prints what it has counted; status 2 if
-- something is wrong.

local weft = require 'weft'
local net, time = require 'weft.net', require 'weft.time'
local sync = require 'weft.sync'

local SECONDS, CLIENTS = tonumber(arg[1]) or 4, tonumber(arg[2]) or 200
math.randomseed(tonumber(arg[3]) or 1)
local ROUNDS, PATIENCE, MOST = 4, 20, 40000

local counts = { asked = 0, answered = 0, stalled = 0, reset = 0, vanished = 0, flooded = 0 }

-- Serving --------------------------------------------------------------------------------------

-- A request is a line with a number and a size, and so many bytes; so is the answer.
local function answer(conn)
  conn:set_timeout(PATIENCE)
  while true do
    local line = conn:read_line(100)
    local id, size = (line or ''):match '^(%d+) (%d+)$'
    if not id then return end
    local body = conn:read_exactly(tonumber(size))
    if not body or not conn:write(id, ' ', size, '\n', body) then return end
  end
end

local listener = assert(net.listen('tcp', '127.0.0.1:0', { backlog = 4096 }))
weft.go(net.serve, listener, answer)

-- Clients --------------------------------------------------------------------------------------

local function dial()
  local conn = assert(net.dial('tcp', listener:addr(), { timeout = PATIENCE }))
  conn:set_timeout(PATIENCE)
  return conn
end

local function request(conn, id)
  local body = string.char(math.random(97, 122)):rep(math.random(0, MOST))
  assert(conn:write(id, ' ', #body, '\n', body))
  return body
end

local behaviours = {}

function behaviours.ask()
  local conn = dial()
  for _ = 1, math.random(8) do
    local id = math.random(1e6)
    counts.asked = counts.asked + 1
    local body = request(conn, id)
    local line, err = conn:read_line()
    assert(line == ('%d %d'):format(id, #body), err or line)
    line, err = conn:read_exactly(#body)
    assert(line == body, err or 'another answer')
    counts.answered = counts.answered + 1
  end
  conn:close()
end

-- Several requests at once, whose answers come in their order.
function behaviours.pipeline()
  local conn, bodies = dial(), {}
  local n = math.random(6)
  counts.asked = counts.asked + n
  local writer = weft.async(function()
    for i = 1, n do bodies[i] = request(conn, i) end
  end)
  for i = 1, n do
    local id, size = assert(conn:read_line()):match '^(%d+) (%d+)$'
    assert(tonumber(id) == i)
    assert(conn:read_exactly(tonumber(size)) == bodies[i])
    counts.answered = counts.answered + 1
  end
  writer:await()
  conn:close()
end

function behaviours.stall()
  local conn = dial()
  conn:write('1 1000\n', ('x'):rep(math.random(0, 900)))
  weft.sleep(math.random() / 20)
  conn:close()
  counts.stalled = counts.stalled + 1
end

-- Closed with an answer unread: the server's next word is met by a reset.
function behaviours.reset()
  local conn = dial()
  request(conn, 1)
  conn:read_exactly(1)
  conn:close()
  counts.reset = counts.reset + 1
end

function behaviours.vanish()
  dial()  -- and the collector closes it
  counts.vanished = counts.vanished + 1
end

function behaviours.flood()
  local conn = dial()
  conn:set_timeout(0.02)
  for i = 1, 20 do
    if not conn:write(i, ' ', MOST, '\n', ('f'):rep(MOST)) then break end
  end
  conn:close()
  counts.flooded = counts.flooded + 1
end

local names = { 'ask', 'ask', 'ask', 'pipeline', 'stall', 'reset', 'vanish', 'flood' }

local function client(till)
  repeat
    behaviours[names[math.random(#names)]]()
  until time.monotonic() >= till
end

-- Counting -------------------------------------------------------------------------------------

local function descriptors()
  return #assert(weft.fs.list '/proc/self/fd')
end

local function resident_kb()
  local f = assert(io.open '/proc/self/statm')
  local pages = f:read '*a':match '^%d+ (%d+)'
  f:close()
  return tonumber(pages) * 4
end

local function fill_the_table_of_strings()
  local strings = {}
  for i = 1, 2 ^ 18 do strings[i] = i .. ' of many' end
  return #strings
end

-- What is kept for reuse is a matter of luck: as many tasks as were in use at once, in slabs that
-- may hold one only, with stacks as deep as they were used. They are used up here, by tasks whose
-- coroutines cannot be kept. LuaJIT's table of strings grows when it is full and shrinks, by half
-- a collection, only when three quarters are empty: here it comes from above. How many traces
-- there are is nobody's business.
local function use_up()
  local group, go_on = sync.waitgroup(), weft.chan()
  local function wait()
    local co = coroutine.running()
    go_on:recv()
    return co
  end
  for _ = 1, 4 * CLIENTS do group:go(wait) end
  weft.yield()
  go_on:close()
  group:wait()
  fill_the_table_of_strings()
  jit.flush()
  for _ = 1, 16 do collectgarbage() end
end

-- A table of those who are served, as many as there are at once, has the room that it grew to, or
-- has shrunk when it was full at a time when few were there. Here it comes from below: more are
-- there at once than the next smaller size can hold.
local function crowd()
  local conns, size = {}, 1
  while size < CLIENTS do size = size * 2 end
  for i = 1, size + size / 8 do conns[i] = dial() end
  while weft.ntasks() < #conns do weft.sleep(0.01) end
  for _, conn in ipairs(conns) do conn:close() end
end

local function settle()
  local limit = time.monotonic() + 2 * PATIENCE
  repeat  -- until the server has seen the last of them go
    collectgarbage()
    weft.sleep(0.01)
  until weft.ntasks() == 2 or time.monotonic() > limit
end

local function count()
  settle()
  crowd()
  settle()
  use_up()
  return { descriptors = descriptors(), tasks = weft.ntasks(),
    bytes = collectgarbage 'count' * 1024, resident = resident_kb() }
end

local function round()
  local group = sync.waitgroup()
  local till = time.monotonic() + SECONDS / ROUNDS
  for _ = 1, CLIENTS do group:go(client, till) end
  group:wait()
  return count()
end

count()  -- has its own share in what has to be met once
local first, last
for i = 1, ROUNDS do
  last = round()
  first = first or last
  print(('round %d: %d descriptors, %d tasks, %d bytes, %d KiB resident'):format(i,
    last.descriptors, last.tasks, last.bytes, last.resident))
end
print(('%d asked, %d answered; %d stalled, %d reset, %d vanished, %d flooded'):format(counts.asked,
  counts.answered, counts.stalled, counts.reset, counts.vanished, counts.flooded))
assert(counts.asked == counts.answered, 'answers are missing')
assert(last.descriptors == first.descriptors, 'descriptors leak')
assert(last.tasks == first.tasks, 'tasks leak')
assert(last.bytes <= first.bytes * 1.01, 'bytes leak')
print 'fine'
