-- SPDX-License-Identifier: MIT
local resume, yield = coroutine.resume, coroutine.yield

local function pass(n)
  local turns = 0
  local function take_turns()
    for _ = 1, n / 2 do
      yield()
      turns = turns + 1
    end
  end
  local a, b = coroutine.create(take_turns), coroutine.create(take_turns)
  for _ = 0, n / 2 do
    resume(a)
    resume(b)
  end
  return turns
end

return { pass = pass }
