-- SPDX-License-Identifier: MIT
-- A library that calls back, turned into a channel.
--
-- What a callback may do depends on who calls it. A parser that we call ourselves, in plain Lua,
-- runs in a task of ours: its callbacks may wait, so they just send, and the parser goes on when
-- somebody has taken the value. Something that calls from C (here string.gsub), or whenever it
-- likes, must not be kept waiting: `try_send` into a buffer, and count what did not fit.
-- (How a C library does it from a thread of its own: spec/embed.)

local weft = require "weft"

-- Somebody else's parser: calls on_pair(key, value) for each pair and on_end() at the end, or
-- on_error(message).
local function parse(text, on_pair, on_end, on_error)
  for part in text:gmatch "[^&]+" do
    local key, value = part:match "^(%w+)=(%w*)$"
    if not key then return on_error("bad part: " .. part) end
    on_pair(key, value)
  end
  on_end()
end

local function pairs_in(text)
  local ch = weft.chan()
  weft.go(parse, text, function(key, value)
    ch:send { key = key, value = value }
  end, function()
    ch:close()
  end, function(message)
    ch:close(message) -- comes out where the values do
  end)
  return ch
end

for pair in pairs_in "name=Ada&born=1815&city=London" do
  print(pair.key .. " is " .. pair.value)
end

print(pcall(function()
  for pair in pairs_in "name=Ada&???" do print(pair.key .. " is " .. pair.value) end
end))

-- A callback from C cannot wait, whoever calls it.
local ok, why = pcall(string.gsub, "abc", "%a", function(letter)
  weft.chan():send(letter)
end)
print(ok, (why:match "C%-call boundary"))

local letters, lost = weft.chan(10), 0
string.gsub("the quick brown fox", "%a", function(letter)
  if not letters:try_send(letter) then lost = lost + 1 end
end)
letters:close()
local kept = {}
for letter in letters do kept[#kept + 1] = letter end
print(("kept %s, lost %d"):format(table.concat(kept), lost))
