-- SPDX-License-Identifier: MIT
-- Files: what a write says that it has written is there, a file that could not be written as a
-- whole is the old one, and an open one stands where the last call that went well has left it.
local weft = require 'weft'
local support = require 'support'
local fs = weft.fs
local call, try = support.call, support.try

support.allowed = { ENOENT = true }

local dir = assert(fs.temp_dir())
local WHOLE, OPENED, COPY = dir .. '/whole', dir .. '/opened', dir .. '/copy'
-- More than is read at once; of torture's small pieces it would be very many.
local LINES = os.getenv 'WEFT_TORTURE_SEED' and 600 or 6000
local OLD, NEW, LONG = 'old', 'new', ('0123456789\n'):rep(LINES)
local ATOMIC, MORE = { atomic = true }, { append = true }
assert(fs.write_file(WHOLE, OLD))
local expected = { whole = OLD, open = false }
local file

-- What was read, and there is no memory to give it, has been read.
local function positions(f)
  local at = call(f.seek, f)
  local text = call(f.read, f, 4)
  local now = call(f.seek, f)
  if at and now then assert(now == at + 4 or now == at and not text, 'the position is another') end
  if at and text then assert(text == LONG:sub(at + 1, at + 4), 'other bytes') end
end

local function read_lines(f)
  local count = 0
  for line in f:lines() do
    assert(line == '0123456789', 'another line')
    count = count + 1
    if count == 10 then break end
  end
end

local function use(f)
  if not call(f.write, f, LONG) then return false end
  call(f.sync, f)
  if not call(f.seek, f, 'set', 0) then return false end
  try(read_lines, f)
  positions(f)
  positions(f)
  local text = call(f.read_at, f, 5, 11)
  assert(not text or text == '01234')
  local st = call(f.stat, f)
  assert(not st or st.size == #LONG)
  return call(f.seek, f, 'set', 0)
end

local function work()
  if call(fs.write_file, WHOLE, NEW, ATOMIC) then expected.whole = NEW end
  local text = call(fs.read_file, WHOLE)
  assert(not text or text == expected.whole, 'the file is neither')
  file = call(fs.open, OPENED, 'w+')
  if file then expected.open = use(file) end
  call(fs.write_file, COPY, LONG, MORE)
  text = call(fs.read_file, COPY)
  assert(not text or text == LONG or text == '')
  call(fs.copy, WHOLE, COPY)
  local other, name = call(fs.temp_file)
  if other then
    os.remove(name)
    call(other.close, other)
  end
  call(fs.stat, WHOLE)
end

local function check(panicked)
  support.alone(panicked)
  assert(fs.read_file(WHOLE) == expected.whole, 'the file is neither')
  for _, entry in ipairs(fs.list(dir)) do
    local name = entry.name
    assert(name == 'whole' or name == 'opened' or name == 'copy', 'something is left: ' .. name)
  end
  if file and expected.open then
    assert(file:seek('set', 0) == 0)
    assert(file:read(#LONG) == LONG)
    assert(file:close())
  elseif file then
    file:close()
  end
  file = assert(fs.open(OPENED, 'w+'))
  assert(use(file) and file:close())
  assert(fs.remove(dir, { recursive = true }))
end

return work, check, true
