-- SPDX-License-Identifier: MIT
-- A game's frame loop, in a host that is not weft. It runs in any LuaJIT that finds weft.so:
--
--     LUA_CPATH='build/release/?.so;;' luajit scripts/examples/game_loop.lua
--
-- The loop is the game's. In every frame it lets weft's tasks run, for at most 2 ms, and says how
-- much time has gone by in the game: that is what `sleep` and timers count in a guard's script,
-- and it stands still while the game is paused. To find a path takes longer than a frame:
-- `weft.parallel` does it on another core, and the path arrives in some later frame. Until then
-- that guard looks around, and nobody waits.

local weft = require "weft"
local ffi = require "ffi"

ffi.cdef "int poll(void *none, unsigned long count, int milliseconds);"

local FRAME, BUDGET, SIZE, GUARDS = 1 / 60, 0.002, 256, 4

-- The castle, as one string: every 64 rows a wall, with a door on one side, then on the other.
local OPEN = (" "):rep(SIZE - 1) .. "#"
local LEFT, RIGHT = " " .. ("#"):rep(SIZE - 1), ("#"):rep(SIZE - 2) .. " #"
local castle = {}
for y = 1, SIZE do castle[y] = y % 128 == 0 and RIGHT or y % 64 == 0 and LEFT or OPEN end
castle = table.concat(castle)

-- The places on a shortest way, breadth first. Isolated: it gets a copy of the map, and what it
-- returns is copied.
local function find_path(map, from, to)
  local toward, queue, head, ways = { [to] = to }, { to }, 1, { 1, -1, SIZE, -SIZE }
  while not toward[from] do
    local place = queue[head]
    for _, step in ipairs(ways) do
      local other = place + step
      if map:byte(other) == 32 and not toward[other] then
        toward[other] = place
        queue[#queue + 1] = other
      end
    end
    head = head + 1
  end
  local path = {}
  while from ~= to do
    from = toward[from]
    path[#path + 1] = from
  end
  return path
end

local on_the_way, glances = GUARDS, 0

-- A guard's script reads as if it had the game for itself.
local function guard(name, from, to)
  local path = weft.parallel(find_path, castle, from, to)
  while weft.select(path:done(), weft.time.after(0.05)) == 2 do
    glances = glances + 1
  end
  local steps = 0
  for _ in ipairs(path:await()) do
    weft.sleep(0.005)
    steps = steps + 1
  end
  print(("guard %d is there after %d steps"):format(name, steps))
  on_the_way = on_the_way - 1
end

for name = 1, GUARDS do weft.go(guard, name, 40 * name, #castle - SIZE - 40 * name) end

local frames, game_time = 0, 0
while on_the_way > 0 do
  local paused = frames >= 100 and frames < 150 -- somebody has pressed a key
  local dt = paused and 0 or FRAME
  weft.step(BUDGET, dt)
  game_time = game_time + dt
  frames = frames + 1
  ffi.C.poll(nil, 0, 2) -- draws the picture, and waits for the display
end
print(("%d frames, 50 of them paused: %.2f s in the game"):format(frames, game_time))
print(("%d glances while paths were found"):format(glances))
