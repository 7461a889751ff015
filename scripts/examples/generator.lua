-- SPDX-License-Identifier: MIT
-- Lazy sequences, endless ones too: a task that sends, a channel to read from, and a context
-- that stops it.
--
-- The channel is unbuffered, so the generator is never more than one value ahead of its reader.
-- A reader that has had enough cancels the context: the generator's `send` then returns nil, and
-- the task ends instead of waiting for ever. (A Lua coroutine can do this much by itself. Unlike
-- one, a generator that is a task may wait for other things: timers, channels, sockets.)

local weft = require "weft"
local context = require "weft.context"

-- A channel with the values that produce(emit) emits. emit(v) is false when it is time to stop.
local function generate(ctx, produce)
  local out = weft.chan()
  weft.go(function()
    weft.defer(out.close, out) -- however the task ends
    produce(function(v)
      return (out:send(v, ctx))
    end)
  end)
  return out
end

local function fibonacci(emit)
  local a, b = 0, 1
  while emit(a) do
    a, b = b, a + b
  end
  print "the generator was stopped"
end

local ctx, cancel = context.with_cancel(context.background())
local small = {}
local sequence = generate(ctx, fibonacci)
for n in sequence do
  if n > 100 then
    break
  end
  small[#small + 1] = n
end
print("Fibonacci numbers up to 100: " .. table.concat(small, " "))

cancel() -- without it the generator would stay, blocked in `send`, until the program ends
while sequence:recv() do end -- closed when the generator has ended

-- A file, however large: one line at a time is in memory.
local function lines_of(path)
  return function(emit)
    for line in io.lines(path) do
      if not emit(line) then
        return
      end
    end
  end
end

local count, longest = 0, ""
for line in generate(context.background(), lines_of(arg[0])) do
  count = count + 1
  longest = #line > #longest and line or longest
end
print(("this file has %d lines, the longest has %d bytes"):format(count, #longest))
