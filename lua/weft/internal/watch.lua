-- SPDX-License-Identifier: MIT
-- weft.fs.watch: what happens to a file, or in a folder. The system tells of one folder at a time;
-- with `recursive` those below are watched one by one, new ones as soon as they are heard of.
local _, raw = ...

local feed = raw.import "feed"
local ipairs, pcall, error = ipairs, pcall, error
local CAPACITY = 64

local function join(dir, name) return (dir:sub(-1) == "/" and dir or dir .. "/") .. name end

-- Watches the folder and those below. Those that vanish meanwhile are left out. `found` hears of
-- all that is there.
local function add_tree(fs, core, dir, ctx, found)
  local ok, err, code = raw.watch_add(core, dir)
  if not ok then return nil, err, code end
  local list
  list, err, code = fs.list(dir, ctx)
  if not list then return nil, err, code end
  for _, entry in ipairs(list) do
    local path = join(dir, entry.name)
    if found then found(path) end
    if entry.type == "directory" then
      ok, err, code = add_tree(fs, core, path, ctx, found)
      if not ok and code ~= "ENOENT" then return nil, err, code end
    end
  end
  return true
end

-- The path that an event is about: of a folder what is in it, unless it has gone itself.
local function path_of(fs, root, is_dir, event, ctx)
  local at, name = event[1], event[2]
  if at == root and not is_dir then return root end
  if name == "" then return at end
  local path = join(at, name)
  if name == at:match "[^/]+$" and event[3] == "rename" and not fs.stat(at, ctx) then return at end
  return path
end

local function pump(fs, core, root, is_dir, recursive, send, ctx)
  while true do
    local ok, err = raw.watch_wait(core, ctx)
    if not ok then return nil, err end
    local list, more = raw.watch_take(core)
    if not list then return true end
    if more then list[#list + 1] = { root, "", "change" } end
    for _, event in ipairs(list) do
      local path = path_of(fs, root, is_dir, event, ctx)
      ok, err = send({ path = path, event = event[3] })
      if not ok then return nil, err end
      local st = recursive and event[3] == "rename" and fs.stat(path, ctx)
      if st and st.type == "directory" then
        local new = {}
        local code
        ok, err, code = add_tree(fs, core, path, ctx, function(p) new[#new + 1] = p end)
        if not ok and code ~= "ENOENT" then return nil, err end
        for _, p in ipairs(new) do
          ok, err = send({ path = p, event = "rename" })
          if not ok then return nil, err end
        end
      end
    end
  end
end

local function start(fs, core, path, is_dir, recursive, ctx)
  local ok, err, code
  if recursive then
    ok, err, code = add_tree(fs, core, path, ctx)
  else
    ok, err, code = raw.watch_add(core, path)
  end
  if not ok then return nil, err, code end
  return feed(ctx, CAPACITY, function(send, inner)
    local fine, done, why = pcall(pump, fs, core, path, is_dir, recursive, send, inner)
    raw.watch_close(core)
    if not fine then error(done, 0) end
    return done, why
  end, function() raw.watch_collect(core) end)
end

-- The channel of one that was started; of others nothing is left open.
local function started(core, fine, ch, stop, code)
  if fine and ch then
    return ch, function()
      raw.watch_close(core)
      stop()
    end
  end
  raw.watch_close(core)
  if not fine then error(ch, 0) end
  return nil, stop, code
end

return function(fs, path, recursive, ctx)
  local st, err, code = fs.stat(path, ctx)
  if not st then
    if err then err = err:gsub("^stat ", "watch ") end
    return nil, err, code
  end
  local is_dir = st.type == "directory"
  local core = raw.watch_new()
  return started(core, pcall(start, fs, core, path, is_dir, recursive and is_dir, ctx))
end
