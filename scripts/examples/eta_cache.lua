-- SPDX-License-Identifier: MIT
-- A cache of arrival times that many read and one task keeps fresh. In one VM it is a plain table
-- behind a rwmutex: readers do not hold each other up, and while the writer, which waits for its
-- source, has the lock nobody sees half of a new state. Over cores it is a sync.map.

local weft = require "weft"
local sync = require "weft.sync"

local ROUTES, READERS, ROUNDS = 5, 8, 20

-- A source that takes a while: the minutes to each stop in that round.
local function fetch(route, round)
  weft.sleep(0.0002)
  return { round = round, minutes = 3 * route + round % 4 }
end

-- One VM --------------------------------------------------------------------------------------

local lock, etas = sync.rwmutex(), {}
for route = 1, ROUTES do etas[route] = { round = 0, minutes = 0 } end

local readers, reads, mixed, stop = sync.waitgroup(), 0, 0, false

for _ = 1, READERS do
  readers:go(function()
    while not stop do
      lock:rwith(function()
        local round = etas[1].round
        for route = 2, ROUTES do
          weft.yield() -- others run here, other readers even inside the lock
          if etas[route].round ~= round then mixed = mixed + 1 end
        end
        reads = reads + 1
      end)
      weft.sleep(0.0001)
    end
  end)
end

for round = 1, ROUNDS do
  lock:with(function()
    for route = 1, ROUTES do etas[route] = fetch(route, round) end
  end)
end
stop = true
readers:wait()
assert(reads > 0, "nobody has read anything")
print(("one VM: %d rounds of %d routes written, %d reads saw two rounds at once")
  :format(ROUNDS, ROUTES, mixed))

-- All cores -----------------------------------------------------------------------------------

-- A state is one value of the map: whoever loads it gets a copy of all of it.
local cache, done = sync.map(), sync.bool()
cache:store("etas", { round = 0 })
local tasks = {}
for i = 1, 4 do
  tasks[i] = weft.parallel(function()
    local last, backwards = 0, 0
    repeat
      local ended = done:load()
      local round = cache:load("etas").round
      if round < last then backwards = backwards + 1 end
      last = round
      weft.yield()
    until ended
    return last, backwards
  end)
end
for round = 1, ROUNDS do
  local state = { round = round }
  for route = 1, ROUTES do state[route] = fetch(route, round) end
  cache:store("etas", state)
end
done:store(true)
local backwards = 0
for i = 1, 4 do
  local last, n = tasks[i]:await()
  assert(last == ROUNDS, "a reader has missed the last round")
  backwards = backwards + n
end
print(("all cores: everybody saw round %d in the end, %d went back in time")
  :format(ROUNDS, backwards))
