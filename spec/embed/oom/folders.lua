-- SPDX-License-Identifier: MIT
-- Folders: walks and watches end, whatever fails in them, and a walk has all or an error.
local weft = require 'weft'
local support = require 'support'
local fs = weft.fs
local call, try = support.call, support.try

support.allowed = { ENOENT = true, ENOTEMPTY = true }

local dir = assert(fs.temp_dir())
local DEEP, TREE, FOUND = dir .. '/x/y/z', dir .. '/x', dir .. '/tree'
local LINK, MOVED, FILE = dir .. '/link', dir .. '/moved', dir .. '/tree/new'
local PARENTS, RECURSIVE, FOLLOW = { parents = true }, { recursive = true }, { follow = true }
for i = 1, 2 do
  assert(fs.mkdir(('%s/%d'):format(FOUND, i), PARENTS))
  assert(fs.write_file(('%s/%d/f'):format(FOUND, i), 'x'))
end
local stop

local function walk(options)
  local n = 0
  for _ in fs.walk(FOUND, options) do n = n + 1 end
  return n
end

local function watch()
  local ch
  ch, stop = call(fs.watch, FOUND, RECURSIVE)
  if not ch then
    stop = nil
    return
  end
  if call(fs.write_file, FILE, 'x') then
    local event, err = ch:recv()
    assert(event and event.path or support.is_oom(err), err)
  end
  stop()
  while ch:recv() do end
end

local function work()
  call(fs.mkdir, DEEP, PARENTS)
  local list = call(fs.list, FOUND)
  assert(not list or #list == 2)
  local ok, n = try(walk, FOLLOW)
  assert(not ok or n == 4, 'the walk has not seen all')
  try(fs.walk, FOUND)
  call(fs.symlink, TREE, LINK)
  call(fs.readlink, LINK)
  call(fs.rename, LINK, MOVED)
  try(watch)
  call(fs.remove, TREE, RECURSIVE)
end

local function check(panicked)
  support.alone(panicked, function()
    if support.over and stop then stop() end
  end)
  fs.remove(FILE)
  assert(walk() == 4)
  watch()
  support.alone(panicked)
  assert(fs.remove(dir, RECURSIVE))
end

return work, check, true
