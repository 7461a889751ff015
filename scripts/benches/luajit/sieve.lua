-- SPDX-License-Identifier: MIT
local create, resume, yield = coroutine.create, coroutine.resume, coroutine.yield

local function generate(limit)
  for i = 2, limit do yield(i) end
end

local function filter(from, prime)
  local _, v = resume(from)
  while v do
    if v % prime ~= 0 then yield(v) end
    _, v = resume(from)
  end
end

-- The first resume starts a coroutine and gives it what it works on; what it yields then is no
-- number yet.
local function start(fn, ...)
  local co = create(function(...)
    yield()
    fn(...)
  end)
  resume(co, ...)
  return co
end

local function pass(limit)
  local from, sum = start(generate, limit), 0
  while true do
    local _, prime = resume(from)
    if not prime then return sum end
    sum = sum + prime
    from = start(filter, from, prime)
  end
end

return { pass = pass }
